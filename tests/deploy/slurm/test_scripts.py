"""The batch scripts as text."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.commands import DEPLOY

SCRIPTS = sorted(path.name for path in (DEPLOY / "slurm").glob("*.sbatch"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_batch_script_is_clean(name: str) -> None:
    """Shellcheck finds nothing."""
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert program, "shellcheck was expected beside the interpreter; install the extra 'dev'"
    done = subprocess.run([program, str(DEPLOY / "slurm" / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_directives_stand_before_the_first_command(name: str) -> None:
    """SLURM reads no ``#SBATCH`` line after a command; each job may be queued again and then adds to its log."""
    lines = (DEPLOY / "slurm" / name).read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    directives = [line for line in lines[:first] if line.startswith("#SBATCH")]
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]
    assert {"#SBATCH --requeue", "#SBATCH --open-mode=append"} <= set(directives)
