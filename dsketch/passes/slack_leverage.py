"""Leverage scores σ(x) of the rows a/s, s = A x − b, and the sums over them that the volumetric function and its inverse problems need.

In the basis of a whitener T of S⁻¹A every row is q = Tᵀa/s, so that σ = ‖q‖², and what couples rows pairwise, (P∘P)ᵢⱼ = (qᵢᵀqⱼ)², is a
product of two tensors of d³ numbers: nothing has n × n.  For V(x) = ½ log det AᵀS⁻²A::

    ∇V = −Σσq      ∇²V = 3Q − 2 T₃T₃ᵀ      Q = Σσqqᵀ      T₃ = Σ q ⊗ q ⊗ q as d × d²

References
----------
P. M. Vaidya, "A new algorithm for minimizing convex functions over convex sets", Math. Programming 73, 1996 (the volumetric function).
C. Li, Z. Song, Z. Xu, J. Yin, "Inverting the leverage score gradient", arXiv 2408.11267, 2024.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.whitener import Whitener
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.slack_triangle import scale_rows, slacks
from dsketch.settings import EPS

_SLIGHT = 16 * EPS  # a score near 0 or 1 that was computed may be beyond by some units of rounding


class SlackSums(NamedTuple):
    """What the pass finds, in the basis of the whitener, of r directions.

    ``gradient``, shape (r,): −Σσq.  ``weighted``, shape (r, r): Q = Σσqqᵀ.  ``gram``, shape (r, r): Σqqᵀ, I but for rounding.  ``cube``,
    shape (r, r, r): Σq ⊗ q ⊗ q, empty if not asked for.  ``largest``: the largest σ.  ``size``: Σσ(abs(a)ᵀabs(x) + abs(b))²/s²;
    ``square``: Σσ².
    If the rows have a σ* beside b, ``given``: Σσ*², ``total``: Σσ*, ``strange``: how many of them are below 0 or above 1, ``pull``, shape
    (r,): Σσ*q, and ``pulled``, shape (r, r): Σσ*qqᵀ; else 0.
    """

    gradient: Floats
    weighted: Floats
    gram: Floats
    cube: Floats
    largest: float
    size: float
    square: float
    given: float
    total: float
    strange: int
    pull: Floats
    pulled: Floats


@dataclass(frozen=True)
class SlackLeverage(SlicePass[SlackSums]):
    """Finish to the sums of V(x) = ½ log det AᵀS⁻²A: gradient and Hessian.

    Parameters
    ----------
    x : ndarray, shape (d,)
    whitener : Whitener
        Of S⁻¹A.
    has_cube : bool
        Whether to sum the tensor.

    Notes
    -----
    One read; about 5 n d² flops, and ⅔ n d³ for the tensor; 3 d² numbers a part, and d³.
    """

    x: Floats
    whitener: Whitener
    has_cube: bool = True

    kind: ClassVar[str] = "slack leverage"

    def zero(self, columns: int, sides: int) -> Part:
        """Return zero sums."""
        del columns, sides
        r = self.whitener.rank
        cube = np.zeros((r * self.has_cube,) * 3)
        return np.zeros(r), np.zeros((r, r)), np.zeros((r, r)), cube, np.zeros(1), np.zeros(5), np.zeros(r), np.zeros((r, r))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows of a slice."""
        del start
        gradient, weighted, gram, cube, largest, sums, pull, pulled = part
        q, sigma, doubt = whitened_rows(X, self.x, Y[:, 0], self.whitener)
        gradient -= sigma @ q
        rooted = q * np.sqrt(sigma)[:, None]
        weighted += rooted.T @ rooted
        gram += q.T @ q
        if self.has_cube:
            add_cube(cube, q, q)
        np.maximum(largest, sigma.max(), out=largest)
        sums[:2] += [sigma @ doubt**2, sigma @ sigma]
        for given in Y[:, 1:].T:
            sums[2:] += [given @ given, given.sum(), np.count_nonzero((given < -_SLIGHT) | (given > 1 + _SLIGHT))]
            pull += given @ q
            pulled += (q * given[:, None]).T @ q

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger score; add the sums."""
        added = [mine + other for mine, other in zip(left, right, strict=True)]
        return (*added[:4], np.maximum(left[4], right[4]), *added[5:])

    def finish(self, part: Part) -> SlackSums:
        """Return the sums."""
        gradient, weighted, gram, cube, largest, sums, pull, pulled = part
        size, square, given, total, strange = (float(value) for value in sums)
        top = float(largest[0])
        return SlackSums(gradient, weighted, gram, full_cube(cube), top, size, square, given, total, int(strange), pull, pulled)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 3 d² + 2 d + 6 numbers, and d³."""
        del sides
        return 8 * (3 * columns**2 + 2 * columns + 6 + self.has_cube * columns**3)


def whitened_rows(X: Floats, x: Floats, b: Floats, whitener: Whitener) -> tuple[Floats, Floats, Floats]:
    """Return q = Tᵀa/s, shape (rows, r), σ = ‖q‖² and by how many units of rounding s may be off, relatively; both of shape (rows,)."""
    s, size = slacks(X, x, b)
    q = whitener.apply(scale_rows(X, s, size))
    doubt = np.divide(size, np.abs(s), out=np.zeros_like(s), where=s != 0)
    return q, np.asarray(np.einsum("ij,ij->i", q, q)), doubt


def add_cube(cube: Floats, q: Floats, weighted: Floats) -> None:
    """Add Σ ω q ⊗ q ⊗ q, in place, where no index is below the first; ``weighted`` is ω q."""
    for first in range(q.shape[1]):
        cube[first, first:, first:] += (weighted[:, first:] * q[:, first, None]).T @ q[:, first:]


def full_cube(cube: Floats) -> Floats:
    """Return the symmetric tensor of what :func:`add_cube` summed."""
    full = np.zeros_like(cube)
    for first in range(len(cube)):
        face = cube[first, first:, first:]
        full[first, first:, first:] = full[first:, first, first:] = full[first:, first:, first] = face
    return full


def pairs(left: Floats, right: Floats) -> Floats:
    """Return Σ (P∘P)ᵢⱼ ωᵢ qᵢqⱼᵀ for the tensors Σωq⊗q⊗q and Σq⊗q⊗q, shape (r, r)."""
    return np.asarray(left.reshape(len(left), -1) @ right.reshape(len(right), -1).T)
