"""Claims about x as it is told hold where columns lie far from 0 and were shifted on the way, and where a ridge outweighs the data."""

from fractions import Fraction

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.arrays import Floats
from tests.problems.penalized.cases import EPS, solve

Line = tuple[Fraction, Fraction]


def _far_column(seed: int) -> tuple[Floats, Floats, Floats | None]:
    """Return one column far from 0, b in any unit, and weights or none."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    a = rng.standard_normal(n) + 10.0 ** rng.uniform(3, 9)
    b = (rng.standard_normal(n) + rng.choice([0.0, 1e3]) + 0.5 * (a - a.mean())) * 10.0 ** rng.choice([0, -60, 60])
    return a[:, None], b, 10.0 ** rng.uniform(-2, 2, n) if seed % 2 else None


def _objective(line: Line, a: list[Fraction], b: list[Fraction], w: list[Fraction], lasso: Fraction, ridge: Fraction) -> Fraction:
    slope, intercept = line
    squares = sum((q * (v - slope * u - intercept) ** 2 for u, v, q in zip(a, b, w, strict=True)), Fraction(0))
    return squares / 2 + lasso * abs(slope) + ridge * slope**2 / 2


def _minimizer(a: list[Fraction], b: list[Fraction], w: list[Fraction], lasso: Fraction, ridge: Fraction) -> Line:
    """Return the minimizer: the slope of centred data is shrunk by λ, the intercept follows."""
    total = sum(w)
    middle = sum((q * u for u, q in zip(a, w, strict=True)), Fraction(0)) / total
    height = sum((q * v for v, q in zip(b, w, strict=True)), Fraction(0)) / total
    square = sum((q * (u - middle) ** 2 for u, q in zip(a, w, strict=True)), Fraction(0))
    pull = sum((q * (u - middle) * (v - height) for u, v, q in zip(a, b, w, strict=True)), Fraction(0))
    slope = max(abs(pull) - lasso, Fraction(0)) / (square + ridge) * (1 if pull > 0 else -1)
    return slope, height - slope * middle


def _root(value: Fraction) -> float:
    """Return the square root of a number that may be beyond float64."""
    powers = (value.numerator.bit_length() - value.denominator.bit_length()) // 2 if value else 0
    return float(np.ldexp(np.sqrt(float(value / Fraction(4) ** powers)), powers))


@pytest.mark.parametrize("seed", range(40))
def test_gaps_and_errors_hold_for_the_intercept_that_is_told(seed: int) -> None:
    """Gap, distance and errors by coefficient are no less than those of x itself: c = c′ − s·w is rounded, and feels w's error s times."""
    A, b, weights = _far_column(seed)
    a, y = [Fraction(v) for v in A[:, 0].tolist()], [Fraction(v) for v in b.tolist()]
    w = [Fraction(v) for v in weights.tolist()] if weights is not None else [Fraction(1)] * len(a)
    problem = ds.ElasticNetPath(A, b, alphas=5, l1_ratio=[0.5, 1.0], eps=1e-4, folds=0, weights=weights, intercept=True)

    found = solve(problem)
    judged = ds.check(problem, found.x, cluster="serial")

    certificate, total = found.certificate, sum(w)
    for point, (alpha, share) in enumerate(zip(certificate.alphas.tolist(), certificate.l1_ratios.tolist(), strict=True)):
        lasso, ridge = total * Fraction(alpha) * Fraction(share), total * Fraction(alpha) * (1 - Fraction(share))
        best, told = _minimizer(a, y, w, lasso, ridge), (Fraction(found.x[0, point]), Fraction(found.x[1, point]))
        reached = _objective(told, a, y, w, lasso, ridge)
        excess = float((reached - _objective(best, a, y, w, lasso, ridge)) / reached)
        squares = sum((q * u**2 for u, q in zip(a, w, strict=True)), Fraction(0)), total
        away = _root(
            sum((size * (mine - right) ** 2 for size, mine, right in zip(squares, told, best, strict=True)), Fraction(0))
        )
        length = _root(sum((size * right**2 for size, right in zip(squares, best, strict=True)), Fraction(0)))
        for claim in (certificate, judged):
            assert excess <= claim.gap[point]
            assert away <= claim.forward_error[point] * length
        for column in range(2):
            assert abs(float(told[column] - best[column])) <= judged.coefficient_errors[column, point]


@pytest.mark.parametrize("method", ["gram", "triangle"])
@pytest.mark.parametrize("power", [0, 10, 20, 60, 80])
def test_a_ridge_that_outweighs_the_data_is_solved(method: str, power: int) -> None:
    """Both gaps are then what rounding of b hides; x is right to rounding all the same: the pull over ridge and squares."""
    A, b, size = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 4.0]), 10.0**power

    found = solve(ds.ElasticNet(A, b * size, alpha=size, l1_ratio=0.0), method=method)

    assert found.status is ds.Status.SOLVED
    assert found.x[0] == pytest.approx(17.0 * size / (14.0 + 3.0 * size), rel=16 * EPS)
