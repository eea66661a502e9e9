"""Write x: whole or not at all, and never over something that nobody gave up."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch.errors import DataError, SpecError
from dsketch.ingest.failure import writing
from dsketch.ingest.staged import staged
from dsketch.solution import Solution

_PROBE_BYTES = 65_536  # beside x itself: the metadata of a Zarr array


@dataclass(frozen=True)
class Output:
    """A place for x: a Zarr array, or one ``.npy`` file if the name ends so.

    Guarantees: the path holds x whole or what it held before, also after a crash (between two renames, for a Zarr array that
    is replaced, nothing at all); what is there is replaced only with ``overwrite``; the place is tried before the work starts.

    Parameters
    ----------
    path : Path
        On a local disk; folders above it are made.
    overwrite : bool
    """

    path: Path
    overwrite: bool = False

    @classmethod
    def at(cls, address: str | os.PathLike[str], *, overwrite: bool = False) -> "Output":
        """Return the output at an address.

        Raises
        ------
        SpecError
            For a URL.
        """
        if "://" in os.fspath(address):
            raise SpecError(f"a path on a local disk was expected for x; got {address!r}. Write here, and copy it when complete.")
        return cls(Path(address).absolute(), overwrite)

    @property
    def is_npy(self) -> bool:
        """Whether it is a single NumPy file."""
        return self.path.suffix == ".npy"

    def probe(self, x_bytes: int, apart_from: Iterable[str | os.PathLike[str] | None] = ()) -> None:
        """Find out now whether x can be written later.

        Parameters
        ----------
        x_bytes : int
            Size of x.
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
        part = self._part()
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    file.write(bytes(x_bytes + _PROBE_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                part.unlink(missing_ok=True)

    def write(self, x: NDArray[np.float64], attributes: dict[str, Any]) -> None:
        """Write x, and the attributes if it is a Zarr array.

        Raises
        ------
        DataError
            If it cannot be written, or something came to lie there.
        """
        self._admit()
        if self.is_npy:
            self._write_npy(x)
            return
        with staged([self.path], overwrite=self.overwrite) as (part,), writing(self.path):
            options = {"compressors": None, "config": {"write_empty_chunks": True}, "attributes": attributes}
            zarr.create_array(store=str(part), data=np.ascontiguousarray(x), chunks=x.shape, **options)

    def _write_npy(self, x: NDArray[np.float64]) -> None:
        part = self._part()
        with writing(self.path):
            try:
                with part.open("wb") as file:
                    np.save(file, np.ascontiguousarray(x))
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self.path)
            finally:
                part.unlink(missing_ok=True)

    def _part(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part-{os.getpid()}")

    def _keep_apart(self, others: Iterable[str | os.PathLike[str] | None]) -> None:
        mine = self.path.resolve()
        for other in others:
            if other is None or "://" in os.fspath(other):
                continue
            theirs = Path(other).resolve()
            if mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
                raise SpecError(f"a place of its own was expected for x; {self.path} and {theirs} overlap. Choose another path.")

    def _admit(self) -> None:
        with writing(self.path):
            if not os.path.lexists(self.path):
                return
            is_ours = (
                self.path.is_file() if self.is_npy else any((self.path / name).is_file() for name in ("zarr.json", ".zarray"))
            )
        if not self.overwrite:
            raise DataError(f"a free path was expected for x; {self.path} exists. Choose another, or allow it with --overwrite.")
        if not is_ours:
            kind = "NumPy file" if self.is_npy else "Zarr array"
            raise DataError(f"a {kind} to overwrite was expected; {self.path} is something else. Remove it yourself.")


def attributes_of(solution: Solution, journal: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return what a stored x says about itself."""
    return {
        "status": solution.status.name.lower(),
        "method": solution.method,
        "backward_error": solution.certificate.backward_error.tolist(),
        "journal": None if journal is None else os.fspath(journal),
        "created_by": "dsketch",
    }
