"""Attention layers of 40 columns, matrix-free, and of two heads: the same bits from Python, the command line, workers and a service."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from distributed import Client

import dsketch as ds
from tests import command_line
from tests.failures.data import write
from tests.forked import Fork
from tests.others import are_same
from tests.problems.attention.layers import Layer

NAMES = ("A1", "A2", "A3", "B")
SHAPES: dict[str, dict[str, Any]] = {"wide": {"shapes": (40, 40, 20, 20)}, "heads": {"shapes": (4, 4, 3, 4), "heads": 2}}
METHODS = {"wide": "gauss_newton_cg", "heads": "levenberg"}
TOL = {"wide": 1e-2, "heads": 1e-8}


class Stored(NamedTuple):
    """A layer whose matrices lie in a folder, the X to begin at, and its tolerance."""

    name: str
    folder: Path
    heads: int
    start: np.ndarray

    @property
    def words(self) -> tuple[str, ...]:
        """Of ``dsketch solve``."""
        paths = (str(self.folder / f"{name}.zarr") for name in NAMES)
        options = ("--heads", str(self.heads), "--start", str(self.folder / "start.npy"), "--tol", str(TOL[self.name]))
        return ("attention-layer", *paths, *options)

    @property
    def document(self) -> dict[str, Any]:
        """Of a job, whose data root is the folder."""
        paths = {name: f"{name}.zarr" for name in NAMES}
        return {"problem": "attention-layer", **paths, "heads": self.heads, "start": self.start.tolist(), "tol": TOL[self.name]}

    def solve(self, cluster: Any) -> ds.Solution:
        """Solve from Python."""
        paths = (str(self.folder / f"{name}.zarr") for name in NAMES)
        problem = ds.AttentionLayer(*paths, heads=self.heads, start=self.start)
        return ds.solve(problem, tol=TOL[self.name], cluster=cluster, progress=False)


@pytest.fixture(scope="module", params=SHAPES)
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """A layer with noise in B, 520 rows of queries in raw chunks: two blocks."""
    folder, case = tmp_path_factory.mktemp(request.param), Layer(2, n=520, m=200, noise=0.02, **SHAPES[request.param])
    for name in NAMES:
        write(folder / f"{name}.zarr", getattr(case, name), chunk_rows=100)
    start = case.near(0.002)
    np.save(folder / "start.npy", start)
    return Stored(request.param, folder, case.heads, start)


@pytest.fixture(scope="module")
def whole(stored: Stored) -> ds.Solution:
    """Its answer in this process."""
    return stored.solve("serial")


def test_the_plan_takes_what_fits(stored: Stored, whole: ds.Solution) -> None:
    """1,600 numbers of X have no matrix, two heads of 16 have one; both end at a stationary point."""
    assert (whole.method, whole.status) == (METHODS[stored.name], ds.Status.LOCAL)
    assert len(whole.passes) > 7


@pytest.mark.cluster
def test_workers_give_the_same_bits(stored: Stored, whole: ds.Solution, client: Client) -> None:
    """Both blocks on two workers."""
    assert are_same(stored.solve(client), whole)


def test_a_killed_command_is_resumed_to_the_same_bits(stored: Stored, whole: ds.Solution, tmp_path: Path) -> None:
    """Within a pass, and between a record and its place; x lies where it was asked for."""
    journal, out = tmp_path / "journal", tmp_path / "x.npy"
    words = ("solve", *stored.words, "--journal", str(journal), "--scheduler", "serial", "--out", str(out))
    for point in ("in:3", "writing:6"):
        process = Fork("tests.problems.attention.layer_command", point, *words, output=tmp_path / "log")
        assert process.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()

    found = command_line.found("resume", str(journal))

    assert [record["replayed"] for record in found["passes"]].count(True) == 5
    assert [record["kind"] for record in found["passes"]] == [record.kind for record in whole.passes]
    assert np.load(out).tobytes() == whole.x.tobytes()
    assert found["status"] == whole.status.name.lower()


@pytest.mark.cluster
@pytest.mark.timeout(120)
def test_a_job_whose_service_is_killed_gives_the_same_bits(
    stored: Stored, whole: ds.Solution, tmp_path: Path, running: Callable[..., Any]
) -> None:
    """In the midst of its passes; what was recorded is not made again."""
    from tests.service.running import in_pass, rested, seen

    with running(tmp_path / "service", stored.folder) as service:
        with service.client() as client:
            job = client.submit(stored.document)["id"]
            seen(client, job, in_pass(4))
        service.kill()
        service.start()
        with service.client() as client:
            state = rested(client, job)["state"]
            x, facts = np.asarray(client.fetch(job)), client.solution(job)

    assert state == "solved"
    assert x.tobytes() == whole.x.tobytes()
    assert [record["kind"] for record in facts["passes"]] == [record.kind for record in whole.passes]
    assert sum(record["replayed"] for record in facts["passes"]) >= 3


@pytest.fixture
def running() -> Callable[..., Any]:
    """Return what starts a service."""
    pytest.importorskip("fastapi")
    from tests.service.running import Service

    return Service
