"""Runs that somebody changed with care: every digest, link and receipt is right again."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dsketch._results.receipt import Receipt
from dsketch.engine.journal import Journal
from dsketch.engine.record import Record, pack_record
from dsketch.passes.sealed import Panels

_MADE = ("part", "digests", "panels", "root", "shape", "arrays")


def forge(journal: Path, number: int, change: Callable[[Record], Record]) -> None:
    """Change one record and make all digests right again, that of the receipt too."""
    book = Journal(journal)
    for place, record in list(book.records()):
        record = change(record) if place == number else record
        facts = {key: value for key, value in record.facts.items() if key not in _MADE}
        raw = pack_record(record.part, {**facts, "previous": book.digest_of(place - 1)}, record.panels)
        (journal / f"pass-{place:04d}.npz").write_bytes(raw)
        book.record(place)
        last = book.digest_of(place)
    document = json.loads((journal / "receipt.json").read_text())
    body = {key: value for key, value in document.items() if key not in ("receipt", "digest", "signature")}
    (journal / "receipt.json").write_text(Receipt(**{**body, "root": last}).to_json())


def scale_sum(record: Record) -> Record:
    """Change one entry of the sum."""
    part = record.part
    arrays = [np.array(array) for array in part] if isinstance(part, tuple) and isinstance(part[0], np.ndarray) else None
    if arrays is None:
        return record._replace(part=(scale_sum(record._replace(part=part[0])).part, *part[1:]))
    arrays[0].flat[0] *= 1 + 1e-9
    return record._replace(part=tuple(arrays))


def change_panel(panel: int) -> Callable[[Record], Record]:
    """Return what claims another part of a panel."""

    def change(record: Record) -> Record:
        assert record.panels is not None
        digests = record.panels.digests.copy()
        digests[panel, 1, 0] ^= 1
        return record._replace(panels=Panels(digests, record.panels.sums))

    return change


def read_facts(path: Path) -> dict[str, object]:
    """Return the facts of a record's file."""
    with np.load(io.BytesIO(path.read_bytes())) as stored:
        return dict(json.loads(str(stored["facts"])))
