"""Read an x that was stored, with what it says about itself."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._results.format import require_known_format
from dsketch._results.group import attributes_at
from dsketch.errors import DataError, DsketchError, MissingDataError
from dsketch.matrix.masked import require_unmasked
from dsketch.matrix.open import open_matrix
from dsketch.matrix.retrying import store_at
from dsketch.matrix.stored import address_of

_LARGE = 1e100  # an x with a larger entry may be what overflows


class StoredX(NamedTuple):
    """x of shape (d,) or (d, k), and the attributes that :func:`dsketch._results.output.attributes_of` gave it (none for other arrays)."""

    x: NDArray[np.float64]
    attributes: dict[str, Any]


def read_x(source: "str | os.PathLike[str] | zarr.Array[Any]") -> StoredX:
    """Read x from a Zarr array, open or at a path or URL, or from a ``.npy`` file.

    Raises
    ------
    MissingDataError, DataError
        If there is none, it is not numbers, or a later version stored it in a format of its own.
    """
    if not isinstance(source, zarr.Array):
        address = os.fspath(source)
        if "://" not in address and Path(address).suffix == ".npy":
            return StoredX(_numpy_file(address), {})
        address = _x_in_group(address) or address
        open_matrix(address, what="x", has_targets=True)  # says what is wrong if it is no array of numbers
        source = zarr.open_array(store_at(address), mode="r")
    attributes = source.attrs.asdict()
    require_known_format(attributes, address_of(source) or "x")
    matrix = open_matrix(source, what="x", has_targets=True)
    x = numbers_of(matrix.read(0, matrix.shape[0]))
    return StoredX(x.reshape(source.shape), attributes)


def _x_in_group(address: str) -> str | None:
    """Return where x lies in a group that says which of its arrays it is; None where there is no such group."""
    told = attributes_at(address) or {}
    name = told.get("x", "x" if told.get("created_by") == "dsketch" and "tally" in told else None)
    return f"{address.rstrip('/')}/{name}" if isinstance(name, str) and name.isidentifier() else None


def stands_at(address: str) -> bool:
    """Whether anything lies at a path or URL."""
    try:
        read_x(address)
    except MissingDataError:
        return False
    except DsketchError:
        return True
    return True


def holds(address: str, x: "NDArray[np.float64] | zarr.Array[Any]") -> bool:
    """Whether just these bits of x lie at a path or URL; an x that was written there itself does."""
    if isinstance(x, zarr.Array) and address_of(x) in (address, _x_in_group(address)):
        return True
    try:
        found = _bits_at(address)
    except Exception:  # noqa: BLE001 - whatever lies there that cannot be read is not this x
        return False
    return found.shape == x.shape and found.tobytes() == np.ascontiguousarray(x[...]).tobytes()


def _bits_at(address: str) -> NDArray[np.float64]:
    """Return the x at a path or URL as it is, whether or not its numbers are finite."""
    if "://" not in address and Path(address).suffix == ".npy":
        return np.asarray(np.load(address, allow_pickle=False), np.float64)
    return np.asarray(zarr.open_array(store_at(_x_in_group(address) or address), mode="r")[...], np.float64)


def numbers_of(x: Any) -> NDArray[np.float64]:
    """Return an x from anywhere as an array of numbers.

    Raises
    ------
    DataError
        If it is ragged, complex, no numbers, or one is not finite.
    """
    require_unmasked(x, "x")
    try:
        values = np.asarray(x)
    except Exception as error:
        raise DataError(
            f"x must be an array of real numbers; this {type(x).__name__} is none: {error}. Give (d,) or (d, k)."
        ) from error
    if values.dtype.kind not in "biuf":
        raise DataError(f"x must hold real numbers; its dtype is {values.dtype}. Look where it comes from.")
    values = values.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        place = tuple(int(number) for number in bad[0])
        column = f", column {place[1]}" if len(place) > 1 else ""
        raise DataError(
            f"x must be finite; row {place[0] if place else 0}{column} is {values[place]}. Solve again, or look where x comes from."
        )
    return values


def _numpy_file(address: str) -> NDArray[np.float64]:
    try:
        found = np.load(address, allow_pickle=False)
    except FileNotFoundError as error:
        raise MissingDataError(f"x was expected at {address}; there is nothing. Check the path.") from error
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise DataError(
            f"x must be an array of numbers; {address} cannot be read: {error}. Write it again with numpy.save."
        ) from error
    return numbers_of(found)


def too_large(x: NDArray[np.float64]) -> str:
    """Return how a sentence about an overflow goes on where x may be at fault; nothing where it is not."""
    peak = float(np.abs(x).max(initial=0.0))
    return f", or look where x comes from: its largest entry is {peak:.3g}" if peak > _LARGE else ""
