"""Multinomial logistic regression: the answers of statsmodels and scikit-learn, whichever class is number 0, and what y may not be."""

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
import zarr
from sklearn.linear_model import LogisticRegression

import dsketch as ds
from dsketch._results.output import Output, attributes_of
from dsketch.errors import DataError, SpecError
from dsketch.ingest import write_csr
from dsketch.problems import GLM, Multinomial
from dsketch.problems.outcome import Status
from dsketch.problems.smooth.methods import METHODS

SERIAL: dict[str, Any] = {"cluster": "serial", "progress": False}
Floats = np.ndarray


def classes_of(n: int, d: int, classes: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Return rows and the classes that a model draws for them."""
    random = np.random.default_rng(seed)
    A = random.standard_normal((n, d))
    eta = A @ random.standard_normal((d, classes)) / np.sqrt(d) + random.gumbel(size=(n, classes))
    return A, np.argmax(eta, axis=1).astype(float)


def solve(*args: Any, **options: Any) -> Any:
    """Solve on the serial engine."""
    words = {name: options.pop(name) for name in ("journal", "method", "seed") if name in options}
    return ds.solve(Multinomial(*args, **options), **words, **SERIAL)


def sklearns(A: Floats, y: Floats, alpha: float = 0.0) -> tuple[Floats, Floats]:
    """Return scikit-learn's coefficients against class 0 with intercepts below, and its probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a tolerance that rounding does not reach
        model = LogisticRegression(C=1 / alpha if alpha else np.inf, solver="newton-cholesky", tol=1e-12).fit(A, y)
    x = np.vstack([model.coef_.T, model.intercept_])
    return x[:, 1:] - x[:, :1], model.predict_proba(A)


def test_coefficients_and_probabilities_are_those_of_others() -> None:
    """K = 4: x is statsmodels' and scikit-learn's to 1e-12, in at most 8 passes, with a proof."""
    A, y = classes_of(5_000, 6, 4)
    solution = solve(A, y, classes=4, intercept=True)
    theirs, probabilities = sklearns(A, y)
    statsmodels = sm.MNLogit(y, np.c_[A, np.ones(len(A))]).fit(method="newton", tol=1e-13, disp=0)

    assert solution.status is Status.SOLVED
    assert solution.x.shape == (7, 3)
    assert len(solution.passes) <= 8
    assert np.abs(solution.x - theirs).max() <= 1e-12
    assert np.abs(solution.x - statsmodels.params).max() <= 1e-10  # where its steps end
    assert solution.certificate.reach <= 1e-11
    assert np.abs(solution.predict(A, cluster="serial") - probabilities).max() <= 1e-13


@pytest.mark.parametrize("alpha", [0.3, 40.0])
def test_a_ridge_is_scikit_learns_and_knows_no_first_class(alpha: float) -> None:
    """Penalized, x is scikit-learn's with C = 1/alpha, and numbering the classes otherwise changes nothing but the differences."""
    A, y = classes_of(800, 4, 4)
    solution, theirs = solve(A, y, classes=4, intercept=True, alpha=alpha), sklearns(A, y, alpha)[0]
    turned = solve(A, (y + 3) % 4, classes=4, intercept=True, alpha=alpha)  # what was class 1 is class 0

    assert np.abs(solution.x - theirs).max() <= 1e-12
    expected = np.c_[solution.x[:, 1:] - solution.x[:, :1], -solution.x[:, :1]]
    assert np.abs(turned.x - expected).max() <= 1e-12
    assert ds.check(Multinomial(A, y, alpha=alpha, intercept=True), solution.x, **SERIAL).reach <= 1e-11


def test_two_classes_are_logistic_regression() -> None:
    """K = 2 has the x of family binomial; penalized, with half the alpha, as both classes share the coefficients."""
    A, y = classes_of(500, 3, 2)
    for alpha in (0.0, 5.0):
        one = ds.solve(GLM(A, y, family="binomial", intercept=True, alpha=alpha / 2), **SERIAL)
        assert np.abs(solve(A, y, classes=2, intercept=True, alpha=alpha).x[:, 0] - one.x).max() <= 1e-13


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_answer(method: str) -> None:
    """Newton steps by Gram matrix, QR or sketch, conjugate gradients and first-order steps end at one x, each with a proof."""
    A, y = classes_of(2_000, 4, 3)
    best = solve(A, y, classes=3, alpha=1.0, intercept=True, method="newton_qr")
    found = solve(A, y, classes=3, alpha=1.0, intercept=True, method=method)
    assert found.method == method
    assert found.status is Status.SOLVED
    assert found.certificate.reach <= 1e-11
    assert np.abs(found.x - best.x).max() <= 1e-12


def test_frequencies_are_rows_and_penalties_go_by_column() -> None:
    """A row with frequency 3 is three rows; weights multiply likewise; an alpha a column shrinks that column."""
    A, y = classes_of(300, 3, 3)
    random = np.random.default_rng(1)
    counts = random.integers(0, 4, 300)
    rows = np.repeat(np.arange(300), counts)
    many = solve(A[rows], y[rows], classes=3)
    for name in ("frequencies", "weights"):
        assert np.abs(solve(A, y, classes=3, **{name: counts.astype(float)}).x - many.x).max() <= 1e-12
    shrunk = solve(A, y, alpha=[0.0, 1e9, 0.0])
    assert np.abs(shrunk.x[1]).max() <= 1e-6
    without = solve(A[:, [0, 2]], y)
    assert np.abs(shrunk.x[[0, 2]] - without.x).max() <= 1e-6


def test_classes_are_counted_if_nobody_says() -> None:
    """Without classes= y is read once; what the journal keeps of the problem is the number that was found."""
    A, y = classes_of(200, 2, 5)
    problem = Multinomial(A, y)
    assert problem.parameters["classes"] == 5
    assert problem.x_shape == (2, 4)
    assert np.array_equal(ds.solve(problem, **SERIAL).x, solve(A, y, classes=5).x)


def test_columns_in_any_units_are_solved_alike() -> None:
    """Units from 1e-4 to 1e4 change x by these units."""
    A, y = classes_of(2_000, 5, 3)
    units = 10.0 ** np.array([-4, -2, 0, 2, 4])
    plain, scaled = solve(A, y), solve(A * units, y)
    assert scaled.status is Status.SOLVED
    assert scaled.certificate.decrement <= 1e-12
    assert np.allclose(scaled.x * units[:, None], plain.x, rtol=0, atol=1e-12)


def test_dependent_columns_give_the_shortest_answer() -> None:
    """Of a column and its copy each gets half; probabilities are those without the copy."""
    A, y = classes_of(400, 3, 3)
    twice = np.c_[A, A[:, 0]]
    solution, once = solve(twice, y), solve(A, y)
    assert solution.status is Status.MINIMUM_NORM
    assert np.abs(solution.x[0] - once.x[0] / 2).max() <= 1e-10
    assert np.abs(solution.x[3] - once.x[0] / 2).max() <= 1e-10
    assert np.abs(solution.predict(twice, cluster="serial") - once.predict(A, cluster="serial")).max() <= 1e-10


def test_one_column_and_few_rows_are_enough() -> None:
    """Only an intercept: log odds of the shares; five rows and one column have an answer that check confirms."""
    ones, y = np.ones((10, 1)), np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], dtype=float)
    assert np.abs(solve(ones, y).x - np.log([[0.75, 0.75]])).max() <= 1e-14
    small = solve(np.array([[1.0], [-1.0], [0.5], [2.0], [-0.3]]), np.array([0.0, 1, 2, 1, 0]))
    assert small.status is Status.SOLVED
    assert small.certificate.reach <= 1e-12


def test_a_class_that_a_group_never_has_is_named() -> None:
    """In rows that a column marks class 2 never occurs: separated, by that column; a penalty on it ends that."""
    A, y = classes_of(400, 3, 3)
    A[:, 1] = np.arange(400) % 8 == 0
    y[(A[:, 1] == 1) & (y == 2)] = 1.0
    solution = solve(A, y, intercept=True)
    assert solution.status is Status.SEPARATED
    assert any("separation: column 1 fits" in note for note in solution.notes)
    assert solve(A, y, intercept=True, alpha=[0.0, 1e-3, 0.0]).status is Status.SOLVED


def test_a_class_without_rows_is_separation() -> None:
    """classes=4 where y holds 0, 1, 2: the intercept of class 3 has no finite value, penalized columns or not."""
    A, y = classes_of(300, 2, 3)
    for alpha in (0.0, 1.0):
        assert solve(A, y, classes=4, intercept=True, alpha=alpha).status is Status.SEPARATED


def test_an_earlier_answer_is_a_start() -> None:
    """From the answer itself two passes are left, and x stays."""
    A, y = classes_of(1_000, 4, 3)
    first = solve(A, y, alpha=2.0)
    again = solve(A, y, alpha=2.0, start=first)
    assert len(again.passes) <= 3 < len(first.passes)
    assert np.abs(again.x - first.x).max() <= 1e-14


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([0.0, 1, 2, 3], {"classes": 3}, "y must hold the class of each row, a whole number from 0 to 2"),
        ([0.0, 1, -1, 2], {"classes": 3}, "row 2 holds -1"),
        ([0.0, 1, 0.5, 2], {}, "row 2 holds 0.5"),
        ([0.0, 1, np.nan, 2], {"classes": 3}, "row 2"),
        ([0.0, 0, 0, 0], {}, "the largest number is 0"),
        ([0.0, 1, 2, 1e6], {}, "the largest number is 1e"),
    ],
)
def test_what_is_no_class_is_refused_by_row(y: list[float], options: dict[str, Any], message: str) -> None:
    """Classes are 0 … K − 1: the message names the row, or what y holds instead."""
    with pytest.raises(DataError, match=message):
        solve(np.eye(4), np.array(y), **options)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("A", np.nan, "row 37, column 1 is nan"), ("A", np.inf, "row 37, column 1 is inf"), ("A", None, "masked at row 37, column 1"),
     ("weights", np.nan, "weights must be finite; row 3"), ("weights", -1.0, "row 3 has -1"), ("weights", 0.0, "all are 0")],
)  # fmt: skip
def test_data_that_cannot_be_is_refused_by_row(name: str, value: float | None, message: str) -> None:
    """A NaN, an infinity, a masked value, a negative weight: the row is named; and weights that are all 0 have no answer."""
    A, y = classes_of(50, 3, 3)
    weights = np.full(50, 0.0 if value == 0 else 1.0)
    if name == "weights" and value is not None:
        weights[3] = value
    if name == "A":
        A = np.ma.masked_array(A)
        A[37, 1] = np.ma.masked if value is None else value
        A = A if value is None else A.data
    with pytest.raises(DataError, match=message):
        solve(A, y, classes=3, weights=weights)


@pytest.mark.parametrize("classes", [1, 2.5, True, "many"])
def test_a_number_of_classes_is_whole(classes: Any) -> None:
    """K must be a whole number of at least 2."""
    with pytest.raises(SpecError, match="classes must be a whole number"):
        Multinomial(np.eye(3), np.array([0.0, 1, 2]), classes=classes)


def test_wherever_and_in_whatever_chunks_rows_lie(stored: Any, tmp_path: Path) -> None:
    """Other chunks change last digits; CSR rows, on disk or in memory, give the same answer."""
    A, y = classes_of(900, 4, 3)
    A *= np.random.default_rng(3).random(A.shape) < 0.4
    whole = solve(A, y, classes=3, intercept=True, alpha=0.1)
    for rows in (900, 250, 7):
        found = solve(stored(f"A{rows}", A, rows), stored(f"y{rows}", y, rows), classes=3, intercept=True, alpha=0.1)
        assert np.abs(found.x - whole.x).max() <= 1e-13
    for sparse in (sp.csr_array(A), write_csr(tmp_path / "csr.zarr", sp.csr_array(A), chunk_nonzeros=300)):
        found = solve(sparse, y, classes=3, intercept=True, alpha=0.1)
        assert np.abs(found.x - whole.x).max() <= 1e-13
        assert found.status is Status.SOLVED


def test_probabilities_are_written_by_those_who_read(stored: Any, tmp_path: Path) -> None:
    """At out= stands a row of K probabilities for each row; from the stored x as well."""
    A, y = classes_of(600, 3, 4)
    path = stored("A", A, 150)
    solution = ds.solve(Multinomial(path, stored("y", y), intercept=True, alpha=1.0), **SERIAL)
    Output.at(tmp_path / "x.zarr").write(solution.x, attributes_of(solution, None))
    written = solution.predict(path, out=tmp_path / "p.zarr", cluster="serial")
    assert written.shape == (600, 4)
    assert np.allclose(written[...].sum(axis=1), 1.0, rtol=1e-14)
    later = ds.predict(str(tmp_path / "x.zarr"), A, cluster="serial")
    assert np.array_equal(zarr.open_array(str(tmp_path / "p.zarr"))[...], later)


def test_a_run_that_was_cut_short_goes_on_with_the_same_bits(stored: Any, tmp_path: Path) -> None:
    """Whatever number of records is left, resume gives the x of the whole run."""
    A, y = classes_of(800, 3, 3)
    problem = Multinomial(stored("A", A, 200), stored("y", y, 200), alpha=[0.0, 1.0, 2.0], intercept=True)
    whole = ds.solve(problem, journal=tmp_path / "whole", **SERIAL)
    total = len(whole.passes)
    for kept in (1, total // 2, total - 1):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for number in range(kept + 1, total + 1):
            (cut / f"pass-{number:04d}.npz").unlink()
        found = ds.resume(cut, **SERIAL)
        assert np.array_equal(found.x, whole.x)
        assert [record.replayed for record in found.passes] == [number < kept for number in range(total)]


@pytest.mark.cluster
def test_every_engine_has_the_same_bits(client: Any, stored: Any) -> None:
    """Serial or two processes: x and certificate are equal bit for bit."""
    A, y = classes_of(3_000, 4, 4)
    problem = Multinomial(stored("A", A, 250), stored("y", y, 250), intercept=True)
    here, there = ds.solve(problem, **SERIAL), ds.solve(problem, cluster=client, progress=False)
    assert np.array_equal(here.x, there.x)
    assert here.certificate.reach == there.certificate.reach
