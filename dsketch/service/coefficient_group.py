"""The coefficients of an answer as a Zarr group in one file: what a browser can save and Zarr and xarray open."""

import tempfile
from pathlib import Path

import zarr
from zarr.storage import ZipStore

from dsketch.service.coefficients import Coefficients

_CHUNK_NUMBERS = 1_000_000


def zip_group(table: Coefficients) -> bytes:
    """Return a ZIP file of a Zarr group: an array for each column of the table, names and what is known of the fit as attributes.

    Each has the shape (d, …) with the dimensions of b behind the first.  ``zarr.open_group(zarr.storage.ZipStore(path, mode="r"))`` and
    xarray's ``open_zarr`` of that store read it.

    Raises
    ------
    SpecError
        If the table has too many lines.
    """
    arrays, about = table.arrays(), table.about
    dimensions = ["coefficient", *_names_of(about["dims"], len(about["shape"]))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "group.zip"
        with ZipStore(path, mode="w") as store:
            attributes = {
                "coefficients": table.names,
                "targets": about["targets"],
                "level": about.get("level"),
                "fit": about["fit"],
                "notes": about["notes"],
            }
            group = zarr.create_group(store, attributes=attributes)
            for name, values in arrays.items():
                chunks = (len(values), *(min(length, _CHUNK_NUMBERS) for length in values.shape[1:]))
                array = group.create_array(
                    name, shape=values.shape, dtype=values.dtype, chunks=chunks, dimension_names=dimensions
                )
                array[...] = values
        return path.read_bytes()


def _names_of(known: list[str] | None, count: int) -> list[str]:
    """Return names of the dimensions of b, where these have none."""
    return known if known is not None and len(known) == count else [f"target_{number}" for number in range(count)]
