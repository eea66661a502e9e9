"""The file of one record of a journal: facts and arrays, and at its end a digest of all bytes before it.

A record is an ``.npz`` file.  The digest stands in the comment that a zip archive may end with, so that NumPy reads the file as before,
and a record needs no second file that could be there without it.  Records of journals from before have no such comment.
"""

import hashlib
import io
import json
from typing import Any, NamedTuple

import numpy as np

from dsketch.passes.base import Part
from dsketch.passes.digests import DIGESTS, digest_part
from dsketch.passes.sealed import Panels

_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64


class Record(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    part : Part
        The sum over all panels.
    facts : dict
        Kind and digest of the pass, seconds; ``previous``, the digest of the record before; root of the panels, digest of the part,
        ``digests``, how these are made (:func:`~dsketch.passes.sealed.digest_part`; 1 where it lacks).
    panels : Panels or None
        None in records of journals from before.
    digest : str
        Of the file, which the next record holds.
    """

    part: Part
    facts: dict[str, Any]
    panels: Panels | None
    digest: str


def pack_record(part: Part, facts: dict[str, Any], panels: Panels | None) -> bytes:
    """Return the bytes of a file."""
    arrays: list[np.ndarray] = []
    shape = _flatten(part, arrays)
    stored: dict[str, Any] = {f"a{place}": array for place, array in enumerate(arrays)}
    sealed: dict[str, Any] = {"part": digest_part(part, DIGESTS).hex(), "digests": DIGESTS}
    if panels is not None:
        stored |= {"panels": panels.digests, "sums": panels.sums}
        sealed |= {"panels": len(panels.digests), "root": panels.root}
    file = io.BytesIO()
    np.savez(file, facts=np.array(json.dumps({**facts, **sealed, "shape": shape, "arrays": len(arrays)})), **stored)
    raw = file.getvalue()
    body = raw[:-2] + _COMMENT.to_bytes(2, "little")  # an archive without a comment ends with its length, 0
    return body + _MARK + hashlib.sha256(body).hexdigest().encode()


def digest_file(raw: bytes) -> str:
    """Return the digest of a file: of all bytes before the comment, as it says itself.

    Raises
    ------
    ValueError
        If it says another one.
    """
    body, comment = raw[:-_COMMENT], raw[-_COMMENT:]
    if not comment.startswith(_MARK):
        return hashlib.sha256(raw).hexdigest()
    found = hashlib.sha256(body).hexdigest()
    if comment[len(_MARK) :] != found.encode():
        raise ValueError("its bytes do not have the digest that stands at its end")
    return found


def unpack_record(raw: bytes) -> Record:
    """Return what a file holds.

    Raises
    ------
    Exception
        Of any kind, if it is damaged: a flipped bit may ask for a compression, a password, a size that nobody has.
    """
    digest = digest_file(raw)
    with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
        part = _nest(facts["shape"], iter([stored[f"a{place}"] for place in range(facts["arrays"])]))
        panels = Panels(stored["panels"], stored["sums"]) if "panels" in facts else None
    if "previous" in facts:
        _require_sealed(raw, part, facts, panels)
    return Record(part, facts, panels, digest)


def _require_sealed(raw: bytes, part: Part, facts: dict[str, Any], panels: Panels | None) -> None:
    """Refuse a record whose end was cut off, or that was made with digests of something else than it holds.

    Raises
    ------
    ValueError
    """
    if not raw[-_COMMENT:].startswith(_MARK):
        raise ValueError("the digest at its end is gone")
    if digest_part(part, facts.get("digests", 1)).hex() != facts["part"]:
        raise ValueError("its sum does not have the digest that it says")
    if panels is not None and (len(panels.digests), len(panels.sums), panels.root) != (*2 * (facts["panels"],), facts["root"]):
        raise ValueError("its panels do not have the root that it says")


def _flatten(part: Part, arrays: list[np.ndarray]) -> Any:
    """Append the arrays of a nested part; return its shape as nested lists of ``0``."""
    if isinstance(part, np.ndarray):
        arrays.append(part)
        return 0
    return [_flatten(piece, arrays) for piece in part]


def _nest(shape: Any, arrays: Any) -> Part:
    return next(arrays) if shape == 0 else tuple(_nest(piece, arrays) for piece in shape)
