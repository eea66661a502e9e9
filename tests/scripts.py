"""The scripts of benchmarks/ as tests use them: imported, and run at tiny size.

``run_script`` runs one the way users do, which is for those that exit, or whose functions other processes import.  ``run_here`` runs one
in this process, with the same ``__main__`` and the same words: what is saved is importing NumPy, Dask and matplotlib again.
"""

import json
import os
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
Found = tuple[list[dict[str, Any]], str]


def run_script(name: str, out: Path, *more: str) -> Found:
    """Run a script, and return its cases and what it printed; it must succeed, and leave a figure."""
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--tiny", "--out", str(out), *more]
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=800)
    assert done.returncode == 0, done.stderr
    return _found(name, out, done.stdout)


def run_here(name: str, out: Path, *more: str, draws: bool = True) -> Found:
    """Run a script in this process, and return the same; ``draws`` tells whether it has a figure to leave."""
    script, said = str(FOLDER / f"{name}.py"), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.syspath_prepend(str(FOLDER))
        patch.setattr(sys, "argv", [script, "--tiny", "--out", str(out), *more])
        runpy.run_path(script, run_name="__main__")
    return _found(name, out, said.getvalue(), draws)


def _found(name: str, out: Path, printed: str, draws: bool = True) -> Found:
    assert not draws or (out / f"{name}.png").stat().st_size > 0
    return [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()], printed
