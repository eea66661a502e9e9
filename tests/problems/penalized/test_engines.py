"""Penalized and bounded problems have the same bits on every engine and after every interruption, and the same answer for any chunks."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results.output import Output, attributes_of
from tests.problems.penalized.cases import data, solve

PROBLEMS: dict[str, Callable[..., Any]] = {
    "elastic-net": lambda A, b, w: ds.ElasticNet(A, b, alpha=0.05, weights=w, intercept=True),
    "bounded": lambda A, b, w: ds.Bounded(A, b, lower=[0.0] * 7 + [None], upper=0.5, weights=w, intercept=True),
    "elastic-net-path": lambda A, b, w: ds.ElasticNetPath(A, b, alphas=12, l1_ratio=[1.0, 0.5], weights=w, intercept=True),
}
each = pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
METHODS = ("gram", "triangle")


@pytest.fixture
def parts(stored: Any) -> tuple[str, str, str]:
    """Return A, b and weights on disk, in chunks of their own."""
    A, b = data(3000)
    return stored("A", A, 170), stored("b", b, 201), stored("w", np.arange(3000) % 4 + 0.5, 232)


def are_equal(first: Any, second: Any) -> bool:
    """Whether two certificates agree bit for bit."""
    mine, other = vars(first), vars(second)
    return mine.keys() == other.keys() and all(np.array_equal(mine[name], other[name]) for name in mine)


@pytest.mark.cluster
@each
@pytest.mark.parametrize("method", METHODS)
def test_every_engine_has_the_same_bits(client: Any, parts: tuple[str, ...], make: Callable[..., Any], method: str) -> None:
    """Serial or two processes: x, certificate and notes are equal bit for bit."""
    here = solve(make(*parts), method=method)
    there = ds.solve(make(*parts), method=method, cluster=client, progress=False)

    assert np.array_equal(here.x, there.x)
    assert are_equal(here.certificate, there.certificate)
    assert here.notes == there.notes


@each
@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_was_cut_short_goes_on_with_the_same_bits(
    tmp_path: Path, parts: tuple[str, ...], make: Callable[..., Any], method: str
) -> None:
    """Whatever number of records is left, resume gives the x of the whole run, made again from the journal alone."""
    whole = solve(make(*parts), method=method, journal=tmp_path / "whole")
    total = len(whole.passes)

    for kept in range(1, total + 1):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for number in range(kept + 1, total + 1):
            (cut / f"pass-{number:04d}.npz").unlink()
        found = ds.resume(cut, cluster="serial", progress=False)
        assert np.array_equal(found.x, whole.x)
        assert are_equal(found.certificate, whole.certificate)
        assert [record.replayed for record in found.passes] == [number < kept for number in range(total)]


@each
@pytest.mark.parametrize("method", METHODS)
def test_other_chunks_change_last_bits_alone(stored: Any, parts: tuple[str, ...], make: Callable[..., Any], method: str) -> None:
    """The chunk law: the same answer but for rounding, the same folds."""
    A = zarr.open_array(parts[0], mode="r")[:]
    first = solve(make(*parts), method=method)
    second = solve(make(stored("again", A, 911), *parts[1:]), method=method)

    assert np.allclose(first.x, second.x, rtol=1e-12, atol=1e-15)
    if hasattr(first.certificate, "cv_mean"):
        assert np.allclose(first.certificate.cv_mean, second.certificate.cv_mean, rtol=1e-13)


@each
def test_a_stored_x_predicts(tmp_path: Path, parts: tuple[str, ...], make: Callable[..., Any]) -> None:
    """From the place where the command line writes it, as from the solution: A x plus the intercept, a column for each of x's."""
    found = solve(make(*parts))
    Output.at(tmp_path / "x.zarr").write(found.x, attributes_of(found, None))
    A = data(40, seed=9)[0]

    told = ds.predict(tmp_path / "x.zarr", A, progress=False)

    assert np.array_equal(told, found.predict(A, progress=False))
    assert np.allclose(told, A @ found.x[:-1] + found.x[-1], rtol=1e-12, atol=1e-12)


def test_a_stored_path_knows_its_penalties(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Which column is which, and which to take."""
    found = solve(PROBLEMS["elastic-net-path"](*parts))
    Output.at(tmp_path / "x.zarr").write(found.x, attributes_of(found, None))

    kept = zarr.open_array(str(tmp_path / "x.zarr"), mode="r").attrs
    assert kept["alphas"] == found.certificate.alphas.tolist()
    assert kept["best"] == found.certificate.best


def test_integers_and_narrow_storage(stored: Any) -> None:
    """A as float32 or int16: the answer for the numbers that are stored."""
    A, b = data()
    for kind in (np.float32, np.int16):
        narrow = (A * 100).astype(kind)
        for make in PROBLEMS.values():
            found = solve(make(stored(f"{kind.__name__}{make.__code__.co_firstlineno}", narrow, 100), b, np.ones(600)))
            assert np.allclose(found.x, solve(make(narrow.astype(float), b, np.ones(600))).x, rtol=1e-10, atol=1e-12)
