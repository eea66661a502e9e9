"""Rows that are fitted to the last bit have no curvature left: what moves only them is no direction that a proof may leave out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

import dsketch as ds
from dsketch.settings import EPS
from tests.problems.smooth.cases import draw, model, rows, solve

GROUP = np.arange(600) < 40
FAR = {"logit": 1e3, "probit": 1e3, "cloglog": 36.0, "poisson": -1e3, "negative_binomial": -1e3}
METHODS = ["newton", "newton_qr", "newton_sketch", "conjugate_gradient", "gradient_descent"]
each_family = pytest.mark.parametrize("name", FAR)


def group(name: str) -> tuple[Any, Any, Any]:
    """Return A with a column for a group, a y that is all of one kind there, and an x best for the others and far out for the group."""
    X, y = np.c_[rows(), np.ones(600)], draw(name, rows())
    y[GROUP] = 1.0 if name in ("logit", "probit", "cloglog") else 0.0
    rest = solve(model(name, X[~GROUP], y[~GROUP])).x
    return np.c_[X, GROUP], y, np.r_[rest, FAR[name]]


def judge(problem: ds.Problem, x: Any) -> Any:
    """Check in this process, silently."""
    return ds.check(problem, x, cluster="serial", progress=False)


@each_family
def test_a_saturated_group_is_judged_to_be_separated(name: str) -> None:
    """No curvature, no slope, rank lost, a small backward error: and no minimizer, which the verdict says with column and row."""
    A, y, far = group(name)
    found = judge(model(name, A, y), far)

    assert found.rank == 5
    assert found.decrement < 1e-9
    assert not np.isfinite(found.reach)
    assert not found.is_right(1e-6)
    assert found.obstacle.startswith("separation: column 5 fits some rows, and none worse, ever better without end, such as row ")


@pytest.mark.parametrize("method", METHODS)
@each_family
def test_no_solve_ends_at_a_saturated_start(name: str, method: str) -> None:
    """Whatever the method: separated, with the column."""
    A, y, far = group(name)
    found = solve(model(name, A, y, start=far), method=method)

    assert found.status is ds.Status.SEPARATED
    assert found.notes[-1].startswith("separation: column 5 fits")
    assert not np.isfinite(found.certificate.reach)


def test_a_class_that_a_group_lacks() -> None:
    """Of several classes: one predictor far down, or all of them far down, or far up."""
    y = np.random.default_rng(1).integers(0, 3, 600).astype(float)
    for lacking, far in ((2.0, [0.0, -1e3]), (0.0, [1e3, 1e3])):
        A, labels = np.c_[rows(), np.ones(600), GROUP], y.copy()
        labels[GROUP & (y == lacking)] = 1.0
        x = np.r_[np.zeros((5, 2)), [far]]
        found = ds.solve(ds.Multinomial(A, labels, start=x), cluster="serial", progress=False)
        assert found.status is ds.Status.SEPARATED
        assert "column 5 fits" in found.notes[-1]
        assert not np.isfinite(judge(ds.Multinomial(A, labels), x).reach)


def test_several_columns_and_a_combination_of_columns() -> None:
    """Groups of either label at once, and a group that only the difference of two columns marks."""
    A, y, far = group("logit")
    other = (np.arange(600) >= 40) & (np.arange(600) < 90)
    y[other] = 0.0
    both = model("logit", np.c_[A, other], y)
    assert "column 5, column 6 together fit" in judge(both, np.r_[far, -1e3]).obstacle

    marks = np.random.default_rng(3).standard_normal(600)
    mixed = model("logit", np.c_[A[:, :5], marks, marks + GROUP], group("logit")[1])
    x = np.r_[far[:5], -1e3, 1e3]
    found = judge(mixed, x)
    assert found.obstacle.startswith("separation: column ")
    assert {"column 5", "column 6"} <= set(found.obstacle.split(": ")[1].split(" together")[0].split(", "))
    assert solve(model("logit", np.c_[A[:, :5], marks, marks + GROUP], group("logit")[1], start=x)).status is ds.Status.SEPARATED


@pytest.mark.parametrize("unit", [1e-20, 1e-8, 1e8])
def test_units_hide_no_column(unit: float) -> None:
    """A column whose curvature is 0 has no unit but the rows' own."""
    A, y, far = group("logit")
    A[:, 5] *= unit
    far[5] /= unit
    found = judge(model("logit", A, y), far)
    assert not np.isfinite(found.reach)
    assert "column 5 fits" in found.obstacle


@pytest.mark.parametrize("method", ["newton", "newton_qr", "gradient_descent"])
def test_a_saturated_start_of_data_that_have_a_minimizer_is_no_answer(method: str) -> None:
    """Slopes of +1 and −1 that cancel on a flat face: nothing is proven there, and a solve goes back and finds the minimizer."""
    A, y, far = group("logit")
    y[GROUP] = np.arange(40) % 2
    A[:, 5] *= np.where(y > 0, -1.0, 1.0) * np.where(np.arange(600) < 20, 1.0, -1.0)
    for x in (far, np.r_[far[:5], -1e3]):
        assert not np.isfinite(judge(model("logit", A, y), x).reach)
        assert not judge(model("logit", A, y), x).is_right(1e-6)
        found = solve(model("logit", A, y, start=x), method=method)
        assert found.status is ds.Status.SOLVED
        assert np.allclose(found.x, solve(model("logit", A, y)).x, rtol=1e-9)


def test_cancelled_slopes_are_no_stationary_point() -> None:
    """Two rows far out on wrong sides pull alike: the gradient is 0, the curvature is, and the minimizer is a thousand away."""
    A = np.c_[np.tile(rows(), (2, 1)), np.r_[GROUP, GROUP].astype(float)]
    y = np.r_[draw("logit", rows()), draw("logit", rows())]
    y[:600][GROUP], y[600:][GROUP] = 1.0, 0.0
    offset = np.r_[np.where(GROUP, -1e3, 0.0), np.where(GROUP, 1e3, 0.0)]
    rest = solve(model("logit", A[A[:, 4] == 0, :4], y[A[:, 4] == 0])).x
    found = judge(model("logit", A, y, offset=offset), np.r_[rest, 20.0])

    assert found.decrement < 1e-9
    assert not np.isfinite(found.reach)
    assert not found.is_whole
    assert "curvatures have vanished" in found.obstacle


@each_family
def test_dependent_columns_are_proven_as_before(name: str) -> None:
    """Rows of full curvature and rows without, dense or sparse: no row moves along what depends, and one pass more says so."""
    A, y = rows(), draw(name, rows())
    wide = np.c_[A, A[:, 0] - A[:, 1], np.zeros(600)]
    for columns in (wide, csr_array(wide)):
        found = solve(model(name, columns, y, intercept=True))
        assert found.status is ds.Status.MINIMUM_NORM
        assert found.certificate.reach < 1e-11
        assert [str(done) for done in found.passes].count("dropped") <= 1
    assert judge(model(name, wide, y, intercept=True), found.x).is_right(64 * EPS)


def test_outliers_that_saturate_leave_the_proof_of_dependent_columns() -> None:
    """A few rows that are far out, and rightly so, weigh nothing; along dependent columns they stay as the others do."""
    A, y = rows(), draw("logit", rows())
    A[:5] *= 1e4
    y[:5] = A[:5] @ (0.8 * (-1.0) ** np.arange(4)) > 0
    found = solve(model("logit", np.c_[A, A[:, 0], A[:, 1] - A[:, 0]], y, intercept=True))
    assert found.status is ds.Status.MINIMUM_NORM
    assert found.certificate.reach < 1e-9


def test_weights_of_zero_and_penalties() -> None:
    """Rows that do not count have no say; a penalty on the column makes a minimizer, one on the others does not."""
    A, y, far = group("logit")
    weights = np.where(GROUP, 0.0, 1.0)
    assert np.isfinite(judge(model("logit", A, y, weights=weights), np.r_[far[:5], 0.0]).reach)
    assert solve(model("logit", A, y, weights=weights, start=far)).status is ds.Status.MINIMUM_NORM

    assert solve(model("logit", A, y, alpha=[0, 0, 0, 0, 0, 1e-3], start=far)).status is ds.Status.SOLVED
    assert solve(model("logit", A, y, alpha=[1e-3] * 5 + [0], start=far)).status is ds.Status.SEPARATED
    found = judge(model("logit", A[:, [0, 1, 2, 3, 5]], y, intercept=True), np.r_[far[:4], far[5], far[4]])
    assert found.obstacle.startswith("separation: column 4 fits")


def test_a_lone_column_near_the_end_of_float64() -> None:
    """Slope and curvature shrink together: no x along the way is proven, whatever its size."""
    for name, sign in (("logit", 1), ("probit", 1), ("cloglog", 1), ("poisson", -1)):
        problem = model(name, np.ones((30, 1)), np.full(30, float(sign > 0)))
        for size in (1.0, 5.0, 6.2, 6.4, 6.56, 6.6, 20.0, 36.0, 38.5, 39.0, 700.0, 740.0, 745.0, 800.0):
            assert not np.isfinite(judge(problem, [sign * size]).reach)


def test_a_resumed_run_says_the_same(tmp_path: Path) -> None:
    """The look along what was dropped is in the journal as any other."""
    A, y, far = group("logit")
    wide = np.c_[A[:, :5], A[:, 0]]
    for problem in (model("logit", A, y, start=far), model("logit", wide, y)):
        folder = tmp_path / str(problem.shape[1]) / str(problem.parameters["start"] is None)
        found = solve(problem, journal=folder)
        again = ds.resume(folder, problem=problem, cluster="serial", progress=False)
        assert again.status is found.status
        assert again.x.tobytes() == found.x.tobytes()
        assert again.certificate.obstacle == found.certificate.obstacle


def test_a_loss_that_is_not_convex_is_not_stationary_where_it_is_flat() -> None:
    """Curvatures that underflow are no stationary point; dependent columns are no obstacle."""
    A, y = rows(), draw("inverse_gaussian", rows())
    wide = np.c_[A, A[:, 0]]
    assert solve(model("inverse_gaussian", wide, y, intercept=True)).status is ds.Status.LOCAL
    flat = judge(model("inverse_gaussian", np.c_[A, GROUP], y), np.r_[np.zeros(4), 1e3])
    assert not flat.is_whole
    assert not flat.is_right(1.0)
