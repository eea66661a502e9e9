"""Data without an answer, or without digits for one, end in an error that says what to do, or in a status and a note that say why."""

import re
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.arrays import Floats
from tests.problems.inversion.known import Known, known, solve

EPS = float(np.finfo(float).eps)
KINDS = ("gradient", "scores", "penalized")


def asked(case: Known, kind: str, **options: Any) -> ds.LeverageGradient | ds.LeverageDistribution:
    """Return one of the problems of a case."""
    return case.scores(**options) if kind == "scores" else case.gradient(w=0.1 if kind == "penalized" else 0.0, **options)


def sigma_of(case: Known) -> Floats:
    """Return σ at the known x."""
    return np.asarray(case.sigma(case.x), np.float64)


# ---- errors ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_zeros(kind: str) -> None:
    """A of zeros moves no slack: it is refused, by solve and by check."""
    case = known()
    c, sigma = np.zeros(4), np.zeros(len(case.b))
    given = {"sigma": sigma} if kind == "scores" else {"c": c}
    problem = asked(case, kind, A=np.zeros_like(case.A), **given)

    with pytest.raises(ds.DataError, match="all of them are 0, so that no x changes a slack"):
        solve(problem)
    with pytest.raises(ds.DataError, match="all of them are 0"):
        ds.check(problem, np.ones(4), cluster="serial", progress=False)


@pytest.mark.parametrize("method", ["newton", "quasi_newton", "newton_sampled", "gradient_descent"])
def test_a_gradient_beyond_float64(method: str) -> None:
    """c so large that products with it overflow on the way ends unsolved with a finite x; at the start it is refused."""
    case = known()
    c = np.asarray(case.g(case.x), np.float64)

    found = solve(case.gradient(c * 1e150), method=method)

    assert found.status is ds.Status.NOT_SOLVED
    assert np.isfinite(found.x).all()
    assert (np.sign(case.A @ found.x - case.b) == -1).all()
    with pytest.raises(ds.DataError, match="products with c and x must be finite"):
        solve(case.gradient(c / np.abs(c).max() * 1e307, start=np.full(4, 1e300)), method=method)


def test_a_penalty_beyond_float64() -> None:
    """w whose square overflows, and slacks so small that the squares of g do: both are said."""
    case = known()

    for problem in (case.gradient(w=1e200), case.gradient(np.ones(4), b=case.b * 1e-100, w=0.1)):
        with pytest.raises(ds.DataError, match="squares of g and of w A must be finite"):
            solve(problem)


@pytest.mark.parametrize("kind", ["scores", "penalized"])
def test_an_x_beyond_float64_is_not_judged(kind: str) -> None:
    """Products with it overflow: refused with its size."""
    with pytest.raises(ds.DataError, match=r"x must have entries of at most 1e\+150; one is 1e\+300"):
        ds.check(asked(known(), kind), np.full(4, 1e300), cluster="serial", progress=False)


# ---- scores that no x has ----------------------------------------------------------------------------------------------------


def spoilt(case: Known, how: str) -> Floats:
    """Return scores that are none."""
    sigma = sigma_of(case)
    if how in ("half", "twice"):
        return sigma * {"half": 0.5, "twice": 2.0}[how]
    if how in ("above 1", "below 0"):
        sigma[:2] += {"above 1": np.array([1.5, -1.5]), "below 0": np.array([-0.5, 0.5])}[how]
        return sigma
    return sigma.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("half", "its sum is 2 less than 4, the rank of A"),
        ("twice", "its sum is 4 more than 4, the rank of A"),
        ("above 1", r"numbers outside 0 to 1: 2"),
        ("below 0", r"numbers outside 0 to 1: 1"),
        ("float32", r"its sum is \d\.?\d*e-\d+ (more|less) than 4"),
    ],
)
def test_scores_that_no_x_has_are_named(how: str, why: str) -> None:
    """A sum other than the rank, numbers outside 0 to 1, scores rounded to float32: never solved, and the note says why."""
    case = known()
    sigma = spoilt(case, how)

    found = solve(case.scores(sigma))

    assert found.status is not ds.Status.SOLVED
    assert any(note.startswith("no x has the scores sigma") for note in found.notes)
    assert any(re.search(why, note) for note in found.notes)
    away = np.linalg.norm(np.asarray(case.sigma(found.x), np.float64) - sigma)
    assert np.isclose(found.certificate.residual_norm[0], away, rtol=1e-6)


def test_scores_that_an_x_has_are_not_named() -> None:
    """Heavy rows and zero rows have scores at 1 and 0, and rounding beyond: nothing is said where x is found."""
    case = known()
    A = case.A.copy()
    A[:2] *= 1e8
    A[5:9] = 0
    heavy = Known(A, np.where(np.arange(len(A)) < 2, case.b * 1e8, case.b), case.x)

    found = solve(heavy.scores())

    assert found.status is ds.Status.SOLVED
    assert not found.notes


# ---- too few digits ----------------------------------------------------------------------------------------------------------


def dependent(condition: float) -> Known:
    """Return a problem whose columns nearly depend on each other; its x and what belongs to it are not exact."""
    case = known()
    Q = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))[0]
    A = case.A @ (Q * np.geomspace(1, 1 / condition, 4)) @ Q.T
    x = np.array([0.3, 0.8, -0.5, 0.1])
    ways = case.b / (A @ x)
    return Known(A, case.b, 0.5 * ways[ways > 0].min() * x)


def by_qr(case: Known) -> tuple[Floats, Floats]:
    """Return g(x) and σ(x) by a QR in float64."""
    rows = case.A / (case.A @ case.x - case.b)[:, None]
    sigma = np.sum(np.linalg.qr(rows)[0] ** 2, axis=1)
    return -rows.T @ sigma, sigma


def test_columns_that_nearly_depend_on_others() -> None:
    """At a condition of 1e10 x is not determined by c or σ: the gradient's claim is no smaller than x, the scores leave it open."""
    case = dependent(1e10)
    c, sigma = by_qr(case)

    found, scores = solve(case.gradient(c)), solve(case.scores(sigma))

    assert (found.certificate.forward_error > 1).all()
    assert any("c to rounding does not determine x" in note for note in found.notes)
    assert scores.status is ds.Status.UNDETERMINED
    assert any("too little for a claim" in note for note in scores.notes)
    assert any("x is not determined" in note for note in scores.notes)


@pytest.mark.parametrize(
    ("tol", "note"), [(1e-3, "at this tolerance x may be off by"), (0.1, "at this tolerance no exact answer is proven nearby")]
)
def test_a_tolerance_says_what_it_leaves(tol: float, note: str) -> None:
    """Loose, in a direction that rows hardly decide: x may be off by more than a tenth, or nothing is proven; c is not blamed for it."""
    case = dependent(1e2)
    c, _ = by_qr(case)

    found = solve(case.gradient(c), method="quasi_newton", tol=tol)

    assert any(note in said for said in found.notes)
    assert not any("c may be no gradient" in said for said in found.notes)
    assert found.status is (ds.Status.SOLVED if tol == 1e-3 else ds.Status.NOT_SOLVED)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_start_at_the_rounding_of_a_slack(kind: str) -> None:
    """At 1 − 1e-14 of the way to the boundary no digit of that slack is left: neither is solved, with a note."""
    case = known(share=0.5)
    start = 2 * case.x * (1 - 1e-14)

    found = solve(asked(case, kind, start=start))

    assert found.status is {"gradient": ds.Status.NOT_SOLVED, "scores": ds.Status.UNDETERMINED}[kind]
    assert found.notes


# ---- rows that are allowed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS[:2])
def test_rows_given_twice(kind: str) -> None:
    """A row given three times is three rows: x is found."""
    case = known()
    thrice = Known(np.vstack([case.A] * 3), np.concatenate([case.b] * 3), case.x)

    found = solve(asked(thrice, kind))

    assert found.status is ds.Status.SOLVED
    assert thrice.error(found.x) <= 1e-12


@pytest.mark.parametrize(("kind", "status"), [("gradient", "SOLVED"), ("scores", "UNDETERMINED")])
def test_as_many_rows_as_columns(kind: str, status: str) -> None:
    """n = d: all leverages are 1 whatever x, so that scores tell nothing; g = −Aᵀ(1/s) does."""
    rng = np.random.default_rng(2)
    case = Known(rng.standard_normal((4, 4)), rng.uniform(0.5, 1.5, 4), 0.1 * rng.standard_normal(4))
    c = -(case.A.T @ (1 / (case.A @ case.x - case.b)))

    found = solve(case.scores(np.ones(4)) if kind == "scores" else case.gradient(c))

    assert found.status.name == status
    if kind == "gradient":
        assert case.error(found.x) <= 1e-11


@pytest.mark.parametrize("exponent", [6, 12, 100])
@pytest.mark.parametrize("kind", KINDS[:2])
def test_units_far_apart(kind: str, exponent: int) -> None:
    """Columns in units of 1e±6, 1e±12, 1e±100: the same x in those units."""
    units = np.logspace(-exponent, exponent, 4)
    case = known(units=units)
    plain = known()
    c, sigma = np.asarray(plain.g(plain.x), np.float64) * units, sigma_of(plain)

    found = solve(case.scores(sigma) if kind == "scores" else case.gradient(c))

    assert found.status is ds.Status.SOLVED
    assert np.abs(found.x * units / plain.x - 1).max() <= 1e-12


def test_the_penalized_loss_in_units_far_apart() -> None:
    """‖g(x) − c‖ adds numbers of different units: where it cannot be minimized, no bias is told, and the note says what to do."""
    found = solve(known(units=np.logspace(-6, 6, 4)).gradient(w=0.01))

    assert found.status is ds.Status.NOT_SOLVED
    assert any("the x with w = 0.01 was not found" in note for note in found.notes)
    assert not any("moves x" in note for note in found.notes)


@pytest.mark.parametrize("seed", range(6))
def test_parts_that_share_no_column_and_have_a_scale_of_their_own(seed: int) -> None:
    """The first part's b lies in its range: J is singular to rounding, and no seed is called solved; columns of that part are named."""
    rng = np.random.default_rng(seed)
    A, y, h = rng.uniform(0, 1, (100, 3)), rng.standard_normal(3), rng.uniform(0.5, 1, 3)
    other = known(100, 3, 0.5, seed)
    Z = np.zeros((100, 3))
    case = Known(np.block([[A, Z], [Z, other.A]]), np.append(A @ y, other.b), np.append(y + h, other.x))

    found = solve(case.scores(start=np.append(y + rng.uniform(0.5, 1, 3), np.zeros(3))))

    assert found.status is ds.Status.UNDETERMINED
    assert any(f"column {place}" in note for note in found.notes for place in range(3))


def test_an_answer_at_zero_is_determined() -> None:
    """x* = 0 has no size to compare with: it is solved all the same."""
    case = known()
    zero = Known(case.A, case.b, np.zeros(4))

    for found in (solve(zero.gradient(start=case.x)), solve(zero.scores(start=case.x))):
        assert found.status is ds.Status.SOLVED
        assert np.abs(found.x).max() <= 1e-12
