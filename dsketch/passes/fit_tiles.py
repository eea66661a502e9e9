"""The pass that answers tiles of targets where they are read: each task writes what it finds, or hands it back where that is small."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch.errors import DataError, DsketchError
from dsketch.matrix.compat import wait_for
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
            float(np.fmax.reduce(backward, initial=0.0)) if backward is not None else 0.0,
        )

    def __and__(self, other: "Tally") -> "Tally":
        """Return that of both."""
        targets, lacking, empty, few, lost, exact = (one + two for one, two in zip(self[:6], other[:6], strict=True))
        return Tally(targets, lacking, empty, few, lost, exact, max(self.worst, other.worst))


NO_TALLY = Tally(0, 0, 0, 0, 0, 0, 0.0)


@dataclass(frozen=True)
class FitTiles(Pass[Tally]):
    """Write the answers of tiles into Zarr arrays; a part is a tally.

    Parameters
    ----------
    fit : Fit
    group : zarr.Group
        With an array for each answer, whose chunks are the pieces of the tiles.
    names : tuple of str
        Of the arrays, in the order in which they are written: where the last is there, all are.
    rows, rank : int
        What the tally counts by.
    goes_on : bool
        Whether chunks that are there already are those of this very pass, by a run that was interrupted: they are read, not made again.
    """

    fit: Fit
    group: "zarr.Group"
    names_: tuple[str, ...]
    rows: int
    rank: int
    goes_on: bool = False

    kind: ClassVar[str] = "fit"
    writes: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Answer a tile and write what was found."""
        tile: Any = block.A
        tally = NO_TALLY if part is None else _tally_of(part)
        arrays = {name: _open(self.group, name) for name in self.names_}
        kept = self._kept(arrays, tile) if self.goes_on else None
        for box, answers in self.fit.answers(tile) if kept is None else kept:
            if kept is None:
                for name, array in arrays.items():
                    _write(array, box, answers[name])
            tally &= Tally.of(answers, self.rows, self.rank)
        return _part_of(tally)

    def _kept(self, arrays: "dict[str, zarr.Array[Any]]", tile: Tile) -> list[tuple[Box, Answers]] | None:
        """Return what is there of a tile, if all of it is."""
        found = []
        for box in tile.grid.pieces_of(tile.box):
            answers = _read_kept(arrays, box)
            if answers is None:
                return None
            found.append((box, answers))
        return found

    def merge(self, left: Part, right: Part) -> Part:
        """Add the counts; keep the worst."""
        return _part_of(_tally_of(left) & _tally_of(right))

    def finish(self, part: Part) -> Tally:
        """Return the tally of all targets."""
        return _tally_of(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a few numbers."""
        del columns, sides
        return 64

    def state(self) -> Iterator[State]:
        """Yield what is written, and where."""
        yield repr((self.kind, self.names_, str(self.group.store_path), self.goes_on))
        yield from self.fit.state()

    def names(self) -> str:
        """Return the kind."""
        return f"{self.kind} → Zarr"


@dataclass(frozen=True)
class GatherTiles(Pass[tuple[Tally, dict[str, Any]]]):
    """Hand back the answers of tiles.

    Finishes to the tally and, by name, the bytes of their numbers in the order of tiles, shape (d or 1, k).

    Parameters
    ----------
    fit, names_, rows, rank
        As in :class:`FitTiles`.

    Notes
    -----
    Numbers travel as their bytes, for NaN is an answer here, and no sign of data that are not finite.
    """

    fit: Fit
    names_: tuple[str, ...]
    rows: int
    rank: int

    kind: ClassVar[str] = "fit"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Answer a tile."""
        tile: Any = block.A
        tally, pieces = NO_TALLY, []
        for _, answers in self.fit.answers(tile):
            tally &= Tally.of(answers, self.rows, self.rank)
            pieces.append([np.atleast_2d(answers[name]).view(np.int64) for name in self.names_])
        own = (*_part_of(tally), *(np.concatenate(arrays, axis=1) for arrays in zip(*pieces, strict=True)))
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Put one beside the other."""
        tally = _part_of(_tally_of(left) & _tally_of(right))
        return (*tally, *(np.concatenate([mine, other], axis=1) for mine, other in zip(left[2:], right[2:], strict=True)))

    def finish(self, part: Part) -> tuple[Tally, dict[str, Any]]:
        """Return the tally, and each array as int64, whatever its numbers are."""
        return _tally_of(part), dict(zip(self.names_, part[2:], strict=True))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a tile of usual size."""
        del sides
        return 8 * 8192 * (4 * columns + 5)

    def state(self) -> Iterator[State]:
        """Yield what is answered."""
        yield repr((self.kind, "gather"))
        yield from self.fit.state()


def _part_of(tally: Tally) -> tuple[Floats, Floats]:
    return np.array(tally[:-1], np.float64), np.array([tally.worst])


def _tally_of(part: Part) -> Tally:
    targets, lacking, empty, few, lost, exact = map(int, part[0].tolist())
    return Tally(targets, lacking, empty, few, lost, exact, float(part[1][0]))


def _open(group: "zarr.Group", name: str) -> "zarr.Array[Any]":
    """Return an array of the group.

    Raises
    ------
    DataError
        If the group is not there for this process.
    """
    try:
        found: Any = group[name]
    except KeyError as error:
        raise DataError(
            f"a place that every worker sees was expected for the output; {group.store_path} is not there for one. Write to a shared "
            "folder or to a URL."
        ) from error
    opened: zarr.Array[Any] = found.with_config({"write_empty_chunks": True})
    return opened


def _write(array: "zarr.Array[Any]", box: Box, values: NDArray[Any]) -> None:
    """Write a piece.

    Raises
    ------
    DataError
        If the array does not take it.
    """
    shape = tuple(one.stop - one.start for one in box)
    try:
        if values.ndim == 2:
            array[(slice(None), *box)] = values.reshape(-1, *shape)
        else:
            array[box or ...] = values.reshape(shape)
    except DsketchError:
        raise
    except Exception as error:
        raise DataError(
            f"results could not be written to {array.store_path}: {type(error).__name__}: {error}. Free some space, correct the access, or "
            "choose another place."
        ) from error


def _read_kept(arrays: "dict[str, zarr.Array[Any]]", box: Box) -> Answers | None:
    """Return a piece of all arrays, if the last that is written, and every other, is there."""
    found = {}
    for name, array in reversed(arrays.items()):
        columns = len(array.shape) - len(box)
        place = (*(0,) * columns, *(one.start // size for one, size in zip(box, array.chunks[columns:], strict=True)))
        key = f"{array.path}/{array.metadata.encode_chunk_key(place)}".lstrip("/")
        if not wait_for(array.store.exists(key)):
            return None
        try:
            found[name] = np.asarray(array[(*(slice(None),) * columns, *box) or ...])
        except (ValueError, OSError):  # a chunk that was cut off is made again
            return None
    return {
        name: values.reshape(values.shape[0], -1) if len(box) < arrays[name].ndim else values.ravel()
        for name, values in found.items()
    }
