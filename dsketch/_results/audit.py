"""Audit a finished run by its receipt: first the chain, then the driver's steps, then, with data, panels drawn at random.

Without data every link is checked, and the flow of the method is run again on the recorded sums: each pass that it asks must be the one
that was recorded, and x must have the bits of the receipt.  The sums themselves are checked by random signs: Σ ± of a sum is the sum over
panels of what each said of itself, up to rounding (after R. Freivalds, "Probabilistic machines can use less running time", 1977).

With data some panels are drawn and made again; a false one is seen bit for bit.  Of N recorded panels of which m are false, s that are
drawn without replacement hold at least one with probability 1 − C(N − m, s)/C(N, s) ≥ 1 − (1 − m/N)^s.
"""

import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsketch._results.findings import Audit, Fault
from dsketch._results.receipt import Receipt, read_receipt
from dsketch._results.replay import Steps
from dsketch._results.signing import public_key_of, verify
from dsketch.engine.journal import Journal, explain_link, record_name, seed_of
from dsketch.engine.panels import MOST_PANELS, Task, panels_of
from dsketch.engine.record import Record
from dsketch.engine.stream import run_task
from dsketch.errors import DsketchError, JournalError, SpecError
from dsketch.matrix.base import Cuts
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Look
from dsketch.passes.sealed import Sealed

DRAWN = 50  # panels: of 5 % false ones 50 hold at least one with probability 0.92
_BUDGET = 0.05  # of the solve's reading: an audit that reads more says so
_EPS = float(np.finfo(np.float64).eps)


def audit(
    receipt: Receipt | str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    data: Any = None,
    panels: int | None = None,
    share: float | None = None,
    signer: str | os.PathLike[str] | bytes | None = None,
    seed: int | None = None,
    x: Any = None,
) -> Audit:
    """Return what is false of a finished run; see :func:`dsketch.audit`."""
    if panels is not None and panels < 0:
        raise SpecError(f"panels must be a number ≥ 0; got {panels!r}.")
    if share is not None and not 0.0 < share <= 1.0:
        raise SpecError(f"share must be a part of what the solve read, above 0 and at most 1; got {share!r}. Give 0.05 for 5 %.")
    try:
        found = receipt if isinstance(receipt, Receipt) else read_receipt(receipt)
    except JournalError as error:
        if isinstance(receipt, Receipt) or not _is_there(receipt):
            raise
        return Audit(None, (Fault("receipt", str(error)),))
    place = Journal(_journal_of(found, receipt) if journal is None else journal)
    faults = [*_check_signature(found, signer), *_check_links(found, place)]
    if faults:
        faults += _check_beside(found, place)
        return Audit(found, tuple(faults), found.passes, notes=("what comes after the chain was not looked at",))
    count = panels if panels is not None else MOST_PANELS * found.passes if share is not None else 0 if data is None else DRAWN
    chance = random.Random(seed) if seed is not None else random.SystemRandom()  # noqa: S311
    return _Auditor(found, place, data, count, share or 1.0, chance, x, [*_check_beside(found, place)]).audit()


def _is_there(place: str | os.PathLike[str]) -> bool:
    """Whether there is a receipt at a place, whatever is wrong with it."""
    folder, slash, name = (
        os.fspath(place).rpartition("/") if os.fspath(place).endswith(".json") else (os.fspath(place), "", "receipt.json")
    )
    return Journal(folder or slash or ".").read_file(name) is not None


def _journal_of(receipt: Receipt, place: Receipt | str | os.PathLike[str]) -> str:
    """Return where the journal is: beside the receipt, or where the receipt says that it lay."""
    if not isinstance(place, Receipt):
        address = os.fspath(place)
        beside = address.rpartition("/")[0] or "." if address.endswith(".json") else address
        if Journal(beside).read_file(record_name(0)) is not None:
            return beside
    if Journal(receipt.journal).read_file(record_name(0)) is None:
        raise JournalError(
            f"the journal of the receipt was expected at {receipt.journal}; it is not there. Give its place: journal=…"
        )
    return receipt.journal


# ---- without data ------------------------------------------------------------------------------------------------------


def _check_signature(receipt: Receipt, signer: str | os.PathLike[str] | bytes | None) -> Iterator[Fault]:
    signature = receipt.signature
    if signature is None:
        if signer is not None:
            yield Fault("signature", "a signature was expected; the receipt has none")
        return
    if not verify(receipt.digest, signature):
        yield Fault("signature", f"the signature is not one of {signature.signer} by the key {signature.key}")
    elif signer is not None and (wanted := public_key_of(signer)) != signature.key:
        yield Fault("signature", f"a signature by the key {wanted} was expected; it is by {signature.key}")


def _check_beside(receipt: Receipt, journal: Journal) -> Iterator[Fault]:
    """Yield what is wrong with the files beside the chain: the receipt in the journal, and where x shall be written."""
    try:
        journal.read_out()
    except JournalError as error:
        yield Fault("out", str(error))
    raw = journal.read_receipt()
    if raw is None:
        return
    try:
        own = Receipt.from_json(raw)
    except JournalError as error:
        yield Fault("receipt", f"the receipt in {journal.address} was compared with the one given, and cannot be read: {error}")
        return
    if not own.is_same(receipt):
        text = f"the receipt in {journal.address} is not the one given: it has the digest {own.digest} and the root {own.root}"
        yield Fault("receipt", f"{text}; the one given has {receipt.digest} and {receipt.root}")


def _check_links(receipt: Receipt, journal: Journal) -> Iterator[Fault]:
    """Yield what is wrong with the files of a journal, the first fault of each record."""
    if journal.digest_of(0) != receipt.header:
        yield Fault("header", f"the header of {journal.address} is not that of the receipt", record=0)
    before = receipt.header
    for number in range(1, receipt.passes + 1):
        try:
            record = journal.record(number)
        except JournalError as error:
            yield Fault("record", str(error), record=number)
            before = ""
            continue
        if record is None:
            yield Fault("record", f"record {number} of {journal.address} is not there", record=number)
        elif before and record.facts.get("previous", before) != before and (number > 1 or journal.digest_of(0) == receipt.header):
            yield Fault("record", explain_link(journal.address, number), record=number - 1)
        before = "" if record is None else record.digest
    if before and before != receipt.root:
        yield Fault(
            "record", f"record {receipt.passes} of {journal.address} is not the last one of the receipt", record=receipt.passes
        )


@dataclass
class _Auditor:
    """One audit of a journal whose chain holds."""

    receipt: Receipt
    journal: Journal
    data: Any
    count: int
    share: float
    chance: random.Random
    x: Any = None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def audit(self) -> Audit:
        """Replay, check sums, draw panels."""
        header = self.journal.header()
        if header is None:
            raise JournalError(f"a journal was expected at {self.journal.address}; there is none. Give its place: journal=…")
        steps = Steps(self.receipt, self.journal, self.data, self.x, self.faults, self.notes)
        drive, is_replayed = steps.replay(header, with_data=self.data is not None or self.count > 0)
        sums = sum(self._check_sum(number, look) for number, look in enumerate(drive.looks, 1) if number <= self.receipt.passes)
        places = [
            (number, panel)
            for number in range(1, len(drive.looks) + 1)
            for panel in range(self.journal.count_panels(number) if number <= self.receipt.passes else 0)
        ]
        if unsealed := [number for number in range(1, self.receipt.passes + 1) if not self.journal.count_panels(number)]:
            self.notes.append(f"records {', '.join(map(str, unsealed))} are of a version that kept no digests of panels")
        drawn = sorted(self._draw(places, drive.looks))
        read = sum(self._check_panel(number, panel, drive.looks[number - 1]) for number, panel in drawn)
        solved = sum(look.rows.nbytes for look in drive.looks)
        if read > _BUDGET * solved and self.share == 1.0:  # nobody chose a share
            self.notes.append(
                f"{len(drawn)} panels are {read / solved:.1%} of what the solve read; --share {_BUDGET} (share={_BUDGET}) draws as many as "
                f"{_BUDGET:.0%} of it hold"
            )
        return Audit(
            self.receipt,
            tuple(self.faults),
            self.receipt.passes,
            is_replayed,
            sums,
            len(drawn),
            len(places),
            read,
            solved,
            tuple(self.notes),
        )

    def _draw(self, places: list[tuple[int, int]], looks: list[Look]) -> Iterator[tuple[int, int]]:
        """Yield places drawn without replacement: as many as were asked for, as long as they stay within the share of the reading."""
        left = self.share * sum(look.rows.nbytes for look in looks)
        cuts = {number: panels_of(look.rows) for number, look in enumerate(looks, 1)} if self.count else {}
        for place, (number, panel) in enumerate(self.chance.sample(places, min(self.count, len(places)))):
            rows, panels = looks[number - 1].rows, cuts[number]
            size = _bytes_of(rows, panels[panel]) if panel < len(panels) else 0
            if size > left:
                self.notes.append(
                    f"{place} panels are what {self.share:.1%} of the solve's reading allows; the next has {size / 1e6:.0f} MB"
                )
                return
            left -= size
            yield number, panel

    def _check_sum(self, number: int, look: Look) -> int:
        """Compare a recorded sum with what its panels said; return whether there was something to compare."""
        record = self.journal.record(number)
        if record is None or record.panels is None or not record.panels.sums.shape[1]:
            return 0
        told, found = record.panels.sums.sum(axis=0), _seal_look(look, record).weigh(record.part)
        allowed = sum_tolerance(look, len(record.panels.sums)) * np.maximum(told[:, 1], found[:, 1])
        for place in np.flatnonzero(~(np.abs(told[:, 0] - found[:, 0]) <= allowed)):
            gap = abs(told[place, 0] - found[place, 0])
            text = f"record {number} is not the sum of its panels: array {place} is off by {gap:.2g}; rounding allows {allowed[place]:.2g}"
            self.faults.append(Fault("sum", text, record=number))
        return 1

    def _check_panel(self, number: int, panel: int, look: Look) -> int:
        """Make a panel again; return the bytes that it reads."""
        record = self.journal.record(number)
        panels = panels_of(look.rows)
        if record is None or record.panels is None:
            return 0
        if len(panels) != len(record.panels.digests):
            self._fault_panel(number, panel, f"the data have {len(panels)} panels, the record {len(record.panels.digests)}")
            return 0
        sealed, task = _seal_look(look, record), Task(panel, (panels[panel],))
        try:
            _, found = sealed.finish(run_task(sealed, look.rows, task))
        except DsketchError as error:
            self._fault_panel(number, panel, f"it cannot be made again: {error}")
        else:
            rows, part = (found.digests[0] == record.panels.digests[panel]).all(axis=1)
            if not rows:
                self._fault_panel(number, panel, f"rows {task.start}:{task.stop} are not those that were read")
            elif not part:
                text = f"what rows {task.start}:{task.stop} come to is not what was recorded (or this machine's last bits differ)"
                self._fault_panel(number, panel, text)
        return _bytes_of(look.rows, panels[panel])

    def _fault_panel(self, number: int, panel: int, text: str) -> None:
        self.faults.append(Fault("panel", f"panel {panel} of record {number}: {text}", number, panel))


def _bytes_of(rows: Rows, panel: Cuts) -> int:
    """Return the bytes of the rows of a panel."""
    return rows.nbytes * int(panel[-1] - panel[0]) // rows.shape[0]


def sum_tolerance(look: Look, panels: int) -> float:
    """Return how far, relative to the size of its terms, rounding may take a sum with signs from those of its panels.

    m numbers are added in runs of 64 and these in pairs by NumPy, up to 128 of them in eight sums: u (64 + 16 + log₂ m) at most, below
    128 u as m < 2⁴⁸.  Each level of the tree rounds once, and where triangles are merged each is a Householder factorization of 2 d rows,
    whose columns change by a few d u of their length (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, theorem 19.4).
    """
    return _EPS * (64.0 + math.log2(max(panels, 2)) * (1.0 + 8.0 * (look.rows.shape[1] + look.rows.sides)))


def _seal_look(look: Look, record: Record) -> Sealed:
    return Sealed(look.pass_, seed_of(record.facts["previous"], record.facts["digest"]), record.facts.get("digests", 1))
