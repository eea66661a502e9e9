"""The verbs of answers, as somebody may use them: look, compare, fetch, predict, draw residuals; no HTTP."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsketch._results.receipt import read_receipt
from dsketch.errors import JournalError, SpecError
from dsketch.problems import PROBLEMS
from dsketch.problems.tables import no_table_error
from dsketch.service.auth import Caller
from dsketch.service.coefficients import Coefficients
from dsketch.service.comparison import Side, compare
from dsketch.service.errors import ForbiddenMove, UnknownJob
from dsketch.service.job import Job
from dsketch.service.jobs_api import Desk
from dsketch.service.models import MOST_NAME
from dsketch.service.npy_stream import NpyStream, open_stored
from dsketch.service.places import Roots
from dsketch.service.plans import Planning
from dsketch.service.prediction_check import columns_of, require_fitting_rows
from dsketch.service.predictions import require_predicting
from dsketch.service.residuals import ResidualWish
from dsketch.service.specs import PredictSpec, spec_of
from dsketch.settings import SUMMARY


class Answers:
    """Where requests about answers arrive.

    Guarantees: those of the desk: a caller meets only the answers of its own jobs, unless it is an admin.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def solution(self, caller: Caller, id_: str) -> dict[str, Any]:
        """Return the answer without x.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        job = self.desk.job(caller, id_)
        folder = self.desk.dispatcher.store.folder(job.id)
        try:
            found = folder.solution() if job.state.has_solution else None
        except (ValueError, RecursionError) as error:
            raise UnknownJob(f"an answer was expected in job {id_}; its file is damaged. Submit the job again.") from error
        if found is None:
            raise ForbiddenMove(
                f"a solved job was expected; job {job.id} is {job.state.value}. Follow its events until it is solved."
            )
        return found

    def coefficients(self, caller: Caller, id_: str) -> Coefficients:
        """Return the coefficients of an answer by name, with their errors where these are known.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        self.solution(caller, id_)
        try:
            found = Coefficients.of(self.desk.dispatcher.store.folder(id_))
        except (OSError, ValueError, KeyError, RecursionError) as error:
            raise UnknownJob(
                f"the coefficients of job {id_} were expected; their files are damaged. Submit the job again."
            ) from error
        if found is None:
            raise UnknownJob(
                f"coefficients by name were expected in job {id_}; its answer has none: it is a number for each row, or of an earlier "
                "version. Fetch x."
            )
        return found

    def compare(self, caller: Caller, one: str, other: str, target: int) -> dict[str, Any]:
        """Return two jobs side by side, both of which the caller may see.

        Raises
        ------
        UnknownJob
        SpecError
            If one of them has no such target.
        """
        return compare(self._side(caller, one), self._side(caller, other), target)

    def _side(self, caller: Caller, id_: str) -> Side:
        job = self.desk.job(caller, id_)
        about = self.desk.describe(job, whole=True)
        if not job.state.has_solution:
            return Side(about, None, None)
        solution = self.solution(caller, id_)
        try:
            return Side(about, solution, self.coefficients(caller, id_))
        except UnknownJob:
            return Side(about, solution, None)

    def summarize(self, caller: Caller, id_: str, asked: Mapping[str, Any], key: str | None) -> tuple[Job, bool]:
        """Accept a job that goes on from a solved one's records to its table of errors: it reads the rows for these alone, if at all.

        Raises
        ------
        UnknownJob, ForbiddenMove
        SpecError
            If the problem has no such table.
        """
        self.solution(caller, id_)
        job = self.desk.job(caller, id_)
        asked_of = PROBLEMS.get(job.spec["problem"])
        if asked_of is None or not asked_of.has_table:
            raise no_table_error(job.spec["problem"])
        if spec_of(job.spec).is_by_targets:
            raise SpecError(
                "errors were expected to be missing; answers by target have them in their arrays. Fetch the coefficients as CSV."
            )
        spec = spec_of({**job.spec, "out": None, **asked, SUMMARY.name: True})
        name = f"{job.name or job.id}, errors"[:MOST_NAME]
        return self.desk.submit(caller, spec, name, key, job.tags, self.desk.dispatcher.store.folder(job.id))

    def predict(self, caller: Caller, id_: str, asked: Mapping[str, Any], key: str | None) -> tuple[Job, bool]:
        """Accept a job that predicts new rows by the answer of a solved one.

        Raises
        ------
        UnknownJob, ForbiddenMove
        SpecError
            If the problem predicts nothing.
        DataError, MissingDataError, PlaceError
            If the new rows cannot be those of this answer.
        """
        self.solution(caller, id_)
        job = self.desk.job(caller, id_)
        require_predicting(str(job.spec["problem"]))
        words = {**asked, "problem": "predict", "job": id_}
        name = words.pop("name", "") or f"{job.name or job.id}, predictions"[:MOST_NAME]
        spec, roots = spec_of(words), self.desk.dispatcher.roots_of(caller.owner)
        assert isinstance(spec, PredictSpec)  # noqa: S101 - for type checkers
        require_fitting_rows(roots, spec, self._columns(caller, job, roots))
        return self.desk.submit(caller, spec, name, key, job.tags)

    def _columns(self, caller: Caller, job: Job, roots: Roots) -> int | None:
        """Return how many columns new rows for an answer have; None where nobody knows before it is read."""
        try:
            return len(self.coefficients(caller, job.id).names) - bool(job.spec.get("intercept"))
        except UnknownJob:  # a number for each row of A, which is read again
            return columns_of(roots, job.spec)

    def residuals(self, caller: Caller, id_: str, target: int, column: str | None, rows: int, seed: int) -> Planning:
        """Return a picture of residuals that is to be drawn, in a process of its own, from a sample of the rows of a solved job.

        Raises
        ------
        UnknownJob, ForbiddenMove
        RateError
            If too many plans and pictures are under way, or nothing is left of the owner's day.
        """
        self.coefficients(caller, id_)
        job = self.desk.job(caller, id_)
        self.desk.dispatcher.quotas.require(job.owner)
        wish = ResidualWish(self.desk.dispatcher.store.folder(id_).path, target, column, rows, seed)
        return self.desk.plans.begin(spec_of({**job.spec, "notify": None, "out": None}), job.owner, wish)

    def receipt(self, caller: Caller, id_: str) -> str:
        """Return the receipt of a finished job, as it was written.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        self.solution(caller, id_)
        try:
            return read_receipt(self.desk.dispatcher.store.folder(id_).journal).to_json()
        except JournalError as error:
            raise UnknownJob(f"a receipt was expected in job {id_}; there is none that holds. Submit the job again.") from error

    def x(self, caller: Caller, id_: str) -> Path | NpyStream:
        """Return x: the file that it is, or what sends it piece by piece where it is stored in chunks.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        facts, path = self.solution(caller, id_), self.desk.dispatcher.store.folder(id_).path / "x.npy"
        first = next(iter(facts.get("fields") or ("x",)))  # of several arrays x is the first, whatever its name
        return path if path.is_file() else self._stored(caller, id_, facts, first)

    def field(self, caller: Caller, id_: str, name: str) -> Path | NpyStream:
        """Return an array of an answer of several, as :meth:`x` does.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        facts = self.solution(caller, id_)
        if name not in (known := facts.get("fields") or {}):
            there = f"it has {', '.join(known)}" if known else "it has x alone, or is of an earlier version"
            raise UnknownJob(f"an array of the answer of job {id_} was expected; {there}. Correct the name.")
        path = self.desk.dispatcher.store.folder(id_).place_of_field(name)
        return path if path.is_file() else self._stored(caller, id_, facts, name)

    def _stored(self, caller: Caller, id_: str, facts: Mapping[str, Any], name: str) -> NpyStream:
        """Return what sends an array that is stored in chunks: in the job's folder, or where the answer was asked to be.

        Raises
        ------
        UnknownJob
            If it is not there any more, or another answer lies there.
        """
        folder, what = self.desk.dispatcher.store.folder(id_), f"{name} of job {id_}"
        roots: tuple[Path, ...] = (folder.path,)
        place = folder.stored_answer()
        if place is None and (out := facts["x"].get("out")) is not None:
            place, roots = Path(out), self.desk.dispatcher.roots_of(self.desk.job(caller, id_).owner).outputs
        try:
            if place is None:
                raise FileNotFoundError(what)
            stored, about = open_stored(place, name, roots, what)
            if about.get("journal") != str(folder.journal):
                raise FileNotFoundError(what)
        except (OSError, KeyError, ValueError) as error:
            raise UnknownJob(f"{what} was expected; it was taken from the disk, or replaced. Submit the job again.") from error
        return NpyStream(stored, what)
