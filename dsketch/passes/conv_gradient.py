"""The gradient of causal attention by a convolution basis: tiles of S, and of its transpose, times columns.

With S = exp(z − λ), λ the logarithm of a row's sum of weights, and D as in :mod:`dsketch.passes.attention_gradient`,

    dV = Sᵀ dY,   dQ = s (Σ_l diag(dY_l) S (diag(V_l) K) − diag(D) S K),   dK = s (Σ_l diag(V_l) Sᵀ (diag(dY_l) Q) − Sᵀ diag(D) Q),

p columns for dV, and d p for the others.  Where so many transforms cost more than all slopes of a tile, weight by weight, these are taken
(:mod:`dsketch.passes.conv_slopes`): the profile has their exponentials.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.conv_slopes import Felt, pays_by_weights, slopes
from dsketch.passes.conv_tiles import SKIPPED, Spectrum, Tile, fft_length, transform_error, turn_by_weights
from dsketch.passes.convolution import BlockSums, BlockTiles, ConvRows, Tiling
from dsketch.passes.rowwise import RowPass
from dsketch.passes.spans import Spans

_COLUMNS = 64  # that are transformed at once, at least


def whole_block(block: Block) -> tuple[Floats, Floats]:
    """Return all rows of a block, and what is beside them."""
    ((_, X, Y),) = block.slices(block.stop - block.start)
    return X, Y


def groups(width: int, depth: int) -> Iterator[slice]:
    """Yield the columns of V or dY, p in all, whose products with d others are transformed at once."""
    step = max(_COLUMNS // width, 1)
    for low in range(0, depth, step):
        yield slice(low, min(low + step, depth))


def _products(few: Floats, others: Floats) -> Floats:
    """Return each column of the one times all of the other, shape (rows, g · d)."""
    return np.asarray((few[:, :, None] * others[:, None, :]).reshape(len(few), -1))


@dataclass(frozen=True)
class ConvStatistics(ConvRows):
    """Finish to the logarithms of the sums of weights, and to D, of rows of Q with those of dY beside them, shape (n, 2 heads)."""

    kind: ClassVar[str] = "statistics by convolution"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        _, dY = whole_block(block)
        found = self.sum_up(block.start, block.stop)
        factors = np.split(self.factors, len(found))
        log_sums, products = [], []
        for (tiles, sums), above, factor in zip(found, np.split(dY, len(found), axis=1), factors, strict=True):
            log_sums.append(np.log(sums[:, -1]) + tiles.top)
            products.append(np.einsum("ip,ip->i", above, sums[:, :-1] / sums[:, -1:] / factor))
        own = (np.stack([*log_sums, *products], axis=1),)
        return own if part is None else self.merge(part, own)


@dataclass(frozen=True)
class ConvQueryGradient(RowPass):
    """Finish to dQ by rows of Q with those of dY beside them.

    Parameters
    ----------
    tiling : Tiling
    others : Spans
        K and V.
    statistics : ndarray, shape (n, 2 heads)
        By :class:`ConvStatistics`.
    scale : float
        s.

    Notes
    -----
    O(n log h) for each of d (p + 1) columns a head and block, or O(n h (d + p)), whichever is less.
    """

    tiling: Tiling
    others: Spans
    statistics: Floats
    scale: float

    kind: ClassVar[str] = "query gradient by convolution"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the first rows of all."""
        return self._gradient(0, len(X), Y)

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        own = (self._gradient(block.start, block.stop, whole_block(block)[1]),)
        return own if part is None else self.merge(part, own)

    def _gradient(self, start: int, stop: int, dY: Floats) -> Floats:
        heads = len(self.tiling.basis.starts)
        parts = enumerate(np.split(dY, heads, axis=1))
        return self.scale * np.concatenate([self._of_head(head, start, stop, above) for head, above in parts], axis=1)

    def _of_head(self, head: int, start: int, stop: int, dY: Floats) -> Floats:
        heads = len(self.tiling.basis.starts)
        log_sums, D = (self.statistics[start:stop, place] for place in (head, heads + head))
        d = self.others.matrices[0].shape[1] // heads
        taken, rest = BlockTiles(self.tiling, head, start, stop).split(lambda tile: pays_by_weights(tile, d, dY.shape[1]))
        out = np.zeros((stop - start, d))
        if taken:
            self._add_slopes(head, taken, (start, Felt(dY, D, log_sums)), out)
        if rest.tiles:
            self._add_transforms(head, rest, Felt(dY, D, log_sums), out)
        return out

    def _add_slopes(self, head: int, tiles: list[Tile], above: tuple[int, Felt], out: Floats) -> None:
        """Add E K of some tiles, of rows that begin at a number."""
        start, felt = above
        for left, K, V in self._chunks(head, max(tile.right for tile in tiles)):
            for tile in (each for each in tiles if left <= each.left < left + len(K)):
                own, other = slice(tile.top - start, tile.bottom - start), slice(tile.left - left, tile.right - left)
                mine, keys = out[own], K[other]
                for rows, columns, E in slopes(tile, Felt(*(part[own] for part in felt)), V[other]):
                    mine[rows] += E @ keys[columns]

    def _add_transforms(self, head: int, tiles: BlockTiles, felt: Felt, out: Floats) -> None:
        """Add the same of tiles by FFT, of d columns for D and of each column of V."""
        d, none = out.shape[1], slice(0, 0)
        for few in (none, *groups(d, felt.above.shape[1])):
            sums = BlockSums(tiles, felt.log_sums, d * max(few.stop - few.start, 1))
            for left, K, V in self._chunks(head, tiles.stop):
                sums.add(left, K if few is none else _products(V[:, few], K))
            found = sums.finish()
            if few is none:
                out -= felt.D[:, None] * found
            else:
                out += np.einsum("ig,igd->id", felt.above[:, few], found.reshape(len(out), -1, d))

    def _chunks(self, head: int, stop: int) -> Iterator[tuple[int, Floats, Floats]]:
        heads, height = len(self.tiling.basis.starts), self.tiling.height
        for left in range(0, stop, height):
            K, V = (np.split(matrix, heads, axis=1)[head] for matrix in self.others.read(left, min(left + height, stop)))
            yield left, K, V

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        del sides
        return 8 * columns * 4096


class TurnedTiles:
    """The tiles of S in which some columns, a chunk, meet later rows, block by block.

    Parameters
    ----------
    tiling : Tiling
    head : int
    left, right : int
        The columns.
    statistics : ndarray, shape (n, 2 heads)
    """

    def __init__(self, tiling: Tiling, head: int, left: int, right: int, statistics: Floats) -> None:
        self.left, self.right, self.height = left, right, tiling.height
        self.blocks: list[tuple[int, int, list[Tile]]] = []
        self.log_sums = statistics[:, head]
        for top in range(left, tiling.basis.rows, tiling.height):
            bottom = min(top + tiling.height, tiling.basis.rows)
            tiles = tiling.plan(head, top, bottom).tiles(left)
            self.blocks.append((top, bottom, list(takewhile(lambda tile: tile.left < right, tiles))))

    def split(self, is_taken: Callable[[Tile], bool]) -> tuple["TurnedTiles", "TurnedTiles"]:
        """Return the tiles of which that is true, and the others, each without blocks that have none."""
        taken, rest = copy(self), copy(self)
        for part, wanted in ((taken, True), (rest, False)):
            kept = [(top, bottom, [tile for tile in tiles if is_taken(tile) == wanted]) for top, bottom, tiles in self.blocks]
            part.blocks = [block for block in kept if block[2]]
        return taken, rest

    def multiply(self, values: Iterator[Floats], sides: int) -> Floats:
        """Return Sᵀ times values of rows, given block by block, shape (columns, sides)."""
        width = self.right - self.left
        spectrum, sums = Spectrum(width, self.height, sides), np.zeros((width, sides))
        for (top, bottom, tiles), U in zip(self.blocks, values, strict=True):
            for tile in tiles:
                mine, own = slice(tile.left - self.left, tile.right - self.left), slice(tile.top - top, tile.bottom - top)
                log_sums = self.log_sums[tile.top : tile.bottom]
                if not tile.is_fft:
                    turn_by_weights(tile, U[own], log_sums, sums[mine])
                    continue
                g = tile.lags[::-1]
                largest = float(g.max())
                u = U[own] * np.exp(largest - log_sums)[:, None]
                if (tile.left, tile.right) == (self.left, self.right) and bottom - top == self.height == len(u):
                    spectrum.add(g, u, largest)
                else:
                    few = Spectrum(tile.right - tile.left, len(u), sides)
                    few.add(g, u, largest)
                    sums[mine] += few.finish()
        return sums + spectrum.finish()

    def error(self) -> float:
        """Return a bound on what FFT rounds off of a number of Sᵀ u, for |u| ≤ 1."""
        total = np.full(self.right - self.left, SKIPPED * len(self.log_sums))
        for _, _, tiles in self.blocks:
            for tile in tiles:
                if tile.is_fft:
                    g = tile.lags
                    kernel = np.exp(g - g.max())
                    size = np.linalg.norm(np.exp(float(g.max()) - self.log_sums[tile.top : tile.bottom]))
                    eta = transform_error(fft_length(self.height, self.height))
                    total[tile.left - self.left : tile.right - self.left] += (
                        eta * size * (2.1 * np.sqrt(np.dot(kernel, kernel)) + kernel.sum())
                    )
        return float(total.max())


@dataclass(frozen=True)
class _Turned:
    """What passes over rows of K share.

    Parameters
    ----------
    wanted : {"K", "V"}
    tiling : Tiling
    others : Spans
        Q and dY.
    statistics : ndarray, shape (n, 2 heads)
        By :class:`ConvStatistics`.
    scale : float
        s.
    """

    wanted: str
    tiling: Tiling
    others: Spans
    statistics: Floats
    scale: float

    def tiles(self, start: int, stop: int) -> Iterator[tuple[int, TurnedTiles]]:
        """Yield the tiles of rows of K, head by head."""
        for head in range(len(self.tiling.basis.starts)):
            yield head, TurnedTiles(self.tiling, head, start, stop, self.statistics)

    def blocks(self, head: int, tiles: TurnedTiles) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Yield the rows of Q and dY of a head, and their D, block by block."""
        heads = len(self.tiling.basis.starts)
        for top, bottom, _ in tiles.blocks:
            Q, dY = (np.split(matrix, heads, axis=1)[head] for matrix in self.others.read(top, bottom))
            yield Q, dY, self.statistics[top:bottom, heads + head, None]


@dataclass(frozen=True)
class ConvKeyGradient(_Turned, RowPass):
    """Finish to dK or dV by rows of K with those of V beside them.

    Notes
    -----
    O(n log h) for each of d (p + 1) columns a head and block, or O(n h (d + p)), whichever is less; for dV of p columns.
    """

    kind: ClassVar[str] = "key gradient by convolution"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the first rows of all."""
        return self._gradient(0, len(X), Y)

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        own = (self._gradient(block.start, block.stop, whole_block(block)[1]),)
        return own if part is None else self.merge(part, own)

    def _gradient(self, start: int, stop: int, V: Floats) -> Floats:
        heads = len(self.tiling.basis.starts)
        values = np.split(V, heads, axis=1)
        found = []
        for head, tiles in self.tiles(start, stop):
            if self.wanted == "V":
                found.append(tiles.multiply((dY for _, dY, _ in self.blocks(head, tiles)), values[head].shape[1]))
            else:
                found.append(self.scale * self._of_keys(head, tiles, values[head]))
        return np.concatenate(found, axis=1)

    def _of_keys(self, head: int, tiles: TurnedTiles, V: Floats) -> Floats:
        d = self.others.matrices[0].shape[1] // len(self.tiling.basis.starts)
        taken, rest = tiles.split(lambda tile: pays_by_weights(tile, d, V.shape[1]))
        out = np.zeros((len(V), d))
        self._add_slopes(head, taken, V, out)
        if rest.blocks:
            self._add_transforms(head, rest, V, out)
        return out

    def _add_slopes(self, head: int, tiles: TurnedTiles, V: Floats, out: Floats) -> None:
        """Add Eᵀ Q of some tiles."""
        for (top, _, mine), (Q, dY, D) in zip(tiles.blocks, self.blocks(head, tiles), strict=True):
            for tile in mine:
                own, other = slice(tile.top - top, tile.bottom - top), slice(tile.left - tiles.left, tile.right - tiles.left)
                keys, queries = out[other], Q[own]
                felt = Felt(dY[own], D[own, 0], tiles.log_sums[tile.top : tile.bottom])
                for rows, columns, E in slopes(tile, felt, V[other]):
                    keys[columns] += E.T @ queries[rows]

    def _add_transforms(self, head: int, tiles: TurnedTiles, V: Floats, out: Floats) -> None:
        """Add the same of tiles by FFT, of d columns for D and of each column of dY."""
        d = out.shape[1]
        out -= tiles.multiply((D * Q for Q, _, D in self.blocks(head, tiles)), d)
        for few in groups(d, V.shape[1]):
            products = (_products(dY[:, few], Q) for Q, dY, _ in self.blocks(head, tiles))
            found = tiles.multiply(products, d * (few.stop - few.start))
            out += np.einsum("jg,jgd->jd", V[:, few], found.reshape(len(out), -1, d))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        return 8 * (sides if self.wanted == "V" else columns) * 4096


@dataclass(frozen=True)
class ConvReach(_Turned, Pass[tuple[Floats, float]]):
    """Finish to what a row of K feels at most, as :class:`~dsketch.passes.attention_gradient.SoftmaxReach`, and to what FFT rounds off."""

    kind: ClassVar[str] = "reach by convolution"

    def map(self, block: Block, part: Part | None) -> Part:
        """Take in the largest of the block's rows."""
        felt, error = np.zeros(len(self.tiling.basis.starts)), np.zeros(1)
        for head, tiles in self.tiles(block.start, block.stop):
            sizes = (self._sizes(Q, dY)[:, None] for Q, dY, _ in self.blocks(head, tiles))
            felt[head] = max(float(tiles.multiply(sizes, 1).max()), 0.0)
            error = np.maximum(error, tiles.error())
        found = (felt, error)
        return found if part is None else self.merge(part, found)

    def _sizes(self, Q: Floats, dY: Floats) -> Floats:
        """Return u of rows of Q: max|dy| for dV, else ‖q‖‖dy‖."""
        if self.wanted == "V":
            return np.asarray(np.abs(dY).max(axis=1))
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", Q, Q)) * np.sqrt(np.einsum("ij,ij->i", dY, dY)))

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger."""
        return np.maximum(left[0], right[0]), np.maximum(left[1], right[1])

    def finish(self, part: Part) -> tuple[Floats, float]:
        """Return both."""
        return part[0], float(part[1][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a head, and one."""
        del columns, sides
        return 8 * (len(self.tiling.basis.starts) + 1)
