"""The driver's steps of a finished run, again: the flow of its method on the recorded sums, with or without the data.

Each pass that the flow asks must be the one that was recorded, and x must have the bits of the receipt.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch._results.findings import Fault
from dsketch._results.group import open_group
from dsketch._results.read import read_x
from dsketch._results.receipt import Receipt
from dsketch._results.run_header import print_of, problem_at, problem_without_data, settings_of_run
from dsketch._results.slices import digest_of
from dsketch.engine.base import Engine, Workers
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal
from dsketch.errors import DataError, JournalError, MissingDataError, SpecError
from dsketch.events import Tell, ignore
from dsketch.matrix.open import open_matrix
from dsketch.matrix.unread import UnreadError
from dsketch.passes.arrays import root_of_arrays
from dsketch.passes.base import Look, Part
from dsketch.passes.writing import digest_rows, root_of_rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Estimate
from dsketch.problems import Outcome, Problem
from dsketch.settings import Settings

_PIECE_BYTES = 64_000_000  # of x read at once


class _Nobody(Engine):
    """The engine of a replay: all passes must be recorded."""

    def run(self, look: Look, tell: Tell) -> Part:
        del tell
        raise JournalError(f"the {look.pass_.names()} pass was asked, which is not recorded.")

    def workers(self) -> Workers:
        return Workers(1, 1, 1, "nobody")

    def close(self) -> None:
        pass


class Replay(Drive):
    """A drive that keeps the looks that were asked, cut into panels as they were answered where there are data."""

    def __init__(self, journal: Journal, panels: int | None = None) -> None:
        super().__init__(_Nobody(), ignore, journal, panels=panels)
        self.looks: list[Look] = []

    def _cut(self, look: Look) -> Look:
        self.looks.append(super()._cut(look))
        return self.looks[-1]


@dataclass
class Steps:
    """The steps of a run whose chain holds; faults and notes are appended to lists that the audit keeps."""

    receipt: Receipt
    journal: Journal
    data: Any
    x: Any
    faults: list[Fault]
    notes: list[str]

    def replay(self, header: dict[str, Any], *, with_data: bool) -> tuple[Replay, bool]:
        """Run the flow on the recorded sums; return what it asked, and whether it came to the x of the receipt."""
        if "arrays" in self.receipt.answer and not with_data:  # made where the data are read: there are no steps
            before = len(self.faults)
            self._check_rows()
            return Replay(self.journal), len(self.faults) == before
        if with_data:
            return self._follow(self._problem_with_data(header), header)
        try:
            return self._follow(problem_without_data(header), header, has_rows=False)
        except (UnreadError, SpecError) as error:
            try:
                problem = self._problem_with_data(header)
            except (DataError, SpecError) as lost:
                why = (
                    f"for the driver itself reads rows: {error}"
                    if isinstance(error, UnreadError)
                    else f"as that takes the data: {lost}"
                )
                self.notes.append(f"the steps were not replayed, {why}")
                return Replay(self.journal), False
        return self._follow(problem, header)

    def _follow(self, problem: Problem, header: dict[str, Any], *, has_rows: bool = True) -> tuple[Replay, bool]:
        settings = settings_of_run(header)
        drive = Replay(self.journal, settings.min_panels if has_rows else None)
        try:
            outcome = _answer(problem, header["method"], settings, drive)
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
        given = {} if self.data is None else self.data
        problem = (given if isinstance(given, Problem) else problem_at(header, given)).as_solved
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
            self._check_rows()
        elif (found := digest_of(outcome.x)) != said["sha256"]:
            self.faults.append(Fault("answer", f"the steps end with an x of sha256 {found}; the receipt says {said['sha256']}"))
        return len(self.faults) == before

    # ---- sums and panels ------------------------------------------------------------------------------------------

    def _check_rows(self) -> None:
        """Compare the root of what was made where the data are read, if it is there, with that of the receipt."""
        rows, arrays, out = self.receipt.answer.get("rows"), self.receipt.answer.get("arrays"), self.journal.read_out()
        said = rows or arrays
        if said is None:
            self.notes.append("x was made after the recorded passes, where the data are read; it is not in the receipt")
            return
        x = self.x if self.x is not None else out[0] if out is not None else None
        if x is None:
            self.notes.append(
                "x was made where the data are read, and came back to who solved; to compare it with the receipt, give it: x="
            )
            return
        try:
            found = root_of_x(x, said["height"]) if rows else root_of_group(x, said)
        except MissingDataError as error:
            self.notes.append(f"x was not compared with the receipt: {error}")
        except DataError as error:
            self.faults.append(Fault("answer", f"x cannot be read: {error}"))
        else:
            if found != said["root"]:
                over = f"each {said['height']} rows" if rows else "the chunks of its arrays"
                self.faults.append(Fault("answer", f"x has the root {found} over {over}; the receipt says {said['root']}"))


def root_of_group(source: Any, form: Mapping[str, Any]) -> str:
    """Return the Merkle root over the digests of the chunks of several arrays, read chunk by chunk.

    Parameters
    ----------
    source : mapping of str to array, path or URL
    form : mapping
        What a receipt says of them.

    Raises
    ------
    DataError
        If one is not there, or cannot be read.
    """
    arrays = source if isinstance(source, Mapping) else open_group(os.fspath(source), form["names"])[0]
    try:
        return root_of_arrays([arrays[name] for name in form["names"]], form["dtypes"], form["chunk"])
    except (KeyError, ValueError, OSError) as error:
        raise DataError(
            f"arrays {', '.join(form['names'])} were expected; one is not as it was: {error!r}. Solve again."
        ) from error


def root_of_x(source: Any, height: int) -> str:
    """Return the Merkle root over the digests of each ``height`` rows of an x, read piece by piece.

    Parameters
    ----------
    source : array_like, zarr.Array, path or URL

    Raises
    ------
    DataError
        If it is not there, or cannot be read.
    """
    is_file = isinstance(source, str | os.PathLike) and os.fspath(source).endswith(".npy")
    matrix = open_matrix(read_x(source).x if is_file else source, what="x")
    step = max(_PIECE_BYTES // max(8 * matrix.shape[1] * height, 1), 1) * height
    pieces = (
        np.asarray(matrix.read(low, min(low + step, matrix.shape[0])), np.float64) for low in range(0, matrix.shape[0], step)
    )
    return root_of_rows(np.concatenate([digest_rows(piece, height) for piece in pieces]))


def _answer(problem: Problem, method: str, settings: Settings, drive: Drive) -> Outcome:
    """Run the flow of a recorded method."""
    return drive.run(problem.answer(Choice(method, settings, Estimate(0, 0.0, 0, 0), {}, "", "", "", 0, 0.0, 0)))
