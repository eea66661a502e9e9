"""One run, from a problem to x at its place: plan → solve → write, the same for Python, the command line and the service."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import zarr

from dsketch._linalg.threads import one_blas_thread
from dsketch._results.arrays import make_arrays
from dsketch._results.frames import keep_labels
from dsketch._results.group import is_written
from dsketch._results.make_plan import make_plan
from dsketch._results.output import Output, attributes_of
from dsketch._results.plan import Plan
from dsketch._results.predict import predict
from dsketch._results.receipt import keep_receipt
from dsketch._results.remote import RemoteOutput
from dsketch._results.rows import key_of, make_rows, require_agreement, require_room
from dsketch._results.run_header import describe_run
from dsketch._results.solution import Solution
from dsketch._results.targets import told_by_target
from dsketch.engine.base import Engine
from dsketch.engine.cluster import Cluster
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal
from dsketch.engine.session import ProgressTo, listener
from dsketch.events import Converged, Note, PassRecord
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.problems import Outcome, Problem, TargetRegression
from dsketch.problems.outcome import ArraysLook, RowsLook
from dsketch.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A problem, how and where it is solved, and what is kept of it.

    Guarantees: a run that its journal has begun keeps its method, whatever the machines say today; a place for x is tried before
    the first pass; what is written is whole or not there.

    Attributes
    ----------
    problem : Problem
    method : str
        As it was asked for: a name or ``auto``.
    settings : Settings
    cluster : Cluster
        Where later passes run that the solution asks for.
    journal : path or URL, optional
    out : Output or RemoteOutput, optional
        Where x goes.
    """

    problem: Problem
    method: str
    settings: Settings
    cluster: Cluster
    journal: str | os.PathLike[str] | None = None
    out: Output | RemoteOutput | None = None

    @cached_property
    def header(self) -> dict[str, Any] | None:
        """What the journal knew of this run when it was first asked; None for a new run."""
        return None if self.journal is None else Journal(self.journal).header()

    def probe(self, apart_from: Iterable[str | os.PathLike[str] | None] = ()) -> None:
        """Try the place for x, and keep it apart from what is read, from the journal, and from other places.

        Raises
        ------
        SpecError, DataError
            As :meth:`dsketch._results.output.Output.probe`.
        """
        problem, out = self.problem, self.out
        require_room(problem, out)
        if out is None or (problem.arrays and is_written(os.fspath(out.path), key_of(self.header))):
            return
        sources = [matrix.source for matrix in problem.data().values() if matrix is not None]
        out.probe(problem.answer_bytes, [*sources, self.journal, *apart_from])

    def plan(self, engine: Engine, *, goes_on: bool = False) -> Plan:
        """Return how it will be solved on the engine of its cluster; ``goes_on``: by the next call.

        Raises
        ------
        SpecError, PlanError, DataError
            As :func:`dsketch._results.make_plan.make_plan`.
        """
        method = self.method
        if method == "auto" and self.header is not None:
            method = self.header["method"]  # the probe's timings may choose another one today
        is_begun = self.header is not None  # then the first pass may be in the journal
        return make_plan(
            self.problem, method, self.settings, engine, self.cluster, is_begun=is_begun, goes_on=goes_on and not is_begun
        )

    def begin(self, made: Plan) -> Journal | None:
        """Return the journal, begun with this plan or found to be of this very run; None without one.

        Raises
        ------
        JournalError
            If it is of another run, or cannot be written.
        """
        if self.journal is None:
            return None
        record = Journal(self.journal)
        record.begin(describe_run(made.problem, made))
        return record

    def solve(self, made: Plan, engine: Engine, progress: ProgressTo = None) -> Solution:
        """Carry out its plan, recording each pass, and leave a receipt in the journal.

        Raises
        ------
        DataError, EngineError, JournalError
        """
        require_room(made.problem, self.out)
        require_agreement(made.problem, self.out, engine.replicas)
        problem, record, known = made.problem, self.begin(made), len(engine.notes)
        if problem.arrays and record is not None and self.out is not None:
            record.keep_out(os.fspath(self.out.path), overwrite=self.out.overwrite)
        with listener(progress) as tell:
            drive = Drive(engine, tell, record, made.estimate.passes, panels=made.settings.min_panels)
            found = drive.run(problem.answer(made))
            recorded = len(drive.passes)
            if found.rows is not None:
                drive.journal = None
                key = key_of(None if record is None else record.header())
                found = self._make(found.rows, problem, drive, partial(self._describe, made), key)
            for note in found.notes:
                tell(Note(note))
        found = replace(found, notes=(*found.notes, *engine.notes[known:]))
        solution = replace(self._solution(made, found, tuple(drive.passes)), history=tuple(drive.history))
        if record is not None:
            keep_receipt(record, solution, recorded, found.root)
        return solution

    def _make(
        self,
        rows: RowsLook | ArraysLook,
        problem: Problem,
        drive: Drive,
        attributes: Callable[[Outcome], dict[str, Any]],
        key: str,
    ) -> Outcome:
        """Return the outcome with what is made where the data are read."""
        if isinstance(rows, ArraysLook):
            found = make_arrays(rows, problem, drive, self.out, attributes, key)
            if isinstance(self.out, Output):
                keep_labels(os.fspath(self.out.path), problem)
            return found
        return make_rows(rows, problem, drive, self.out, attributes, key)

    def _describe(self, made: Plan, found: Outcome) -> dict[str, Any]:
        """Return what an answer that workers write says about itself."""
        return attributes_of(self._solution(made, found, ()), self.journal)

    def _solution(self, made: Plan, found: Outcome, passes: tuple[PassRecord, ...]) -> Solution:
        problem = made.problem
        solution = Solution(
            found.x,
            found.status,
            found.method,
            found.certificate,
            passes,
            made,
            found.notes,
            answer=found.detail,
            columns=problem.columns,
            fields=found.fields,
            problem=problem,
            run=partial(_run_further, problem, made.cluster),
            predicts=partial(predict, **vars(made.cluster)),
        )
        return told_by_target(solution, problem, self.out) if isinstance(problem, TargetRegression) else solution

    def write(self, solution: Solution) -> None:
        """Write x to its place, if it has one.

        Raises
        ------
        DataError
            If it cannot be written, or something came to lie there.
        """
        if self.out is not None and not isinstance(solution.x, zarr.Array):  # those were written by the workers
            self.out.write(solution.x, attributes_of(solution, self.journal))


def _run_further(problem: Problem, asked: Cluster, flow: Flow[T], cluster: Any, progress: ProgressTo) -> T:
    """Return what a flow returns that a Solution asks later; connects only if it looks at the data at all."""
    with one_blas_thread():
        try:
            first = next(flow)
        except StopIteration as end:
            result: T = end.value
            return result
    with asked.at(cluster).engine(problem.rows) as engine, listener(progress) as tell:
        return Drive(engine, tell).run(_continue(first, flow))


def _continue(look: Look | Converged, flow: Flow[T]) -> Flow[T]:
    """Yield what a flow has already yielded, then the rest."""
    try:
        while True:
            look = flow.send((yield look))
    except StopIteration as end:
        result: T = end.value
        return result
