"""Directories named ``key=value``: columns that stand in the path of a file, not in it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

_NULL = "__HIVE_DEFAULT_PARTITION__"


def keys_of(file: Path, base: Path | None) -> dict[str, str | None]:
    """Return the keys in the path of a file, as text.

    Taken are the directories below ``base``, the directory that was asked for, and those directly above; without a
    base those directly above the file.  So a directory, a glob and a file give the same keys.

    >>> keys_of(Path("a=1/data/year=2020/month=03/p.parquet"), None)
    {'year': '2020', 'month': '03'}
    >>> keys_of(Path("t/year=2020/p/x.csv"), Path("t"))
    {'year': '2020'}
    """
    below = file.relative_to(base).parts[:-1] if base is not None else ()
    above = (base if base is not None else file.parent).parts
    run: list[str] = []
    for part in reversed(above):
        if not _is_key(part):
            break
        run.insert(0, part)
    found = (part.split("=", 1) for part in (*run, *below) if _is_key(part))
    return {unquote(key): None if value == _NULL else unquote(value) for key, value in found}


def key_types(keys: Sequence[Mapping[str, str | None]]) -> dict[str, pa.DataType]:
    """Return the type of each key over all files: integers, else numbers, else text.

    >>> key_types([{"year": "2020", "g": "1"}, {"year": "2021", "g": "b"}])
    {'year': DataType(int64), 'g': DataType(string)}
    """
    values: dict[str, list[str]] = {}
    for one in keys:
        for name, value in one.items():
            values.setdefault(name, []).extend([] if value is None else [value])
    return {name: _type(found) for name, found in values.items()}


def value_of(text: str | None, kind: pa.DataType) -> object:
    """Return a key's value as its type has it."""
    if text is None:
        return None
    return int(text) if pa.types.is_integer(kind) else float(text) if pa.types.is_floating(kind) else text


def _is_key(part: str) -> bool:
    key, sign, _ = part.partition("=")
    return bool(key and sign)


def _type(values: Sequence[str]) -> pa.DataType:
    if all(_is_integer(value) for value in values):
        return pa.int64()
    return pa.float64() if all(_is_finite(value) for value in values) else pa.string()


def _is_integer(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").isdigit() and abs(int(value)) < 2**63


def _is_finite(value: str) -> bool:
    try:
        return value.isascii() and "_" not in value and math.isfinite(float(value))
    except ValueError:
        return False
