"""The command line as tests use it, in this process."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dsketch._cli import main


def run(*words: object) -> Result:
    """Run a command line."""
    return CliRunner().invoke(main, [str(word) for word in words])


def good(*words: object) -> Result:
    """Run a command line that must succeed."""
    ran = run(*words)
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    return ran


def found(*words: object) -> dict[str, Any]:
    """Return the one JSON object that a command line prints; NaN and infinity are no JSON."""
    said: dict[str, Any] = json.loads(good(*words, "--json").stdout, parse_constant=pytest.fail)
    return said
