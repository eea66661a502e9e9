"""Targets of which each has rows of its own, or a penalty of its own: d × d systems side by side in whitened coordinates.

With Y = X T the rows of A whitened over all rows, a target whose rows P are present solves G y = c, G = Σ_P yᵢyᵢᵀ, c = Σ_P yᵢbᵢ,
x = T y: the conditioning of A itself does not enter, but only how much of it the missing rows held.  All G of a slice are one product,
of packed products of whitened rows with the 0 and 1 of the mask.  The residual at x, computed from the rows of A themselves, gives the
slope, one correction, and the certificate.  After it the error of x is that of (c u κ²)², κ² the condition of G; that of the standard
errors, which no residual corrects, stays r u κ²: beyond ``Batch.limit`` a QR of the target's own rows takes over
(:mod:`dsketch.problems.targets.alone`).

References
----------
Å. Björck, "Stability analysis of the method of seminormal equations for linear least squares problems", Linear Algebra Appl. 88/89, 1987.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.columns import norms
from dsketch._linalg.scratch import scratch
from dsketch.matrix.targets import Box
from dsketch.matrix.tiles import Grid, Tile
from dsketch.problems.targets.alone import answer_alone
from dsketch.problems.targets.cells import cells, refuse_nonfinite, refuse_overflow, size_of, slices_of
from dsketch.problems.targets.design import Design
from dsketch.problems.targets.fields import Answers, Counts, Found, answers_of, backward_bound
from dsketch.problems.targets.packed import Inverse, apply, form, forms, invert, pack_rows, quadratic, unpack

# Standard errors are wanted to 10 digits: a G whose inverse may have lost more to rounding, r u κ² > 1e-10, is left to QR.
_WANTED = 1e-10
_UNIT = float(np.finfo(float).eps) / 2


@dataclass
class Sums:
    """What the rows of w targets add up to; the last axis is 1 where all targets have the same rows.

    Attributes
    ----------
    packed : ndarray, shape (r (r + 1)/2, w or 1)
        G.
    counts : ndarray, shape (w or 1,)
    c : ndarray, shape (r, w)
    """

    packed: Floats
    counts: Floats
    c: Floats


@dataclass
class Trial:
    """A first x of w targets and what its residual must tell: ‖e‖² and Aᵀe, added up over rows."""

    inverse: Inverse
    H: Floats
    x: Floats
    rr: Floats
    g: Floats


@dataclass(frozen=True)
class Batch:
    """Answers tiles, each target by its own rows.

    Parameters
    ----------
    design : Design
    grid : Grid
    factors : ndarray, shape (targets…), or None
        What the penalty of each target is multiplied by.
    """

    design: Design
    grid: Grid
    factors: Floats | None = None

    def state(self) -> Iterator[State]:
        """Yield that of the design, and how rows are cut."""
        yield from self.design.state()
        yield repr(("batch", self.grid.rows))
        if self.factors is not None:
            yield self.factors

    @property
    def limit(self) -> float:
        """The condition of G up to which standard errors keep the digits that are wanted."""
        return _WANTED / (_UNIT * max(self.design.rank, 1))

    @cached_property
    def products(self) -> Floats:
        """Packed products of whitened rows, and whether a row counts, shape (n, p + 1)."""
        return np.concatenate([pack_rows(self.design.whitened), self.design.counting[:, None].astype(np.float64)], axis=1)

    @cached_property
    def all_products(self) -> Floats:
        """Their sum over all rows, shape (p + 1, 1)."""
        return np.asarray(self.products.sum(axis=0)[:, None])

    @cached_property
    def penalty(self) -> Floats:
        """Tᵀ diag(p) T, shape (r, r)."""
        taken = self.design.factor.solve_transposed(np.diag(np.sqrt(self.design.penalty)))
        return np.asarray(taken @ taken.T)

    @cached_property
    def lengths(self) -> Floats:
        """What makes the squared lengths of A's columns of a packed G, shape (d, p)."""
        return form(self.design.triangle.T)

    @cached_property
    def constant(self) -> Floats | None:
        """Whitened coordinates of the constant, shape (r,)."""
        v = self.design.constant
        return None if v is None else self.design.triangle @ v

    # ---- a tile ---------------------------------------------------------------------------------------------------

    def answers(self, tile: Tile) -> Iterator[tuple[Box, Answers]]:
        """Yield what is found of each piece of a tile."""
        found = self._in_memory(tile) if self.grid.is_whole else self._streamed(tile)
        shape = tuple(one.stop - one.start for one in tile.box)
        order = np.arange(size_of(tile.box)).reshape(shape)
        for piece in tile.grid.pieces_of(tile.box):
            local = tuple(slice(one.start - all_.start, one.stop - all_.start) for one, all_ in zip(piece, tile.box, strict=True))
            places = order[local].ravel()
            own: dict[str, Any] = {name: value if value is None else value[..., places] for name, value in vars(found).items()}
            yield piece, answers_of(Found(**own), self.design)

    def _in_memory(self, tile: Tile) -> Found:
        """Return what is found of a tile that is read once, whole."""
        n, width = self.grid.shape[0], tile.shape[0]
        stored = tile.read(0, n).reshape(n, width)
        found = Found.nothing(self.design.columns, np.zeros(width, np.int64), is_penalized=self.design.is_penalized)
        own = self._factors(tile)
        for which in slices_of(n, width):
            S, mask = self._cells(tile, stored, which, 0)
            factors = None if own is None else own[which]
            sums = self._sums(S, mask, 0)
            self._require_finite(sums.c[0], None, tile, stored, which)
            trial = self._try(sums, factors)
            self._measure(trial, S, mask, 0, slice(None))
            self._require_finite(trial.rr, trial.inverse.condition, tile, stored, which)
            part, lost = self._conclude(sums, trial, factors)
            if lost.size:
                B = np.where(mask[:, lost] > 0, S[:, lost], np.nan) if mask is not None else S[:, lost]
                part.put(lost, answer_alone(self.design, B, None if factors is None else factors[lost]))
            found.put(np.arange(which.start, which.stop), part)
        return found

    def _streamed(self, tile: Tile) -> Found:
        """Return what is found of a tile whose rows are read twice, some at a time."""
        width, design = tile.shape[0], self.design
        r, p = design.rank, self.products.shape[1]
        sums = Sums(np.zeros((p - 1, width)), np.zeros(width), np.zeros((r, width)))
        for start, which, S, mask, stored in self._rows(tile):
            part = self._sums(S, mask, start)
            self._require_finite(part.c[0], None, tile, stored, which, start)
            sums.packed[:, which] += part.packed
            sums.counts[which] += part.counts
            sums.c[:, which] += part.c
        own = self._factors(tile)
        trial = self._try(sums, own)
        for start, which, S, mask, stored in self._rows(tile):
            self._measure(trial, S, mask, start, which)
            condition = np.broadcast_to(trial.inverse.condition, width)[which]
            self._require_finite(trial.rr[which], condition, tile, stored, which, start)
        found, lost = self._conclude(sums, trial, own)
        room = max(tile.grid.rows * width // self.grid.shape[0], 1)  # as many whole targets as cells were in memory before
        for low in range(0, lost.size, room):
            some = lost[low : low + room]
            found.put(some, answer_alone(design, self._gather(tile, some), None if own is None else own[some]))
        return found

    def _rows(self, tile: Tile) -> Iterator[tuple[int, slice, Floats, Floats | None, np.ndarray]]:
        """Yield first row, targets, cells, mask and what was stored, of all slices of all rows."""
        buffer = None
        for start, stop in tile.spans():
            buffer = tile.read(start, stop, buffer)
            stored = buffer.reshape(stop - start, tile.shape[0])
            for which in slices_of(stop - start, tile.shape[0]):
                yield start, which, *self._cells(tile, stored, which, start), stored

    def _gather(self, tile: Tile, some: np.ndarray) -> Floats:
        """Return all rows of some targets, shape (n, len(some)), with NaN where a value is missing; another reading of the tile."""
        B = np.empty((self.grid.shape[0], some.size))
        for start, which, S, mask, _ in self._rows(tile):
            mine = np.flatnonzero((some >= which.start) & (some < which.stop))
            here = some[mine] - which.start
            B[start : start + len(S), mine] = S[:, here] if mask is None else np.where(mask[:, here] > 0, S[:, here], np.nan)
        return B

    def _factors(self, tile: Tile) -> Floats | None:
        return None if self.factors is None else self.factors[tile.box].ravel()

    # ---- a slice of targets ---------------------------------------------------------------------------------------

    def _cells(self, tile: Tile, stored: np.ndarray, which: slice, row: int) -> tuple[Floats, Floats | None]:
        """Return √w b with 0 in place of what is missing, and the mask; None: nothing is missing."""
        S = cells(tile.targets, stored, which, row, tile.box)
        mask = None
        if tile.targets.may_lack:
            lacking = np.isnan(S, out=scratch("lacking", S.shape, np.bool_))
            if lacking.any():
                mask = np.subtract(1.0, lacking, out=scratch("mask", S.shape))
                np.copyto(S, 0.0, where=lacking)
        roots = self.design.roots[row : row + len(S)]
        if not (roots == 1.0).all():
            S = np.where(roots[:, None] > 0, S, 0.0) * roots[:, None]
        return S, mask

    def _sums(self, S: Floats, mask: Floats | None, row: int) -> Sums:
        """Return G, counts and c over some rows."""
        rows = slice(row, row + len(S))
        if mask is None:
            all_ = len(S) == len(self.products)
            total = self.all_products if all_ else self.products[rows].sum(axis=0)[:, None]
        else:
            is_one = bool((mask == mask[:, :1]).all())  # one pattern of missing rows, one factor
            total = self.products[rows].T @ (mask[:, :1] if is_one else mask)
        return Sums(total[:-1], np.rint(total[-1]), self.design.whitened[rows].T @ S)

    def _try(self, sums: Sums, factors: Floats | None) -> Trial:
        """Return the first x."""
        H = unpack(sums.packed, self.design.rank)
        if self.design.is_penalized:
            H = H + self.penalty[:, :, None] * (1.0 if factors is None else factors)
        inverse = invert(H)
        x = self.design.factor.solve(apply(inverse.K, sums.c))
        return Trial(inverse, H, x, np.zeros(x.shape[1]), np.zeros(x.shape))

    def _measure(self, trial: Trial, S: Floats, mask: Floats | None, row: int, which: slice) -> None:
        """Add what the residual of some rows tells; S is overwritten only by who calls next."""
        X = self.design.X[row : row + len(S)]
        E = np.matmul(X, trial.x[:, which], out=scratch("fitted", S.shape))
        np.subtract(S, E, out=E)
        if mask is not None:
            E *= mask
        trial.rr[which] += np.einsum("ij,ij->j", E, E)
        trial.g[:, which] += X.T @ E

    def _require_finite(
        self, values: Floats, condition: Floats | None, tile: Tile, stored: np.ndarray, which: slice, row: int = 0
    ) -> None:
        """Refuse infinities among the cells, and squares that overflowed; a target without enough rows may have any residual.

        Parameters
        ----------
        values : ndarray, shape (w,)
            That an infinity among the cells would show in.
        condition : ndarray, shape (w,) or (1,), or None
            Infinite where an answer is meaningless anyway.
        """
        if np.isfinite(values).all():
            return
        S = cells(tile.targets, stored, which, row, tile.box)
        refuse_nonfinite(tile.targets, S, which, row, tile.box)
        wrong = ~np.isfinite(values) & (True if condition is None else np.isfinite(condition))
        if wrong.any():
            refuse_overflow(tile.targets.what, tile.box, which.start + int(np.argmax(wrong)))

    def _conclude(self, sums: Sums, trial: Trial, factors: Floats | None) -> tuple[Found, np.ndarray]:
        """Return what is found after one correction, and which targets need a QR of their own rows."""
        design, (K, condition), w = self.design, trial.inverse, trial.x.shape[1]
        p = design.penalty[:, None] * (1.0 if factors is None else factors)
        g = trial.g - p * trial.x
        gw = design.factor.solve_transposed(g)
        dy = apply(K, gw)
        left = gw - apply(trial.H, dy)
        x = trial.x + design.factor.solve(dy)
        penalized = np.einsum("ij,ij->j", p * x, x)
        total = trial.rr + np.einsum("ij,ij->j", p * trial.x, trial.x) - np.einsum("ij,ij->j", dy, gw + left)
        G = unpack(sums.packed, design.rank)
        R = design.triangle
        y = R @ x
        lengths = np.sqrt(np.maximum(self.lengths @ sums.packed + p, 0.0))
        found = Found(
            x=design.told.restate(x),
            size=norms(lengths * x),
            rr=np.maximum(total - penalized, 0.0),
            explained=self._explain(G, y) + 2 * penalized,
            whole=np.maximum(total, 0.0) + quadratic(G, y) + penalized,
            spread=None if design.is_penalized else self._spread(K, w),
            counts=self._counts(sums, w),
            backward_error=backward_bound(
                R.T @ left, np.sqrt(np.maximum(quadratic(K, left), 0.0)), lengths, x, np.maximum(total, 0.0)
            ),
        )
        return found, np.flatnonzero(np.broadcast_to(~(condition <= self.limit), w))

    def _counts(self, sums: Sums, width: int) -> Counts:
        return np.array(np.broadcast_to(sums.counts, width), np.int64)

    def _spread(self, K: Floats, width: int) -> Floats:
        spread = np.sqrt(np.maximum(forms(self.design.basis, K), 0.0))
        return np.array(np.broadcast_to(spread, (len(spread), width)))

    def _explain(self, G: Floats, y: Floats) -> Floats:
        """Return ‖A x‖², about the mean where the model holds a constant."""
        u = self.constant
        if u is not None:
            Gu = np.einsum("ijw,j->iw", G, u)
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = np.einsum("iw,iw->w", Gu, y) / (u @ Gu)
            y = y - np.outer(u, mean)
        return np.maximum(quadratic(G, y), 0.0)
