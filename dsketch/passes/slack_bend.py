"""Second derivatives of leverage scores σ(x), weighted by a number ω a row and summed: in two looks, nothing of n × n.

For ω held fast, in the basis of a whitener (:mod:`~dsketch.passes.slack_leverage`), with B = Σωqqᵀ, T₃ = Σq⊗q⊗q and U₃ = Σωq⊗q⊗q::

    scores   ∇²Σωσ =  6 Σσωqqᵀ − 6 Σ(qᵀBq)qqᵀ − 4 (U₃T₃ᵀ + T₃U₃ᵀ) + 8 Σᵢⱼ Pᵢⱼ(PD_ωP)ᵢⱼqᵢqⱼᵀ

and the Hessian of vᵀ∇V, V = ½ log det AᵀS⁻²A, is the same with ω = aᵀv/s and factors −12, 6, 6, −8.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.whitener import Whitener
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.slack_leverage import add_cube, full_cube, pairs, whitened_rows
from dsketch.passes.slack_triangle import scale_rows, slacks

OF_SCORES = (6.0, -6.0, -4.0, 8.0)
OF_GRADIENT = (-12.0, 6.0, 6.0, -8.0)


class BendSums(NamedTuple):
    """``weighted`` = Σσωqqᵀ, ``middle`` = B = Σωqqᵀ, of shape (r, r); ``cube`` = Σωq⊗q⊗q."""

    weighted: Floats
    middle: Floats
    cube: Floats


@dataclass(frozen=True)
class SlackBend(SlicePass[BendSums]):
    """Finish to the first sums; the second look is :class:`SlackQuartic`.

    Parameters
    ----------
    x : ndarray, shape (d,)
    whitener : Whitener
    direction : ndarray, shape (d,), or None
        v: ω = aᵀv/s.  None: ω = σ − σ*, with σ* the second column of what belongs to the rows.

    Notes
    -----
    One read, about 6 n d² + n d³ flops, 2 d² + d³ numbers a part.
    """

    x: Floats
    whitener: Whitener
    direction: Floats | None = None

    kind: ClassVar[str] = "slack bend"

    def zero(self, columns: int, sides: int) -> Part:
        """Return zero sums."""
        del columns, sides
        r = self.whitener.rank
        return np.zeros((r, r)), np.zeros((r, r)), np.zeros((r, r, r))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows of a slice."""
        del start
        q, sigma, _ = whitened_rows(X, self.x, Y[:, 0], self.whitener)
        omega = sigma - Y[:, 1] if self.direction is None else self._along(self.direction, X, Y[:, 0])
        part[0][...] += (q * (sigma * omega)[:, None]).T @ q
        part[1][...] += (q * omega[:, None]).T @ q
        add_cube(part[2], q, q * omega[:, None])

    def _along(self, direction: Floats, X: Floats, b: Floats) -> Floats:
        s, size = slacks(X, self.x, b)
        return np.asarray(scale_rows(X, s, size) @ direction)

    def finish(self, part: Part) -> BendSums:
        """Return the sums."""
        return BendSums(part[0], part[1], full_cube(part[2]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 2 d² + d³ numbers."""
        del sides
        return 8 * (2 * columns**2 + columns**3)


@dataclass(frozen=True)
class SlackQuartic(SlicePass[Floats]):
    """Finish to Σ(qᵀBq)qqᵀ, shape (r, r).

    Parameters
    ----------
    x : ndarray, shape (d,)
    whitener : Whitener
    middle : ndarray, shape (r, r)
        B.

    Notes
    -----
    One read, about 6 n d² flops, d² numbers a part.
    """

    x: Floats
    whitener: Whitener
    middle: Floats

    kind: ClassVar[str] = "slack quartic"

    def zero(self, columns: int, sides: int) -> Part:
        """Return a zero sum."""
        del columns, sides
        return (np.zeros((self.whitener.rank,) * 2),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows of a slice."""
        del start
        q, _, _ = whitened_rows(X, self.x, Y[:, 0], self.whitener)
        inner = np.einsum("ij,ij->i", q @ self.middle, q)
        part[0][...] += (q * inner[:, None]).T @ q

    def finish(self, part: Part) -> Floats:
        """Return the sum."""
        quartic: Floats = part[0]
        return quartic

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² numbers."""
        del sides
        return 8 * columns**2


def bend(factors: tuple[float, float, float, float], sums: BendSums, quartic: Floats, cube: Floats) -> Floats:
    """Return the Hessian in the basis of the whitener, shape (r, r); ``factors`` are :data:`OF_SCORES` or :data:`OF_GRADIENT`."""
    mixed = pairs(sums.cube, cube)
    triple = np.einsum("kab,bc,acl->kl", cube, sums.middle, cube, optimize=True)
    found = factors[0] * sums.weighted + factors[1] * quartic + factors[2] * (mixed + mixed.T) + factors[3] * triple
    return np.asarray((found + found.T) / 2)
