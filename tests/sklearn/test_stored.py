"""The estimators take data that scikit-learn cannot hold, and refuse what is no number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

import dsketch as ds
from dsketch.sklearn import KernelRidge, LinearRegression, Ridge
from tests.sklearn.model import EPS, PAIRS, D, N, allowed, assert_same_model, regression


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
