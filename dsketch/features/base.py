"""What every row map is: features of one row of A at a time, a function of the row, the seed and the column numbers alone.

A map of the entrywise exponential kernel K_ij = exp(s ⟨a_i, a_j⟩) gives features of its Gaussian form.  With any mean μ and
c = a − μ,

    K = E G E,   E_i = exp(s ⟨a_i, μ⟩ − s ‖μ‖²/2 + s ‖c_i‖²/2),   G_ij = exp(−s ‖c_i − c_j‖²/2),

and G ≈ F Fᵀ with F_i = e^{−s ‖c_i‖²/2} φ(√s c_i), φ features of exp ⟨·, ·⟩: nothing overflows, and short rows need few features.
"""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch._linalg.threads import one_blas_thread
from dsketch.errors import DataError, SpecError

# Every matrix product has this many rows: tall enough for BLAS, and the same shape whatever the rows' number.
PRODUCT_ROWS = 256
_SLICE_BYTES = 1_000_000  # so much of the features at once stays in the second-level cache while they are multiplied up


@dataclass(frozen=True, eq=False)
class RowMap(ABC):
    """Features F = map(X), row by row.

    Guarantees: row i of F depends on row i of X, the map's fields and the column numbers alone, to the last bit, however the rows
    are cut; an instance pickles as its fields; two maps are equal if their fields are.
    """

    name: ClassVar[str]
    takes_sparse: ClassVar[bool] = False  # ``fill`` makes use of CSR rows; others are given dense ones

    @abstractmethod
    def width(self, columns: int) -> int:
        """Return the number of features m for rows of d columns."""

    @abstractmethod
    def fill(self, X: Any, out: Floats) -> None:
        """Write the features of rows X (h × d, float64; CSR only where ``takes_sparse``) into ``out`` (h × m)."""

    def rows_at_once(self, columns: int) -> int:
        """Return how many rows ``fill`` is given at once."""
        return max(_SLICE_BYTES // (8 * max(self.width(columns), columns)), 64)

    def apply(self, X: Any, out: Floats | None = None) -> Floats:
        """Return the features of rows.

        Parameters
        ----------
        X : ndarray or csr_array of numbers, shape (r, d)
        out : ndarray, shape (≥ r, m), optional
            C order; filled and returned in place of fresh memory.

        Returns
        -------
        ndarray of float64, shape (r, m)
        """
        rows, columns = X.shape
        width, step = self.width(columns), self.rows_at_once(columns)
        features = np.empty((rows, width)) if out is None else out[:rows]
        with one_blas_thread():
            for low in range(0, rows, step):
                high = min(low + step, rows)
                self.fill(self._float_rows(X[low:high]), features[low:high])
        return features

    def _float_rows(self, piece: Any) -> Any:
        """Return rows as float64: CSR for a map that takes it, else dense in C order."""
        if scipy.sparse.issparse(piece):
            rows = scipy.sparse.csr_array(piece, dtype=np.float64)
            return rows if self.takes_sparse else rows.toarray()
        return np.ascontiguousarray(piece, dtype=np.float64)

    def fingerprint(self) -> str:
        """Return a short text that changes when a field does."""
        state = hashlib.sha256(self.name.encode())
        for field in fields(self):
            value = getattr(self, field.name)
            state.update(f"|{field.name}".encode())
            if isinstance(value, np.ndarray):
                state.update(f"{value.dtype}{value.shape}".encode())
                state.update(np.ascontiguousarray(value).data)
            else:
                state.update(repr(value).encode())
        return state.hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowMap) and type(self) is type(other) and self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __getstate__(self) -> dict[str, Any]:
        """Travel as the fields; what was derived from them is derived again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class GaussianMap(RowMap):
    """Features of the Gaussian form of exp(s ⟨·, ·⟩).

    Attributes
    ----------
    mean : ndarray, shape (d,)
        μ, what is taken from every row first; zeros to leave the rows as they are.
    scale : float
        s > 0.
    """

    mean: Floats
    scale: float

    def __post_init__(self) -> None:
        """Check at the door."""
        if np.ndim(self.mean) != 1 or not np.isfinite(self.mean).all():
            raise SpecError(
                f"the mean of the rows must be a finite vector; its shape is {np.shape(self.mean)}. Pass zeros for no centring."
            )
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise SpecError(f"scale must be a finite number above 0; it is {self.scale}. Pass 1.0 for exp(⟨a, b⟩).")
        object.__setattr__(self, "mean", np.array(self.mean, dtype=np.float64))

    @abstractmethod
    def expand(self, C: Any, weight: Floats, out: Floats) -> None:
        """Write weight · φ(C) into ``out`` for rows C = √s (X − μ) and their weights e^{−‖C‖²/2}, shape (h,)."""

    def fill(self, X: Any, out: Floats) -> None:
        """Centre and scale the rows, weigh them, expand."""
        C = self.centre(X)
        self.expand(C, np.exp(-0.5 * squares(C)), out)

    def centre(self, X: Any) -> Floats:
        """Return √s (X − μ), in memory that the next call of this thread overwrites."""
        C = scratch("centred", X.shape)
        np.subtract(X.toarray() if scipy.sparse.issparse(X) else X, self.mean, out=C)
        C *= self._root
        return C

    @cached_property
    def _root(self) -> float:
        return float(np.sqrt(self.scale))

    def require_columns(self, columns: int) -> None:
        """Refuse rows that the mean does not fit.

        Raises
        ------
        DataError
            If the number of columns is not the length of the mean.
        """
        if columns != len(self.mean):
            raise DataError(
                f"rows must have the {len(self.mean)} columns that the map was made for; they have {columns}. "
                "Check that they come from the same table."
            )


@dataclass(frozen=True, eq=False)
class DrawnMap(GaussianMap):
    """As many features as one likes, each drawn on its own, from products with the rows.

    Attributes
    ----------
    size : int
        Columns m.
    seed : int
    """

    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Check at the door."""
        super().__post_init__()
        require_size(self.size)

    def width(self, columns: int) -> int:
        """Return m."""
        self.require_columns(columns)
        return self.size

    def rows_at_once(self, columns: int) -> int:
        """Return the height of one product."""
        del columns
        return PRODUCT_ROWS


def require_size(size: int) -> None:
    """Refuse a map without columns.

    Raises
    ------
    SpecError
        If there are none.
    """
    if size < 1:
        raise SpecError(f"size must be at least 1; it is {size}.")


def squares(C: Floats) -> Floats:
    """Return ‖C_i‖² of each row."""
    return np.asarray(np.einsum("ij,ij->i", C, C))


def multiply_rows(X: Floats, B: Floats, out: Floats) -> None:
    """Write X B into ``out``, each row to the bit as if it were alone.

    BLAS chooses its kernel by the shape, so the last bits of a row change with the number of its neighbours.  Here every product has
    ``PRODUCT_ROWS`` rows; the last ones are filled up with zeros.
    """
    rows = X.shape[0]
    whole = rows - rows % PRODUCT_ROWS
    for low in range(0, whole, PRODUCT_ROWS):
        np.matmul(X[low : low + PRODUCT_ROWS], B, out=out[low : low + PRODUCT_ROWS])
    if whole < rows:
        padded = scratch("padded", (PRODUCT_ROWS, X.shape[1]))
        padded[: rows - whole] = X[whole:]
        padded[rows - whole :] = 0.0
        result = scratch("padded product", (PRODUCT_ROWS, B.shape[1]))
        out[whole:] = np.matmul(padded, B, out=result)[: rows - whole]
