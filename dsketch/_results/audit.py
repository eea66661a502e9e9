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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsketch._results.receipt import Receipt, read_receipt
from dsketch._results.run_header import print_of, problem_of, problem_without_data, settings_of_run
from dsketch._results.signing import public_key_of, verify
from dsketch._results.slices import digest_of
from dsketch._units import format_bytes
from dsketch.engine.base import Engine, Workers
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal, explain_link, record_name, seed_of
from dsketch.engine.panels import Task, panels_of
from dsketch.engine.record import Record
from dsketch.engine.stream import run_task
from dsketch.errors import DataError, DsketchError, JournalError, SpecError
from dsketch.events import Tell, ignore
from dsketch.matrix.unread import UnreadError
from dsketch.passes.base import Look, Part
from dsketch.passes.sealed import Sealed
from dsketch.planning.choice import Choice
from dsketch.planning.price import Estimate
from dsketch.problems import Outcome, Problem

DRAWN = 50  # panels: of 5 % false ones 50 hold at least one with probability 0.92
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Fault:
    """Something that is false.

    Attributes
    ----------
    where : str
        One of ``receipt, signature, header, record, sum, panel, data, answer``.
    text : str
    record, panel : int or None
        Which, counted from 1 and from 0.
    """

    where: str
    text: str
    record: int | None = None
    panel: int | None = None


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    receipt : Receipt or None
        None if it cannot be read.
    faults : tuple of Fault
    records : int
        Whose links were checked.
    is_replayed : bool
        Whether the driver's steps were run again to the bits of x.
    sums : int
        Records whose sum was compared with those of its panels.
    drawn, panels : int
        Panels made again from the data, of those that the chain holds.
    read_bytes, solve_bytes : int
        Decoded bytes that the audit, and the passes of the run, read.
    notes : tuple of str
        What was not checked, and why.
    """

    receipt: Receipt | None
    faults: tuple[Fault, ...]
    records: int = 0
    is_replayed: bool = False
    sums: int = 0
    drawn: int = 0
    panels: int = 0
    read_bytes: int = 0
    solve_bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing false was found."""
        return not self.faults

    def catches(self, share: float) -> float:
        """Return the probability that the panels drawn hold a false one, if this share of all is false.

        Examples
        --------
        >>> round(Audit(None, (), drawn=50, panels=100_000).catches(0.05), 3), Audit(None, (), drawn=9, panels=9).catches(0.01)
        (0.923, 1.0)
        """
        return catch_probability(self.panels, math.ceil(share * self.panels), self.drawn)

    def to_dict(self) -> dict[str, Any]:
        """Return what was found, as JSON can hold it."""
        told = {name: value for name, value in vars(self).items() if name not in ("receipt", "faults")}
        return {
            "is_clean": self.is_clean,
            "faults": [vars(fault) for fault in self.faults],
            **told,
            "catches": {f"{share:g}": self.catches(share) for share in (0.01, 0.05, 0.2)},
            "receipt": None if self.receipt is None else self.receipt.to_dict(),
        }

    def __str__(self) -> str:
        """Return what was found, in a few lines."""
        lines = [] if self.receipt is None else [str(self.receipt)]
        lines.append(f"links     {self.records} records")
        lines.append(f"steps     {'replayed to the bits of x' if self.is_replayed else 'not replayed to x'}")
        lines.append(f"sums      of {self.sums} records are those of their panels")
        if self.drawn:
            share = f" = {self.read_bytes / self.solve_bytes:.1%} of what the solve read" if self.solve_bytes else ""
            lines.append(f"panels    {self.drawn} of {self.panels} made again; read {format_bytes(self.read_bytes)}{share}")
            lines.append(
                f"          false panels are caught: 1 % of all with {self.catches(0.01):.2g}, 5 % with {self.catches(0.05):.3g}"
            )
        lines += [f"note      {note}" for note in self.notes]
        lines += [f"FALSE     {fault.where}: {fault.text}" for fault in self.faults]
        return "\n".join(
            [*lines, "audit     nothing false was found" if self.is_clean else "audit     the run is not what its receipt says"]
        )


def catch_probability(panels: int, false: int, drawn: int) -> float:
    """Return 1 − C(N − m, s)/C(N, s): the probability that s panels drawn of N hold one of m.

    Examples
    --------
    >>> catch_probability(4, 1, 2)
    0.5
    """
    missed = 1.0
    for place in range(min(drawn, panels)):
        missed *= max(panels - false - place, 0) / (panels - place)
    return 1.0 - missed


def audit(
    receipt: Receipt | str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    data: Any = None,
    panels: int | None = None,
    signer: str | os.PathLike[str] | bytes | None = None,
    seed: int | None = None,
) -> Audit:
    """Return what is false of a finished run; see :func:`dsketch.audit`."""
    if panels is not None and panels < 0:
        raise SpecError(f"panels must be a number ≥ 0; got {panels!r}.")
    try:
        found = receipt if isinstance(receipt, Receipt) else read_receipt(receipt)
    except JournalError as error:
        if isinstance(receipt, Receipt) or not _is_there(receipt):
            raise
        return Audit(None, (Fault("receipt", str(error)),))
    place = Journal(_journal_of(found, receipt) if journal is None else journal)
    faults = [*_check_signature(found, signer), *_check_links(found, place)]
    if faults:
        return Audit(found, tuple(faults), found.passes, notes=("what comes after the chain was not looked at",))
    count = panels if panels is not None else 0 if data is None else DRAWN
    return _Auditor(found, place, data, count, random.Random(seed) if seed is not None else random.SystemRandom()).audit()  # noqa: S311


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


class _Nobody(Engine):
    """The engine of a replay: all passes must be recorded."""

    def run(self, look: Look, tell: Tell) -> Part:
        del tell
        raise JournalError(f"the {look.pass_.names()} pass was asked, which is not recorded.")

    def workers(self) -> Workers:
        return Workers(1, 1, 1, "nobody")

    def close(self) -> None:
        pass


class _Replay(Drive):
    """A drive that keeps the looks that were asked."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(_Nobody(), ignore, journal)
        self.looks: list[Look] = []

    def _answer(self, look: Look) -> Part:
        self.looks.append(look)
        return super()._answer(look)


@dataclass
class _Auditor:
    """One audit of a journal whose chain holds."""

    receipt: Receipt
    journal: Journal
    data: Any
    count: int
    chance: random.Random
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def audit(self) -> Audit:
        """Replay, check sums, draw panels."""
        header = self.journal.header()
        if header is None:
            raise JournalError(f"a journal was expected at {self.journal.address}; there is none. Give its place: journal=…")
        drive, is_replayed = self._replay(header)
        sums = sum(self._check_sum(number, look) for number, look in enumerate(drive.looks, 1) if number <= self.receipt.passes)
        places = [
            (number, panel)
            for number in range(1, len(drive.looks) + 1)
            for panel in range(self.journal.count_panels(number) if number <= self.receipt.passes else 0)
        ]
        if unsealed := [number for number in range(1, self.receipt.passes + 1) if not self.journal.count_panels(number)]:
            self.notes.append(f"records {', '.join(map(str, unsealed))} are of a version that kept no digests of panels")
        drawn = sorted(self.chance.sample(places, min(self.count, len(places))))
        read = sum(self._check_panel(number, panel, drive.looks[number - 1]) for number, panel in drawn)
        return Audit(
            self.receipt,
            tuple(self.faults),
            self.receipt.passes,
            is_replayed,
            sums,
            len(drawn),
            len(places),
            read,
            sum(look.rows.nbytes for look in drive.looks),
            tuple(self.notes),
        )

    # ---- the driver's steps ---------------------------------------------------------------------------------------

    def _replay(self, header: dict[str, Any]) -> tuple[_Replay, bool]:
        """Run the flow on the recorded sums; return what it asked, and whether it came to the x of the receipt."""
        if self.data is not None or self.count:
            return self._follow(self._problem_with_data(header), header)
        try:
            return self._follow(problem_without_data(header), header)
        except UnreadError as error:
            try:
                problem = self._problem_with_data(header)
            except (DataError, SpecError):
                self.notes.append(f"the steps were not replayed, for the driver itself reads rows: {error}")
                return _Replay(self.journal), False
        return self._follow(problem, header)

    def _follow(self, problem: Problem, header: dict[str, Any]) -> tuple[_Replay, bool]:
        drive = _Replay(self.journal)
        try:
            outcome = _answer(problem, header, drive)
        except JournalError as error:
            number = len(drive.looks)
            text = f"record {number} is not of the pass that those before it lead to: it, or a sum before it, is false ({error})"
            self.faults.append(Fault("record", text, record=number))
            drive.looks.pop()
            return drive, False
        if len(drive.looks) != self.receipt.passes:
            text = f"the steps ask for {len(drive.looks)} passes; {self.receipt.passes} are recorded"
            self.faults.append(Fault("answer", text))
        return drive, self._check_answer(outcome)

    def _problem_with_data(self, header: dict[str, Any]) -> Problem:
        """Return the problem over its data, which must be those of the header."""
        if isinstance(self.data, Problem):
            problem = self.data
        else:
            given = (
                self.data
                if isinstance(self.data, Mapping)
                else {}
                if self.data is None
                else {next(iter(header["data"])): self.data}
            )
            problem = problem_of({**header, "sources": {**header["sources"], **given}})
        problem = problem.as_solved
        for name, matrix in problem.data().items():
            found = None if matrix is None else print_of(matrix)
            if found != header["data"].get(name):
                text = f"{name} is {header['data'].get(name)} (rows, type, fingerprint) in the header; the data given are {found}"
                self.faults.append(Fault("data", text))
        return problem

    def _check_answer(self, outcome: Outcome) -> bool:
        said, before = self.receipt.answer, len(self.faults)
        if outcome.rows is None and outcome.status.name != said["status"]:
            self.faults.append(Fault("answer", f"the steps end with {outcome.status.name}; the receipt says {said['status']}"))
        if said["sha256"] is None:
            self.notes.append("x has a number for each row, made after the recorded passes; it is not in the receipt")
        elif (found := digest_of(outcome.x)) != said["sha256"]:
            self.faults.append(Fault("answer", f"the steps end with an x of sha256 {found}; the receipt says {said['sha256']}"))
        return len(self.faults) == before

    # ---- sums and panels ------------------------------------------------------------------------------------------

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
        return look.rows.nbytes * (task.stop - task.start) // look.rows.shape[0]

    def _fault_panel(self, number: int, panel: int, text: str) -> None:
        self.faults.append(Fault("panel", f"panel {panel} of record {number}: {text}", number, panel))


def sum_tolerance(look: Look, panels: int) -> float:
    """Return how far, relative to the size of its terms, rounding may take a sum with signs from those of its panels.

    NumPy adds m numbers in runs of at most 128 and these in pairs: u (16 + log₂ m) at most, m < 2⁴⁸; each level of the tree rounds once,
    and where triangles are merged each is a Householder factorization of 2 d rows, whose columns change by a few d u of their length
    (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, theorem 19.4).
    """
    return _EPS * (64.0 + math.log2(max(panels, 2)) * (1.0 + 8.0 * (look.rows.shape[1] + look.rows.sides)))


def _answer(problem: Problem, header: dict[str, Any], drive: Drive) -> Outcome:
    """Run the flow of a recorded method."""
    settings, nothing = settings_of_run(header), Estimate(0, 0.0, 0, 0)
    return drive.run(problem.answer(Choice(header["method"], settings, nothing, {}, "", "", "", 0, 0.0, 0)))


def _seal_look(look: Look, record: Record) -> Sealed:
    return Sealed(look.pass_, seed_of(record.facts["previous"], record.facts["digest"]))
