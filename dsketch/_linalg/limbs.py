"""Exact sums of products of floats, at the speed of matrix products: numbers cut into limbs of 23 bits, whose products are integers.

Of limbs that are integers of at most 2²² a product of 512 rows is an integer of at most 2⁵³: a BLAS makes it without any rounding, in
whatever order it adds.  Limbs have places, Z = Σ s_l 2^(−23 l), and so have their products; these are added up as 64-bit integers, and
carried to a normal form that depends on the sum alone: not on the order of the rows, nor on how they were cut.

References
----------
K. Ozaki, T. Ogita, S. Oishi, S. M. Rump, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication and its applications", Numerical Algorithms 59, 2012.
J. Demmel, H. D. Nguyen, "Parallel reproducible summation", IEEE Transactions on Computers 64, 2015 (sums that know no order).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

BITS = 23  # of a limb
LARGEST = 2.0 ** (BITS - 1)  # of the numbers that the first limb takes, and of any limb
ROWS = 512  # 2⁵³/(2²²)²
_OFTEN = 500  # so many sums of at most 2⁵³ fit into 64 bits, and what was carried besides
_MAGIC = tuple(1.5 * 2.0 ** (52 - BITS * place) for place in (1, 2))  # adding it rounds to a multiple of 2^(−23 place)
_FEW, _SEEN = 1 / 16, 61  # rows that need more limbs than others are put aside, if they are few; one row in 61 tells

Wholes = NDArray[np.int64]


class Limb(NamedTuple):
    """s at a place: ``values`` · 2^(23 · ``raised``) are the integers s."""

    place: int
    values: Floats
    raised: int = 0


class Places(NamedTuple):
    """A matrix Σ digits[i] 2^(−46 places[i]) in normal form.

    ``places``, shape (m,), whole numbers in order; ``digits``, shape (m, …), whole numbers from −2⁴⁵ to 2⁴⁵.
    """

    places: Floats
    digits: Floats


class Sum:
    """A sum of matrices of whole numbers at places of 23 bits."""

    def __init__(self) -> None:
        self._sums: dict[int, Wholes] = {}
        self._count = 0

    def put(self, product: Floats, left: Limb, right: Limb) -> None:
        """Add the product of two limbs, at most 2⁵³ as whole numbers."""
        if raised := left.raised + right.raised:
            product = product * 2.0 ** (BITS * raised)
        _add(self._sums, left.place + right.place, product.astype(np.int64))
        self._count += 1
        if self._count > _OFTEN:
            self.carry()

    def put_half(self, other: "Sum") -> None:
        """Add another sum and its transpose."""
        for place, half in other.carry().items():
            _add(self.carry(), place, half + half.T)

    def carry(self) -> dict[int, Wholes]:
        """Return digits of 23 bits by place."""
        self._sums, self._count = _carry(self._sums, BITS), 0
        return self._sums

    def close(self, shape: tuple[int, ...]) -> Places:
        """Return the sum in normal form."""
        pairs: dict[int, Wholes] = {}
        for place, digit in self.carry().items():
            _add(pairs, -(-place // 2), digit << BITS if place % 2 else digit)
        return _normal(pairs, shape)


def join(left: Places, right: Places) -> Places:
    """Return the sum of two matrices in normal form."""
    digits = _by_place(left)
    for place, digit in _by_place(right).items():
        _add(digits, place, digit)
    return _normal(digits, left.digits.shape[1:])


def whole_matrix(sums: Places) -> tuple[NDArray[np.object_], int]:
    """Return integers of any size, and the number of bits by which they are to be divided."""
    total = np.zeros(sums.digits.shape[1:], dtype=object)
    if not len(sums.places):
        return total, 0
    last = int(sums.places[0])
    for place, digit in zip(sums.places.astype(np.int64).tolist(), sums.digits, strict=True):
        total = (total << (2 * BITS * (place - last))) + digit.astype(np.int64).astype(object)
        last = place
    return total, 2 * BITS * last


def first_limbs(Z: Floats, room: Floats) -> tuple[list[Limb], NDArray[np.bool_]]:
    """Return up to three limbs of Z, and in which rows something is left: in few if fewer limbs than three are enough for the others.

    Parameters
    ----------
    Z : ndarray, shape (rows, c), C order
        At most ``LARGEST``.
    room : ndarray, shape (4, rows, c)
        Where limbs, and what is left, are made.
    """
    rest = room[3]
    np.rint(Z, out=room[0])
    np.subtract(Z, room[0], out=rest)
    found = [Limb(0, room[0])]
    for place, magic in enumerate(_MAGIC, start=1):
        if not _is_mostly_left(rest) and np.mean(left := _rows_left(rest)) <= _FEW:
            return found, left
        np.add(rest, magic, out=room[place])
        room[place] -= magic
        rest -= room[place]
        found.append(Limb(place, room[place], place))
    return found, _rows_left(rest)


def _is_mostly_left(rest: Floats) -> bool:
    """Return whether some rows have more than a few numbers that are not 0."""
    return bool(rest[::_SEEN].any(axis=1).mean() > 2 * _FEW)


def _rows_left(rest: Floats) -> NDArray[np.bool_]:
    """Return the rows that are not 0, by their bits: a difference of equal numbers is +0."""
    return np.asarray(np.bitwise_or.reduce(rest.view(np.uint64), axis=1) != 0)


def all_limbs(parts: list[Floats]) -> list[Limb]:
    """Return all limbs, other than 0, of a sum of matrices of the same shape; each has at most as many times ``LARGEST`` as there are.

    Raises
    ------
    FloatingPointError
        For a NaN or an infinity.

    Notes
    -----
    What is below 2^−1074 times the unit of a column is lost: a relative change of the column of 2^−1000.
    """
    sums: dict[int, Floats] = {}
    for part in parts:
        for place, limb in _cut(part):
            sums[place] = sums[place] + limb if place in sums else limb
    return [Limb(place, sums[place]) for place in sorted(sums)]


def _cut(Z: Floats) -> Iterator[tuple[int, Floats]]:
    place, peak = 0, float(np.abs(Z).max(initial=0.0))
    if not math.isfinite(peak):
        raise FloatingPointError("finite numbers were expected")
    while peak > LARGEST:
        place, peak = place - 1, peak / 2.0**BITS
    rest = Z * 2.0 ** (BITS * place)
    while rest.any():
        limb = np.rint(rest)
        if limb.any():
            yield place, limb
        rest = (rest - limb) * 2.0**BITS
        place += 1


def _add(sums: dict[int, Wholes], place: int, matrix: Wholes) -> None:
    if place in sums:
        sums[place] += matrix
    else:
        sums[place] = matrix


def _carry(digits: dict[int, Wholes], bits: int) -> dict[int, Wholes]:
    """Return the same sum with digits from −2^(bits − 1) to 2^(bits − 1), none of them a matrix of zeros."""
    done: dict[int, Wholes] = {}
    open_ = dict(digits)
    while open_:
        place = max(open_)
        digit = open_.pop(place)
        carry = (digit + (1 << (bits - 1))) >> bits
        if carry.any():
            digit = digit - (carry << bits)
            open_[place - 1] = open_[place - 1] + carry if place - 1 in open_ else carry
        if digit.any():
            done[place] = digit
    return done


def _normal(digits: dict[int, Wholes], shape: tuple[int, ...]) -> Places:
    found = sorted(_carry(digits, 2 * BITS).items())
    stacked = np.stack([digit for _, digit in found]).astype(np.float64) if found else np.zeros((0, *shape))
    return Places(np.array([float(place) for place, _ in found]), stacked)


def _by_place(sums: Places) -> dict[int, Wholes]:
    places = sums.places.astype(np.int64).tolist()
    return dict(zip(places, sums.digits.astype(np.int64), strict=True))
