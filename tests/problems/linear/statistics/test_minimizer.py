"""A summary speaks of the minimizer, whatever x the method stopped at: of one in other units, or of one to a loose tolerance."""

import numpy as np
import pytest
import scipy.sparse

import dsketch as ds
from dsketch.problems.linear.methods import METHODS

U = np.finfo(float).eps / 2


def regressions() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return A and b: columns in different units, and powers of a year."""
    rng = np.random.default_rng(5)
    units = rng.standard_normal((2000, 3)) * [1e8, 1, 1e-8]
    twelve = rng.standard_normal((2000, 12)) * np.logspace(0, 12, 12)
    year = 1950.0 + rng.integers(0, 70, 60)
    powers = year[:, None] ** [1, 2, 3]
    return {
        "units": (units, units @ [1e-8, 1, 1e8] + rng.standard_normal(2000)),
        "twelve units": (twelve, twelve @ (1 / np.logspace(0, 12, 12)) + rng.standard_normal(2000)),
        "years": (powers, 1e-9 * year**3 + rng.standard_normal(60)),
    }


@pytest.mark.parametrize("name", sorted(regressions()))
@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("tol", [None, 1e-3])
def test_equals_that_of_tsqr(name: str, method: str, tol: float | None) -> None:
    """R², errors, t and p are those of QR to rounding; coefficients too, each in the unit of its column."""
    A, b = regressions()[name]
    theirs = ds.lstsq(A, b, intercept=True, method="tsqr").summary()
    solution = ds.lstsq(A, b, intercept=True, method=method, tol=tol)

    summary = solution.summary()

    kappa = theirs_condition(A)
    close = 64 * U * kappa * (1 + kappa)  # both are right to u kappa² tan, whose tan is about 1 here
    sizes = np.linalg.norm(np.column_stack([A, np.ones(len(A))]), axis=0)
    off = np.linalg.norm(sizes * (summary.coefficients - theirs.coefficients)) / np.linalg.norm(sizes * theirs.coefficients)
    assert off <= close
    np.testing.assert_allclose(summary.r_squared, theirs.r_squared, rtol=64 * U * kappa)
    np.testing.assert_allclose(summary.standard_errors, theirs.standard_errors, rtol=64 * U * kappa)


def theirs_condition(A: np.ndarray) -> float:
    """Return the condition number of [A 1], columns scaled."""
    M = np.column_stack([A, np.ones(len(A))])
    return float(np.linalg.cond(M / np.linalg.norm(M, axis=0)))


def test_says_by_how_much_x_differs() -> None:
    """A solution to a loose tolerance is not the minimizer; the note has the distance; one to rounding needs no note."""
    rng = np.random.default_rng(6)
    A = rng.standard_normal((3000, 20))
    b = rng.standard_normal(3000)

    loose, tight = (ds.lstsq(A, b, method="conjugate_gradient", tol=tol) for tol in (1e-3, None))

    minimizer = np.linalg.lstsq(A, b)[0]
    np.testing.assert_allclose(loose.summary().coefficients, minimizer, rtol=0, atol=1e-13)
    off = np.linalg.norm(loose.x - minimizer) / np.linalg.norm(minimizer)
    note = next(note for note in loose.summary().notes if "those of the minimizer" in note)
    assert "by conjugate_gradient, differs from it" in note
    assert float(note.split("up to ")[1].split(" ")[0]) == pytest.approx(off, rel=0.2)  # D there is a power of two
    assert not any("minimizer" in note for note in tight.summary().notes)


@pytest.mark.parametrize("robust", [None, "HC3"])
def test_dummies_beside_a_time_stamp(robust: str | None) -> None:
    """The default for sparse rows iterates; a hundred dummies beside an amount and a UNIX time have the errors of QR."""
    rng = np.random.default_rng(7)
    n, groups = 4000, rng.integers(0, 100, 4000)
    dummies = scipy.sparse.csr_array((np.ones(n), (np.arange(n), groups)))
    others = np.column_stack([np.exp(rng.normal(10, 1, n)), 1.7e9 + rng.uniform(0, 1e7, n)])
    b = rng.standard_normal(100)[groups] + others @ [1e-5, 1e-6] + 0.1 * rng.standard_normal(n)
    rows = scipy.sparse.hstack([dummies, scipy.sparse.csr_array(others)], format="csr")

    mine = ds.lstsq(rows, b, method="conjugate_gradient").summary(robust=robust)
    theirs = ds.lstsq(rows.toarray(), b, method="tsqr").summary(robust=robust)

    assert theirs.is_centred
    assert mine.is_centred
    np.testing.assert_allclose(mine.r_squared, theirs.r_squared, rtol=1e-10)
    np.testing.assert_allclose(mine.standard_errors, theirs.standard_errors, rtol=1e-9)
    np.testing.assert_allclose(mine.coefficients, theirs.coefficients, rtol=0, atol=1e-8 * np.abs(theirs.coefficients).max())
