"""Answers of tiles of targets where they are read: written by each task (:mod:`dsketch.passes.arrays`), or handed back where small."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch.matrix.rows import Block
from dsketch.matrix.targets import Box
from dsketch.matrix.tiles import Tile
from dsketch.passes.base import Part, Pass

Answers = dict[str, NDArray[Any]]


class Fit(Protocol):
    """What answers tiles."""

    def answers(self, tile: Tile) -> Iterator[tuple[Box, Answers]]:
        """Yield, for each piece of a tile, arrays by name, shape (d, w) or (w,)."""

    def state(self) -> Iterator[State]:
        """Yield what decides the answers besides b."""


class Tally(NamedTuple):
    """What all targets come to together.

    Attributes
    ----------
    targets, lacking, empty, few, lost, exact : int
        How many there are; how many lack a value, have none, have fewer rows than A's rank, have a lower rank than A; of how many the
        residual is nothing but rounding.
    worst : float
        The largest backward error.
    """

    targets: int
    lacking: int
    empty: int
    few: int
    lost: int
    exact: int
    worst: float

    @classmethod
    def of(cls, answers: Answers, rows: int, rank: int) -> "Tally":
        """Return that of some targets, for which ``rows`` rows count where none is missing."""
        counts, is_none = answers["counts"], np.isnan(answers["x"][0])
        backward, variance, degrees = (
            answers.get(name) for name in ("backward_error", "residual_variance", "degrees_of_freedom")
        )
        is_exact = (
            np.isnan(variance) & (degrees > 0) & ~is_none if variance is not None and degrees is not None else ~(counts == counts)
        )
        return cls(
            counts.size,
            int(np.count_nonzero(counts < rows)),
            int(np.count_nonzero(counts == 0)),
            int(np.count_nonzero(is_none & (counts > 0) & (counts < rank))),
            int(np.count_nonzero(is_none & (counts >= max(rank, 1)))),
            int(np.count_nonzero(is_exact)),
            float(np.fmax.reduce(backward, axis=None, initial=0.0)) if backward is not None else 0.0,
        )

    def __and__(self, other: "Tally") -> "Tally":
        """Return that of both."""
        targets, lacking, empty, few, lost, exact = (one + two for one, two in zip(self[:6], other[:6], strict=True))
        return Tally(targets, lacking, empty, few, lost, exact, max(self.worst, other.worst))


NO_TALLY = Tally(0, 0, 0, 0, 0, 0, 0.0)


@dataclass(frozen=True)
class Tiles:
    """Answers of tiles, as what is written or handed back: a :class:`~dsketch.passes.arrays.Source`.

    Parameters
    ----------
    fit : Fit
    fields : tuple of str
        Names of the answers, in the order in which they are written.
    rows, rank : int
        What the tally counts by.
    """

    fit: Fit
    fields: tuple[str, ...]
    rows: int
    rank: int

    kind: ClassVar[str] = "fit"
    tally_bytes: ClassVar[int] = 64

    def make_pieces(self, block: Block) -> Iterator[tuple[Box, Answers, Part]]:
        """Yield the answers of a tile, which is read by them."""
        tile: Any = block.A
        for box, answers in self.fit.answers(tile):
            yield box, answers, self.count_kept(answers)

    def kept_pieces(self, block: Block) -> Iterator[Box]:
        """Return the pieces of a tile."""
        tile: Any = block.A
        found: Iterator[Box] = tile.grid.pieces_of(tile.box)
        return found

    def count_kept(self, answers: Answers) -> Part:
        """Return the tally of some targets."""
        return _part_of(Tally.of(answers, self.rows, self.rank))

    def add_tallies(self, left: Part, right: Part) -> Part:
        """Add the counts; keep the worst."""
        return _part_of(_tally_of(left) & _tally_of(right))

    def tell(self, tally: Part) -> Tally:
        """Return the tally under its names."""
        return _tally_of(tally)

    def state(self) -> Iterator[State]:
        """Yield what is answered."""
        yield repr((self.kind, self.fields))
        yield from self.fit.state()


@dataclass(frozen=True)
class GatherTiles(Pass[tuple[Tally, dict[str, Any]]]):
    """Hand back the answers of tiles.

    Finishes to the tally and, by name, the bytes of their numbers in the order of tiles, shape (d or 1, k).

    Parameters
    ----------
    source : Tiles

    Notes
    -----
    Numbers travel as their bytes, for NaN is an answer here, and no sign of data that are not finite.
    """

    source: Tiles

    kind: ClassVar[str] = "fit"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Answer a tile."""
        tally, pieces = _part_of(NO_TALLY), []
        for _, answers, counted in self.source.make_pieces(block):
            tally = self.source.add_tallies(tally, counted)
            pieces.append([np.atleast_2d(answers[name]).view(np.int64) for name in self.source.fields])
        own = (*tally, *(np.concatenate(arrays, axis=1) for arrays in zip(*pieces, strict=True)))
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Put one beside the other."""
        tally = self.source.add_tallies(left[:2], right[:2])
        return (*tally, *(np.concatenate([mine, other], axis=1) for mine, other in zip(left[2:], right[2:], strict=True)))

    def finish(self, part: Part) -> tuple[Tally, dict[str, Any]]:
        """Return the tally, and each array as int64, whatever its numbers are."""
        return _tally_of(part), dict(zip(self.source.fields, part[2:], strict=True))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a tile of usual size."""
        del sides
        return 8 * 8192 * (4 * columns + 5)

    def state(self) -> Iterator[State]:
        """Yield what is answered."""
        yield repr((self.kind, "gather"))
        yield from self.source.state()


def _part_of(tally: Tally) -> tuple[Floats, Floats]:
    return np.array(tally[:-1], np.float64), np.array([tally.worst])


def _tally_of(part: Part) -> Tally:
    targets, lacking, empty, few, lost, exact = map(int, part[0].tolist())
    return Tally(targets, lacking, empty, few, lost, exact, float(part[1][0]))
