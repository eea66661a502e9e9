"""Each method finds what it promises: x itself where an x fits, else the local minimum that SciPy finds, and says how it went."""

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch._results.solution import Solution
from dsketch.problems.nonlinear.methods import METHODS
from dsketch.problems.nonlinear.problem import NonlinearDetail
from tests.problems.nonlinear.known import KINDS, ROWWISE, Known, known, solve

EPS = float(np.finfo(float).eps)
CASES = [(kind, method) for kind in KINDS for method in METHODS if (kind, method) != ("relu first", "newton_sampled")]


def best_of(case: Known, start: Floats) -> Floats:
    """Return SciPy's minimum from a start."""
    found = scipy.optimize.least_squares(
        lambda x: (case.f(x) - case.b).astype(float), start, x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    x: Floats = found.x
    return x


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_an_x_that_fits_is_found(kind: str, method: str) -> None:
    """From a start 30 % off to the digits that f determines: the loss is 0 to rounding, so that no x is better."""
    case = known(kind, n=2000, m=40)

    found = solve(case.problem(start=case.near()), method=method)

    assert found.status is ds.Status.SOLVED
    assert found.method == method
    assert np.linalg.norm(found.x - case.x) <= max(found.certificate.forward_error[0], 8 * EPS) * 4 * np.linalg.norm(case.x)
    assert np.linalg.norm(found.x - case.x) <= 1e-12 * np.linalg.norm(case.x)


@pytest.mark.parametrize("kind", KINDS)
def test_passes_are_few(kind: str) -> None:
    """Gauss–Newton takes a look a step: x to 1e-12 within 8 looks, the examination counted."""
    passes = [
        len(solve((case := known(kind, n=3000, d=6, m=40, seed=seed)).problem(start=case.near())).passes) for seed in range(5)
    ]

    assert sorted(passes)[2] <= 8
    assert max(passes) <= 12  # a seed may meet a bend on its way


@pytest.mark.parametrize("method", ["levenberg", "newton"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_where_none_fits_the_end_is_a_minimum(kind: str, method: str, noise: float) -> None:
    """With noise in b the status is LOCAL, x the minimum that SciPy finds (whose Jacobian is by differences), the gradient rounding."""
    case = known(kind, n=500, noise=noise)

    found = solve(case.problem(start=case.near(0.1)), method=method)

    if kind == "relu first" and noise == 0.5:  # with so much noise a minimum on a kink
        require_kink(case, found)
        return
    assert found.status is ds.Status.LOCAL
    assert np.linalg.norm(found.x - best_of(case, found.x)) <= 1e-6 * np.linalg.norm(found.x)
    assert found.certificate.gradient_norm <= 64 * EPS
    assert found.certificate.least_eigenvalue > 0
    gradient = case.derivatives(found.x)[0]
    assert np.abs(gradient).max() <= 1e-10 * np.linalg.norm(case.b)  # differences have no more


def require_kink(case: Known, found: Solution) -> None:
    """What is not stationary is not called so, and the note says what may be.

    No point nearby has a loss that is smaller by more than a thousandth.
    """
    assert found.status is ds.Status.NOT_SOLVED
    assert any("ReLU has kinks" in note for note in found.notes)
    rng = np.random.default_rng(0)
    for size in (1e-6, 1e-4, 1e-3):
        for _ in range(100):
            x = found.x + size * np.abs(found.x).max() * rng.standard_normal(len(found.x))
            assert float(case.loss(x)) >= float(case.loss(found.x)) * (1 - 1e-3)


@pytest.mark.parametrize("kind", ROWWISE)
def test_newton_takes_fewer_looks_far_from_a_fit(kind: str) -> None:
    """With a large residual Gauss–Newton converges linearly and the exact Hessian quadratically."""
    case = known(kind, n=1000, noise=1.0)
    start = solve(case.problem(start=case.near(0.1)), tol=1e-3).x

    looks = {method: len(solve(case.problem(start=start), method=method).passes) for method in ("levenberg", "newton")}

    assert looks["newton"] < looks["levenberg"]


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_steps_never_raise_the_loss(kind: str) -> None:
    """The first-order mode is monotone: with a larger tolerance it ends earlier, at a loss between start and minimum."""
    case = known(kind, n=500, noise=0.2)
    problem = case.problem(start=case.near())

    losses = [float(case.loss(solve(problem, method="gradient_descent", tol=tol).x)) for tol in (0.5, 1e-2, 1e-3, 1e-6)]

    assert float(case.loss(case.near())) >= losses[0]
    assert (np.diff(losses) <= 1e-15 * losses[0]).all()
    if kind != "relu first":  # which may end on a kink
        assert abs(losses[-1] - float(case.loss(best_of(case, case.x)))) <= 1e-7 * losses[-1]


@pytest.mark.parametrize("kind", ROWWISE)
def test_a_sampled_hessian_contracts(kind: str) -> None:
    """With 40 d rows the error falls by 0.4 a step or better on the average, as the theory of sampled Hessians says."""
    case = known(kind, n=20_000, d=8)

    found = solve(case.problem(start=case.near(0.1)), method="newton_sampled")

    steps = (len(found.passes) - 3) / 2  # two looks a step; a sketch, and the examination
    assert found.status is ds.Status.SOLVED
    # From 10 % of x to its rounding.
    assert (EPS / 0.1) ** (1 / steps) <= 0.4
    assert any("sampled from about" in note for note in found.notes)


def test_the_number_of_samples_is_read() -> None:
    """sketch_rows says from how many rows; more rows, fewer steps."""
    case = known("softmax", n=20_000)
    few, many = (solve(case.problem(start=case.near(0.1)), method="newton_sampled", sketch_rows=rows) for rows in (40, 4000))

    assert len(many.passes) < len(few.passes)


def test_nothing_to_sample() -> None:
    """With ReLU first no part of the Hessian is a sum over rows; who asks for samples is told so."""
    case = known("relu first")

    with pytest.raises(ds.SpecError, match=r"ReLU first it has m terms. Take method='levenberg'"):
        solve(case.problem(), method="newton_sampled")


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty(kind: str) -> None:
    """½ alpha ‖x‖² is part of the loss: x is the minimum of both, and never called the best."""
    case = known(kind, n=300)
    alpha = 1e-3 if kind == "relu first" else 1e-4

    found = solve(case.problem(start=case.near(0.1), alpha=alpha))

    def both(x: Floats) -> Any:
        return np.append((case.f(x) - case.b).astype(float), np.sqrt(alpha) * x)

    best = scipy.optimize.least_squares(both, found.x, x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    assert found.status is ds.Status.LOCAL
    assert np.linalg.norm(found.x - best) <= 1e-6 * np.linalg.norm(best)
    assert np.isclose(found.certificate.residual_norm[0], np.linalg.norm(both(found.x)), rtol=1e-12)


# ---- starts ----------------------------------------------------------------------------------------------------------------


def test_starts_share_every_reading() -> None:
    """Five starts take the looks of the slowest; the best is kept, and the losses of all are told."""
    case = known("resnet", n=800, noise=0.3)

    found = solve(case.problem(restarts=4), seed=3)

    detail = found.answer
    assert isinstance(detail, NonlinearDetail)
    losses = [answer.local.value for answer in detail.answers]
    assert len(losses) == 5
    assert found.certificate.loss <= min(losses) * (1 + 1e-12)
    assert len(found.passes) == 1 + max(answer.steps for answer in detail.answers) + 2  # spread; first looks; examination
    assert f"the best of 5 starts is number {detail.best}" in found.notes[0]
    alone = solve(case.problem())
    assert np.isclose(detail.answers[0].local.value, alone.certificate.loss, rtol=1e-12)


def test_drawn_starts_belong_to_the_seed() -> None:
    """The same seed gives the same bits; another one, other starts."""
    problem = known("relu first", noise=0.3).problem(restarts=3)

    first, again, other = (solve(problem, seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(first.x, again.x)
    assert first.notes == again.notes
    assert first.notes != other.notes


def test_a_start_is_an_answer_or_numbers(tmp_path: Any) -> None:
    """An earlier answer, its path, a list, or text with commas; a wrong length is refused."""
    case = known("softmax")
    first = solve(case.problem(), tol=1e-2)
    np.save(tmp_path / "x.npy", first.x)

    starts = [first, first.x.tolist(), str(tmp_path / "x.npy"), ",".join(map(repr, first.x.tolist()))]
    found = [solve(case.problem(start=start)) for start in starts]

    assert all(np.array_equal(each.x, found[0].x) for each in found)
    assert all(each.problem.parameters["start"] == first.x.tolist() for each in found)
    with pytest.raises(
        ds.SpecError, match=r"start must be one number, or of shape \(4,\); it has shape \(3,\). Give one for each"
    ):
        case.problem(start=[1.0, 2.0, 3.0])
    with pytest.raises(ds.SpecError, match="restarts must be a number of points ≥ 0; got -1"):
        case.problem(restarts=-1)


def test_a_start_without_f() -> None:
    """Where α vanishes at the start f does not exist: refused with its value; with drawn starts besides, those go on."""
    A = np.array([[1.0], [-1.0], [0.5]])
    # α = Σ(exp(±x) …) is 0 near x = −1.3 for rows whose sum is positive: found by bisection.
    low, high = -40.0, 0.0
    A = np.array([[1.0], [2.0]])
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if np.sum(np.exp(A * middle) + A * middle) > 0 else (middle, high)

    problem = ds.SoftmaxResNet(A, [0.4, 0.6], start=[low])
    with pytest.raises(ds.SpecError, match=r"α = ⟨exp\(A x\) \+ A x, 1⟩ must be above 1.5e-08 .*; it is .*e-.*nearer 0"):
        solve(problem)
    assert solve(ds.SoftmaxResNet(A, [0.4, 0.6], start=[low], restarts=2)).status.is_success
    with pytest.raises(ds.DataError, match="an x where the loss exists was expected"):
        ds.check(problem, [low], cluster="serial", progress=False)
