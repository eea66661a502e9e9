"""Beside an intercept columns far from 0 lose no digits: everything is as it is for the data shifted by hand."""

from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.sparse

import dsketch as ds
from dsketch._results.output import Output, attributes_of
from dsketch.problems.outcome import Status
from tests.problems.smooth.cases import MODELS, model, solve
from tests.problems.smooth.far import SHIFT, Far, far, restored

FAMILIES = ["logit", "poisson", "gamma", "huber", "inverse_gaussian"]


def targets(name: str, data: Far) -> Any:
    """Return a y of the family at the data's η."""
    random, eta = np.random.default_rng(1), data.eta
    drawn = {
        "logit": lambda: (random.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": lambda: random.poisson(np.exp(eta)).astype(float),
        "gamma": lambda: np.exp(eta) * random.gamma(2.0, 0.5, len(eta)),
        "huber": lambda: eta + random.standard_t(2, len(eta)),
        "inverse_gaussian": lambda: random.wald(np.exp(eta), 3.0),
    }
    return drawn[name]()


@pytest.mark.parametrize("name", FAMILIES)
def test_slopes_and_errors_are_those_of_data_shifted_by_hand(name: str) -> None:
    """Slopes agree to 1e-12 of their standard errors; errors, robust ones too, to rounding; the intercept's covariance is mapped."""
    data, shifted = far(), restored()
    y = targets(name, data)
    there, here = (solve(model(name, A, y, intercept=True)) for A in data)

    left, right = there.summary(), here.summary()

    assert there.status is here.status
    assert any("3 columns are shifted" in note for note in there.notes)
    if name in MODELS and name != "inverse_gaussian":  # whose Fisher scoring ends a little above rounding
        assert (np.abs(there.x - here.x)[:-1] <= 1e-12 * right.standard_errors[:-1]).all()
    np.testing.assert_allclose(there.x, shifted @ here.x, rtol=1e-9)
    np.testing.assert_allclose(left.standard_errors[:-1], right.standard_errors[:-1], rtol=1e-8)
    np.testing.assert_allclose(left.covariance(), shifted @ right.covariance() @ shifted.T, rtol=1e-7)
    np.testing.assert_allclose(left.standard_errors[-1], np.sqrt(left.covariance()[-1, -1]), rtol=1e-12)
    assert left.coefficients.tolist() == there.x.tolist()
    groups = np.arange(len(y)) % 40
    for wish in ({"robust": "HC0"}, {"robust": "HC3"}, {"groups": groups}):
        robust, own = there.summary(**wish), here.summary(**wish)
        np.testing.assert_allclose(robust.covariance(), shifted @ own.covariance() @ shifted.T, rtol=1e-7)


def test_a_time_in_seconds_against_long_arithmetic() -> None:
    """A logistic regression on 1.7e9 ± 20 has the slope and the intercept that 60 digits give for the numbers as they are stored."""
    random = np.random.default_rng(3)
    t = 1.7e9 + 20 * random.standard_normal(60)
    y = (random.random(60) < 1 / (1 + np.exp(-(t - 1.7e9) / 20))).astype(float)
    with mpmath.workdps(60):
        rows = mpmath.matrix([[mpmath.mpf(float(value)), 1] for value in t])
        x = mpmath.matrix([0, 0])
        for _ in range(60):
            p = [1 / (1 + mpmath.exp(-(rows[i, 0] * x[0] + x[1]))) for i in range(60)]
            g = rows.T * mpmath.matrix([p[i] - y[i] for i in range(60)])
            weighted = mpmath.matrix([[p[i] * (1 - p[i]) * rows[i, j] for j in range(2)] for i in range(60)])
            x -= mpmath.lu_solve(rows.T * weighted, g)
        right = [float(x[0]), float(x[1])]

    solution = solve(ds.GLM(t[:, None], y, intercept=True))

    assert solution.status is Status.SOLVED
    np.testing.assert_allclose(solution.x, right, rtol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_classes_are_those_of_data_shifted_by_hand(alpha: float) -> None:
    """Of every class, with and without a penalty; probabilities of the solution keep their digits."""
    data, y = far(), np.random.default_rng(2).integers(0, 4, 2000)
    there, here = (solve(ds.Multinomial(A, y, alpha=alpha, intercept=True)) for A in data)

    assert there.status is Status.SOLVED
    np.testing.assert_allclose(there.x[:-1], here.x[:-1], rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(there.x, restored() @ here.x, rtol=1e-9)
    np.testing.assert_allclose(there.predict(data.A), here.predict(data.near), rtol=1e-13)
    found = ds.check(ds.Multinomial(data.A, y, alpha=alpha, intercept=True), there, cluster="serial", progress=False)
    assert found.reach <= 4 * there.certificate.reach
    if not alpha:
        shifted = restored(outputs=3)
        left, right = there.summary(), here.summary()
        np.testing.assert_allclose(left.covariance(), shifted @ right.covariance() @ shifted.T, rtol=1e-7)


def test_the_reach_counts_the_rounding_of_the_intercept() -> None:
    """x as it is told is within the reach of the minimizer, in standard errors of its every contrast; a note says what rounding adds."""
    data = far()
    y = targets("poisson", data)
    there, here = (solve(model("poisson", A, y, intercept=True)) for A in data)
    level = abs((there.x[-1] + SHIFT.astype(np.longdouble) @ there.x[:-1]) - here.x[-1])  # a contrast that rounding spoils

    assert level <= there.certificate.reach * here.summary().standard_errors[-1] * (1 + 1e-6)
    assert there.certificate.reach > 1e-9 > here.certificate.reach
    assert "rounding of the intercept" in there.notes[-1]
    found = ds.check(model("poisson", data.A, y, intercept=True), there.x, cluster="serial", progress=False)
    assert found.decrement <= 1e-11
    assert found.reach <= 4 * there.certificate.reach


def test_weights_of_zero_do_not_choose_the_shift() -> None:
    """Rows of weight or frequency 0 that hold zeros do not keep a column from being shifted."""
    data = far(60)
    A, counts = data.A.copy(), np.ones(60)
    A[::2], counts[::2] = 0.0, 0.0
    y = targets("poisson", data)

    for name in ("weights", "frequencies"):
        solution = solve(model("poisson", A, y, intercept=True, **{name: counts}))
        near = solve(model("poisson", data.near[1::2], y[1::2], intercept=True))
        np.testing.assert_allclose(solution.x[:-1], near.x[:-1], rtol=1e-10)


def test_the_shortest_is_meant_for_the_columns_as_stored() -> None:
    """A column of fives and twins beside an intercept: x is the shortest of the minimizers for A itself, of one output and of several."""
    data = far(400)
    t, y = data.A[:, :1], targets("logit", data)
    A = np.column_stack([t, t, np.full(400, 5.0)])
    one = solve(ds.GLM(t, y, intercept=True)).x
    right = np.array([one[0] / 2, one[0] / 2, one[1] * 5 / 26, one[1] / 26])

    solution, classes = solve(ds.GLM(A, y, intercept=True)), solve(ds.Multinomial(A, y + (data.eta > 0.5), intercept=True))

    assert solution.status is classes.status is Status.MINIMUM_NORM
    np.testing.assert_allclose(solution.x, right, rtol=1e-10)
    assert not solution.summary().is_estimable.any()
    single = solve(ds.Multinomial(t, y + (data.eta > 0.5), intercept=True)).x
    wanted = np.stack([single[0] / 2, single[0] / 2, single[1] * 5 / 26, single[1] / 26])
    np.testing.assert_allclose(classes.x, wanted, rtol=1e-8)


def test_a_start_is_told_for_the_columns_as_stored() -> None:
    """From an earlier solution a light pass or two are enough."""
    data = far()
    y = targets("logit", data)
    first = solve(ds.GLM(data.A, y, intercept=True))

    again = solve(ds.GLM(data.A, y, intercept=True, start=first))

    assert len(again.passes) <= 3
    np.testing.assert_allclose(again.x, first.x, rtol=1e-12)


# ---- storages, engines, journals, stored answers -------------------------------------------------------------------------


def test_sparse_rows_have_the_same_answer() -> None:
    """CSR rows that are full of a column far from 0."""
    data = far()
    y = targets("poisson", data)
    dense, sparse = (solve(model("poisson", A, y, intercept=True)) for A in (data.A, scipy.sparse.csr_array(data.A)))

    np.testing.assert_allclose(sparse.x[:-1], dense.x[:-1], rtol=1e-12)
    assert sparse.notes[-2] == dense.notes[-2]


@pytest.mark.cluster
def test_every_engine_has_the_same_bits(client: Any, stored: Any) -> None:
    """Serial or two processes: x and certificate are equal bit for bit."""
    data = far(3000)
    A, y = stored("A", data.A, chunk_rows=190), stored("y", targets("poisson", data), chunk_rows=170)

    here = solve(model("poisson", A, y, intercept=True))
    there = ds.solve(model("poisson", A, y, intercept=True), cluster=client, progress=False)

    assert np.array_equal(here.x, there.x)
    assert vars(here.certificate) == vars(there.certificate)


def test_a_journal_goes_on_with_the_same_bits(tmp_path: Path, stored: Any) -> None:
    """A run that was cut short is made again from its journal, shift and all."""
    data = far(3000)
    A, y = stored("A", data.A, chunk_rows=190), stored("y", targets("poisson", data), chunk_rows=170)
    whole = solve(model("poisson", A, y, intercept=True), journal=tmp_path / "run")
    for record in sorted((tmp_path / "run").glob("pass-*"))[2:]:
        record.unlink()

    again = ds.resume(tmp_path / "run", cluster="serial", progress=False)

    assert np.array_equal(again.x, whole.x)


@pytest.mark.parametrize("kind", ["glm", "multinomial"])
def test_a_stored_answer_predicts_with_all_digits(tmp_path: Path, kind: str) -> None:
    """The shift goes along with a stored x: what it predicts has the bits of the solution's own predictions."""
    data = far()
    if kind == "glm":
        there, here = (solve(model("poisson", A, targets("poisson", data), intercept=True)) for A in data)
    else:
        y = np.random.default_rng(2).integers(0, 3, 2000)
        there, here = (solve(ds.Multinomial(A, y, alpha=1.0, intercept=True)) for A in data)
    Output.at(tmp_path / "x.zarr").write(there.x, attributes_of(there, None))

    wanted = here.predict(data.near)

    np.testing.assert_allclose(there.predict(data.A), wanted, rtol=1e-12)
    found = ds.predict(tmp_path / "x.zarr", data.A, cluster="serial", progress=False)
    assert np.array_equal(found, there.predict(data.A))
