"""What goes wrong with an x, a penalty, a flag or a single row is named as such, with a remedy that works."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main
from dsketch.sklearn import Ridge

A = np.random.default_rng(0).standard_normal((40, 3))
B = A @ [1.0, 2.0, 3.0]

WRONG_X: dict[str, tuple[Any, str]] = {
    "NaN": ([1.0, np.nan, 2.0], "x must be finite; row 1 is nan"),
    "infinite": ([[1.0], [0.0], [-np.inf]], "x must be finite; row 2, column 0 is -inf"),
    "complex": (np.array([1.0, 1j, 2.0]), "x must hold real numbers; its dtype is complex128"),
    "text": (["1", "2", "3"], "x must hold real numbers; its dtype is <U1"),
    "ragged": ([[1.0], [1.0, 2.0]], "x must be an array of real numbers"),
}


@pytest.mark.parametrize("kind", WRONG_X)
def test_an_x_that_is_no_numbers_is_named(kind: str) -> None:
    """Neither A nor b is blamed for what is wrong with x, and nothing of x is dropped."""
    x, message = WRONG_X[kind]

    with pytest.raises(ds.DataError, match=message):
        ds.check(ds.LeastSquares(A, B), x)
    with pytest.raises(ds.DataError, match=message):
        ds.predict(x, A)


@pytest.mark.parametrize("kind", ["NaN", "complex"])
def test_a_stored_x_is_looked_at_too(tmp_path: Path, kind: str, stored: Any) -> None:
    """The same on the command line."""
    x, message = WRONG_X[kind]
    np.save(tmp_path / "x.npy", np.asarray(x))

    done = CliRunner().invoke(main, ["predict", str(tmp_path / "x.npy"), stored("A", A)])
    assert (done.exit_code, message in done.stderr) == (2, True)


@pytest.mark.parametrize("alpha", [np.array(0.5), np.array([0.5]), [0.5], np.float32(0.5)])
def test_a_penalty_may_come_in_an_array_of_one(alpha: Any) -> None:
    """One number is one number, for every problem with a penalty and for the estimator."""
    np.testing.assert_array_equal(ds.ridge(A, B, alpha).x, ds.ridge(A, B, 0.5).x)
    np.testing.assert_array_equal(Ridge(alpha).fit(A, B).coef_, Ridge(0.5).fit(A, B).coef_)
    assert ds.ExpKernel(A, B, alpha=alpha, scale=alpha).scale == 0.5
    assert ds.RestrictedKernel(A, B, alpha=alpha).alpha == 0.5


@pytest.mark.parametrize("make", [ds.ExpKernel, ds.RestrictedKernel])
def test_several_penalties_are_told_what_to_do(make: Any) -> None:
    """One for each target is for ridge alone."""
    with pytest.raises(ds.SpecError, match=r"alpha must be one number; got 2 of them.*one column of b at a time"):
        make(A, np.c_[B, B], alpha=[0.1, 10.0])


def test_a_penalty_that_overflows_is_the_penalty_s_fault() -> None:
    """A and b are not to be rescaled for it; the largest that is allowed works."""
    with pytest.raises(ds.SpecError, match=r"alpha must be at most 1e.300.*got 1e.308"):
        ds.ridge(A, B, 1e308)
    assert ds.ridge(A, B, 1e300, intercept=True).status.is_success


@pytest.mark.parametrize("intercept", [False, True])
def test_wide_ridge_is_told_who_can(intercept: bool) -> None:
    """The remedy for fewer rows than columns is ridge too, and works as printed."""
    with pytest.raises(ds.DataError, match="A must be tall") as caught:
        ds.ridge(A[:2], B[:2], 0.5, intercept=intercept)
    remedy = f"dsketch.sklearn.Ridge(alpha=0.5, fit_intercept={intercept}).fit(A, b)"
    assert remedy in str(caught.value)
    assert eval(remedy, {"dsketch": ds, "A": A[:2], "b": B[:2]}).coef_.shape == (3,)  # noqa: S307 - printed by us


def test_one_row_is_told_to_be_wrapped() -> None:
    """A vector as long as a row is so many rows of one column; the remedy works."""
    solution = ds.lstsq(A, B, intercept=True)

    with pytest.raises(ds.DataError, match=r"predict\(\[row\]\)"):
        solution.predict(A[0])
    assert solution.predict([A[0]]) == pytest.approx(B[:1])


@pytest.mark.parametrize("flag", ["yes", 2, None, 0.5])
def test_flags_are_true_or_false(flag: Any) -> None:
    """A word is no truth value, for problems as for estimators."""
    with pytest.raises(ds.SpecError, match="intercept must be True or False"):
        ds.lstsq(A, B, intercept=flag)
    with pytest.raises(ValueError, match="fit_intercept must be True or False"):
        Ridge(fit_intercept=flag).fit(A, B)
    assert ds.LeastSquares(A, B, intercept=np.True_).parameters["intercept"] is True  # type: ignore[arg-type]


def test_check_says_what_the_intercept_is_to_be() -> None:
    """An x that was solved with an intercept does not fit a problem without one."""
    with pytest.raises(ds.DataError, match="or say intercept=True, with which it was solved"):
        ds.check(ds.LeastSquares(A, B), ds.lstsq(A, B, intercept=True))


def test_an_x_that_overflows_is_named() -> None:
    """Where x is far larger than the data, the sentence about an overflow speaks of it; else it does not."""
    for call in (lambda: ds.check(ds.LeastSquares(A, B), [1.0, 1e200, 0.0]), lambda: ds.predict([1.0, 1e200, 0.0], 1e120 * A)):
        with pytest.raises(ds.DataError, match=r"overflow .*, or look where x comes from: its largest entry is 1e\+200\.$"):
            call()
    with pytest.raises(ds.DataError, match=r"overflow .* to entries below 1e150\.$"):
        ds.check(ds.LeastSquares(A, 1e200 * B), [1.0, 2.0, 0.0])
