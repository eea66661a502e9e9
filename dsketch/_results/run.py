"""One run, from a problem to x at its place: plan → solve → write, the same for Python, the command line and the service."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import zarr

from dsketch._linalg.threads import one_blas_thread
from dsketch._results.dimensions import dimensions_of, targets_of
from dsketch._results.fields import make_fields, require_group, write_answer
from dsketch._results.frames import keep_coordinates
from dsketch._results.make_plan import make_plan
from dsketch._results.output import Output, attributes_of
from dsketch._results.plan import Plan
from dsketch._results.predict import predict
from dsketch._results.receipt import keep_receipt
from dsketch._results.remote import RemoteOutput
from dsketch._results.rows import key_of, make_rows, require_agreement, require_room
from dsketch._results.run_header import describe_run
from dsketch._results.solution import Solution
from dsketch._results.target_group import answer_bytes, is_written
from dsketch._results.targets import TargetFit, answer_targets, require_target_room
from dsketch.engine.base import Engine
from dsketch.engine.cluster import Cluster
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal
from dsketch.engine.session import ProgressTo, listener
from dsketch.events import Converged, Note, PassRecord
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.problems import Outcome, Problem, TargetRegression
from dsketch.problems.outcome import FieldsLook, RowsLook
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
        size = self.problem.answer_bytes
        if isinstance(self.problem, TargetRegression):
            require_target_room(self.problem, self.out)
            if self.out is not None and is_written(self.out, key_of(self.header)):
                return
            size = answer_bytes(self.problem)
        if self.out is not None:
            require_group(self.problem, self.out)
            sources = [matrix.source for matrix in self.problem.data().values() if matrix is not None]
            self.out.probe(size, [*sources, self.journal, *apart_from])

    def plan(self, engine: Engine) -> Plan:
        """Return how it will be solved on the engine of its cluster.

        Raises
        ------
        SpecError, PlanError, DataError
            As :func:`dsketch._results.make_plan.make_plan`.
        """
        method = self.method
        if method == "auto" and self.header is not None:
            method = self.header["method"]  # the probe's timings may choose another one today
        return make_plan(self.problem, method, self.settings, engine, self.cluster, is_begun=self.header is not None)

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
        if isinstance(made.problem, TargetRegression):
            return self._solve_targets(made.problem, made, engine, progress)
        require_room(made.problem, self.out)
        require_agreement(made.problem, self.out, engine.replicas)
        problem, record, known = made.problem, self.begin(made), len(engine.notes)
        with listener(progress) as tell:
            drive = Drive(engine, tell, record, made.estimate.passes)
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

    def _solve_targets(self, problem: TargetRegression, made: Plan, engine: Engine, progress: ProgressTo) -> TargetFit:
        """Answer by tiles; the journal has the header alone, as what is written is the answer itself."""
        require_target_room(problem, self.out)
        record, known = self.begin(made), len(engine.notes)
        key = key_of(None if record is None else record.header())
        if record is not None and self.out is not None:
            record.keep_out(os.fspath(self.out.path), overwrite=self.out.overwrite)
        journal = None if self.journal is None else os.fspath(self.journal)
        with listener(progress) as tell:
            drive = Drive(engine, tell, None, made.estimate.passes)
            found = answer_targets(problem, made, drive, self.out, journal, key)
            for note in found.notes:
                tell(Note(note))
        found = replace(found, notes=(*found.notes, *engine.notes[known:]))
        solution = self._solution(made, found, tuple(drive.passes))
        facts = {part.name: getattr(solution, part.name) for part in fields(Solution)}
        if isinstance(self.out, Output):
            keep_coordinates(os.fspath(self.out.path), targets_of(problem))
        place = None if self.out is None else os.fspath(self.out.path)
        fit = TargetFit(**facts, dimensions=dimensions_of(problem), path=place)
        if record is not None:
            keep_receipt(record, fit, 0)
        return fit

    def _make(
        self,
        rows: RowsLook | FieldsLook,
        problem: Problem,
        drive: Drive,
        attributes: Callable[[Outcome], dict[str, Any]],
        key: str,
    ) -> Outcome:
        """Return the outcome with what has a row for each of the data's."""
        if isinstance(rows, FieldsLook):
            return make_fields(rows, problem, drive, self.out, attributes, key)
        return make_rows(rows, problem, drive, self.out, attributes, key)

    def _describe(self, made: Plan, found: Outcome) -> dict[str, Any]:
        """Return what an answer that workers write says about itself."""
        return attributes_of(self._solution(made, found, ()), self.journal)

    def _solution(self, made: Plan, found: Outcome, passes: tuple[PassRecord, ...]) -> Solution:
        problem = made.problem
        return Solution(
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

    def write(self, solution: Solution) -> None:
        """Write x to its place, if it has one.

        Raises
        ------
        DataError
            If it cannot be written, or something came to lie there.
        """
        is_there = isinstance(solution, TargetFit) or isinstance(solution.x, zarr.Array)  # written by the workers
        if self.out is not None and not is_there:
            write_answer(self.out, solution, attributes_of(solution, self.journal))


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
