"""A dask.array as a Matrix: its row chunks are the blocks; nothing is rechunked behind the user's back.

A block is computed inside the task that needs it, by Dask's synchronous scheduler, so a pass holds one block per thread and
not the array.  Chunks that were persisted on a cluster stay there: they travel to a task as its arguments, by way of
:meth:`DaskMatrix.futures` and :meth:`DaskMatrix.holding`.  This file needs no import of Dask: the array brings its own methods.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, Cuts, Matrix, as_two_dimensional, check_numeric, trailing_of
from dsketch.matrix.blocks import require_declared


class DaskMatrix(Matrix):
    """Row blocks of a ``dask.array.Array``.

    Parameters
    ----------
    array : dask.array.Array, shape (n,) or (n, d)
        With known chunk sizes; chunks along columns are joined block by block.
    what : str
        The name that errors use.
    first_block : int
        Number of the array's first row chunk in ``rows``; other than 0 for a window.
    rows : tuple of int, optional
        Row chunks of the whole matrix.
    """

    def __init__(self, array: Any, *, what: str = "A", first_block: int = 0, rows: tuple[int, ...] | None = None) -> None:
        check_numeric(np.dtype(array.dtype), what)
        if any(np.isnan(size) for sizes in array.chunks for size in sizes):
            raise DataError(
                f"{what} must have known chunk sizes; they are {array.chunks}. Call compute_chunk_sizes() on it first."
            )
        self._rows = tuple(int(size) for size in array.chunks[0]) if rows is None else rows
        self.shape = as_two_dimensional((sum(self._rows), *array.shape[1:]), what)
        self.dtype = np.dtype(array.dtype)
        self.is_vector = array.ndim == 1
        self.trailing = trailing_of(array.shape)
        self._array = array
        self._what = what
        self._first_block = first_block
        self._last: tuple[int, AnyArray] | None = None
        self.held = sum(isinstance(task, _Held) for task in dict(array.__dask_graph__()).values())

    @property
    def cuts(self) -> Cuts:
        """The array's own row chunks (empty ones left out)."""
        return np.unique(np.concatenate([[0], np.cumsum(self._rows)])).astype(np.int64)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Compute the blocks that hold rows ``start:stop`` and return those rows."""
        del out
        pieces = []
        for number in self._blocks_of(start, stop):
            low = sum(self._rows[:number])
            pieces.append(self._block(number)[max(start - low, 0) : stop - low])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def window(self, start: int, stop: int) -> "DaskMatrix":
        """Return the blocks that hold rows ``start:stop`` with their part of the graph."""
        numbers = self._blocks_of(start, stop)
        blocks = self._array.blocks[numbers.start - self._first_block : numbers.stop - self._first_block]
        return self._with(_with_graph(blocks, _cull_graph(blocks)), numbers.start)

    def futures(self) -> list[Any]:
        """Return the futures of persisted chunks that this matrix needs, in a fixed order."""
        graph = dict(self._array.__dask_graph__())
        return [graph[key] for key in _future_keys(graph)]

    def holding(self, values: list[Any]) -> "DaskMatrix":
        """Return the matrix with its futures replaced: by markers if ``values`` is empty, else the markers by those values."""
        graph = dict(self._array.__dask_graph__())
        if not values:
            replaced = {key: _Held(place) for place, key in enumerate(_future_keys(graph))}
        else:
            replaced = {key: values[task.place] for key, task in graph.items() if isinstance(task, _Held)}
        return self._with(_with_graph(self._array, graph | replaced), self._first_block) if replaced else self

    def fingerprint(self) -> str:
        """Return a digest of the array's name (a hash of its graph), chunks and dtype."""
        return hashlib.sha256(f"{self._array.name}{self._array.chunks}{self.dtype}".encode()).hexdigest()[:16]

    def describe(self) -> str:
        """Return "dask array" and its number of row chunks."""
        return f"dask array of {len(self._rows)} row chunks"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the last computed block behind."""
        return self.__dict__ | {"_last": None}

    def _flat(self, values: Any, name: str) -> Any:
        """Return a block with its targets side by side."""
        if not self.trailing:
            return values
        if np.shape(values)[1:] != self.trailing:
            raise DataError(
                f"{name} must have rows of the declared shape {self.trailing}; they have {np.shape(values)[1:]}. Correct the graph that "
                "makes it."
            )
        return values.reshape(len(values), -1)

    def _with(self, array: Any, first_block: int) -> "DaskMatrix":
        return DaskMatrix(array, what=self._what, first_block=first_block, rows=self._rows)

    def _blocks_of(self, start: int, stop: int) -> range:
        ends = np.cumsum(self._rows)
        return range(int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(ends, stop, side="left")) + 1)

    def _block(self, number: int) -> AnyArray:
        last = self._last
        if last is None or last[0] != number:
            low = sum(self._rows[:number])
            shape, dtype = (self._rows[number], self.shape[1]), self.dtype
            block = fetch_chunks(self._array.blocks[number - self._first_block])
            name = f"block {number} of {self._what}"
            if (
                math.prod(block.numblocks) > 1 and not self.trailing
            ):  # Dask joins chunks along columns into whatever the first of them is
                wanted = _Chunks(name, self._what, self._array.chunks[1:], shape[0], dtype, low)
                block = block.map_blocks(wanted, dtype=dtype, meta=np.empty((0,) * block.ndim, dtype))
            values = block.compute(scheduler="synchronous")
            values = self._flat(values, name)
            last = (number, require_declared(values, name, self._what, shape, dtype, (low, 0)))
            self._last = last
        return last[1]


@dataclass(frozen=True)
class _Chunks:
    """Holds each chunk of a block of rows against what the array declares, before they are joined."""

    name: str
    what: str
    columns: tuple[tuple[int, ...], ...]
    rows: int
    dtype: np.dtype[np.generic]
    first_row: int

    def __call__(self, chunk: Any, block_id: tuple[int, ...]) -> AnyArray:
        """Return the chunk as an array of the declared dtype."""
        number = block_id[1]
        first = self.first_row, int(sum(self.columns[0][:number]))
        shape = self.rows, int(self.columns[0][number])
        return require_declared(chunk, f"column chunk {number} of {self.name}", self.what, shape, self.dtype, first)


class _Held:
    """Stands in a graph for a persisted chunk that travels beside it."""

    def __init__(self, place: int) -> None:
        self.place = place


def _is_future(task: Any) -> bool:
    return hasattr(task, "result") and hasattr(task, "key")


def holds_futures(array: Any) -> bool:
    """Whether chunks of a dask array were persisted on a cluster."""
    return any(map(_is_future, dict(array.__dask_graph__()).values()))


def _future_keys(graph: dict[Any, Any]) -> list[Any]:
    return sorted((key for key, task in graph.items() if _is_future(task)), key=str)


def _cull_graph(array: Any) -> dict[Any, Any]:
    """Return the part of the graph that the array needs.  Optimizing leaves out futures of persisted chunks: they are put back."""
    graph = dict(array.__dask_graph__())
    slim = dict(array.__dask_optimize__(array.__dask_graph__(), array.__dask_keys__()))
    wanted = {key for task in slim.values() for key in getattr(task, "dependencies", ())}
    wanted |= {(array.name, *place) for place in np.ndindex(*array.numblocks)}  # chunks that are asked for as they are
    return slim | {key: graph[key] for key in wanted - slim.keys()}


def _with_graph(array: Any, graph: dict[Any, Any]) -> Any:
    return type(array)(graph, array.name, array.chunks, dtype=array.dtype)


def fetch_chunks(block: Any) -> Any:
    """Return the block with futures replaced by their values (in the driver, where futures know their client)."""
    return _with_graph(block, {key: task.result() if _is_future(task) else task for key, task in _cull_graph(block).items()})
