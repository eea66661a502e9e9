"""The estimators: scikit-learn's conventions, scikit-learn's numbers, and data that scikit-learn cannot hold."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import zarr
from distributed import Client
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.kernel_ridge import KernelRidge as TheirKernelRidge
from sklearn.linear_model import LinearRegression as TheirLinearRegression
from sklearn.linear_model import Ridge as TheirRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import dsketch as ds
from dsketch.sklearn import KernelRidge, LinearRegression, Ridge

EPS = np.finfo(float).eps
N, D = 300, 5
PAIRS = [(LinearRegression, TheirLinearRegression), (Ridge, TheirRidge)]

# Nothing is expected to fail.
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    [
        LinearRegression(),
        LinearRegression(fit_intercept=False, method="tsqr"),
        Ridge(),
        Ridge(alpha=0.0, fit_intercept=False),
        KernelRidge(),
    ],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_scikit_learn_s_own_checks(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    """Every convention that scikit-learn checks is kept."""
    check(estimator)


# ---- the same numbers --------------------------------------------------------------------------------------------------


def regression(sides: int | None = None, rows: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X with means far from 0, y and weights, some of them 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, D)) * np.geomspace(1, 20, D) + 3.0
    y = X @ rng.standard_normal((D, sides or 1)) + 5.0 + rng.standard_normal((rows, sides or 1))
    weights = rng.uniform(0, 2, rows)
    weights[::7] = 0.0
    return X, y if sides else y[:, 0], weights


def allowed(X: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the relative difference of two backward stable answers: 2 · n u · kappa² covers any residual up to ‖y‖ (Wedin)."""
    root = np.sqrt(np.ones(len(X)) if weights is None else weights)[:, None]
    return len(X) * EPS * float(np.linalg.cond(root * np.column_stack([X, np.ones(len(X))]))) ** 2


def assert_same_model(ours: Any, theirs: Any, X: np.ndarray, tolerance: float) -> None:
    """Compare coefficients, intercept and predictions, and their shapes (their Ridge drops the column of a y that has one)."""
    assert np.shape(ours.coef_) in (np.shape(theirs.coef_), (1, *np.shape(theirs.coef_)))
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    size = float(np.linalg.norm(theirs.coef_)) + float(np.linalg.norm(theirs.intercept_))
    assert np.linalg.norm(ours.coef_ - theirs.coef_) <= tolerance * size
    assert np.linalg.norm(ours.intercept_ - theirs.intercept_) <= tolerance * size
    assert (
        np.linalg.norm(ours.predict(X) - theirs.predict(X).reshape(ours.predict(X).shape)) <= tolerance * np.linalg.norm(X) * size
    )


@pytest.mark.parametrize("pair", PAIRS, ids=["lstsq", "ridge"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("sides", [None, 1, 3])
def test_numbers_are_scikit_learn_s(pair: Any, fit_intercept: bool, has_weights: bool, sides: int | None) -> None:
    """Coefficients, intercept, predictions and score, up to rounding times the condition number."""
    X, y, w = regression(sides)
    weights = w if has_weights else None
    ours, theirs = (kind(fit_intercept=fit_intercept).fit(X, y, weights) for kind in pair)
    tolerance = allowed(X, weights)

    assert tolerance < 1e-8
    assert_same_model(ours, theirs, X, tolerance)
    assert abs(ours.score(X, y, weights) - theirs.score(X, y, weights)) <= tolerance
    assert ours.solution_.status is ds.Status.SOLVED


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_rank_and_singular_values_are_scikit_learn_s(fit_intercept: bool) -> None:
    """Those of X, centred if there is an intercept, for full and for deficient rank, and for fewer rows than columns."""
    X, y, w = regression()
    deficient = np.column_stack([X, X[:, 0] - X[:, 1]])
    for rows in (X, deficient, np.ascontiguousarray(X[:D, : D - 1]), X[: D - 1]):
        b, weights = y[: len(rows)], w[: len(rows)] + 0.5
        ours, theirs = (kind(fit_intercept=fit_intercept).fit(rows, b, weights) for kind in PAIRS[0])
        assert ours.rank_ == theirs.rank_
        assert ours.singular_.shape == theirs.singular_.shape
        assert np.abs(ours.singular_ - theirs.singular_).max() <= N * EPS * theirs.singular_[0]


def test_of_many_answers_it_is_scikit_learn_s() -> None:
    """One-hot columns and an intercept: both take the coefficients with the smallest norm, not counting the intercept."""
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 4, N)
    X = np.column_stack([np.eye(4)[groups], rng.standard_normal((N, 2))])
    y = rng.standard_normal(4)[groups] + X[:, 4] + 10.0
    ours, theirs = (kind().fit(X, y) for kind in PAIRS[0])

    assert ours.solution_.status is ds.Status.MINIMUM_NORM
    # The condition number over the directions kept is below 10, so that of the squares below 100.
    assert_same_model(ours, theirs, X, 100 * N * EPS)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("pair", PAIRS, ids=["lstsq", "ridge"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_fewer_rows_than_columns(pair: Any, fit_intercept: bool, kind: Any) -> None:
    """In memory the shortest coefficients are scikit-learn's; there is no solution to look at."""
    X, y, w = (values[: D - 1] for values in regression(2))
    ours, theirs = (
        estimator(fit_intercept=fit_intercept).fit(rows, y, w + 1) for estimator, rows in zip(pair, (kind(X), X), strict=True)
    )

    assert ours.solution_ is None
    singular = np.linalg.svd(X, compute_uv=False)
    assert_same_model(ours, theirs, X, N * EPS * (singular[0] / singular[-1]) ** 2)


# ---- data that is stored -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["path", "zarr.Array", "dask", "csr"])
def kept(request: pytest.FixtureRequest, stored: Callable[..., str]) -> Iterator[Callable[[str, np.ndarray], Any]]:
    """Return a function that stores an array in one of the ways that dsketch reads; y and weights too, but for sparse rows."""

    def keep(name: str, array: np.ndarray) -> Any:
        if request.param == "csr":
            return scipy.sparse.csr_array(array) if array.ndim == 2 and array.shape[1] == D else array
        if request.param == "dask":
            return da.from_array(array, chunks=(70, *array.shape[1:]))
        path = stored(name, array, 64)
        return path if request.param == "path" else zarr.open_array(path, mode="r")

    return keep


@pytest.mark.parametrize("pair", PAIRS, ids=["lstsq", "ridge"])
@pytest.mark.parametrize("sides", [None, 2])
def test_stored_data_give_the_same(kept: Callable[[str, np.ndarray], Any], tmp_path: Path, pair: Any, sides: int | None) -> None:
    """Fit, predict and score of stored X, y and weights, each read in blocks, equal scikit-learn's on the arrays."""
    X, y, w = regression(sides)
    stored_X, stored_y, stored_w = kept("X", X), kept("y", y), kept("w", w)
    ours, theirs = pair[0]().fit(stored_X, stored_y, stored_w), pair[1]().fit(X, y, w)
    tolerance = allowed(X, w)

    assert_same_model(ours, theirs, X, tolerance)
    assert ours.n_features_in_ == D
    size = np.linalg.norm(X) * np.linalg.norm(theirs.coef_)
    assert np.linalg.norm(ours.predict(stored_X) - theirs.predict(X)) <= tolerance * size
    assert np.linalg.norm(ours.predict(stored_X, tmp_path / "predicted.zarr")[...] - theirs.predict(X)) <= tolerance * size
    for weights, arrays in ((None, None), (stored_w, w)):
        assert abs(ours.score(stored_X, stored_y, weights) - theirs.score(X, y, arrays)) <= tolerance


def test_score_of_a_constant_target_is_scikit_learn_s(stored: Callable[..., str]) -> None:
    """Where y does not vary R² is 1 if it is met and 0 if not."""
    X, _, _ = regression()
    model = LinearRegression().fit(X, np.zeros(N))
    for target in (np.zeros(N), np.ones(N)):
        assert model.score(stored(f"X{target[0]}", X, 64), target) == model.score(X, target)


def test_what_stored_data_must_be(stored: Callable[..., str]) -> None:
    """Wide, ragged and negative are refused with ValueErrors of ours; a number or a list beside stored rows is as good as an array."""
    X, y, w = regression()
    path = stored("X", X, 64)

    with pytest.raises(ValueError, match="must be tall"):
        LinearRegression().fit(stored("wide", X[: D - 1]), y[: D - 1])
    with pytest.raises(ValueError, match="one row for each"):
        LinearRegression().fit(path, y[1:])
    with pytest.raises(ValueError, match="weights must be ≥ 0"):
        LinearRegression().fit(path, y, -w - 1)
    with pytest.raises(ValueError, match="row 3, column 0 is nan"):
        LinearRegression().fit(path, stored("y", np.where(np.arange(N) == 3, np.nan, y)))
    with pytest.raises(ValueError, match="alpha must be"):
        Ridge(alpha=-1.0).fit(path, y)
    with pytest.raises(NotFittedError):
        LinearRegression().predict(path)
    model = LinearRegression().fit(path, y.tolist(), 2.0)
    assert np.array_equal(model.coef_, LinearRegression().fit(path, pd.Series(y), np.full(N, 2.0)).coef_)
    with pytest.raises(ValueError, match="the 5 columns that x belongs to; it has 4"):
        model.predict(stored("narrow", np.ascontiguousarray(X[:, 1:])))


def test_stored_targets_of_rows_in_memory_are_read(stored: Callable[..., str]) -> None:
    """An array X with a Zarr or dask y is the same as with an array y."""
    X, y, _ = regression()
    wanted = LinearRegression().fit(X, y).coef_
    for target in (stored("y", y, 64), da.from_array(y, chunks=50)):
        assert np.array_equal(LinearRegression().fit(X, target).coef_, wanted)


def test_column_names_come_with_the_data(stored: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    """Of a DataFrame, and of the attribute that ``dsketch ingest`` leaves; other names are refused, no names are forgotten."""
    X, y, _ = regression()
    names = [f"c{number}" for number in range(D)]
    named = stored("named", X, 64, attributes={"columns": names})

    model = LinearRegression().fit(named, y)
    assert list(model.feature_names_in_) == names
    assert np.array_equal(model.feature_names_in_, LinearRegression().fit(pd.DataFrame(X, columns=names), y).feature_names_in_)
    assert np.allclose(model.predict(pd.DataFrame(X, columns=names)), model.predict(named), rtol=N * EPS, atol=N * EPS)
    turned = stored("turned", np.ascontiguousarray(X[:, ::-1]), 64, attributes={"columns": names[::-1]})
    with caplog.at_level("WARNING", "dsketch"):
        assert np.array_equal(model.predict(turned), model.predict(named))
    assert caplog.messages == [
        f"the columns of X were put in the order of x by their names; they came as {str(names[::-1])[1:-1]}"
    ]
    assert model.score(turned, y) == model.score(named, y)
    with pytest.raises(ValueError, match=r"column 'c0' was expected.*the columns of X have 'height' instead"):
        model.predict(stored("other", X, 64, attributes={"columns": ["height", *names[1:]]}))
    assert not hasattr(model.fit(stored("nameless", X, 64), y), "feature_names_in_")


def times(rows: int = 6) -> np.ndarray:
    """Return dates, one of them missing."""
    dates = np.arange(rows).astype("datetime64[s]")
    dates[2] = np.datetime64("NaT", "s")
    return dates


@pytest.mark.parametrize(
    "dates",
    [
        times()[:, None],
        times()[:, None] - times()[0],
        pd.DataFrame({"t": times()}),
        pd.DataFrame({"t": times() - times()[0], "v": np.arange(6.0)}),
    ],
    ids=["dates", "durations", "a frame", "a frame with numbers"],
)
def test_times_are_no_numbers(dates: Any) -> None:
    """Dates and durations of X, y and new rows are refused: as floats NaT would be -9.2e18."""
    width = dates.shape[1]
    model = LinearRegression().fit(np.random.default_rng(0).standard_normal((6, width)), np.arange(6.0))
    for call in (
        lambda: LinearRegression().fit(dates, np.arange(6.0)),
        lambda: Ridge().fit(np.arange(6.0)[:, None], dates if width == 1 else dates["t"]),
        lambda: model.predict(dates),
        lambda: KernelRidge().fit(dates, np.arange(6.0)),
    ):
        with pytest.raises(ds.DataError, match=r"(datetime|timedelta)64|row 2, column 't' is missing"):
            call()


def test_integers_that_floats_beside_them_would_round_are_refused() -> None:
    """A frame of nanoseconds beside floats is refused by name; alone they are fitted as integers, and small ones as any number."""
    t = 1_700_000_000_000_000_001 + 100 * np.arange(40)
    v = np.random.default_rng(0).standard_normal(40)
    frame = pd.DataFrame({"v": v, "t": t})
    for call in (lambda: LinearRegression().fit(frame, v), lambda: LinearRegression().fit(frame - [0, t[0]], v).predict(frame)):
        with pytest.raises(ds.DataError, match=r"row 0, column 't' of X is 1700000000000000001\. Subtract"):
            call()
    slope = LinearRegression().fit(pd.DataFrame({"t": t}), np.arange(40.0)).coef_[0]
    assert abs(slope - 0.01) <= 4 * EPS * 0.01
    assert LinearRegression().fit(t[:, None].tolist(), np.arange(40.0)).coef_[0] == slope
    assert np.allclose(
        LinearRegression().fit(t[:, None], np.arange(40.0)).predict(t[:, None].tolist()), np.arange(40), atol=1e-12
    )
    with pytest.raises(ds.DataError, match=r"X has larger ones\. Pass X\.to_numpy\(\)"):
        LinearRegression().fit(pl.DataFrame({"t": t}), v)
    assert np.allclose(LinearRegression().fit(frame - [0, t[0]], 3 * v + 0.01 * (t - t[0])).coef_, [3, 0.01], rtol=1e-12)


def test_tables_that_must_be_computed_first_are_told_how() -> None:
    """A dask DataFrame and a lazy table are refused with the word that reads them."""
    frame = pd.DataFrame({"k": np.arange(40), "v": np.arange(40.0) ** 2})
    with pytest.raises(ds.DsketchError, match=r"Pass its \.to_dask_array\(lengths=True\)"):
        LinearRegression().fit(dd.from_pandas(frame, npartitions=2), 2.0 * frame["k"])
    with pytest.raises(ds.DsketchError, match=r"Pass its \.collect\(\)"):
        LinearRegression().fit(pl.DataFrame({"k": range(40)}).lazy(), np.arange(40.0))


# ---- the attention kernel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", [None, 2])
def test_kernel_ridge_solves_the_kernel_s_system(
    kept: Callable[[str, np.ndarray], Any], tmp_path: Path, sides: int | None
) -> None:
    """(K + alpha I) x = y to the tolerance, from any storage, and predictions are the kernel of new and old rows times x."""
    X, y, _ = regression(sides)
    new, alpha, scale = X[:50] + 0.1, 0.5, 1e-3
    K, cross = np.exp(scale * X @ X.T), np.exp(scale * new @ X.T)
    stored_X, stored_y = kept("X", X), kept("y", y)
    model = KernelRidge(alpha=alpha, scale=scale).fit(stored_X, stored_y)

    residual = y - (K @ model.dual_coef_ + alpha * model.dual_coef_)
    assert model.dual_coef_.shape == y.shape
    assert (
        np.linalg.norm(residual, axis=0).max() <= 2e-10 * np.linalg.norm(y, axis=0).max()
    )  # solve's default is 1e-10 of each side
    # A kernel value is known to u (1 + s‖a‖²), and n of them are added.
    size = N * EPS * (1 + scale * (X**2).sum(axis=1).max()) * np.linalg.norm(cross) * np.linalg.norm(model.dual_coef_)
    for found in (model.predict(kept("new", new)), model.predict(new, tmp_path / "predicted.zarr")[...], model.predict(new)):
        assert found.shape == (50, *y.shape[1:])
        assert np.linalg.norm(found - cross @ model.dual_coef_) <= size
    assert abs(model.score(stored_X, stored_y) - model.score(X, y)) <= 1e-12


def test_kernel_ridge_is_scikit_learn_s_on_the_same_kernel() -> None:
    """The dual coefficients of scikit-learn's KernelRidge on the precomputed kernel, up to the tolerance times the condition number."""
    X, y, _ = regression()
    K = np.exp(1e-3 * X @ X.T)
    ours = KernelRidge(alpha=2.0, scale=1e-3, tol=1e-12).fit(X, y)
    theirs = TheirKernelRidge(alpha=2.0, kernel="precomputed").fit(K, y)

    condition = np.linalg.norm(K, 2) / 2.0 + 1
    assert np.linalg.norm(ours.dual_coef_ - theirs.dual_coef_) <= 2e-12 * condition * np.linalg.norm(theirs.dual_coef_)


def test_kernel_ridge_does_not_depend_on_units() -> None:
    """Without a scale the mean squared length of the rows is the unit."""
    X, y, _ = regression()

    found = KernelRidge().fit(X, y)

    assert np.isclose(found.scale_, 1 / np.mean((X**2).sum(axis=1)), rtol=N * EPS)
    again = KernelRidge().fit(1024 * X, y)  # a power of two rounds nothing
    assert np.array_equal(again.predict(1024 * X), found.predict(X))
    assert KernelRidge().fit(np.zeros((3, 2)), y[:3]).scale_ == 1.0


def test_kernel_ridge_after_a_pickle(stored: Callable[..., str]) -> None:
    """Rows in memory travel along, stored rows stay where they are, the predictions keep their bits."""
    X, y, _ = regression()
    for rows in (X, stored("X", X, 64)):
        model = KernelRidge(scale=1e-3).fit(rows, y)
        again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
        assert np.array_equal(again.predict(X[:9]), model.predict(X[:9]))
        assert again.solution_ is None


def test_what_kernel_ridge_refuses() -> None:
    """Other kernels, and rows whose exponential overflows."""
    X, y, _ = regression()
    with pytest.raises(ValueError, match="kernel must be 'exp'; got 'rbf'"):
        KernelRidge(kernel="rbf").fit(X, y)
    with pytest.raises(ValueError, match="overflows"):
        KernelRidge(scale=10.0).fit(X, y)


# ---- an estimator among others -----------------------------------------------------------------------------------------


def test_parameters_reach_the_solver(tmp_path: Path, client: Client) -> None:
    """Method, seed, sketch, cluster and journal are those of solve; the bits are solve's own."""
    X, y, _ = regression()
    words = {"method": "whitened", "sketch": "gaussian", "seed": 3}
    model = LinearRegression(**words, cluster=client, journal=tmp_path / "run").fit(X, y)

    wanted = ds.lstsq(X, y, intercept=True, **words)
    assert np.array_equal(np.append(model.coef_, model.intercept_), wanted.x)
    assert model.solution_.method == "whitened"
    assert (tmp_path / "run" / "header.json").exists()
    with pytest.raises(ValueError, match="method must be one of"):
        LinearRegression(method="magic").fit(X, y)


def test_an_answer_that_is_not_right_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backward error above the tolerance is told the way scikit-learn tells it."""
    X, y, _ = regression()
    monkeypatch.setattr("dsketch.methods.base.ACCEPTED", 0.0)
    with pytest.warns(ConvergenceWarning, match="not solved"):
        LinearRegression().fit(X, y)


def test_a_copy_shares_the_cluster(client: Client) -> None:
    """A client is no value to be copied; everything else of a clone is unfitted and equal."""
    X, y, _ = regression()
    model = Ridge(alpha=2.0, cluster=client).fit(X, y)

    copied = clone(model)

    assert copied.cluster is client
    assert model.cluster is client
    assert copied.alpha == 2.0
    assert not hasattr(copied, "coef_")


def test_a_pickle_is_without_the_data() -> None:
    """What comes back predicts the same bits; the solution stays with the data."""
    X, y, _ = regression(rows=5000)
    model = LinearRegression().fit(X, y)

    packed = pickle.dumps(model)
    again = pickle.loads(packed)  # noqa: S301 - our own

    assert len(packed) < X.nbytes / 20
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.solution_ is None
    assert model.solution_ is not None


def test_a_search_finds_scikit_learn_s_alpha() -> None:
    """In a grid search and a pipeline Ridge ends where scikit-learn's does."""
    X, y, _ = regression()
    grid = {"ridge__alpha": [0.1, 10.0, 1000.0]}
    ours, theirs = (GridSearchCV(make_pipeline(StandardScaler(), kind()), grid, cv=3).fit(X, y) for kind in PAIRS[1])

    assert ours.best_params_ == theirs.best_params_
    scores = ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    assert np.abs(scores[0] - scores[1]).max() <= allowed(X)
