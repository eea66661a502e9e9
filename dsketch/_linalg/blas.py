"""Four BLAS routines that work in place on views of C-order arrays, and let other Python threads run meanwhile.

NumPy's products make a new array for each result, and SciPy's wrappers hold the interpreter's lock: of d × d arrays the first costs memory
and page faults, the second all other threads.  These are the routines that SciPy exports for Cython, called through ctypes, which releases
the lock.  A row of an array is a column to Fortran, so that each call is the transposed one.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import LowLevelCallable
from scipy.linalg import cython_blas

from dsketch._linalg.arrays import Floats


def _routine(name: str) -> Callable[..., None]:
    """Return a routine that takes every argument by its address."""
    capsule = LowLevelCallable.from_cython(cython_blas, name).function
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return ctypes.CFUNCTYPE(None)(pointer_of(capsule, name_of(capsule)))


_dgemm, _dsyrk, _dtrsm = _routine("dgemm"), _routine("dsyrk"), _routine("dtrsm")


def add_product(C: Floats, A: Floats, B: Floats, factor: float = 1.0, *, turn: bool = False) -> None:
    """Add ``factor`` · A B to C, or with ``turn`` ``factor`` · Aᵀ B; all with rows in one piece.

    Parameters
    ----------
    C : ndarray, shape (r, c)
    A : ndarray, shape (r, m), with ``turn`` (m, r)
    B : ndarray, shape (m, c)
    """
    (rows, columns), inner = C.shape, len(B)
    if C.size and inner:
        _call(_dgemm, b"N", b"T" if turn else b"N", columns, rows, inner, factor, B, _lead(B), A, _lead(A), 1.0, C, _lead(C))


def add_square(C: Floats, X: Floats, factor: float = 1.0) -> None:
    """Add the upper triangle of ``factor`` · XᵀX to that of C, whose other numbers are left alone.

    Parameters
    ----------
    C : ndarray, shape (c, c)
    X : ndarray, shape (rows, c)
    """
    if C.size and len(X):
        _call(_dsyrk, b"L", b"N", len(C), len(X), factor, X, _lead(X), 1.0, C, _lead(C))


def solve_in_place(U: Floats, B: Floats, *, turn: bool = False) -> None:
    """Write U⁻¹B, or with ``turn`` U⁻ᵀB, into B, U being upper triangular; what is below its diagonal is not read.

    Parameters
    ----------
    U : ndarray, shape (r, r)
    B : ndarray, shape (r, c)
    """
    if B.size:
        _call(_dtrsm, b"R", b"L", b"T" if turn else b"N", b"N", B.shape[1], len(B), 1.0, U, _lead(U), B, _lead(B))


def _lead(array: Floats) -> int:
    """Return how many numbers lie between two rows.

    Raises
    ------
    ValueError
        If the numbers of a row do not lie side by side.
    """
    if array.dtype != np.float64 or array.strides[1] != 8 or array.strides[0] % 8:
        raise ValueError(
            f"float64 rows in one piece were expected; got {array.dtype} with strides {array.strides}. Make it contiguous."
        )
    return int(max(array.strides[0] // 8, array.shape[1], 1))


def _call(routine: Callable[..., None], *arguments: Any) -> None:
    routine(*(_address(value) for value in arguments))


def _address(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    return ctypes.byref(ctypes.c_int(value) if isinstance(value, int) else ctypes.c_double(value))
