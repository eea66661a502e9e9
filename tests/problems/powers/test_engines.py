"""Powers have the same bits on every engine, and after every interruption."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.powers.methods import METHODS
from tests.problems.powers.digits import D, matrix, side, solve


@pytest.mark.cluster
@pytest.mark.parametrize("method", METHODS)
def test_every_engine_has_the_same_bits(client: Any, stored: Any, method: str) -> None:
    """Serial or two processes, whatever the method: x and certificate are equal bit for bit."""
    A = stored("A", matrix(10.0, 3000), chunk_rows=250)
    for problem in (GramPower(A, stored("b", side(D)), power=3), OddGramPower(A, stored("c", side(3000, 2)), power=2)):
        here = solve(problem, method=method, tol=1e-3)
        there = ds.solve(problem, method=method, tol=1e-3, cluster=client, progress=False)

        assert np.array_equal(here.x, there.x)
        assert np.array_equal(here.certificate.backward_error, there.certificate.backward_error)


@pytest.mark.cluster
def test_the_exponential_has_the_same_bits_everywhere(client: Any, stored: Any) -> None:
    """Serial or two processes."""
    problem = GramExponential(stored("A", matrix(10.0, 3000), chunk_rows=250), stored("b", side(D)), terms=12)

    assert np.array_equal(solve(problem).x, ds.solve(problem, cluster=client, progress=False).x)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_was_cut_short_goes_on_with_the_same_bits(tmp_path: Path, stored: Any, method: str) -> None:
    """Whatever number of records is left, resume gives the x of the whole run, and reads only what is missing."""
    problem = GramPower(stored("A", matrix(1e3, 600), chunk_rows=100), stored("b", side(D)), power=2)
    whole = solve(problem, method=method, journal=tmp_path / "whole", tol=1e-8)
    total = len(whole.passes)

    for kept in sorted({1, total // 2, total - 1, total}):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for number in range(kept + 1, total + 1):
            (cut / f"pass-{number:04d}.npz").unlink()

        found = ds.resume(cut, cluster="serial", progress=False)

        assert np.array_equal(found.x, whole.x)
        assert [record.replayed for record in found.passes] == [number < kept for number in range(total)]
