"""Data near the ends of float64 are refused in a sentence, however many sides b has and whatever brings them there."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dsketch as ds

RNG = np.random.default_rng(0)
A = RNG.standard_normal((6, 2))
ENTRIES: dict[str, Callable[..., Any]] = {
    "lstsq": lambda A, b, w: ds.lstsq(A, b, weights=w, cluster="serial", progress=False),
    "ridge": lambda A, b, w: ds.ridge(A, b, 1.0, weights=w, cluster="serial", progress=False),
    "check": lambda A, b, w: ds.check(
        ds.LeastSquares(A, b, weights=w), np.ones((2, *b.shape[1:])), cluster="serial", progress=False
    ),
    "leverage": lambda A, _b, w: ds.leverage_scores(A, weights=w, cluster="serial", progress=False),
    "elastic net": lambda A, b, w: ds.solve(ds.ElasticNet(A, b, weights=w), cluster="serial", progress=False),
}


@pytest.mark.parametrize("method", ["auto", "gram", "tsqr", "whitened"])
@pytest.mark.parametrize("sides", [1, 2, 3, 50])
@pytest.mark.parametrize("weight", [None, 1e-200])
def test_squares_of_b_that_vanish_are_refused(method: str, sides: int, weight: float | None) -> None:
    """A b that is not 0, but whose squares are, is not answered by 0 with an error of 0; also where b has more columns than A."""
    b = RNG.standard_normal((6, sides)) * (1e-200 if weight is None else 1e-100)
    weights = None if weight is None else np.full(6, weight)
    with pytest.raises(ds.DataError, match="squares of b must not be below"):
        ds.lstsq(A, b, weights=weights, method=method, cluster="serial", progress=False)
    with pytest.raises(ds.DataError, match="squares of b must not be below"):
        ds.check(ds.LeastSquares(A, b, weights=weights), np.zeros((2, sides)), cluster="serial", progress=False)
    assert not ds.lstsq(A, 0 * b, weights=weights, method=method, cluster="serial", progress=False).x.any()


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("sides", [1, 3])
def test_weights_that_bring_finite_data_beyond_float64_are_refused(entry: str, sides: int) -> None:
    """√w a overflows where neither does: a sentence from every way in, no traceback and no warning."""
    b, weights = RNG.standard_normal((6, sides)), np.array([1e200, 1.0, 2.0, 3.0, 1.0, 1e-3])
    with pytest.raises(ds.DataError, match="must be finite"):
        ENTRIES[entry](A * 1e250, b, weights)


def test_an_x_that_is_rounded_to_0_is_known_to_no_digit() -> None:
    """Every digit of a minimizer below the least number of float64 is lost: the distance relative to it is not 0."""
    b = RNG.standard_normal(6)

    found = ds.ridge(A * 1e-290, b * 1e-60, 1e-3, accuracy="full", cluster="serial", progress=False)

    assert not found.x.any()
    assert np.isinf(found.certificate.forward_error).all()
    assert (found.coefficient_errors > 0).all()


@pytest.mark.parametrize("size", [1e-300, 1e-302, 1e-305, 1e-308, 5e-324])
def test_columns_too_small_for_exact_sums_keep_the_standard_answer(size: float) -> None:
    """A ridge makes a system of columns of any size solvable; where their exact sums have no room in float64 a note says so."""
    found = ds.ridge(A * size, RNG.standard_normal(6), 1e-3, accuracy="full", cluster="serial", progress=False)

    assert found.status is ds.Status.SOLVED
    assert (size < 1e-301) == any("'full' was not reached" in note for note in found.notes)
