"""The summary: names, refusals, its text and its JSON."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from tests.problems.linear.statistics.oracle import C, Case, Counting, U, assert_equal, oracle


def test_names(stored: Callable[..., str]) -> None:
    """Coefficients are named by the user, else by the attribute of the Zarr array, else by number."""
    rng = np.random.default_rng(15)
    A, b = rng.standard_normal((100, 2)), rng.standard_normal(100)
    path = stored("A", A)
    assert ds.lstsq(path, b, intercept=True).summary().names == ("x0", "x1", "intercept")

    zarr.open_array(path, mode="a").attrs["columns"] = ["age", "height"]
    solution = ds.lstsq(path, b, intercept=True)

    assert solution.summary().names == ("age", "height", "intercept")
    assert solution.summary(names=["a", "b"]).names == ("a", "b", "intercept")
    assert solution.summary(names=["a", "b", "level"]).names == ("a", "b", "level")
    assert "\nheight " in str(solution.summary())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"robust": "HC4"}, "HC0, HC1, HC2, HC3; got 'HC4'"),
        ({"robust": True}, "got True"),
        ({"level": 95}, "between 0 and 1; got 95"),
        ({"level": "high"}, "got 'high'"),
        ({"names": ["a"]}, "each of the 2 columns of A; got 1"),
        ({"names": []}, "each of the 2 columns of A; got 0"),
    ],
)
def test_refusals(asked: dict[str, Any], message: str) -> None:
    """What cannot be summarize is refused with the value and the remedy, before any pass."""
    engine = Counting()
    solution = ds.lstsq(np.eye(4)[:, :2], np.ones(4), cluster=engine, method="sketch_and_solve")
    before = len(engine.ran)
    with pytest.raises(ds.SpecError, match=message):
        solution.summary(**asked)
    assert len(engine.ran) == before


def test_refuses_ridge() -> None:
    """A biased estimate has no standard errors; alpha = 0 is least squares and has."""
    rng = np.random.default_rng(16)
    A, b = rng.standard_normal((60, 3)), rng.standard_normal(60)
    with pytest.raises(ds.SpecError, match=r"alpha = 2\.0.*LeastSquares"):
        ds.ridge(A, b, 2.0).summary()
    case = Case(A, b)
    assert_equal(ds.ridge(A, b, 0.0).summary(), oracle(case), case.tolerance())


def test_sides_and_levels_are_checked() -> None:
    """A side or a level that is not there is refused."""
    summary = ds.lstsq(np.eye(4)[:, :2], np.ones(4)).summary()
    with pytest.raises(ds.SpecError, match="1 right-hand sides"):
        summary.covariance(1)
    with pytest.raises(ds.SpecError, match="got 2"):
        summary.confidence(2)


def test_no_engine_without_a_pass() -> None:
    """A summary that needs no pass connects to nothing; one that does says that nobody answers."""
    rng = np.random.default_rng(17)
    solution = ds.lstsq(rng.standard_normal((100, 2)), rng.standard_normal(100), method="tsqr")
    nowhere = "no-such-scheme://nowhere:1"

    assert solution.summary(cluster=nowhere).passes == ()
    with pytest.raises(ds.EngineError, match="no-such-scheme"):
        solution.summary(cluster=nowhere, robust="HC0")


def test_text_and_json() -> None:
    """The table shows every coefficient with its numbers; the dictionary survives strict JSON."""
    rng = np.random.default_rng(18)
    case = Case(rng.standard_normal((80, 2)), rng.standard_normal(80), intercept=True)
    summary = case.solve().summary(names=["left", "right"], robust="HC3", level=0.9)

    text, theirs = str(summary), oracle(case, robust="HC3")
    low, high = theirs.conf_int(0.1)[1]
    assert f"{theirs.params[1]:.5g}" in text
    assert f"{theirs.bse[1]:.4g}" in text
    assert f"{low:.5g} " in text
    assert f"{high:.5g}" in text
    assert "[0.05" in text
    assert "HC3" in text

    plain = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert plain["names"] == ["left", "right", "intercept"]
    assert plain["r_squared"] == summary.r_squared
    assert np.array(plain["confidence"]).shape == (3, 2)
    assert "spread" not in plain


def test_singular_values() -> None:
    """Singular values and condition are those of √W A."""
    rng = np.random.default_rng(19)
    case = Case(rng.standard_normal((90, 3)), rng.standard_normal(90), rng.uniform(1, 2, 90))
    summary = case.solve().summary()
    expected = np.linalg.svd(np.sqrt(case.weights)[:, None] * case.A, compute_uv=False)
    np.testing.assert_allclose(summary.singular_values, expected, rtol=C * 3 * U)
    assert summary.condition == summary.singular_values[0] / summary.singular_values[-1]
