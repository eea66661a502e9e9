"""The record of a run: what was asked, and the part that each finished pass gave.

Guarantees: a record is either whole or absent (written beside, flushed, renamed; one PUT on an object store); nothing is ever
changed once written; a journal is accepted for a run only if problem, data, grid, method and versions are the same, so a
resumed run has the bits of an uninterrupted one.  Layout: ``header.json``, ``pass-0001.npz``, ``pass-0002.npz`` …; beside them
``out.json``, where x shall be written, which is no part of the run and follows what was said last.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dsketch._atomic import write_whole
from dsketch.errors import DataError, JournalError
from dsketch.matrix.access import package_for
from dsketch.matrix.retrying import persist
from dsketch.passes.base import Look, Part

FORMAT = 1
_SINCE = frozenset({"columns"})  # headers of format 1 have not had these keys from the beginning
_KEYS = frozenset({"problem", "sources", "data", "grid", "method", "settings", "versions"})


class Journal:
    """A folder or URL prefix with the header and one file a pass.

    Parameters
    ----------
    address : str or Path
        A local folder, made if need be, or a URL (``s3://bucket/run-1``, with the extra ``dsketch[s3]``).
    """

    def __init__(self, address: str | os.PathLike[str]) -> None:
        self.address = os.fspath(address)
        self._put, self._get = _remote(self.address) if "://" in self.address else _local(Path(self.address))

    def header(self) -> dict[str, Any] | None:
        """Return the header, or None if nothing was ever written here.

        Raises
        ------
        JournalError
            If it cannot be read.
        """
        raw = self._get("header.json")
        if raw is None:
            return None
        try:
            found = json.loads(raw)
        except ValueError as error:
            raise JournalError(
                f"the journal's header must be JSON; {self.address}/header.json is not ({error}). Start a new journal."
            ) from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise JournalError(
                f"the journal must have format {FORMAT}; {self.address} has "
                f"{found.get('format') if isinstance(found, dict) else found!r}. "
                "Finish it with the version that began it, or start a new journal."
            )
        if lacking := _KEYS - found.keys():
            raise JournalError(
                f"the journal's header must have {', '.join(sorted(_KEYS))}; {self.address}/header.json lacks "
                f"{', '.join(sorted(lacking))}. Start a new journal."
            )
        return found

    def begin(self, header: dict[str, Any]) -> None:
        """Write the header, or compare it with the one that is there.

        Raises
        ------
        JournalError
            Naming the first thing that differs.
        """
        header = json.loads(json.dumps({"format": FORMAT, **header}))
        found = self.header()
        if found is None:
            self._put("header.json", json.dumps(header, indent=1).encode())
            return
        for key in header:
            if key in _SINCE and key not in found:
                continue  # an older version began it
            if key == "columns" and found[key] != header[key]:
                raise JournalError(_explain_columns(self.address, found[key] or {}, header[key] or {}))
            if found.get(key) != header[key]:
                raise JournalError(
                    f"the journal at {self.address} must be of this run; its {key} is {found.get(key)!r}, this run's is {header[key]!r}. "
                    "Use another journal, or repeat the run exactly as it was."
                )

    def keep_out(self, address: str, *, overwrite: bool) -> None:
        """Keep where x shall be written, for who goes on with the run.

        Raises
        ------
        JournalError
            If it cannot be written.
        """
        wanted = json.dumps({"out": address, "overwrite": overwrite}).encode()
        if self._get("out.json") != wanted:
            self._put("out.json", wanted)

    def read_out(self) -> tuple[str, bool] | None:
        """Return where x shall be written and whether what is there may be replaced; None if nothing was said."""
        raw = self._get("out.json")
        try:
            kept = None if raw is None else json.loads(raw)
            return None if kept is None else (str(kept["out"]), bool(kept["overwrite"]))
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"{self.address}/out.json must say where x shall be written; it cannot be read ({error}). Delete it, and give --out."
            ) from error

    def read(self, number: int, look: Look) -> tuple[Part, dict[str, Any]] | None:
        """Return the part and the facts of pass ``number``, or None if it was not recorded.

        Raises
        ------
        JournalError
            If the record is damaged or of another pass.
        """
        raw = self._get(f"pass-{number:04d}.npz")
        if raw is None:
            return None
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
                facts = json.loads(str(stored["facts"]))
                part = _nest(facts["shape"], iter([stored[f"a{place}"] for place in range(facts["arrays"])]))
        except Exception as error:  # a flipped bit may ask for a compression, a password, a size that nobody has
            raise JournalError(
                f"record {number} of {self.address} is damaged ({type(error).__name__}: {error}). Delete "
                f"pass-{number:04d}.npz and all later ones, then resume."
            ) from error
        if facts["digest"] != digest(look):
            raise JournalError(
                f"record {number} of {self.address} is of another pass ({facts['kind']}) than the one asked "
                f"now ({look.pass_.names()}), or this machine's "
                "arithmetic differs in the last bits from the one that began the run. Resume there, or start a new journal."
            )
        return part, facts

    def write(self, number: int, look: Look, part: Part, facts: dict[str, Any]) -> None:
        """Record pass ``number``.

        Raises
        ------
        JournalError
            If it cannot be written; earlier records stay whole.
        """
        arrays: list[np.ndarray] = []
        shape = _flatten(part, arrays)
        facts = {**facts, "kind": look.pass_.names(), "digest": digest(look), "shape": shape, "arrays": len(arrays)}
        file = io.BytesIO()
        stored: dict[str, Any] = {f"a{place}": array for place, array in enumerate(arrays)}
        np.savez(file, facts=np.array(json.dumps(facts)), **stored)
        self._put(f"pass-{number:04d}.npz", file.getvalue())


def digest(look: Look) -> str:
    """Return a digest of a pass: its kinds, shapes and every bit of its arrays (:meth:`~dsketch.passes.base.Pass.state`).

    Raises
    ------
    TypeError
        If a field of the pass does not say what tells it apart.
    """
    state = hashlib.sha256()
    for value in look.pass_.state():
        if isinstance(value, np.ndarray):
            state.update(f"{value.dtype}{value.shape}".encode())
            state.update(np.ascontiguousarray(value).data)
        else:
            state.update(value.encode() if isinstance(value, str) else value)
    return state.hexdigest()[:24]


def _flatten(part: Part, arrays: list[np.ndarray]) -> Any:
    """Append the arrays of a nested part; return its shape as nested lists of ``0``."""
    if isinstance(part, np.ndarray):
        arrays.append(part)
        return 0
    return [_flatten(piece, arrays) for piece in part]


def _nest(shape: Any, arrays: Any) -> Part:
    return next(arrays) if shape == 0 else tuple(_nest(piece, arrays) for piece in shape)


def _explain_columns(address: str, found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return the sentence on names, or else on levels, that differ."""
    word = next(word for word in ("columns", "levels", "base") if found.get(word) != wanted.get(word))
    theirs, ours = (
        ", ".join(map(repr, value)) if isinstance(value, list) else repr(value) for value in (found.get(word), wanted.get(word))
    )
    return (
        f"the journal at {address} must be of this run; its {word} are {theirs}, this run's are {ours}. Give A as it was, or use another "
        "journal."
    )


Put = Callable[[str, bytes], None]
Get = Callable[[str], bytes | None]


def _local(folder: Path) -> tuple[Put, Get]:
    def put(name: str, data: bytes) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, data)
        except OSError as error:
            raise JournalError(
                f"the journal {folder / name} ({len(data)} bytes) cannot be written: "
                f"{error.strerror or error}. Free space or choose another place; "
                "the records before it are whole, so the run can be resumed."
            ) from error

    def get(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise JournalError(f"the journal {folder / name} cannot be read: {error.strerror}. Check the permissions.") from error

    return put, get


def _remote(address: str) -> tuple[Put, Get]:
    try:
        import fsspec
    except ImportError as error:
        raise JournalError(
            f"a journal at {address} needs fsspec, which is not installed. {package_for(address)}, or use a local folder."
        ) from error
    try:
        system, root = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise JournalError(
            f"a journal at {address} cannot be opened: {error}. Check the URL, or {package_for(address)}."
        ) from error

    def put(name: str, data: bytes) -> None:
        try:
            persist(lambda: system.pipe_file(f"{root.rstrip('/')}/{name}", data), f"{address}/{name}")
        except DataError as error:  # it was tried again and again
            raise JournalError(str(error)) from error
        except Exception as error:
            raise JournalError(
                f"the journal {address}/{name} cannot be written: {error}. Check the access; the run can be resumed."
            ) from error

    def get(name: str) -> bytes | None:
        try:
            return bytes(persist(lambda: system.cat_file(f"{root.rstrip('/')}/{name}"), f"{address}/{name}"))
        except FileNotFoundError:
            return None
        except DataError as error:
            raise JournalError(str(error)) from error
        except Exception as error:
            raise JournalError(f"the journal {address}/{name} cannot be read: {error}. Check the access.") from error

    return put, get
