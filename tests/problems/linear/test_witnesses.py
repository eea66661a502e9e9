"""A factor of AᵀA that its eigenvalues do not vouch for: A does, along random vectors, or it is left."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import dsketch as ds
from dsketch._linalg.tiled import factor_in_place
from dsketch.problems.outcome import Status

Floats = np.ndarray[Any, np.dtype[np.float64]]


def rows_of(condition: float, n: int = 20_000, d: int = 40) -> Floats:
    """Return rows of a condition number, columns of one norm."""
    rng = np.random.default_rng(4)
    U, V = (np.linalg.qr(rng.standard_normal(shape))[0] for shape in ((n, d), (d, d)))
    A = (U * np.logspace(0, -np.log10(condition), d)) @ V.T
    return np.asarray(A / np.linalg.norm(A, axis=0))


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("units", [0, 5])
@pytest.mark.parametrize("condition", [1.2e6, 1.8e6])
def test_a_vouches_for_its_factor(condition: float, units: int, is_sparse: bool) -> None:
    """One light pass more, and no claim is better than the truth: against the exact minimizer."""
    A = rows_of(condition) * np.logspace(-units, units, 40)
    b = A @ np.logspace(units, -units, 40) + np.random.default_rng(5).standard_normal(len(A))
    exact = ds.lstsq(A, b, accuracy="full", cluster="serial", progress=False)

    found = ds.lstsq(scipy.sparse.csr_array(A) if is_sparse else A, b, method="cholesky", cluster="serial", progress=False)

    assert [line.kind for line in found.passes][:3] == ["gram", "normal", "gradient"]
    assert found.method == "cholesky"
    assert found.status is Status.SOLVED
    assert ds.check(found.problem, found.x).backward_error[0] <= 1e-15
    sizes = np.linalg.norm(A, axis=0)
    singular = np.linalg.svd(A / sizes, compute_uv=False)
    assert 0.9 <= found.certificate.scaled_condition / (singular[0] / singular[-1]) <= 3.0
    off = np.linalg.norm((found.x - exact.x) * sizes) / np.linalg.norm(exact.x * sizes)
    assert off <= np.max(found.certificate.forward_error) <= 1.0


def test_a_factor_that_rounding_spoiled_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth more in one direction that the answer needs: A says so, and another way is taken."""
    A = rows_of(1.5e6)

    def spoil(G: Floats) -> Floats:
        w, V = np.linalg.eigh(np.triu(G) + np.triu(G, 1).T)
        return factor_in_place(np.ascontiguousarray((V * np.where(np.arange(len(w)), w, 1.5 * w[0])) @ V.T))

    monkeypatch.setattr("dsketch.problems.linear.cholesky.factor_in_place", spoil)
    found = ds.lstsq(A, A.sum(axis=1), method="cholesky", cluster="serial", progress=False)

    assert found.method == "whitened"
    assert "compared with A along random vectors, its factor may be off by" in found.notes[0]
    assert found.status is Status.SOLVED


@pytest.mark.parametrize("condition", [1e9, np.inf])
def test_no_pass_is_spent_where_a_cannot_vouch(condition: float) -> None:
    """Where the squares have lost a direction, or A lacks it, the next way is taken at once."""
    A = rows_of(min(condition, 1e3))
    if condition == np.inf:
        A[:, 3] = A[:, 4]
    else:
        A = rows_of(condition)

    found = ds.lstsq(scipy.sparse.csr_array(A), A.sum(axis=1), method="cholesky", cluster="serial", progress=False)

    assert "normal" not in [line.kind for line in found.passes]
    assert found.method != "cholesky"
    assert found.certificate.rank == (39 if condition == np.inf else 40)
