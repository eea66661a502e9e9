"""What checks the page's scripts and views: TypeScript, ESLint and axe, brought by npm into a folder outside of the sources."""

import shutil
import subprocess
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "dsketch" / "service" / "ui"
_SCRIPTS = Path(__file__).parent / "scripts"
_INSTALL_SECONDS = 300


def install_tools(folder: Path) -> Path:
    """Return a folder with the tools and a copy of the page's scripts; skips, with the reason, where npm is not or brings nothing."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: the page's scripts are checked by TypeScript, ESLint and axe, which npm brings")
    for file in _SCRIPTS.iterdir():
        shutil.copy(file, folder)
    shutil.copytree(UI, folder / "ui", symlinks=True)
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = run_tool(folder, *command)
    if done.returncode != 0:
        pytest.skip(f"npm brought no tools: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def run_tool(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a tool there."""
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
    )
