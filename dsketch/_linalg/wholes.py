"""Matrices of integers of any size: exact products at the speed of BLAS, roundings once, floats of any exponent.

References
----------
K. Ozaki, T. Ogita, S. Oishi, S. M. Rump, Numerical Algorithms 59, 2012 (products by limbs).
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

Wholes = NDArray[np.object_]
_FEW_PRODUCTS = 30_000  # below so many, Python's own are as fast
_KEPT = 64  # bits of an integer that a float is made of


def multiply(left: Wholes, right: Wholes) -> Wholes:
    """Return the product of two matrices of integers, shapes (m, c) and (c, k), exactly.

    Examples
    --------
    >>> multiply(np.array([[2**70, 1]], dtype=object), np.array([[3], [5]], dtype=object))[0, 0] == 3 * 2**70 + 5
    True
    """
    (m, inner), k = left.shape, right.shape[1]
    if m * inner * k < _FEW_PRODUCTS:
        return np.asarray(left @ right, dtype=object)
    bits = (53 - max(inner - 1, 1).bit_length()) // 2 + 1
    mine, other = list(_limbs(left, bits)), list(_limbs(right, bits))
    total = np.zeros((m, k), dtype=object)
    for place in reversed(range(len(mine) + len(other) - 1)):
        sums = np.zeros((m, k), dtype=np.int64)
        for number in range(max(place - len(other) + 1, 0), min(place + 1, len(mine))):
            sums += (mine[number] @ other[place - number]).astype(np.int64)
        total = (total << bits) + sums.astype(object)
    return total


def _limbs(matrix: Wholes, bits: int) -> Iterator[Floats]:
    """Yield floats of at most 2^(bits − 1), the lowest first: digits of the two's complement, carried so that they have signs."""
    values = matrix.ravel().tolist()
    width = max(value.bit_length() for value in values) + 2
    words = -(-width // 64) + 1
    raw = b"".join(value.to_bytes(8 * words, "little", signed=True) for value in values)
    whole = np.frombuffer(raw, dtype="<u8").reshape(-1, words).T
    carry: NDArray[np.int64] | int = 0
    for low in range(0, width, bits):
        word, offset = divmod(low, 64)
        digit = whole[word] >> np.uint64(offset)
        if offset + bits > 64:
            digit = digit | (whole[word + 1] << np.uint64(64 - offset))
        signed = (digit & np.uint64((1 << bits) - 1)).astype(np.int64) + carry
        carry = (signed >= 1 << (bits - 1)).astype(np.int64)
        yield (signed - (carry << bits)).astype(np.float64).reshape(matrix.shape)


def shift_rounded(matrix: Wholes, bits: int) -> Wholes:
    """Return the matrix divided by 2^bits, rounded to integers; multiplied for negative ``bits``."""
    return np.asarray(matrix << -bits if bits <= 0 else (matrix + (1 << (bits - 1))) >> bits, dtype=object)


def from_floats(values: Floats, bits: int | NDArray[np.int64]) -> Wholes:
    """Return values · 2^bits, rounded to integers."""
    scaled = np.rint(np.ldexp(values, bits))
    return np.array([int(value) for value in scaled.ravel().tolist()], dtype=object).reshape(scaled.shape)


def to_floats(matrix: Wholes, exponent: int) -> Floats:
    """Return the matrix times 2^exponent, each entry right to a unit in the last place; 0 or ∞ beyond what float64 holds."""
    return np.array([_to_float(value, exponent) for value in matrix.ravel().tolist()]).reshape(matrix.shape)


def _to_float(value: int, exponent: int) -> float:
    lost = max(value.bit_length() - _KEPT, 0)
    try:
        return math.ldexp(value >> lost, lost + exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def nearest(value: int, exponent: int) -> float:
    """Return value · 2^exponent, rounded once.

    >>> nearest(2**53 + 1, -1) == 2.0**52
    True
    """
    try:
        return float(value << exponent) if exponent >= 0 else value / (1 << -exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def dyadic(value: float) -> tuple[int, int]:
    """Return m and e with value = m 2^e, m odd or 0.

    >>> dyadic(0.75), dyadic(12)
    ((3, -2), (3, 2))
    """
    if not value:
        return 0, 0
    top, bottom = value.as_integer_ratio()
    zeros = (top & -top).bit_length() - 1
    return top >> zeros, zeros - (bottom.bit_length() - 1)
