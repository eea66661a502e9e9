"""``open_matrix``: anything tall as a Matrix; one line of ``OPENERS`` for each kind of source."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import zarr
from zarr.abc.store import Store
from zarr.storage import StorePath

from dsketch._registry import Registry
from dsketch.errors import DataError, DsketchError, MissingDataError, SpecError
from dsketch.matrix.access import arrays_in, first_line_of, package_for, remedy_for, remedy_for_file, require_memory
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix, require_two_dimensions
from dsketch.matrix.columns import attach_levels
from dsketch.matrix.csr import ENCODING, csr_in_memory, is_csr, open_csr
from dsketch.matrix.dask import DaskMatrix
from dsketch.matrix.files import opener_of, split_member
from dsketch.matrix.labelled import SlicedMatrix, is_dask_array, is_dataset, is_labelled, is_on_disk, open_dataset, open_labelled
from dsketch.matrix.labels import stored_labels
from dsketch.matrix.opener import Opener, has, is_a, known_by
from dsketch.matrix.retrying import add_retries, store_at
from dsketch.matrix.stored import address_of
from dsketch.matrix.tables import TABLES
from dsketch.matrix.zarr import ZarrMatrix


def open_matrix(source: Any, *, missing: str = "error", what: str = "A", has_targets: bool = False) -> Matrix:
    """Open tall data where it lies; nothing is read yet.

    Parameters
    ----------
    source : str, Path, zarr.Array, Group or store, array or table in memory, dask.array.Array, scipy.sparse matrix or array, or Matrix
        A path or URL of a Zarr array (formats 2 and 3), or an array, with shape (n,) or (n, d).  URLs such as
        ``s3://bucket/A.zarr`` need the extra ``dsketch[s3]``.  A Zarr group is a CSR matrix in the layout of AnnData: arrays ``data``,
        ``indices``, ``indptr``, attributes ``encoding-type`` "csr_matrix" and ``shape``.  In memory: NumPy, pandas, polars, Arrow,
        xarray, lists, and whatever has ``__array__``, ``__arrow_c_stream__`` or ``__dataframe__``; names of columns are kept.  A
        DataArray over dask stays lazy (one that shows all of a Zarr array is read from there), a Dataset gives a column for each variable,
        and an ``h5py.Dataset`` is read by slices.  Files are read where they lie: ``.npy``, ``.npz``, HDF5 (``file.h5::name``), Parquet.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.  Zarr writers may leave out chunks equal to the fill value; lost data looks the same.
    what : str
        The name that errors use for it.
    has_targets : bool
        Whether its columns are targets, which may have several dimensions (time × latitude × longitude): shape (n, …).

    Returns
    -------
    Matrix

    Raises
    ------
    MissingDataError
        If there is nothing at the path.
    DataError
        If it is a group other than a CSR matrix, not numbers, or has more than two dimensions and no targets.
    SpecError
        If ``source`` is of a kind that is not known.

    Notes
    -----
    Numbers are those that are meant: packed ones are unpacked as the attributes ``scale_factor``, ``add_offset`` and ``_Unsigned`` of the
    CF conventions say, and cells that hold ``_FillValue`` or ``missing_value``, lie outside ``valid_range``, or are masked, are refused
    by row and column where they are read.

    Examples
    --------
    >>> import numpy as np
    >>> open_matrix(np.ones((5, 2))).shape
    (5, 2)
    """
    if missing not in ("error", "fill"):
        raise SpecError(f"missing must be 'error' or 'fill', for least squares and ridge also 'drop'; got {missing!r}.")
    for opener in OPENERS.values():
        if opener.takes(source):
            matrix = opener(source, missing, what)
            if not has_targets:
                require_two_dimensions(matrix, what)
            return matrix
    raise SpecError(
        f"{what} must be a path or URL of a Zarr array, a zarr.Array, a NumPy, dask or scipy.sparse array, or a table in memory; got "
        f"{type(source).__name__}. Paths of .npy, HDF5 and Parquet files are taken too; for CSV use dsketch ingest."
    )


def _itself(matrix: Matrix, *, what: str) -> Matrix:
    del what
    return matrix


def _at(place: str | os.PathLike[str], *, missing: str, what: str) -> Matrix:
    """Return what is stored at a path or URL."""
    address = os.fspath(place)
    if "://" not in address:
        path, name = split_member(str(Path(address).absolute()))
        if (opener := opener_of(path)) is not None:
            return opener(path, name, what)
    address = absolute_address(place, what)
    return _open_stored(open_place(address, address, what), missing=missing, what=what)


def _is_session(source: Any) -> bool:
    """Whether it is a session of Icechunk, or whatever else has a Zarr store as ``store``."""
    return has(source, "store") and isinstance(source.store, Store)


def _in_session(session: Any, *, missing: str, what: str) -> Matrix:
    return _in_store(session.store, missing=missing, what=what)


def _at_store_path(place: StorePath, *, missing: str, what: str) -> Matrix:
    found = zarr.open(place.store, path=place.path, mode="r")
    return _open_stored(found, missing=missing, what=what)


def _in_store(store: Store, *, missing: str, what: str) -> Matrix:
    return _open_stored(open_place(store, str(getattr(store, "root", store)), what), missing=missing, what=what)


def _not_a_table(source: Any, *, what: str) -> Matrix:
    raise SpecError(
        f"{what} must be an array; this dask {type(source).__name__} is a table. Pass its .to_dask_array(lengths=True), numbers only."
    )


def absolute_address(place: str | os.PathLike[str], what: str) -> str:
    """Return the address of stored data that means the same in the folder of a worker; a path must lead to a folder."""
    address = os.fspath(place)
    if "://" not in address:
        address = str(Path(address).absolute())
        require_folder(Path(address), what)
    return address


def require_folder(path: Path, what: str) -> None:
    """Go on if there is a folder, as Zarr arrays are.

    Raises
    ------
    MissingDataError
        If there is nothing.
    DataError
        If there is a file.
    """
    if not path.exists():
        raise MissingDataError(f"{what} was expected at {path}; there is nothing. Check the path.")
    if path.is_file():
        raise DataError(f"{what} must be a Zarr array; {path} is a file. {remedy_for_file(str(path), what)}")


def open_place(place: "str | Store", address: str, what: str) -> "zarr.Array[Any] | zarr.Group":
    """Open what is stored at an address or in a store.

    Raises
    ------
    MissingDataError, DataError, SpecError
        If there is nothing, it cannot be opened, or a package for the address is not installed.
    """
    try:
        found = zarr.open(store_at(place) if isinstance(place, str) else place, mode="r")
    except ImportError as error:
        raise SpecError(
            f"{address} needs a storage package that is not installed: {first_line_of(error)}. {package_for(address)}."
        ) from error
    except FileNotFoundError as error:
        raise MissingDataError(f"{what} was expected at {address}; there is no Zarr array. Check the path.") from error
    except DsketchError:
        raise
    except Exception as error:
        require_memory(error)
        raise DataError(
            f"{what} at {address} cannot be opened: {type(error).__name__}: {first_line_of(error)}. {remedy_for(error)}."
        ) from error
    return found


def _open_stored(found: "zarr.Array[Any] | zarr.Group", *, missing: str, what: str) -> Matrix:
    """Return an array, or a group that is a CSR matrix."""
    found = add_retries(found)
    if isinstance(found, zarr.Array):
        matrix = attach_levels(ZarrMatrix(found, missing=missing, what=what), found.attrs)
        matrix.labels = stored_labels(found)
        return matrix
    if is_csr(found):
        return attach_levels(open_csr(found, missing=missing, what=what), found.attrs)
    address = address_of(found) or str(found.store)
    if found.attrs.get("encoding-type") == "csc_matrix":
        raise DataError(
            f"{what} must be stored by rows; {address} is a sparse matrix by columns (csc_matrix). Write it again from "
            "scipy.sparse's tocsr()."
        )
    raise DataError(
        f"{what} must be a Zarr array; {address} is a group with {arrays_in(found, is_csr)}. {_choose_words(found)} (a sparse matrix "
        f"is a group with the attribute encoding-type {ENCODING!r})."
    )


def _choose_words(group: "zarr.Group") -> str:
    """Return how one of a group's arrays is passed."""
    return "Pass zarr.open_array(store, path=NAME)" if address_of(group) is None else "Add the array's name to the path"


# The first that takes a source opens it: an array of a library has methods of a table, a DataArray over dask those of dask's own.
OPENERS: Registry[Opener] = Registry(
    "kind of source",
    {
        "Matrix": Opener(is_a(Matrix), _itself),
        "NumPy array": Opener(is_a(np.ndarray), ArrayMatrix),
        "Zarr array or group": Opener(is_a(zarr.Array, zarr.Group), _open_stored, may_lack=True),
        "Zarr store": Opener(is_a(Store), _in_store, may_lack=True),
        "path in a Zarr store": Opener(is_a(StorePath), _at_store_path, may_lack=True),
        "session": Opener(_is_session, _in_session, may_lack=True),
        "scipy.sparse": Opener(scipy.sparse.issparse, csr_in_memory),
        "path or URL": Opener(is_a(str, os.PathLike), _at, may_lack=True),
        "dask table": Opener(known_by("to_dask_array"), _not_a_table),
        "dask array": Opener(is_dask_array, DaskMatrix),
        "DataArray": Opener(is_labelled, open_labelled, may_lack=True),
        "Dataset": Opener(is_dataset, open_dataset, may_lack=True),
        "h5py.Dataset": Opener(is_on_disk, SlicedMatrix),
        **TABLES,
    },
)
