"""Peers' own tests agree with dsketch's answers, but for what the table gives a reason for."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parent / "peers.py"
FILES = {
    "numpy": "numpy.linalg.tests.test_linalg",
    "scipy": "scipy.linalg.tests.test_basic",
    "sklearn": "sklearn.linear_model.tests.test_ridge",
}
LEAST = {"numpy": 400, "scipy": 20, "sklearn": 300}  # cases that agree: the tests are there, and were really run


@pytest.mark.slow
@pytest.mark.parametrize("peer", sorted(FILES))
def test_peers_cases_agree_or_have_a_reason(peer: str) -> None:
    """Every case of the peer's own tests passes, or fails for a reason that the script knows."""
    package = FILES[peer].rpartition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"this {peer} ships no tests")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PEERS.parents[2]), os.environ.get("PYTHONPATH", "")])}

    ran = subprocess.run([sys.executable, str(PEERS), peer], env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    agree = re.search(r"^\| \S.*\| ([\d,]+) \| ([\d,]+) \| \|$", ran.stdout, re.MULTILINE)
    assert agree is not None, ran.stdout
    assert int(agree[2].replace(",", "")) >= LEAST[peer]
