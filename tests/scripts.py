"""The scripts of benchmarks/ as tests use them: imported, and run at tiny size the way users run them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "benchmarks"


def run_script(name: str, out: Path, *more: str) -> tuple[list[dict[str, Any]], str]:
    """Run a script, and return its cases and what it printed; it must succeed, and leave a figure."""
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--tiny", "--out", str(out), *more]
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=800)
    assert done.returncode == 0, done.stderr
    assert (out / f"{name}.png").stat().st_size > 0
    return [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()], done.stdout
