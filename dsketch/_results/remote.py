"""Write results behind a URL, where nothing can be renamed: a mark in the array says whether it is complete."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._results.group import array_in, begin_group, consolidate
from dsketch.errors import DataError, DsketchError, SpecError
from dsketch.matrix.access import first_line_of, package_for, remedy_for
from dsketch.matrix.compat import wait_for
from dsketch.matrix.retrying import store_at
from dsketch.problems.outcome import ArrayOf


@dataclass(frozen=True)
class RemoteOutput:
    """A place for a result in an object store.

    Guarantees: an array whose attribute ``complete`` is true is whole.  It is false from the first byte to the last, and
    :func:`~dsketch.matrix.open.open_matrix` refuses such an array, so that what a crash leaves behind is taken for nothing;
    what is complete is replaced only with ``overwrite`` (and is gone from the start of the writing on).

    Parameters
    ----------
    path : str
        URL; ``s3://bucket/y.zarr`` needs the extra ``dsketch[s3]``.
    overwrite : bool
    """

    path: str
    overwrite: bool = False

    @classmethod
    def at(cls, address: str, *, overwrite: bool = False) -> "RemoteOutput":
        """Return the output at a URL.

        Raises
        ------
        SpecError
            For a ``.npy`` file.
        """
        if address.endswith(".npy"):
            raise SpecError(
                f"a path on a local disk was expected for a NumPy file; got {address}. Leave out .npy, or write here."
            )
        return cls(address.rstrip("/"), overwrite)

    def probe(self, result_bytes: int, apart_from: Iterable[str | PathLike[str] | None] = ()) -> None:
        """Find out now whether the result may and can lie there, by a small array beside it.

        Parameters
        ----------
        result_bytes : int
            Its size; an object store has no bounds to compare it with.
        apart_from : paths or URLs
            Data that must survive.

        Raises
        ------
        SpecError
            If the URL is that of data that must survive, or nested with it.
        DataError
            If there is something already and it may not be replaced, or the store does not answer.
        """
        del result_bytes
        mine = f"{self.path}/"
        for other in apart_from:
            theirs = "" if other is None else f"{fspath(other).rstrip('/')}/"
            if theirs and (mine.startswith(theirs) or theirs.startswith(mine)):
                raise SpecError(
                    f"a place of its own was expected for the result; {self.path} and {other} overlap. Choose another URL."
                )
        self._admit()
        with self._translate_errors():
            tried = create_array(f"{self.path}.probe", (1,), 1, {}, overwrite=True)
            wait_for(tried.store.delete_dir(tried.path))

    def write(self, x: NDArray[np.float64], attributes: dict[str, Any]) -> None:
        """Write x with its attributes.

        Raises
        ------
        DataError
            If it cannot be written, or something came to lie there.
        """
        with self.fill(x.shape, max(len(x), 1), attributes) as array, self._translate_errors():
            array[...] = x

    @contextmanager
    def fill(
        self, shape: tuple[int, ...], rows: int | tuple[int, ...], attributes: dict[str, Any], key: str = ""
    ) -> Iterator["zarr.Array[Any]"]:
        """Yield an array to be filled, which is marked complete at the end; parameters as in ``Output.fill``.

        Behind a URL a run that goes on begins to fill it again.

        Raises
        ------
        DataError
            If it cannot be written, something came to lie there, or chunks are missing at the end.
        """
        del key
        self._admit()
        with self._translate_errors():
            array = create_array(self.path, shape, rows, {**attributes, "complete": False}, overwrite=True)
        with self._completing(array, [array]):
            yield array

    @contextmanager
    def fill_group(self, arrays: Sequence[ArrayOf], attributes: dict[str, Any], key: str = "") -> Iterator["zarr.Group"]:
        """Yield a Zarr group with empty arrays, to be filled, which is marked complete at the end; otherwise as :meth:`fill`.

        Raises
        ------
        DataError
            As :meth:`fill`.
        """
        del key
        self._admit()
        with self._translate_errors():
            group = begin_group(self.path, arrays, {**attributes, "complete": False}, goes_on=False)
        with self._completing(group, [array_in(group, array.name) for array in arrays]):
            yield group
        with self._translate_errors():
            consolidate(group)

    @contextmanager
    def _completing(self, found: "zarr.Array[Any] | zarr.Group", arrays: "Iterable[zarr.Array[Any]]") -> Iterator[None]:
        """Mark what is filled as complete once no chunk lacks; whatever fails before takes it away."""
        try:
            yield
            for array in arrays:
                require_complete(array)
            with self._translate_errors():
                found.update_attributes({"complete": True})
        except BaseException:
            with suppress(Exception):  # what is left is marked, and the first error is the one to tell
                wait_for(found.store.delete_dir(found.path))
            raise

    def _admit(self) -> None:
        with self._translate_errors():
            try:
                found = zarr.open(store_at(self.path), mode="r")
            except FileNotFoundError:
                return
        if not self.overwrite and found.attrs.get("complete") is not False:
            raise DataError(
                f"a free URL was expected for the result; {self.path} exists. Choose another, or replace it: "
                "overwrite=True (--overwrite)."
            )
        if isinstance(found, zarr.Group) and "complete" not in found.attrs:  # those of :meth:`fill_group` say so
            raise DataError(f"a Zarr array to overwrite was expected; {self.path} is a group. Remove it yourself.")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn whatever a store raises into one sentence."""
        try:
            yield
        except DsketchError:
            raise
        except ImportError as error:
            raise SpecError(f"{self.path} needs a storage package: {first_line_of(error)}. {package_for(self.path)}.") from error
        except Exception as error:
            raise DataError(
                f"a store that can be written was expected; {self.path} gave: {type(error).__name__}: {first_line_of(error)}. "
                f"{remedy_for(error)}."
            ) from error


def create_array(
    address: str, shape: tuple[int, ...], rows: int | tuple[int, ...], attributes: dict[str, Any], *, overwrite: bool = False
) -> "zarr.Array[Any]":
    """Create an array of float64 with raw chunks of ``rows`` full rows, or of this shape, of which none may be left out."""
    return zarr.create_array(
        store=store_at(address, read_only=False),
        shape=shape,
        chunks=rows if isinstance(rows, tuple) else (rows, *(max(size, 1) for size in shape[1:])),
        dtype="float64",
        compressors=None,
        fill_value=0,
        zarr_format=3,
        attributes=attributes,
        config={"write_empty_chunks": True},  # an absent chunk must mean damage, never zeros
        overwrite=overwrite,
    )


def require_complete(array: "zarr.Array[Any]") -> None:
    """Refuse an array of which chunks are missing: workers wrote them to a folder of the same name on another machine.

    Raises
    ------
    DataError
        With the count.
    """
    if array.nchunks_initialized < array.nchunks:
        raise DataError(
            f"{array.nchunks} chunks were expected at {array.store_path}; {array.nchunks_initialized} arrived. Write to a folder that "
            "all workers share, or to a URL."
        )
