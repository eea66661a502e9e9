"""Targets without a missing value and with one penalty: orthogonal factors of A's rows, some rows at a time; b is read once.

With [R_before; A_i] = Q_i R_i (Householder) and z_i = Q_iᵀ[z_before; b_i], the last R and z are those of A = Q R, z = Qᵀb, and every
residual e_i = [z_before; b_i] − Q_i z_i is at hand where it arises: Σ ‖e_i‖² is ‖b − A x‖² without a difference of squares, and
Σ [R_before; A_i]ᵀe_i is what is left of Aᵀ(b − A x), so that the certificate is measured in the same reading.  A tile that is in memory
with all its rows is a chain of one link.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM J. Sci.
Comput. 34, 2012 (sequential TSQR).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.backward import backward_error
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch._linalg.residual import residual, subtract
from dsketch._linalg.scratch import scratch
from dsketch.matrix.targets import Box
from dsketch.matrix.tiles import Grid, Tile
from dsketch.problems.linear.statistics.estimates import Fit
from dsketch.problems.targets.cells import cells, refuse_nonfinite, refuse_overflow, size_of, slices_of
from dsketch.problems.targets.design import Design, told_of
from dsketch.problems.targets.fields import Answers, Found, answers_of

_LEAST_ROWS = 8  # of a link, for each column of A: the rows that the last one left are followed again


class Link(NamedTuple):
    """Some rows: [R_before; A] = Q R."""

    start: int
    stop: int
    before: Floats  # R_before, or the penalty's rows, shape (q, d)
    top: Floats  # rows of Q that belong to it, shape (q, r)
    below: Floats  # those of A's rows, shape (m, r)
    R: Floats  # shape (r, d)


@dataclass
class Standing:
    """What has been found of w targets on the way: z in as many rows as it has, Σ ‖e‖², Σ (rows)ᵀe."""

    z: Floats
    rr: Floats
    g: Floats

    def of(self, which: slice) -> "Standing":
        """Return that of some of the targets, views."""
        return Standing(self.z[:, which], self.rr[which], self.g[:, which])


@dataclass(frozen=True)
class Chain:
    """Answers tiles in one reading.

    Parameters
    ----------
    design : Design
    grid : Grid
    """

    design: Design
    grid: Grid

    def state(self) -> Iterator[State]:
        """Yield that of the design, and how rows are cut."""
        yield from self.design.state()
        yield repr(("chain", self.height))

    @property
    def height(self) -> int:
        """Rows of a link."""
        slab = self.grid.slab
        return self.grid.rows if slab is None else max(slab.rows, _LEAST_ROWS * self.design.columns)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The rows of A in orthogonal factors."""
        made, before = [], self.design.penalty_rows
        for low in range(0, self.grid.shape[0], self.height):
            high = min(low + self.height, self.grid.shape[0])
            Q, R = np.linalg.qr(np.concatenate([before, self.design.X[low:high]]))
            made.append(Link(low, high, before, Q[: len(before)], Q[len(before) :], R))
            before = R
        return tuple(made)

    @cached_property
    def factor(self) -> Factor:
        """Of all rows and the penalty, in the basis of z."""
        R, d = self.links[-1].R, self.design.columns
        return Factor(np.concatenate([R, np.zeros((d - len(R), d))]))

    @cached_property
    def told(self) -> Fit:
        """How solutions by this factor are told."""
        return told_of(self.factor, self.design.shift, self.design.rows)

    @cached_property
    def spread(self) -> Floats | None:
        """Standard errors for a residual variance of 1, shape (d, 1)."""
        return None if self.design.is_penalized else norms(self.told.spread.T)[:, None]

    def answers(self, tile: Tile) -> Iterator[tuple[Box, Answers]]:
        """Yield what is found of each piece of a tile."""
        width = tile.shape[0]
        d = self.design.columns
        state = Standing(np.zeros((d, width)), np.zeros(width), np.zeros((d, width)))
        if (slab := self.grid.slab) is None:
            self._follow_rows(tile, state)
        else:
            for which, strip in tile.steps(slab.step):
                self._follow_slabs(strip, state.of(which))
        yield from self._pieces(tile, state)

    def _follow_rows(self, tile: Tile, state: Standing) -> None:
        """Follow z through all links, all targets together, a slice of them at a time."""
        buffer = None
        for link in self.links:
            read = tile.read(link.start, link.stop, buffer)
            buffer = read if buffer is None or read.size > buffer.size else buffer
            stored = read.reshape(link.stop - link.start, tile.shape[0])
            for which in slices_of(len(stored), tile.shape[0]):
                S = cells(tile.targets, stored, which, link.start, tile.box, is_changed=False)
                self._follow(link, S, state.of(which), is_ours=False)
                if not (fine := np.isfinite(state.rr[which])).all():
                    self._refuse(tile, stored, which, link, int(np.argmin(fine)))

    def _follow_slabs(self, strip: Tile, state: Standing) -> None:
        """Follow z of some targets through all links, in memory that stays in the cache: residuals take the place of what was read."""
        all_, width, buffer = slice(0, strip.shape[0]), strip.shape[0], None
        for link in self.links:
            read = strip.read(link.start, link.stop, buffer)
            buffer = read if buffer is None else buffer
            S = cells(strip.targets, read.reshape(-1, width), all_, link.start, strip.box, is_changed=False)
            self._follow(link, S, state, is_ours=True)
        if not (fine := np.isfinite(state.rr)).all():
            for link in self.links:
                read = strip.read(link.start, link.stop, buffer).reshape(-1, width)
                S = cells(strip.targets, read, all_, link.start, strip.box)
                refuse_nonfinite(strip.targets, S, all_, link.start, strip.box)
            refuse_overflow(strip.targets.what, strip.box, int(np.argmin(fine)))

    def _follow(self, link: Link, S: Floats, state: Standing, *, is_ours: bool) -> None:
        """Follow z through a link, and add to the squares and the slope; S is overwritten if it ``is_ours``."""
        X, weights = self.design.X[link.start : link.stop], self.design.roots[link.start : link.stop]
        if not self.is_plain:
            S = np.multiply(S, weights[:, None], out=S if is_ours else scratch("weighted", S.shape))
        over = np.zeros((len(link.before), S.shape[1])) if link is self.links[0] else state.z[: len(link.before)]
        new = link.below.T @ S
        if len(link.before):
            new += link.top.T @ over
        rest = subtract(S, link.below, new) if is_ours else residual(S, link.below, new)
        state.rr += np.einsum("ij,ij->j", rest, rest)
        state.g += X.T @ rest
        if len(link.before):
            over = over - link.top @ new
            state.rr += np.einsum("ij,ij->j", over, over)
            state.g += link.before.T @ over
        state.z[: len(new)] = new

    @cached_property
    def is_plain(self) -> bool:
        """Whether all rows weigh 1."""
        return bool((self.design.roots == 1.0).all())

    def _refuse(self, tile: Tile, stored: np.ndarray, which: slice, link: Link, first: int) -> None:
        S = cells(tile.targets, stored, which, link.start, tile.box)
        refuse_nonfinite(tile.targets, S, which, link.start, tile.box)
        refuse_overflow(tile.targets.what, tile.box, which.start + first)

    def _pieces(self, tile: Tile, state: Standing) -> Iterator[tuple[Box, Answers]]:
        """Yield what follows from the last z of each piece."""
        shape = tuple(one.stop - one.start for one in tile.box)
        order = np.arange(size_of(tile.box)).reshape(shape)
        for piece in tile.grid.pieces_of(tile.box):
            local = tuple(slice(one.start - all_.start, one.stop - all_.start) for one, all_ in zip(piece, tile.box, strict=True))
            places = order[local].ravel()
            yield (
                piece,
                answers_of(
                    self._found(state.z[: len(self.links[-1].R), places], state.rr[places], state.g[:, places]), self.design
                ),
            )

    def _found(self, z: Floats, rr: Floats, g: Floats) -> Found:
        design, factor = self.design, self.factor
        padded = np.concatenate([z, np.zeros((design.columns - len(z), z.shape[1]))])
        basic = factor.least_squares(padded)
        # With x, the residual is the chain's, and what R x misses of z.
        missed = padded - factor.R @ basic
        slope = g + factor.R.T @ missed
        rr = rr + np.einsum("ij,ij->j", missed, missed)
        s, Vt = factor.scaled_decomposition
        backward = backward_error(s, Vt, factor.scale, basic, slope, rr)
        penalized = design.penalty @ basic**2
        return Found(
            x=self.told.restate(basic),
            size=norms(norms(factor.R)[:, None] * basic),
            rr=np.maximum(rr - penalized, 0.0),
            explained=self._explain(basic) + 2 * penalized,
            whole=rr + np.einsum("ij,ij->j", design.R @ basic, design.R @ basic) + penalized,
            spread=self.spread,
            counts=np.full(z.shape[1], design.rows, np.int64),
            backward_error=backward,
        )

    def _explain(self, x: Floats) -> Floats:
        """Return ‖A x‖², about the mean where the model holds a constant."""
        fitted = self.design.R @ x
        if self.design.constant is not None:
            q = self.design.R @ self.design.constant
            fitted -= np.outer(q, (q @ fitted) / (q @ q))
        return np.asarray(np.einsum("ij,ij->j", fitted, fitted))
