"""Write results: whole or not at all, and never over something that nobody gave up.

An :class:`Output` is a place on a local disk, a :class:`~dsketch._results.remote.RemoteOutput` one behind a URL; both have
``probe``, ``write`` for what the driver holds, and ``fill`` for what workers write block by block.
"""

import errno
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._atomic import beside, clear_left_behind, replacing, write_flushed
from dsketch._results.format import OURS
from dsketch._results.group import array_in, begin_group, consolidate
from dsketch._results.remote import RemoteOutput, create_array, require_complete
from dsketch._results.slices import pieces_of
from dsketch._results.solution import Solution
from dsketch._units import format_bytes
from dsketch.errors import DataError, SpecError
from dsketch.ingest.failure import writing
from dsketch.ingest.staged import keeping, staging
from dsketch.problems import Problem
from dsketch.problems.affine import ShiftedProblem
from dsketch.problems.outcome import ArrayOf

_PROBE_BYTES = 65_536  # the room that the metadata of a Zarr array take beside the result itself
_CHUNK_BYTES = 64_000_000  # the chunk of a result that the driver writes; a result is rarely larger


@dataclass(frozen=True)
class Output:
    """A place for a result: a Zarr array, or one ``.npy`` file if the name ends so.

    Guarantees: the path holds the result whole or what it held before, also after a crash (between two renames, for a Zarr array
    that is replaced, nothing at all); what is there is replaced only with ``overwrite``; the place is tried before the work starts.

    Parameters
    ----------
    path : Path
        On a local disk; folders above it are made.
    overwrite : bool
    """

    path: Path
    overwrite: bool = False

    @classmethod
    def at(cls, address: str | os.PathLike[str], *, overwrite: bool = False) -> "Output | RemoteOutput":
        """Return the output at a path or URL.

        Raises
        ------
        SpecError
            For the URL of a ``.npy`` file.
        """
        if "://" in os.fspath(address):
            return RemoteOutput.at(os.fspath(address), overwrite=overwrite)
        return cls(Path(address).absolute(), overwrite)

    @property
    def is_npy(self) -> bool:
        """Whether it is a single NumPy file."""
        return self.path.suffix == ".npy"

    def probe(self, result_bytes: int, apart_from: Iterable[str | os.PathLike[str] | None] = ()) -> None:
        """Find out now whether the result can be written later.

        Parameters
        ----------
        result_bytes : int
            Its size, which the disk must have.
        apart_from : paths or URLs
            Data that must survive: A, b, weights, the journal.

        Raises
        ------
        SpecError
            If the path is one of them, or nested with one.
        DataError
            If there is something already and it may not be replaced, or if the place cannot be written.
        """
        self._keep_apart(apart_from)
        self._admit()
        part = beside(self.path)
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            clear_left_behind(self.path)
            if (free := shutil.disk_usage(self.path.parent).free) < result_bytes:
                raise OSError(errno.ENOSPC, f"{format_bytes(result_bytes)} are needed and {format_bytes(free)} are free")
            try:
                write_flushed(part, bytes(min(result_bytes, _CHUNK_BYTES) + _PROBE_BYTES))
            finally:
                part.unlink(missing_ok=True)

    def write(self, x: "NDArray[np.float64] | zarr.Array[Any]", attributes: dict[str, Any]) -> None:
        """Write x, and the attributes if it is a Zarr array; one that is stored is copied piece by piece.

        Raises
        ------
        DataError
            If it cannot be written, or something came to lie there.
        """
        if self.is_npy:
            self._admit()
            self._write_npy(np.asarray(x))
            return
        with self.fill(x.shape, chunk_rows(x), attributes) as array, writing(self.path):
            for start, piece in pieces_of(x):
                array[start : start + len(piece)] = piece

    @contextmanager
    def fill(
        self, shape: tuple[int, ...], rows: int | tuple[int, ...], attributes: dict[str, Any], key: str = ""
    ) -> Iterator["zarr.Array[Any]"]:
        """Yield a Zarr array of another name to be filled; at the end, if all of it is there, it takes its place.

        Parameters
        ----------
        shape : tuple of int
            (n,), (n, k) or (n, targets…).
        rows : int or tuple of int
            Of one chunk, or its whole shape.
        attributes : dict
            What the array says about itself.
        key : str
            Of a run that goes on where it was interrupted: the array may hold chunks already.  Empty: it holds none.

        Raises
        ------
        SpecError
            For a ``.npy`` file, which has no chunks.
        DataError
            If it cannot be written, something came to lie there, or chunks are missing at the end.
        """
        if self.is_npy:
            raise SpecError(f"a Zarr array was expected for a result written in blocks; got {self.path.name}. Leave out .npy.")
        self._admit()
        with self._beside(key) as part:
            with writing(self.path):
                array = (key and _find_begun(part, shape, rows)) or create_array(
                    str(part), shape, rows, attributes, overwrite=bool(key)
                )
            yield array
            with writing(self.path):
                require_complete(array)

    @contextmanager
    def fill_group(self, arrays: Sequence[ArrayOf], attributes: dict[str, Any], key: str = "") -> Iterator["zarr.Group"]:
        """Yield a Zarr group with empty arrays, to be filled; otherwise as :meth:`fill`.

        Raises
        ------
        DataError
            As :meth:`fill`.
        """
        self._admit()
        with self._beside(key) as part:
            with writing(self.path):
                group = begin_group(str(part), arrays, attributes, goes_on=bool(key))
            yield group
            with writing(self.path):
                for array in arrays:
                    require_complete(array_in(group, array.name))
                consolidate(group)

    @contextmanager
    def _beside(self, key: str) -> Iterator[Path]:
        """Yield where the array is filled, which takes its place at the end."""
        with ExitStack() as stack:
            if key:
                part = stack.enter_context(keeping(self.path, key, overwrite=self.overwrite))
            else:
                (part,) = stack.enter_context(staging([self.path], overwrite=self.overwrite))
            yield part
            with writing(self.path):
                for left_behind in part.rglob("*.partial"):  # by a worker that was killed while it wrote
                    left_behind.unlink()

    def _write_npy(self, x: NDArray[np.float64]) -> None:
        with writing(self.path), replacing(self.path) as file:
            np.save(file, np.ascontiguousarray(x))

    def _keep_apart(self, others: Iterable[str | os.PathLike[str] | None]) -> None:
        mine = self.path.resolve()
        for other in others:
            if other is None or "://" in os.fspath(other):
                continue
            theirs = Path(other).resolve()
            if mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
                raise SpecError(
                    f"a place of its own was expected for the result; {self.path} and {theirs} overlap. Choose another path."
                )

    def _admit(self) -> None:
        with writing(self.path):
            if not os.path.lexists(self.path):
                return
            is_ours = (
                self.path.is_file() if self.is_npy else any((self.path / name).is_file() for name in ("zarr.json", ".zarray"))
            )
        if not self.overwrite:
            raise DataError(
                f"a free path was expected for the result; {self.path} exists. Choose another, or replace it: "
                "overwrite=True (--overwrite)."
            )
        if not is_ours:
            kind = "NumPy file" if self.is_npy else "Zarr array"
            raise DataError(f"a {kind} to overwrite was expected; {self.path} is something else. Remove it yourself.")


def _find_begun(part: Path, shape: tuple[int, ...], rows: int | tuple[int, ...]) -> "zarr.Array[Any] | None":
    """Return an array that an earlier run began to fill; None where there is none of this shape."""
    try:
        found = zarr.open_array(str(part), mode="r+", config={"write_empty_chunks": True})
    except (FileNotFoundError, ValueError):
        return None
    return found if (found.shape, found.chunks[0]) == (shape, rows) else None


def chunk_rows(x: "NDArray[np.float64] | zarr.Array[Any]") -> int:
    """Return the rows of a chunk of x: all of them, unless x is as large as data."""
    return max(min(int(x.shape[0]), _CHUNK_BYTES // max(8 * math.prod(x.shape[1:]), 1)), 1)


def attributes_of(solution: Solution, journal: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return what a stored x says about itself: how it was found, and what must be known to predict with it."""
    return {
        "status": solution.status.name.lower(),
        "method": solution.method,
        "backward_error": solution.certificate.backward_error.tolist(),
        "journal": None if journal is None else os.fspath(journal),
        **words_of(solution.problem),
        **({} if solution.columns is None else solution.columns.attributes()),
        **({} if solution.target_names is None else {"targets": list(solution.target_names)}),
        **centre_of(solution.problem, solution.answer),
        **solution.problem.attributes(solution.answer),
        **OURS,
    }


def centre_of(problem: Problem, answer: Any) -> dict[str, Any]:
    """Return the shift of the columns and the intercepts that belong to it, if there is one; x's own has lost digits to it."""
    if not isinstance(problem, ShiftedProblem) or problem.rows.shift is None:
        return {}
    return {"centred": {"shift": problem.rows.shift.tolist(), "intercept": problem.told_for_shifted(answer)[-1].tolist()}}


def words_of(problem: Problem) -> dict[str, Any]:
    """Return the words of a problem and the sources of its data (None for data in memory), as attributes."""
    sources = {name: matrix.source for name, matrix in problem.data().items() if matrix is not None}
    return {"problem": problem.parameters, "sources": sources}
