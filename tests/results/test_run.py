"""The policy of a run: what was begun keeps its method, a place is tried first, x is written whole."""

from pathlib import Path

import numpy as np
import pytest

import dsketch as ds
from dsketch._results.output import Output
from dsketch._results.run import Run
from dsketch.engine import SerialEngine
from dsketch.engine.cluster import Cluster
from dsketch.settings import Settings

ENGINE = SerialEngine()


def run_of(method: str = "auto", journal: Path | None = None, out: Path | None = None) -> Run:
    """Return a run of a small problem."""
    A = np.vander(np.arange(9.0), 3)
    problem = ds.LeastSquares(A, A @ [1.0, 2.0, 3.0])
    return Run(problem, method, Settings(), Cluster("serial"), journal, None if out is None else Output.at(out))


def test_a_begun_run_keeps_its_method(tmp_path: Path) -> None:
    """What a new plan would choose today does not matter once the journal has a method; one that is named does."""
    begun = run_of("whitened", tmp_path / "run")
    begun.begin(begun.plan(ENGINE))

    assert run_of().plan(ENGINE).method == "tsqr"
    assert run_of(journal=tmp_path / "run").plan(ENGINE).method == "whitened"
    assert run_of("gram", tmp_path / "run").plan(ENGINE).method == "gram"


def test_a_begun_run_takes_no_other_plan(tmp_path: Path) -> None:
    """A journal is of one run."""
    begun, other = run_of("whitened", tmp_path / "run"), run_of("gram", tmp_path / "run")
    begun.begin(begun.plan(ENGINE))

    with pytest.raises(ds.JournalError):
        other.begin(other.plan(ENGINE))


def test_a_place_is_tried_and_filled(tmp_path: Path) -> None:
    """x stands at its place after ``write``; a place that overlaps the journal, or is taken, is refused before any pass."""
    run = run_of(out=tmp_path / "x.npy")
    run.probe()
    solution = run.solve(run.plan(ENGINE), ENGINE, progress=False)
    run.write(solution)

    assert np.array_equal(np.load(tmp_path / "x.npy"), solution.x)
    with pytest.raises(ds.DataError, match="a free path was expected"):
        run.probe()
    with pytest.raises(ds.SpecError, match="overlap"):
        run_of(journal=tmp_path / "run", out=tmp_path / "run" / "x.zarr").probe()
    with pytest.raises(ds.SpecError, match="overlap"):
        run_of(out=tmp_path / "y.npy").probe(apart_from=[tmp_path])


@pytest.mark.parametrize(
    "choice",
    [
        {"seed": np.int64(3)},
        {"sketch_rows": np.int64(6)},
        {"max_passes": np.int32(4)},
        {"min_panels": np.int64(8)},
        {"tol": np.float32(1e-6)},
    ],
    ids=lambda choice: next(iter(choice)),
)
def test_numbers_of_numpy_are_numbers(tmp_path: Path, choice: dict[str, np.generic]) -> None:
    """A setting that is one is that of Python: the same bits, in a journal too, which goes on with either."""
    A = np.vander(np.arange(9.0), 3)
    b = A @ [1.0, 2.0, 3.0] + np.cos(np.arange(9.0))
    options = {"method": "whitened", "cluster": "serial", "progress": False, "journal": tmp_path / "run"}
    given = ds.lstsq(A, b, **options, **choice)

    again = ds.lstsq(A, b, **options, **{name: value.item() for name, value in choice.items()})

    assert np.array_equal(given.x, again.x)
    assert all(record.replayed for record in again.passes)
    assert ds.audit(tmp_path / "run").is_clean
