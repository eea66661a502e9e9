"""Certificates and tables do not depend on units, of weights or of columns, as far as float64 goes; what is beyond it is refused."""

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.arrays import Floats


def _counts(seed: int = 3) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((40, 3))
    A[:, 0] += 1e6
    return A, rng.poisson(np.exp(0.5 * A[:, 1])).astype(float)


def _solve(A: Floats, y: Floats, **options: object) -> ds.Solution:
    return ds.solve(ds.GLM(A, y, **options), cluster="serial", progress=False)


@pytest.mark.parametrize("power", [-700, -520, -200, 200])
@pytest.mark.parametrize("family", ["poisson", "binomial", "gaussian"])
def test_what_rounding_hides_is_counted_in_any_unit_of_weights(family: str, power: int) -> None:
    """Weights times 4^p: x is the same and the metric 2^p times as long, so the reach is; squares of slopes may be 0 in float64."""
    A, y = _counts()
    y = np.minimum(y, 1.0)
    plain = _solve(A, y, family=family)

    found = _solve(A, y, family=family, weights=np.full(len(y), 2.0**power))

    assert found.status is plain.status is ds.Status.SOLVED
    away = np.linalg.norm(plain.answer.factor.R @ (found.x - plain.x))
    assert away * 2.0 ** (power / 2) <= found.certificate.reach + plain.certificate.reach * 2.0 ** (power / 2)
    assert found.certificate.reach >= plain.certificate.reach * 2.0 ** (power / 2) / 4  # no rounding is forgotten


@pytest.mark.parametrize("weight", [-664, -500, -300])
def test_products_that_vanish_are_not_taken_for_0(weight: int) -> None:
    """Columns of 2^−400 with weights of 2^−664: sums of products are 0 in float64, and a decrement of 0 proves nothing."""
    A, y = _counts()
    A[:, 0] -= 1e6
    plain = _solve(A, y, family="poisson")

    found = _solve(A * 2.0**-400, y, family="poisson", weights=np.full(len(y), 2.0**weight))

    away = np.linalg.norm(plain.answer.factor.R @ (found.x * 2.0**-400 - plain.x))
    assert away * 2.0 ** (weight / 2) <= found.certificate.reach + plain.certificate.reach * 2.0 ** (weight / 2)


@pytest.mark.parametrize("power", [-530, -400, 300])
def test_errors_of_a_table_follow_the_units_of_columns(power: int) -> None:
    """Columns times 2^p: errors are 2^−p times as large, also where squares of A lose their digits in float64."""
    A, y = _counts()
    A[:, 0] -= 1e6
    plain = _solve(A, y, family="poisson").summary()

    found = _solve(A * 2.0**power, y, family="poisson").summary()

    np.testing.assert_allclose(found.standard_errors * 2.0**power, plain.standard_errors, rtol=1e-8)  # what a table is wanted to


def test_coefficients_beyond_float64_are_refused() -> None:
    """y of 1e100 beside columns of 1e-300: a sentence, not an x of infinities."""
    A, y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]) * 1e-300, np.array([1.0, 2.0, 4.0]) * 1e100
    with pytest.raises(ds.DataError, match="float64 holds"):
        _solve(A, y, family="gaussian")
