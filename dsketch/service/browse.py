"""What lies below the declared places, a folder at a time: what a form offers while somebody types a path.

Guarantees: nothing outside of the declared folders is named or looked into, whatever links lead there (:mod:`dsketch.service.rooted`); a
folder of any size costs bounded time and memory; no chunk is read, and of metadata no more than some kilobytes an entry.
"""

import bisect
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsketch.errors import DataError, DsketchError
from dsketch.service.browse_remote import list_level
from dsketch.service.places import Roots
from dsketch.service.rooted import RootedStore

MOST_NAMES = 20_000  # of one folder; names beyond are not looked at
_METADATA_BYTES = 262_144  # larger metadata are not read: the array is shown without its shape
_KINDS = (
    ("zarr.json", ""),
    (".zarray", "array"),
    (".zgroup", "group"),
)  # what metadata say by being there; empty: by their content
_TABLES = (".csv", ".tsv", ".parquet", ".pq", ".parq", ".npy", ".npz")


def list_folder(roots: Roots, place: str = "", prefix: str = "", after: str = "", limit: int = 100) -> dict[str, Any]:
    """Return a page of what lies in a folder: arrays, groups, folders, and files that can be ingested.

    Parameters
    ----------
    roots : Roots
        Of who asks.
    place : str
        A folder, relative to the first root or in full; empty: the roots themselves.
    prefix : str
        What names begin with, as far as they are typed.
    after : str
        The last name of the page before.
    limit : int
        Names that are looked at.

    Raises
    ------
    PlaceError, MissingDataError, DataError
        If it lies elsewhere, there is nothing, or it is no folder.
    SpecError, RateError
        If an object store cannot be asked, or is not to be asked now.
    """
    if not place:
        entries = [_entry(str(folder), str(folder), "folder") for folder in (*map(str, roots.folders), *roots.prefixes)]
        return {"place": None, "parent": None, "entries": entries, "next": None, "is_cut": False}
    address = roots.admit(place, "place")
    if "://" in address:
        return _list_remote(roots, address, prefix, after, limit)
    folder = Path(address)
    if not folder.is_dir():
        raise DataError(f"a folder was expected; {address} is a file. Ask for the folder that it lies in.")
    store = RootedStore(folder, roots.folders, "place")
    names, is_cut = store.list_names(folder, MOST_NAMES)
    shown, more = _page(names, prefix, after, limit)
    found = [entry for name in shown if (entry := _describe(store, folder / name)) is not None]
    has_parent = folder not in roots.folders
    return {
        "place": address,
        "parent": str(folder.parent) if has_parent else None,
        "entries": found,
        "next": more,
        "is_cut": is_cut,
    }


def _list_remote(roots: Roots, address: str, prefix: str, after: str, limit: int) -> dict[str, Any]:
    """Return a page of what lies below a prefix of an object store."""
    names, is_cut, level = list_level(address, MOST_NAMES, _METADATA_BYTES)
    shown, more = _page(names, prefix, after, limit)
    told = level.metadata([name for name in shown if names[name] is None])
    entries = [_describe_remote(f"{address}/{name}", name, names[name], told.get(name, {})) for name in shown]
    return {
        "place": address,
        "parent": None if address in roots.prefixes else address.rpartition("/")[0],
        "entries": [entry for entry in entries if entry is not None],
        "next": more,
        "is_cut": is_cut,
    }


def _describe_remote(address: str, name: str, size: int | None, told: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return what an entry of an object store is; None for objects that are of no use here."""
    if size is not None:
        return None  # a file is ingested on this machine
    for file, kind in _KINDS:
        if file in told:
            kind = kind or ("array" if told[file].get("node_type") == "array" else "group")
            return _entry(name, address, kind, **(_facts_of(told[file]) if kind == "array" else {}))
    return _entry(name, address, "folder")


def _page(names: Iterable[str], prefix: str, after: str, limit: int) -> tuple[list[str], str | None]:
    """Return the names of a page in their order, and what the next one comes after."""
    fitting = sorted(name for name in names if name.startswith(prefix) and name.isprintable() and not name.startswith("."))
    begin = bisect.bisect_right(fitting, after) if after else 0
    shown = fitting[begin : begin + limit]
    return shown, shown[-1] if begin + limit < len(fitting) else None


def _entry(name: str, address: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "address": address, "kind": kind, "shape": None, "dtype": None, "bytes": None, **more}


def _describe(store: RootedStore, path: Path) -> dict[str, Any] | None:
    """Return what an entry is; None for what is of no use here, or leads out of the declared places."""
    try:
        found = store.stat_of(path)
    except (DsketchError, OSError):
        return None
    if stat.S_ISREG(found.st_mode):
        is_table = path.name.lower().endswith(_TABLES)
        return _entry(path.name, str(path), "table", bytes=found.st_size) if is_table else None
    if not stat.S_ISDIR(found.st_mode):
        return None
    for name, kind in _KINDS:
        said = _read_metadata(store, path / name)
        if said is not None:
            kind = kind or ("array" if said.get("node_type") == "array" else "group")
            return _entry(path.name, str(path), kind, **(_facts_of(said) if kind == "array" else {}))
    return _entry(path.name, str(path), "folder")


def _read_metadata(store: RootedStore, path: Path) -> dict[str, Any] | None:
    """Return what a file of metadata says; empty where it says nothing that can be read, None where there is none."""
    try:
        descriptor = store.open_file(path)
    except (DsketchError, OSError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(_METADATA_BYTES + 1)
    try:
        said = json.loads(text) if len(text) <= _METADATA_BYTES else {}
    except (ValueError, RecursionError):
        said = {}
    return said if isinstance(said, dict) else {}


def _facts_of(said: dict[str, Any]) -> dict[str, Any]:
    """Return shape and dtype, where the metadata have them as they should."""
    shape, dtype = said.get("shape"), said.get("data_type", said.get("dtype"))
    is_shape = isinstance(shape, list) and all(type(size) is int and 0 <= size < 2**63 for size in shape)
    return {"shape": shape if is_shape else None, "dtype": dtype[:40] if isinstance(dtype, str) else None}
