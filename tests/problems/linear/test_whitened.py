"""Whitening by the factor of some rows: what W tells of them, and what follows."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.problems.outcome import Status

Floats = np.ndarray[Any, np.dtype[np.float64]]


def rows_of(condition: float, n: int = 6000, d: int = 12) -> Floats:
    """Return rows that are all alike."""
    rng = np.random.default_rng(1)
    V, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return np.asarray((rng.standard_normal((n, d)) * np.logspace(0, -np.log10(condition), d)) @ V.T)


def kinds(A: Floats, **choices: Any) -> list[str]:
    """Solve by whitening; return the passes of an answer as good as LAPACK's."""
    b = A @ np.ones(A.shape[1]) + np.random.default_rng(2).standard_normal(len(A))
    found = ds.lstsq(A, b, method="whitened", cluster="serial", progress=False, **choices)
    assert found.method == "whitened"
    assert found.status is Status.SOLVED
    assert ds.check(found.problem, found.x).backward_error[0] < 1e-15
    return [line.kind for line in found.passes]


@pytest.mark.parametrize("condition", [1e1, 1e6, 1e12, 1e14])
def test_a_few_rows_whiten_rows_that_are_alike(condition: float) -> None:
    """At any condition: one pass of few rows, one of all, the certificate."""
    assert kinds(rows_of(condition)) == ["triangle", "whitened", "gradient"]


def test_w_improves_a_factor_that_was_too_weak() -> None:
    """Rows that the first look did not see and that are far larger cost one pass more, not a sketch."""
    A = rows_of(1e3)
    A[::100, 0] += 1e4

    assert kinds(A) == ["triangle", "whitened", "whitened", "gradient"]


def test_a_sketch_sees_what_few_rows_do_not() -> None:
    """A column that is 0 in all rows that are looked at first has no factor there."""
    A = rows_of(1e3)
    A[:, 3] = 0.0
    A[17, 3] = 1.0

    assert kinds(A) == ["triangle", "sketch", "whitened", "gradient"]


def test_a_sketch_that_is_asked_for_is_made() -> None:
    """Family or rows of a sketch, given by hand, are not set aside; nor is it where there are few rows."""
    whole = ["sketch", "whitened", "gradient"]

    assert kinds(rows_of(1e3), sketch="gaussian") == whole
    assert kinds(rows_of(1e3), sketch_rows=100) == whole
    assert kinds(rows_of(1e3, n=500)) == whole


def test_plans_know_which_of_them_reads_twice() -> None:
    """A look at few rows counts as a pass and costs no reading."""
    tall, low = (ds.LeastSquares(A, A @ np.ones(12)) for A in (rows_of(1e3), rows_of(1e3, n=500)))

    assert ds.plan(tall, method="whitened", max_passes=2, cluster="serial").estimate.passes == 3
    with pytest.raises(ds.SpecError, match="reads all rows 2 times at most"):
        ds.plan(low, method="whitened", max_passes=2, cluster="serial")
