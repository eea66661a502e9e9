"""Sparse rows that tests share."""

import numpy as np
import scipy.sparse as sp

N, D = 503, 12


def sparse(n: int = N, d: int = D, density: float = 0.2, dtype: str = "float64", seed: int = 0) -> sp.csr_array:
    """Return rows of which some are empty, as is the last column; entries unsorted, some of them zero."""
    rng = np.random.default_rng(seed)
    pattern = rng.random((n, d)) < density
    pattern[:, -1] = False
    pattern[rng.random(n) < 0.1] = False
    rows, columns = np.nonzero(pattern)
    order = np.lexsort((rng.random(rows.size), rows))
    values = rng.integers(0 if dtype[0] in "ub" else -100, 100, rows.size) + (0.25 if dtype[0] == "f" else 0)
    values[::50] = 0
    pointers = np.append(0, np.cumsum(pattern.sum(axis=1))).astype(np.int32)
    return sp.csr_array((values.astype(dtype), columns[order].astype(np.int32), pointers), shape=(n, d))


def doubled() -> sp.csr_array:
    """Return rows with two entries for each place, which count as their sum."""
    X = sparse()
    return sp.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)


def full_columns(n: int = N, d: int = D, density: float = 0.3, seed: int = 1) -> sp.csr_array:
    """Return rows of full rank and modest condition."""
    X = sp.random_array((n, d), density=density, format="csr", rng=np.random.default_rng(seed))
    X.data = np.random.default_rng(seed).standard_normal(X.nnz)
    return X
