"""What is said of an answer is no better than the truth: errors, zero, saddles, and directions that nothing determines."""

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch.problems.nonlinear.certificate import NonlinearCertificate
from tests.problems.nonlinear.known import KINDS, Known, known, solve

EPS = float(np.finfo(float).eps)


def certificate_of(case: Known, x: Floats) -> NonlinearCertificate:
    """Judge an x."""
    found = ds.check(case.problem(), x, cluster="serial", progress=False)
    assert isinstance(found, NonlinearCertificate)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_check_says_what_the_solve_said(kind: str, noise: float) -> None:
    """Judged without knowing how it was found, x has the same loss, rank and curvature, and errors of the same size."""
    case = known(kind, noise=noise if kind != "relu first" else noise / 10)  # with more, its minimum lies on a kink
    found = solve(case.problem(start=case.near(0.1)))

    judged, said = certificate_of(case, found.x), found.certificate

    assert isinstance(said, NonlinearCertificate)
    assert judged.is_zero == said.is_zero == (not noise)
    assert judged.rank == said.rank == 4
    assert np.isclose(judged.condition, said.condition, rtol=1e-9)
    assert np.isclose(judged.least_eigenvalue, said.least_eigenvalue, rtol=1e-6)
    assert (judged.backward_error <= case.problem().accepted(None)).all()
    if noise:
        assert np.isclose(judged.residual_norm[0], float(np.sqrt(2 * case.loss(found.x))), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_honest(kind: str) -> None:
    """The forward error is first-order: at 200 points around minima it is at least half the distance, and rarely a hundred times it."""
    rng = np.random.default_rng(0)
    ratios = []
    for seed in range(10):
        case = known(kind, n=150, seed=seed, noise=0.2 * (seed % 2))
        found = solve(case.problem(start=case.near(0.05)))
        best, scale = found.x, found.answer.examination.factor.scale
        for size in 10.0 ** rng.uniform(-12, -3, 20):
            x = best * (1 + size * rng.standard_normal(len(best)))
            said = certificate_of(case, x)
            if said.least_eigenvalue > 0.01:
                ratios.append(said.forward_error[0] * np.linalg.norm(scale * x) / np.linalg.norm(scale * (x - best)))

    assert len(ratios) >= 100
    assert min(ratios) >= 0.5
    assert np.median(ratios) <= 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [1e-3, 1e-8, 1e-12])
def test_nearly_zero_is_not_zero(kind: str, share: float) -> None:
    """A b that no x fits, by however little above rounding, is never called the best: LOCAL, with what is left of the residual."""
    case = known(kind, noise=share)

    found = solve(case.problem(start=case.near(0.1)))

    assert found.status is ds.Status.LOCAL
    assert not found.certificate.is_zero
    assert found.certificate.residual_norm[0] > 10 * found.certificate.doubt


@pytest.mark.parametrize("kind", KINDS)
def test_doubt_covers_rounding(kind: str) -> None:
    """At the x that b was made from, in extended precision, the residual that is left is within what rounding may do."""
    for seed in range(10):
        case = known(kind, n=300 * (1 + seed), d=1 + seed, m=10 + 5 * seed, seed=seed)
        said = certificate_of(case, case.x)

        assert said.is_zero
        assert (said.backward_error <= case.problem().accepted(None)).all()


def test_a_saddle_is_left() -> None:
    """Begun on a saddle, where the gradient is 0, the answer lies where the loss is less; the saddle itself is not called right."""
    A = np.linspace(-1, 1, 9)[:, None]
    f = np.exp(3 * A[:, 0])
    b = (f + f[::-1]) / f.sum()  # the loss is even in x: 0 is a maximum between two minima, at ±2.6
    problem = ds.SoftmaxRegression(A, b)

    found = solve(problem)

    assert found.status is ds.Status.LOCAL
    assert abs(abs(found.x[0]) - 2.6) <= 0.1
    assert found.certificate.loss < ds.check(problem, [0.0], cluster="serial", progress=False).loss  # type: ignore[attr-defined]
    assert any("left a saddle" in note for note in found.notes)
    assert ds.check(problem, [0.0], cluster="serial", progress=False).is_saddle  # type: ignore[attr-defined]


# ---- what nothing determines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [1.0, 1e6, 3.7e-5])
def test_a_constant_column_means_nothing_to_softmax(constant: float) -> None:
    """Its coefficient is 0 in the shortest x, the others are those without it; the note names it."""
    case = known("softmax")
    A = np.column_stack([case.A[:, :2], np.full(len(case.A), constant), case.A[:, 2:]])

    found = solve(case.problem(A))

    assert found.status is ds.Status.MINIMUM_NORM
    assert found.certificate.rank == 4
    assert np.abs(np.delete(found.x, 2) - case.x).max() <= 1e-13
    assert abs(found.x[2]) * constant <= 1e-12
    assert any("f does not change along 1 direction(s)" in note and "column 2" in note for note in found.notes)


def test_dummies_that_sum_to_one() -> None:
    """Columns that add up to a constant share a direction without effect: x is the shortest, orthogonal to it."""
    rng = np.random.default_rng(0)
    dummies = np.eye(3)[rng.integers(0, 3, 300)]
    A = np.column_stack([dummies, rng.standard_normal(300)])
    x = np.array([1.0, -0.5, 0.25, 0.7])
    f = np.exp(A @ x)

    found = solve(ds.SoftmaxRegression(A, f / f.sum()))

    assert found.status is ds.Status.MINIMUM_NORM
    assert np.abs(found.x - (x - np.array([0.25, 0.25, 0.25, 0.0]))).max() <= 1e-13
    assert all(f"column {place}" in found.notes[-1] for place in range(3))


def test_dependent_columns() -> None:
    """Twice the same column: the shortest x shares its coefficient."""
    case = known("softmax")

    found = solve(case.problem(case.A[:, [0, 1, 2, 3, 0]]))

    assert found.status is ds.Status.MINIMUM_NORM
    assert np.abs(found.x - np.append(case.x, case.x[0]) * [0.5, 1, 1, 1, 0.5]).max() <= 1e-13


@pytest.mark.parametrize("kind", ["resnet", "relu first", "softmax first"])
def test_dependent_columns_leave_others_open(kind: str) -> None:
    """Where what J does not feel is no symmetry that was proven, x is not determined, and the columns are named."""
    case = known(kind)

    found = solve(case.problem(case.A[:, [0, 1, 2, 3, 0]], start=[*case.near(0.1), 0.0]))

    assert found.status is ds.Status.UNDETERMINED
    assert not found.status.is_success
    assert "not determined are column" in found.notes[-1]  # of two equal columns rounding says which is named first
    assert all(f"column {place}" in found.notes[-1] for place in (0, 4))


def test_too_few_active_units() -> None:
    """Fewer active units than columns leave x open, though the loss is 0: UNDETERMINED, with both numbers."""
    cases = (known("softmax first", d=8, m=10, n=300, seed=seed) for seed in range(50))
    case = next(case for case in cases if 0 < np.count_nonzero(case.b) < 8)
    active = int(np.count_nonzero(case.b))

    found = solve(case.problem(start=case.near(0.05)))

    assert found.status is ds.Status.UNDETERMINED
    assert any(f"{active} of 10 units are active at x, fewer than the 8 columns" in note for note in found.notes)


def test_the_rank_of_a_saturated_softmax() -> None:
    """Where one row has all of f, J is nothing beside its rounding, and nothing is claimed of x."""
    A = np.random.default_rng(0).standard_normal((50, 3))
    b = np.zeros(50)
    b[7] = 1.0

    found = solve(ds.SoftmaxRegression(A, b, start=100 * A[7]))

    assert found.status is ds.Status.UNDETERMINED
    assert found.certificate.loss > 0.5  # another row has all of it
    # From 0 the loss falls for ever: no x is a minimum, and none is called one unless float64 cannot tell its loss from 0.
    running = solve(ds.SoftmaxRegression(A, b))
    assert running.certificate.loss <= 1e-20
    assert running.status is (ds.Status.SOLVED if running.certificate.is_zero else ds.Status.NOT_SOLVED)


def test_nothing_is_zero_that_is_not_known() -> None:
    """At an x so large that f is rounding, a residual within the doubt is no proof; and no trial step is an error of the data."""
    case = known("relu first", n=200)
    far = 1e30 * case.x
    said = certificate_of(case, far)

    assert said.doubt > 1e-3 * np.linalg.norm(case.b)
    assert not said.is_zero
    assert (said.backward_error > 1e-3).all()
    for seed in range(10):
        found = solve(known("relu first", n=200, d=8, m=30, seed=seed).problem(restarts=3))
        assert np.isfinite(found.x).all()
        assert found.status is not ds.Status.SOLVED or found.certificate.loss <= 1e-25
