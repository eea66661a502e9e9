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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.columns import norms
from dsketch._linalg.residual import residual, subtract
from dsketch._linalg.scratch import scratch
from dsketch.matrix.targets import Box
from dsketch.matrix.tiles import Grid, Tile
from dsketch.problems.targets.alone import answer_alone
from dsketch.problems.targets.cells import cells, refuse_nonfinite, refuse_overflow, size_of, slices_of
from dsketch.problems.targets.design import Design
from dsketch.problems.targets.fields import Answers, Counts, Found, answers_of, backward_bound
from dsketch.problems.targets.packed import apply, form, forms, invert, pack_rows, quadratic, unpack
from dsketch.problems.targets.sums import Begun, Seen, Sums, Systems

# Standard errors are wanted to 10 digits: a G whose inverse may have lost more to rounding, r u κ² > 1e-10, is left to QR.
_WANTED = 1e-10
_UNIT = float(np.finfo(float).eps) / 2
_TOGETHER = 4096  # targets whose systems are concluded at once: calls cost as much as the arithmetic of some hundred

FoundOf = Callable[[NDArray[np.intp]], Found]  # of the targets of a tile with these numbers


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
        found_of = self._in_memory(tile) if self.grid.is_whole else self._streamed(tile)
        shape = tuple(one.stop - one.start for one in tile.box)
        order = np.arange(size_of(tile.box)).reshape(shape)
        for piece in tile.grid.pieces_of(tile.box):
            local = tuple(slice(one.start - all_.start, one.stop - all_.start) for one, all_ in zip(piece, tile.box, strict=True))
            yield piece, answers_of(found_of(order[local].ravel()), self.design)

    def _in_memory(self, tile: Tile) -> FoundOf:
        """Return what tells of targets of a tile that is read once, with all rows of a target at a time."""
        n, width = self.grid.shape[0], tile.shape[0]
        found = Found.nothing(self.design.columns, np.zeros(width, np.int64), is_penalized=self.design.is_penalized)
        own, buffer, waiting = self._factors(tile), None, list[Begun]()
        for place, strip in tile.strips():
            read = strip.read(0, n, buffer)
            buffer = read if buffer is None or read.size > buffer.size else buffer
            stored = read.reshape(n, strip.shape[0])
            for which in slices_of(n, strip.shape[0]):
                there = slice(place.start + which.start, place.start + which.stop)
                waiting.append(self._begin(strip, stored, which, there, None if own is None else own[there]))
                if there.stop - waiting[0].which.start >= _TOGETHER or there.stop == width:
                    self._end(waiting, found, own)
                    waiting = []
        return found.of

    def _begin(self, tile: Tile, stored: np.ndarray, which: slice, there: slice, factors: Floats | None) -> Begun:
        """Return the first x of a slice of targets, what its residual tells, and the answers of those that need a QR of their own rows."""
        S, mask = self._cells(tile, stored, which, 0)
        sums = self._sums(S, mask, 0)
        self._require_finite(sums.c[:1].sum(axis=0), None, tile, stored, which)  # of no rank: the residual tells
        systems, seen = self._try(sums, factors)
        lost, alone = self._lost(np.broadcast_to(systems.inverse.condition, seen.rr.shape)), None
        if lost.size:
            B = np.where(mask[:, lost] > 0, S[:, lost], np.nan) if mask is not None else S[:, lost]
        self._measure(seen, S, mask, 0, slice(None), is_ours=not np.may_share_memory(S, stored))
        self._require_finite(seen.rr, systems.inverse.condition, tile, stored, which)
        if lost.size:
            alone = answer_alone(self.design, B, None if factors is None else factors[lost])
        return Begun(there, sums, systems, seen, lost, alone)

    def _end(self, begun: list[Begun], found: Found, own: Floats | None) -> None:
        """Put what neighbouring slices come to in its places."""
        all_, width = slice(begun[0].which.start, begun[-1].which.stop), [one.seen.rr.size for one in begun]
        sums = Sums.join([one.sums for one in begun], width)
        systems = Systems.join([one.systems for one in begun], width)
        seen = Seen.join([one.seen for one in begun])
        found.put(np.arange(all_.start, all_.stop), self._conclude(sums, systems, seen, None if own is None else own[all_]))
        for one in begun:
            if one.alone is not None:
                found.put(one.which.start + one.lost, one.alone)

    def _streamed(self, tile: Tile) -> FoundOf:
        """Return what tells of targets of a tile whose rows are read twice, some at a time; systems are made again for each piece."""
        width, own = tile.shape[0], self._factors(tile)
        sums = self._stream_sums(tile)
        seen, condition = (
            Seen(np.empty((self.design.columns, width)), np.zeros(width), np.zeros((self.design.columns, width))),
            np.empty(width),
        )
        for low in range(0, width, _TOGETHER):
            some = slice(low, min(low + _TOGETHER, width))
            systems, first = self._try(sums.of(some), None if own is None else own[some])
            seen.x[:, some], condition[some] = first.x, systems.inverse.condition
        for start, which, S, mask, stored in self._rows(tile):
            self._measure(seen, S, mask, start, which, is_ours=not np.may_share_memory(S, stored))
            self._require_finite(seen.rr[which], condition[which], tile, stored, which, start)
        lost = self._lost(condition)
        alone = self._alone(tile, lost, own)

        def found_of(places: NDArray[np.intp]) -> Found:
            mine, factors = sums.of(places), None if own is None else own[places]
            found = self._conclude(mine, self._try(mine, factors)[0], seen.of(places), factors)
            _, here, there = np.intersect1d(places, lost, assume_unique=True, return_indices=True)
            found.put(here, alone.of(there))
            return found

        return found_of

    def _stream_sums(self, tile: Tile) -> Sums:
        width, r = tile.shape[0], self.design.rank
        sums = Sums(np.zeros((self.products.shape[1] - 1, width)), np.zeros(width), np.zeros((r, width)))
        for start, which, S, mask, stored in self._rows(tile):
            part = self._sums(S, mask, start)
            self._require_finite(part.c[:1].sum(axis=0), None, tile, stored, which, start)
            sums.packed[:, which] += part.packed
            sums.counts[which] += part.counts
            sums.c[:, which] += part.c
        return sums

    def _alone(self, tile: Tile, lost: NDArray[np.intp], own: Floats | None) -> Found:
        """Return what is found of targets by QR, as many at a time as cells were in memory before; each time the tile is read again."""
        found = Found.nothing(self.design.columns, np.zeros(lost.size, np.int64), is_penalized=self.design.is_penalized)
        room = max(tile.grid.rows * tile.shape[0] // self.grid.shape[0], 1)
        for low in range(0, lost.size, room):
            some = lost[low : low + room]
            made = answer_alone(self.design, self._gather(tile, some), None if own is None else own[some])
            found.put(np.arange(low, low + some.size), made)
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
        S = cells(tile.targets, stored, which, row, tile.box, is_changed=False)
        mask = None
        if tile.targets.may_lack:
            lacking = np.isnan(S, out=scratch("lacking", S.shape, np.bool_))
            if lacking.any():
                mask = np.subtract(1.0, lacking, out=scratch("mask", S.shape))
                S = cells(tile.targets, stored, which, row, tile.box)
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

    def _try(self, sums: Sums, factors: Floats | None) -> tuple[Systems, Seen]:
        """Return the systems and the first x."""
        is_whole = factors is None and np.shares_memory(sums.packed, self.all_products)
        systems = self.all_systems if is_whole else self._systems(sums.packed, factors)
        x = self.design.factor.solve(apply(systems.inverse.K, sums.c))
        return systems, Seen(x, np.zeros(x.shape[1]), np.zeros(x.shape))

    @cached_property
    def all_systems(self) -> Systems:
        """That of targets that lack nothing."""
        return self._systems(self.all_products[:-1], None)

    def _systems(self, packed: Floats, factors: Floats | None) -> Systems:
        H = unpack(packed, self.design.rank)
        if self.design.is_penalized:
            H = H + self.penalty[:, :, None] * (1.0 if factors is None else factors)
        return Systems(H, invert(H))

    def _measure(self, seen: Seen, S: Floats, mask: Floats | None, row: int, which: slice, *, is_ours: bool) -> None:
        """Add what the residual of some rows tells; S is overwritten if it ``is_ours``."""
        X = self.design.X[row : row + len(S)]
        E = (subtract if is_ours else residual)(S, X, seen.x[:, which])
        if mask is not None:
            E *= mask
        seen.rr[which] += np.einsum("ij,ij->j", E, E)
        seen.g[:, which] += X.T @ E

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

    def _lost(self, condition: Floats) -> NDArray[np.intp]:
        """Return which targets need a QR of their own rows."""
        return np.flatnonzero(~(condition <= self.limit))

    def _conclude(self, sums: Sums, systems: Systems, seen: Seen, factors: Floats | None) -> Found:
        """Return what is found after one correction."""
        design, K, w = self.design, systems.inverse.K, seen.x.shape[1]
        p = design.penalty[:, None] * (1.0 if factors is None else factors)
        g = seen.g - p * seen.x
        gw = design.factor.solve_transposed(g)
        dy = apply(K, gw)
        left = gw - apply(systems.H, dy)
        x = seen.x + design.factor.solve(dy)
        penalized = np.einsum("ij,ij->j", p * x, x)
        total = seen.rr + np.einsum("ij,ij->j", p * seen.x, seen.x) - np.einsum("ij,ij->j", dy, gw + left)
        G = unpack(sums.packed, design.rank)
        R = design.triangle
        y = R @ x
        lengths = np.sqrt(np.maximum(self.lengths @ sums.packed + p, 0.0))
        return Found(
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
