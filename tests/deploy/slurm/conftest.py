"""A real SLURM of one node, data to solve, and commands as users type them."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsketch
from tests.deploy.commands import DEPLOY, programs
from tests.deploy.slurm.gate import Gate
from tests.deploy.slurm.node import environment
from tests.deploy.slurm.packages import program, why_missing
from tests.failures.data import tall_files
from tests.failures.processes import ENVIRONMENT
from tests.failures.scale import BLOCK_BYTES

SCRIPTS = DEPLOY / "slurm"
METHOD = "tsqr"  # passes: triangle, gradient
_SECONDS = 240


class Slurm:
    """A running SLURM and a working folder for its jobs.

    Parameters
    ----------
    node, folder : Path
        Of the daemons; of the jobs.
    """

    def __init__(self, node: Path, folder: Path) -> None:
        self.folder = folder
        commands = programs(folder / "bin", dsketch="tests.deploy.slurm.small")
        path = {"PATH": f"{commands}:{os.environ['PATH']}", "DSKETCH_INTERFACE": "lo", "DSKETCH_CLUSTER": str(folder / "cluster")}
        dask = {"DASK_CONFIG": str(DEPLOY / "dask.yaml")}
        self.environment = {**os.environ, **ENVIRONMENT, **environment(node), **path, **dask}

    def submit(self, script: str, *words: str, options: tuple[str, ...] = ()) -> str:
        """Submit a script of ``deploy/slurm``; return the job's number."""
        return self.ask("sbatch", "--parsable", *options, str(SCRIPTS / script), *words).strip()

    def ask(self, name: str, *words: str) -> str:
        """Run a command of SLURM's and return what it prints."""
        done = self.run(str(program(name)), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run any command in the folder."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )

    def started(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the folder."""
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def jobs(self) -> dict[str, str]:
        """Return the state of each job that is not over, by number; a task of an array is ``array_task``."""
        return dict(line.split() for line in self.ask("squeue", "--noheader", "--array", "--format=%i %T").splitlines())

    def finished(self, job: str) -> dict[str, str]:
        """Wait until a job is over; return what SLURM says about it."""
        over = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        until(lambda: self.described(job)["JobState"] in over, f"job {job} to end")
        return self.described(job)

    def described(self, job: str) -> dict[str, str]:
        """Return SLURM's description of a job."""
        words = shlex.split(self.ask("scontrol", "--oneliner", "show", "job", job))
        return dict(word.split("=", 1) for word in words if "=" in word)

    def logs(self) -> str:
        """Return what the jobs have written."""
        return "\n".join(log.read_text() for log in self.folder.glob("*.log"))


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that can only be asked for."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {_SECONDS} seconds for {what}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running node; it is skipped, with the reason, only where SLURM can be neither found nor installed."""
    if reason := why_missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:  # sockets allow paths of 108 characters, pytest's are longer
        folder = Path(name)
        with (folder / "node.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.deploy.slurm.node", name]
            talks = subprocess.PIPE
            daemons = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, stdin=talks, stdout=talks, stderr=log)
        try:
            assert daemons.stdout.readline() == b"ready\n", (folder / "node.log").read_text()
            yield folder
        finally:
            daemons.stdin.close()
            assert daemons.wait(timeout=_SECONDS) == 0, (folder / "node.log").read_text()


@pytest.fixture
def slurm(node: Path, tmp_path: Path) -> Iterator[Slurm]:
    """SLURM with no job but the test's own, which are cancelled after it."""
    running = Slurm(node, tmp_path)
    yield running
    if jobs := running.jobs():
        running.ask("scancel", *jobs)
    until(lambda: not running.jobs(), "cancelled jobs to end")


@pytest.fixture
def gate(slurm: Slurm) -> Gate:
    """A gate in all workers that the test starts; shut only once it is armed."""
    made = Gate(slurm.folder / "gate")
    slurm.environment.update(made.environment)
    return made


@pytest.fixture(scope="session")
def tall(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of A (16 MB, eight raw chunks) and b."""
    return tall_files(tmp_path_factory.mktemp("tall"))


@pytest.fixture(scope="session")
def undisturbed(tall: tuple[str, str]) -> dsketch.Solution:
    """The answer of the serial engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsketch.matrix.base.BLOCK_BYTES", BLOCK_BYTES)
        patch.setattr("dsketch.engine.panels.PANEL_BYTES", BLOCK_BYTES)
        return dsketch.lstsq(*tall, method=METHOD, cluster="serial")


def assert_same_bits(found: dict[str, Any], x: Path, wanted: dsketch.Solution) -> None:
    """Compare what ``dsketch solve --json --out x.npy`` gave, bit by bit."""
    expected = json.loads(json.dumps(wanted.to_dict()))
    assert np.load(x).tobytes() == wanted.x.tobytes()
    assert found["certificate"] == expected["certificate"]
    assert [record["kind"] for record in found["passes"]] == [record["kind"] for record in expected["passes"]]
