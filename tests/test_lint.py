"""The code is clean for the linter, the formatter and the type checker."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def said(*command: str) -> str:
    """Return what a tool complains about; nothing if it is content."""
    found = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if found.returncode == 0 else found.stdout + found.stderr


@pytest.mark.parametrize("words", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_code_is_clean(words: tuple[str, ...]) -> None:
    """Ruff finds nothing."""
    assert not said("ruff", *words, ".")


def test_types_are_right() -> None:
    """Nor does mypy --strict, where it can read NumPy's annotations at all (2.4 cannot read those of NumPy 2.5)."""
    if said("mypy", "--config-file=", "--no-incremental", "-c", "import numpy as np\nx = np.ones(3)\nx.max()"):
        pytest.skip("mypy cannot read this NumPy's annotations: it refuses np.ones(3).max()")

    assert not said("mypy", "--no-incremental")
