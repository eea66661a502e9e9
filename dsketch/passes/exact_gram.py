"""AᵀWA, AᵀWb and bᵀWb without any rounding, and the pass before it that finds the largest number of each column.

Sums are integers (:mod:`dsketch._linalg.limbs`), so that they are the same however the rows are cut, in whatever order they are added.
Rows are read as they are stored: no root of a weight is taken, and no shift is subtracted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.exact import exact_product
from dsketch._linalg.limbs import BITS, LARGEST, ROWS, Limb, Places, Sum, all_limbs, first_limbs, join, whole_matrix
from dsketch._linalg.scratch import scratch
from dsketch.matrix.base import AnyArray
from dsketch.matrix.rows import Block, rows_beside
from dsketch.passes.base import Part, Pass

_WIDTH = 64  # slices of fewer columns have more rows: their ufuncs would be all calls


class ExactSums(NamedTuple):
    """AᵀWA, AᵀWb and the squares of √W b, exactly.

    Attributes
    ----------
    squares, cross, sizes : ndarray of Python's integers, shapes (d, d), (d, k), (k,)
        Entry (i, j) of AᵀWA is ``squares[i, j]`` · 2^(``units[i]`` + ``units[j]`` − ``bits``), of AᵀWb and bᵀWb likewise.
    units, units_of_b : ndarray of int, shapes (d,) and (k,)
    bits : int
    """

    squares: NDArray[np.object_]
    cross: NDArray[np.object_]
    sizes: NDArray[np.object_]
    units: NDArray[np.int64]
    units_of_b: NDArray[np.int64]
    bits: int


@dataclass(frozen=True)
class Peaks(Pass[tuple[Floats, Floats]]):
    """Finish to the largest absolute value of each column of [A b], shape (d + k,), and of the weights, shape (1,); 0 without weights.

    One read, d + k + 1 numbers a part.
    """

    kind: ClassVar[str] = "peaks"

    def map(self, block: Block, part: Part | None) -> Part:
        """Compare the block's numbers."""
        weight = np.zeros(1) if block.weights is None else np.abs(block.weights).max(axis=0).astype(np.float64)
        found = np.zeros(block.columns + block.sides), weight
        for _, X, Y in replace(block, weights=None, shift=None).slices():
            largest = [np.maximum(Z.max(axis=0, initial=0.0), -Z.min(axis=0, initial=0.0)) for Z in (X, Y)]
            np.maximum(found[0], np.concatenate(largest), out=found[0])
        return found if part is None else self.merge(part, found)

    def merge(self, left: Part, right: Part) -> Part:
        """Return the larger ones."""
        return np.maximum(left[0], right[0]), np.maximum(left[1], right[1])

    def finish(self, part: Part) -> tuple[Floats, Floats]:
        """Return both."""
        return part[0], part[1]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d + k + 1 numbers."""
        return 8 * (columns + sides + 1)


@dataclass(frozen=True)
class ExactGram(Pass[ExactSums]):
    """Finish to AᵀWA, AᵀWb and the squares of √W b of the stored numbers, exactly.

    Parameters
    ----------
    peaks : ndarray, shape (d + k,)
        The largest absolute value of each column, or near it: only speed depends on it.
    weight : ndarray, shape (1,)
        The same of the weights; 0 without weights.
    columns : int
        d, the intercept counted.

    Notes
    -----
    One read.  Numbers that three limbs hold (those down to 2⁻¹⁶ times the largest of their column, or short ones) cost 9 n d² flops,
    those of two, as most of float32, 4 n d², integers of 16 bits n d².  Rows with smaller numbers go through all the limbs that they need.
    """

    peaks: Floats
    weight: Floats
    columns: int

    kind: ClassVar[str] = "exact gram"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's products."""
        d, k = self.columns, len(self.peaks) - self.columns
        shapes = (d, d), (d, k), (k,)
        try:
            found = self._products(block).close(shapes)
        except FloatingPointError:
            return tuple((np.zeros(1), np.full((1, *shape), np.nan)) for shape in shapes)
        return found if part is None else self.merge(part, found)

    def _products(self, block: Block) -> "Products":
        products, units, d = Products(), self._units(), self.columns
        height = ROWS * max(_WIDTH // d, 1)
        for X, Y, w in _slices(block, height):
            A, b = (
                [_scale(piece, own, f"scaled {name}{number}") for number, piece in enumerate(_pieces(Z))]
                for Z, own, name in ((X, units[:d], "A"), (Y, units[d:], "b"))
            )
            if block.intercept and not block.is_sparse:
                A[0][:, -1] = np.ldexp(1.0, -units[d - 1])
            if w is None and len(A) == len(b) == 1:
                products.add_rows(A[0], b[0])
            else:
                products.add_weighted(A, b, None if w is None else w * 2.0 ** -float(_exponent(self.weight[0])))
        return products

    def _units(self) -> NDArray[np.int64]:
        return np.asarray(_exponent(self.peaks) - (BITS - 1))

    def merge(self, left: Part, right: Part) -> Part:
        """Add, and carry to the normal form."""
        return tuple(tuple(join(Places(*mine), Places(*other))) for mine, other in zip(left, right, strict=True))

    def finish(self, part: Part) -> ExactSums:
        """Return the integers."""
        units, d, found = self._units(), self.columns, [whole_matrix(Places(*piece)) for piece in part]
        most = max(bits for _, bits in found)
        squares, cross, sizes = (wholes << (most - bits) for wholes, bits in found)
        return ExactSums(squares, cross, sizes, units[:d], units[d:], most - int(_exponent(self.weight[0])))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return six digits of 46 bits for each sum."""
        return 48 * (columns * (columns + sides) + sides)


class Products:
    """The sums of a block as they grow."""

    def __init__(self) -> None:
        self._squares, self._halves, self._cross, self._sizes = Sum(), Sum(), Sum(), Sum()
        self._rest: list[tuple[Floats, Floats]] = []

    def add_rows(self, A: Floats, b: Floats) -> None:
        """Add AᵀA, Aᵀb and the squares of b; rows that need many limbs later, with others like them."""
        (A_limbs, left), (b_limbs, also) = (_first_limbs(Z, name) for Z, name in ((A, "A"), (b, "b")))
        more = left | also
        if more.any():
            self._rest.append((A[more], b[more]))
            for limb in (*A_limbs, *b_limbs):
                limb.values[more] = 0.0
        for low in range(0, len(A), ROWS):
            self._add_limbs(
                *([limb._replace(values=limb.values[low : low + ROWS]) for limb in limbs] for limbs in (A_limbs, b_limbs))
            )
        if sum(len(some) for some, _ in self._rest) >= ROWS:
            self._add_rest()

    def add_weighted(self, A: list[Floats], b: list[Floats], w: Floats | None) -> None:
        """Add AᵀWA, AᵀWb and the squares of √W b, for A and b sums of a few matrices."""
        WA, Wb = ([piece for part in parts for piece in ([part] if w is None else exact_product(w, part))] for parts in (A, b))
        rows = ROWS >> (max(len(A), len(b)) * max(len(WA), len(Wb)) - 1).bit_length()
        for low in range(0, len(A[0]), rows):
            own, other, sides, more = (all_limbs([part[low : low + rows] for part in parts]) for parts in (A, WA, b, Wb))
            for left in other:
                for right in own:
                    self._squares.put(left.values.T @ right.values, left, right)
            self._add_cross(other, sides)
            self._add_sizes(more, sides)

    def close(self, shapes: tuple[tuple[int, ...], ...]) -> Part:
        """Return the sums in normal form."""
        self._add_rest()
        self._squares.put_half(self._halves)
        sums = (self._squares, self._cross, self._sizes)
        return tuple(tuple(one.close(shape)) for one, shape in zip(sums, shapes, strict=True))

    def _add_rest(self) -> None:
        if not self._rest:
            return
        A, b = (np.concatenate(parts) for parts in zip(*self._rest, strict=True))
        self._rest = []
        for low in range(0, len(A), ROWS):
            self._add_limbs(all_limbs([A[low : low + ROWS]]), all_limbs([b[low : low + ROWS]]))

    def _add_limbs(self, A: list[Limb], b: list[Limb]) -> None:
        for number, left in enumerate(A):
            self._squares.put(left.values.T @ left.values, left, left)
            for right in A[number + 1 :]:
                self._halves.put(left.values.T @ right.values, left, right)
        self._add_cross(A, b)
        self._add_sizes(b, b)

    def _add_cross(self, A: list[Limb], b: list[Limb]) -> None:
        if not b:
            return
        sides, wide = np.concatenate([limb.values for limb in b], axis=1), b[0].values.shape[1]
        for left in A:
            product = left.values.T @ sides
            for number, right in enumerate(b):
                self._cross.put(product[:, number * wide : (number + 1) * wide], left, right)

    def _add_sizes(self, left: list[Limb], right: list[Limb]) -> None:
        for one in left:
            for other in right:
                self._sizes.put(np.einsum("ij,ij->j", one.values, other.values), one, other)


def _exponent(size: Any) -> Any:
    """Return e with size < 2^e, 0 for 0."""
    return np.where(size > 0, np.frexp(size)[1], 0).astype(np.int64)


def _slices(block: Block, rows: int) -> Iterator[tuple[AnyArray | Floats, AnyArray | Floats, Floats | None]]:
    """Yield A, b and weights as they are stored; of CSR rows A is dense, as floats, with the column of ones."""
    rows = min(rows, rows_beside(block.sides), block.stop - block.start)
    b = np.empty((block.stop - block.start, 0)) if block.b is None else block.b
    slices: Iterator[tuple[int, Any]]
    if block.is_sparse:
        slices = ((start - block.start, X) for start, X, _ in replace(block, weights=None, shift=None).slices(rows))
    else:
        slices = block.stored_slices(rows)
    for low, stored in slices:
        high = low + len(stored)
        yield stored, b[low:high], None if block.weights is None else block.weights[low:high].astype(np.float64)


def _pieces(values: Any) -> list[Any]:
    """Return the numbers, or two matrices that add up to them where 64-bit integers are beyond what float64 holds."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not values.size:
        return [values]
    if max(abs(int(values.min())), abs(int(values.max()))) <= 2**53:
        return [values]
    high = values >> 32
    return [high.astype(np.float64) * 2.0**32, (values - (high << 32)).astype(np.float64)]


def _scale(values: Any, units: NDArray[np.int64], name: str) -> Floats:
    """Return the columns divided by the units, exactly; of fewer columns than units the last is left 0."""
    Z = scratch(name, (len(values), len(units)))
    np.multiply(values, np.ldexp(1.0, -units[: values.shape[1]]), out=Z[:, : values.shape[1]])
    Z[:, values.shape[1] :] = 0.0
    return Z


def _first_limbs(Z: Floats, name: str) -> tuple[list[Limb], NDArray[np.bool_]]:
    rows, columns = Z.shape
    if not columns:
        return [], np.zeros(rows, bool)
    if not (Z.max() <= LARGEST and Z.min() >= -LARGEST):
        return [], np.ones(rows, bool)
    return first_limbs(Z, scratch(f"limbs {name}", (4 * rows, columns)).reshape(4, rows, columns))
