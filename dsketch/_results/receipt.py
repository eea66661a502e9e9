"""The receipt of a finished run: one short document that holds for every byte of its journal.

It names what was asked and what came out, and the digest of the last record.  Each record holds the digest of the one before, the first
one that of the header, and each the Merkle root of the digests of its panels, so that nothing of them can change and the receipt stay
true.  It says nothing about whether the sums are right: an audit asks the data.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from dsketch._results.signing import Signature, sign
from dsketch._results.slices import digest_of
from dsketch._results.solution import Solution
from dsketch.engine.journal import Journal
from dsketch.errors import JournalError
from dsketch.problems.outcome import ArraysRoot, RowsRoot

FORMAT = 1
_QUESTION = ("problem", "sources", "data", "grid", "shift", "method", "settings", "versions")


@dataclass(frozen=True)
class Receipt:
    """What a finished run can be held to.

    Attributes
    ----------
    dsketch : str
        Version that solved it.
    journal : str
        Where the journal lay.
    question : dict
        Of the header: problem, sources and fingerprints of the data, method, settings, versions.
    answer : dict
        Status, method, shape of x and the SHA-256 of its bytes (float64, C order).  That is None for an x with a number for each row of A,
        of which ``rows`` has the Merkle root over the digests of each ``height`` rows, and for several arrays, of which ``arrays`` has the
        root over the digests of their chunks; receipts of before have none.
    header : str
        SHA-256 of the journal's header.
    passes, panels : int
        Records, and panels in all of them.
    root : str
        Digest of the last record, and with it of all.
    signature : Signature or None
    """

    dsketch: str
    journal: str
    question: dict[str, Any]
    answer: dict[str, Any]
    header: str
    passes: int
    panels: int
    root: str
    signature: Signature | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of all but the signature, as compact JSON with sorted keys."""
        text = json.dumps(self._body(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the document."""
        signature = None if self.signature is None else asdict(self.signature)
        return {"receipt": FORMAT, **self._body(), "digest": self.digest, "signature": signature}

    def to_json(self) -> str:
        """Return the document as it is written."""
        return _write(self.to_dict())

    @classmethod
    def from_json(cls, raw: str | bytes) -> "Receipt":
        """Return the receipt that a document is.

        Raises
        ------
        JournalError
            If it is not as it was written, in any byte.
        """
        try:
            text = raw if isinstance(raw, str) else raw.decode()
            document = json.loads(text)
            if document["receipt"] != FORMAT:
                raise ValueError(f"its format is {document['receipt']!r}, and {FORMAT} is known")
            found = cls.from_dict(document)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"a receipt was expected; this cannot be read: {error!r:.300}. Fetch it again from the run."
            ) from error
        if text.strip() not in (_write(document).strip(), json.dumps(document, ensure_ascii=False, separators=(",", ":"))):
            raise JournalError("a receipt was expected as it was written; its text has changed. Fetch it again from the run.")
        return found

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Receipt":
        """Return the receipt that a parsed document is.

        Raises
        ------
        JournalError
            If a word of it has changed.
        KeyError, TypeError
            If it is no receipt.
        """
        body = {field.name: document[field.name] for field in fields(cls) if field.name != "signature"}
        signature = None if document["signature"] is None else Signature(**document["signature"])
        found = cls(**body, signature=signature)
        if document != found.to_dict():
            raise JournalError(
                f"a receipt with the digest that it says was expected; it says {document['digest']!r}, and its words have "
                f"{found.digest!r}. It was changed: fetch it again from the run."
            )
        return found

    def sign(self, key: str | os.PathLike[str] | bytes, signer: str) -> "Receipt":
        """Return the receipt, signed with an Ed25519 key.

        Parameters
        ----------
        key : path or bytes
            Of a private key in PEM (``openssl genpkey -algorithm ed25519``).
        signer : str
            Who signs, in words; they are signed too.

        Raises
        ------
        SpecError
            If the key cannot be read, or the extra ``dsketch[sign]`` is not installed.
        """
        return replace(self, signature=sign(self.digest, key, signer))

    def is_same(self, other: "Receipt") -> bool:
        """Whether both are of one run, wherever its journal lay and whoever signed."""
        known = self.answer.keys() & other.answer.keys()  # one of before has no root of rows
        mine, theirs = (
            replace(one, journal="", signature=None, answer={key: one.answer[key] for key in known}) for one in (self, other)
        )
        return mine == theirs

    def __str__(self) -> str:
        """Return what it says, in a few lines."""
        root = self.answer.get("rows") or self.answer.get("arrays")
        of = "rows" if "rows" in self.answer else "arrays"
        x = self.answer["sha256"] or ("not in the receipt" if root is None else f"of its {of}: root {root['root']}")
        by = "nobody" if self.signature is None else f"{self.signature.signer}, key {self.signature.key}"
        return "\n".join(
            [
                f"question  {self.question['problem']['problem']} by {self.question['method']}, dsketch {self.dsketch}",
                f"answer    {self.answer['status'].lower()}, x of shape {tuple(self.answer['shape'])}, sha256 {x}",
                f"chain     {self.passes} passes, {self.panels} panels, root {self.root}",
                f"signed    by {by}",
            ]
        )

    def _body(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "signature"}


def _write(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def make_receipt(journal: Journal, solution: Solution, passes: int, root: RowsRoot | ArraysRoot | None = None) -> Receipt:
    """Return the receipt of a run that has just ended, or has been replayed to its end.

    Parameters
    ----------
    journal : Journal
    solution : Solution
    passes : int
        How many of its passes are recorded.
    root : RowsRoot or ArraysRoot, optional
        Of an x with a number for each row of A; of several arrays.

    Raises
    ------
    JournalError
        If a record is damaged.
    """
    header = journal.header() or {}
    x = solution.x
    answer = {
        "status": solution.status.name,
        "method": solution.method,
        "shape": list(x.shape),
        "sha256": None if solution.problem.answers_rows or solution.problem.arrays else digest_of(x),
        **({} if root is None else {"arrays" if isinstance(root, ArraysRoot) else "rows": root._asdict()}),
    }
    return Receipt(
        str(header["dsketch"]),
        journal.address if "://" in journal.address else str(Path(journal.address).absolute()),
        {word: header.get(word) for word in _QUESTION},
        answer,
        journal.digest_of(0),
        passes,
        sum(journal.count_panels(number) for number in range(1, passes + 1)),
        journal.digest_of(passes),
    )


def keep_receipt(journal: Journal, solution: Solution, passes: int, root: RowsRoot | ArraysRoot | None = None) -> None:
    """Leave the receipt of a finished run in its journal; where all was replayed, the one that is there is compared and left.

    Parameters
    ----------
    journal, solution, passes, root
        As in :func:`make_receipt`.

    Raises
    ------
    JournalError
        If it cannot be written, or the one that is there is of another answer.
    """
    is_replayed = all(record.replayed for record in solution.passes[:passes])
    made, raw = make_receipt(journal, solution, passes, root), journal.read_receipt() if is_replayed else None
    if raw is None:
        journal.keep_receipt(made.to_json().encode())
    elif not made.is_same(Receipt.from_json(raw)):
        raise JournalError(
            f"the receipt in {journal.address} must be that of this run; it is of root {Receipt.from_json(raw).root}, this run has "
            f"{made.root}. Records or receipt were changed since: dsketch audit says what."
        )


def read_receipt(address: str | os.PathLike[str]) -> Receipt:
    """Return the receipt of a finished run.

    Parameters
    ----------
    address : path or URL
        Of its journal, or of the receipt itself.

    Raises
    ------
    JournalError
        If there is none, or it was changed.
    """
    place = os.fspath(address)
    if place.endswith(".json"):
        folder, slash, name = place.rpartition("/")
        raw = Journal(folder or slash or ".").read_file(name)
    else:
        journal = Journal(place)
        raw = journal.read_receipt()
        if raw is None and journal.header() is not None:
            raise JournalError(
                f"the receipt of a finished run was expected in {place}; this one has none yet. Finish it: dsketch resume."
            )
    if raw is None:
        raise JournalError(
            f"a receipt, or the journal of a finished run, was expected at {place}; there is none. Check the path."
        )
    return Receipt.from_json(raw)


def sign_kept_receipt(journal: str | os.PathLike[str], key: str | os.PathLike[str] | bytes, signer: str) -> Receipt:
    """Sign the receipt that lies in a journal, keep it so and return it; one that is signed already stays.

    Raises
    ------
    JournalError, SpecError
        As :func:`read_receipt` and :meth:`Receipt.sign`.
    """
    found = read_receipt(journal)
    if found.signature is None:
        found = found.sign(key, signer)
        Journal(journal).keep_receipt(found.to_json().encode())
    return found
