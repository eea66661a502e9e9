"""The record of a run: what was asked, and the part that each finished pass gave.

Guarantees: a record is either whole or absent (written beside, flushed, renamed; one PUT on an object store); nothing is ever
changed once written; a journal is accepted for a run only if problem, data, grid, method and versions are the same, so a
resumed run has the bits of an uninterrupted one; each record holds the digest of the one before (the first one that of the header), so
that one changed byte is found at the record that has it.  Layout: ``header.json``, ``pass-0001.npz``, ``pass-0002.npz`` …, of a finished
run ``receipt.json``; beside them ``out.json``, where x shall be written, which is no part of the run and follows what was said last.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from dsketch.engine.place import open_place
from dsketch.engine.record import Record, digest_file, pack_record, unpack_record
from dsketch.errors import JournalError
from dsketch.passes.base import Look, Part
from dsketch.passes.digests import UnknownDigestsError
from dsketch.passes.sealed import Panels
from dsketch.settings import Settings

FORMAT = 3  # 1 held triangles and Gram matrices of [A b] whole; in 2 products were summed in another order
_SINCE = frozenset({"columns", "storage", "values"})  # what a header may lack, and is then not compared
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
        self._put, self._get = open_place(self.address)
        self._digests: dict[int, str] = {}  # of records that were read or written here; 0 is the header
        self._panels: dict[int, int] = {}  # how many each of them has

    def header(self) -> dict[str, Any] | None:
        """Return the header, or None if nothing was ever written here.

        Raises
        ------
        JournalError
            If it cannot be read, or is not the one that the first record was written after.
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
        first = self.record(1)
        if first is not None and first.facts.get("previous", self.digest_of(0)) != self.digest_of(0):
            raise JournalError(explain_link(self.address, 1))
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
                continue
            if key == "columns" and found.get(key) != header[key]:
                raise JournalError(_explain_columns(self.address, found.get(key) or {}, header[key] or {}))
            if key == "values" and found.get(key) != header[key]:
                raise JournalError(
                    f"the journal at {self.address} must be of this run; its {', '.join(header[key])} had other numbers. "
                    "Use another journal, or give the data as they were."
                )
            if key == "settings":  # a version before knew fewer
                found[key] |= {
                    name: default for name, default in vars(Settings()).items() if name in header[key].keys() - found[key]
                }
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
        wanted = _pack_out(address, overwrite=overwrite)
        if self._get("out.json") != wanted:
            self._put("out.json", wanted)

    def read_out(self) -> tuple[str, bool] | None:
        """Return where x shall be written and whether what is there may be replaced; None if nothing was said."""
        raw = self._get("out.json")
        try:
            if raw is None:
                return None
            kept = json.loads(raw)
            out, overwrite = str(kept["out"]), bool(kept["overwrite"])
            if len(kept) > 2 and raw != _pack_out(out, overwrite=overwrite):
                raise ValueError("its bytes do not have the digest that it says")
            return out, overwrite
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"{self.address}/out.json must say where x shall be written; it cannot be read ({error}). Delete it, and give --out."
            ) from error

    def read_receipt(self) -> bytes | None:
        """Return what a finished run left as its receipt, unread, or None."""
        return self.read_file("receipt.json")

    def read_file(self, name: str) -> bytes | None:
        """Return the bytes of a file of its folder, or None."""
        return self._get(name)

    def keep_receipt(self, raw: bytes) -> None:
        """Keep the receipt of a finished run.

        Raises
        ------
        JournalError
            If it cannot be written.
        """
        self._put("receipt.json", raw)

    def read(self, number: int, look: Look) -> tuple[Part, dict[str, Any]] | None:
        """Return the part and the facts of pass ``number``, or None if it was not recorded.

        Raises
        ------
        JournalError
            If the record is damaged, of another pass, or was not written after the one before it that is there now.
        """
        found = self.record(number)
        if found is None:
            return None
        if found.facts["digest"] != digest(look):
            raise JournalError(
                f"record {number} of {self.address} is of another pass ({found.facts['kind']}) than the one asked "
                f"now ({look.pass_.names()}), or this machine's "
                "arithmetic differs in the last bits from the one that began the run. Resume there, or start a new journal."
            )
        if found.facts.get("previous", self.digest_of(number - 1)) != self.digest_of(number - 1):
            raise JournalError(explain_link(self.address, number))
        return found.part, found.facts

    def record(self, number: int) -> Record | None:
        """Return record ``number``, whatever pass it is of, or None if there is none.

        Raises
        ------
        JournalError
            If it is damaged, or of a newer version.
        """
        raw = self._get(record_name(number))
        if raw is None:
            return None
        try:
            found = unpack_record(raw)
            found.facts["digest"], found.facts["kind"]  # a record without them is none of ours
        except UnknownDigestsError as error:  # of a file whose own digest is right
            raise JournalError(
                f"record {number} of {self.address} was made by a newer version of dsketch ({error}). Resume or audit it with that version."
            ) from error
        except Exception as error:  # whatever a damaged file makes NumPy and zipfile raise
            raise JournalError(
                f"record {number} of {self.address} is damaged ({type(error).__name__}: {error}). Delete "
                f"{record_name(number)} and all later ones, then resume."
            ) from error
        self._note(number, found.digest, found.panels)
        return found

    def records(self) -> Iterator[tuple[int, Record]]:
        """Yield the number of each record, and the record.

        Raises
        ------
        JournalError
            If one is damaged.
        """
        for number in itertools.count(1):
            found = self.record(number)
            if found is None:
                return
            yield number, found

    def digest_of(self, number: int) -> str:
        """Return the digest of record ``number``, of the header for 0: what the next record holds.

        Where there is none it is empty.

        Raises
        ------
        JournalError
            If it is damaged.
        """
        if number not in self._digests and number:
            self.record(number)
        elif number not in self._digests and (raw := self._get(record_name(0))) is not None:
            self._digests[0] = hashlib.sha256(raw).hexdigest()
        return self._digests.get(number, "")

    def write(self, number: int, look: Look, part: Part, facts: dict[str, Any], panels: Panels | None = None) -> None:
        """Record pass ``number``, with what it said of its panels.

        Raises
        ------
        JournalError
            If it cannot be written; earlier records stay whole.
        """
        facts = {**facts, "kind": look.pass_.names(), "digest": digest(look), "previous": self.digest_of(number - 1)}
        raw = pack_record(part, facts, panels)
        self._put(record_name(number), raw)
        self._note(number, digest_file(raw), panels)

    def _note(self, number: int, digest: str, panels: Panels | None) -> None:
        self._digests[number], self._panels[number] = digest, 0 if panels is None else len(panels.digests)

    def count_panels(self, number: int) -> int:
        """Return how many panels record ``number`` has; 0 in records of journals from before.

        Raises
        ------
        JournalError
            If it is damaged.
        """
        self.digest_of(number)
        return self._panels.get(number, 0)


def record_name(number: int) -> str:
    """Return the file of record ``number``; 0 is the header."""
    return f"pass-{number:04d}.npz" if number else "header.json"


def explain_link(address: str, number: int) -> str:
    """Return the sentence on a record that was written after another one than the one before it."""
    before = f"record {number - 1}" if number > 1 else "the header"
    return (
        f"{before} of {address} must be the one that record {number} was written after; it is another, or was changed since. Put "
        f"{record_name(number - 1)} back as it was, or delete {record_name(number)} and all later ones, then resume."
    )


def seed_of(previous: str, asked: str) -> int:
    """Return the seed of the signs by which a record's sums are checked, from the record before and the pass that was asked."""
    return int.from_bytes(hashlib.sha256(f"{previous}{asked}".encode()).digest()[:8], "little")


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


def _pack_out(address: str, *, overwrite: bool) -> bytes:
    said = {"out": address, "overwrite": overwrite}
    return json.dumps({**said, "sha256": hashlib.sha256(json.dumps(said).encode()).hexdigest()}).encode()


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
