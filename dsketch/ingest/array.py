"""Rows of ``.npy`` and ``.npz`` files, memory-mapped.

A plain array has no names, so its columns are called x0, x1, ….
"""

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.events import Note, Progress, Tell
from dsketch.ingest.choice import ColumnChoice
from dsketch.ingest.failure import reading, writing
from dsketch.ingest.rows import RowSource, narrowest_dtype, rows_per_block
from dsketch.ingest.screen import keep_finite, refuse_nonfinite
from dsketch.ingest.tally import Tally

_FAILURES = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)
_MATRIX_KEYS = ("A", "X")
_TARGET_KEYS = ("b", "y")


@dataclass(frozen=True)
class _Arrays:
    """A matrix of shape (n, d), and possibly its right-hand side of shape (n,) under a name."""

    matrix: Any
    is_vector: bool
    target: Any | None = None
    target_name: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name each column, the target last."""
        return (*(f"x{i}" for i in range(self.matrix.shape[1])), *([self.target_name] if self.target_name else []))

    def block(self, start: int, stop: int, picked: list[int]) -> Floats:
        """Return some columns of some rows as float64; the index ``d`` is the target."""
        width = self.matrix.shape[1]
        block: Floats = np.empty((stop - start, len(picked)))
        inside = [index for index in picked if index < width]
        whole = inside == list(range(width))
        values = self.matrix[start:stop] if whole else self.matrix[start:stop][:, inside]
        if len(inside) == len(picked):
            block[...] = values
            return block
        block[:, [place for place, index in enumerate(picked) if index < width]] = values
        for place in (place for place, index in enumerate(picked) if index == width):
            block[:, place] = self.target[start:stop]  # type: ignore[index]
        return block


def open_rows(files: list[Path], base: Path | None, choice: ColumnChoice, scratch: Path, tell: Tell) -> RowSource:
    """Return the rows of one ``.npy`` or ``.npz`` file."""
    del base
    source = files[0]
    with reading(str(source), *_FAILURES):
        arrays = (
            _matrix(_map_array(source, str(source)), str(source)) if source.suffix.lower() == ".npy" else _unpack(source, scratch)
        )
    return _settle_rows(arrays, _complete_choice(arrays, choice), tell)


def _complete_choice(arrays: _Arrays, choice: ColumnChoice) -> ColumnChoice:
    for word, given in (("base", choice.base), ("categories", choice.categories)):
        if given:
            raise SpecError(f"{word} is about columns of text; an array of NumPy has numbers only. Leave it out.")
    name = arrays.target_name
    is_free = name is not None and name not in (*choice.drop, *choice.sides) and (choice.like is None or choice.wants_target)
    return replace(choice, targets=(name,)) if is_free and name is not None and not choice.targets else choice


def _settle_rows(arrays: _Arrays, choice: ColumnChoice, tell: Tell) -> RowSource:
    names = choice.used(arrays.names)
    if choice.like is not None and choice.ignored(arrays.names):
        tell(Note(f"not in {choice.like.path}, and left out: {', '.join(map(repr, choice.ignored(arrays.names)[:12]))}"))
    picked = [arrays.names.index(name) for name in names]
    passes = 2 if choice.nulls == "drop" else 1
    tally = Tally(names)
    if passes == 2:
        for _ in _blocks(arrays, picked, names, choice, _PassProgress(tell, 0, passes), tally):
            pass
    else:
        tally.add_whole(len(arrays.matrix))
    told = _PassProgress(tell, passes - 1, passes)
    sides = len(choice.sides)
    return RowSource(
        names=names[: len(names) - sides],
        dtype=narrowest_dtype([arrays.matrix.dtype] if arrays.matrix.dtype.kind != "b" else []),
        tally=tally,
        targets=choice.targets,
        has_weights=choice.weights is not None,
        is_vector=arrays.is_vector and len(names) == 1,
        blocks=lambda: _blocks(arrays, picked, names, choice, told),
    )


@dataclass(frozen=True)
class _PassProgress:
    """Progress over several passes, as one count of bytes."""

    tell: Tell
    before: int
    passes: int

    def at(self, done: int, total: int) -> None:
        self.tell(Progress(self.before * total + done, self.passes * total))


def _blocks(
    arrays: _Arrays,
    picked: list[int],
    names: tuple[str, ...],
    choice: ColumnChoice,
    told: _PassProgress,
    tally: Tally | None = None,
) -> Iterator[Floats]:
    step = rows_per_block(arrays.matrix.shape[1])
    total = len(arrays.matrix)
    row_bytes = arrays.matrix.dtype.itemsize * arrays.matrix.shape[1]
    for start in range(0, total, step):
        stop = min(start + step, total)
        block = arrays.block(start, stop, picked)
        lacking = np.isnan(block)
        keep = keep_finite(lacking, choice.nulls, names, start, choice.needed)
        if tally is not None:
            tally.add(lacking, keep)
        block = block if keep.all() else block[keep]
        refuse_nonfinite(block, names, start + np.flatnonzero(keep))
        yield block
        told.at(stop * row_bytes, total * row_bytes)


def _map_array(file: Path, called: str) -> Any:
    array = np.lib.format.open_memmap(file, mode="r")
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"an array of real numbers was expected; {called} has dtype {array.dtype}. Convert it with astype(float)."
        )
    return array


def _matrix(array: Any, called: str) -> _Arrays:
    if array.ndim not in (1, 2) or not array.size:
        raise DataError(
            f"a matrix or a vector with rows was expected; {called} has shape {array.shape}. Reshape it to (rows, columns)."
        )
    return _Arrays(array.reshape(len(array), -1), is_vector=array.ndim == 1)


def _unpack(source: Path, scratch: Path) -> _Arrays:
    with zipfile.ZipFile(source) as archive:
        members = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        matrix_key, target_key = _keys(members, source)
        arrays = _matrix(_member(archive, matrix_key, scratch), f"{source}[{matrix_key!r}]")
        if target_key is None:
            return arrays
        target = _member(archive, target_key, scratch)
    rows = len(arrays.matrix)
    if target.shape not in ((rows,), (rows, 1)):
        raise DataError(
            f"{rows:,} values were expected in {target_key!r}, one for each row of {matrix_key!r}; "
            f"found the shape {target.shape}. Save both with the same rows."
        )
    return replace(arrays, target=target.reshape(rows), target_name=target_key)


def _member(archive: zipfile.ZipFile, key: str, scratch: Path) -> Any:
    # Unpacked to the disk and mapped: bounded memory also for compressed and for Fortran-ordered members.
    place = scratch / f"{len(list(scratch.iterdir()))}.npy"
    with archive.open(f"{key}.npy") as packed, writing(scratch), place.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked, length=1 << 20)
    return _map_array(place, f"{archive.filename}[{key!r}]")


def _keys(members: list[str], source: Path) -> tuple[str, str | None]:
    if len(members) == 1:
        return members[0], None
    matrices = [key for key in members if key in _MATRIX_KEYS]
    targets = [key for key in members if key in _TARGET_KEYS]
    if len(matrices) == 1 and len(targets) == 1 and len(members) == 2:
        return matrices[0], targets[0]
    raise DataError(
        f"one array, or one named A or X and one named b or y, was expected; "
        f"{source} has {', '.join(members) or 'none'}. "
        "Save again with np.savez(file, A=…, b=…)."
    )
