"""``dsketch solve`` and ``dsketch resume``: answer a problem, or go on answering it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from dsketch._cli.options import CLUSTER, JOURNAL, JSON, MEMORY_LIMIT, OUT, for_each_problem, with_options
from dsketch._cli.program import Stopped
from dsketch._cli.session import absolute, engine_from, listening, problem_from, say, text_of
from dsketch._cli.show import print_json, solution_text
from dsketch._results.choices import settings_from
from dsketch._results.output import Output
from dsketch._results.read import holds, stands_at
from dsketch._results.run import Run
from dsketch._results.run_header import problem_of, settings_of_run
from dsketch._results.solution import Solution
from dsketch.engine import Engine
from dsketch.engine.cluster import Cluster
from dsketch.engine.journal import Journal
from dsketch.errors import DataError, DsketchError, JournalError, SpecError
from dsketch.events import Event, PassFinished, Tell, ignore
from dsketch.matrix.open import open_matrix
from dsketch.problems import Problem
from dsketch.problems.tables import TABLE, SummaryOptions, words_of_table


@click.group(short_help="Solve a problem and certify the answer.")
def solve() -> None:
    """Solve a problem and certify the answer: plan it, run its passes over A, print x with its certificate.

    Exits with 0 if solved, with 1 if the tolerance was not reached.
    """


def _solve(name: str, **given: Any) -> int:
    return answer(problem_from(name, given), given)


for_each_problem(solve, _solve, [*JOURNAL, *OUT, *CLUSTER], "dsketch solve {problem} {data} --out x.zarr --journal run1")


@with_options(OUT, MEMORY_LIMIT, CLUSTER, JSON)
@click.command(short_help="Go on with a run that was interrupted.")
@click.argument("journal")
def resume(journal: str, **given: Any) -> int:
    """Go on with a run that was interrupted; the answer has the bits that it would have had.

    JOURNAL is the folder or URL that was given with --journal. Passes in it are not read again; a finished run is replayed at once. x is
    written where solve --out was told to, unless --out says otherwise.

    \b
    Example: dsketch resume run1
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    header = Journal(journal).header()
    if header is None:
        raise JournalError(f"a journal was expected at {journal}; there is none. Check the path, or start with solve --journal.")
    settings = vars(settings_of_run(header))
    given["kept"] = None if given["out"] or given["out_dir"] else Journal(journal).read_out()
    return answer(problem_of(header), {**given, **settings, "method": header["method"], "journal": journal})


# ---- inside ----------------------------------------------------------------------------------------------------------


@dataclass
class Count:
    """Passes on a listener's way, for whoever is interrupted."""

    tell: Tell
    passes: int = 0

    def __call__(self, event: Event) -> None:
        """Count a finished pass, and pass every event on."""
        self.passes += isinstance(event, PassFinished)
        self.tell(event)


def answer(problem: Problem, given: dict[str, Any]) -> int:
    """Plan, solve, write and show; return the exit code."""
    out, overwrite, as_json, journal = (given.pop(name) for name in ("out", "overwrite", "as_json", "journal"))
    out = _place_of(problem, out, given.pop("out_dir", None))
    table = _table_from(given, problem)
    out, overwrite, is_left = _place(problem, out, overwrite, given.pop("kept", None))
    output = None if out is None or is_left else Output.at(out, overwrite=overwrite)
    run = Run(problem, given["method"], settings_from(given), Cluster(memory_limit=given["memory_limit"]), journal, output)
    run.probe()
    with _stoppable(journal) as count, engine_from(given, problem.rows) as engine:
        made = run.plan(engine, goes_on=True)
        say(str(made))
        record = run.begin(made)  # a journal of another run keeps its place for x
        if record is not None and out is not None:
            record.keep_out(str(absolute(out)), overwrite=overwrite)
        with listening() as tell:
            count.tell = tell
            solution = run.solve(made, engine, count)
            run.write(solution)  # first: data may have no table, and x must not be lost with it
            summary, refusal = _summary(solution, table, engine, tell)
    if is_left and not holds(str(out), solution.x):
        say(
            f"dsketch: {text_of(str(out))} holds something else than this x and is left as it is. Give --overwrite, or --out another place."
        )
        out = None
    _show(solution, _table_facts(summary, refusal), None if out is None else text_of(out), as_json)
    if refusal is not None:
        say(f"dsketch: error: {refusal}")
        return refusal.exit_code
    return 0 if solution.status.is_success else 1


def _table_from(given: dict[str, Any], problem: Problem) -> dict[str, Any] | None:
    """Return what is asked of the table, taken out of what was given; None where none of its options was.

    Raises
    ------
    SpecError, DataError
        If the problem has no such table, before anything is read for it.
    """
    asked = words_of_table({option.name: given.pop(option.name) for option in TABLE})
    if asked is not None:
        if asked["groups"] is not None:
            asked["groups"] = open_matrix(absolute(asked["groups"]), what="groups")
        problem.require_table(SummaryOptions(**asked))
    return asked


def _summary(solution: Solution, asked: dict[str, Any] | None, engine: Engine, tell: Tell) -> tuple[Any, DsketchError | None]:
    """Return the table, or why the data have none."""
    if asked is None:
        return None, None
    try:
        return solution.summary(**asked, cluster=engine, progress=tell), None
    except (SpecError, DataError) as error:
        return None, error


def _place_of(problem: Problem, out: str | None, out_dir: str | None) -> str | None:
    """Return where answers go: one array of x, or the group of several.

    Raises
    ------
    SpecError
        If a group was asked for an answer that is one array.
    """
    if out_dir is not None and not problem.arrays:
        raise SpecError(f"--out was expected for {problem.name}, whose answer is one array; got --out-dir {out_dir}. Give --out.")
    return out if out_dir is None else out_dir


def _place(problem: Problem, out: str | None, overwrite: bool, kept: tuple[str, bool] | None) -> tuple[str | None, bool, bool]:
    """Return where x goes, whether over what is there, and whether what is there is left: a run that goes on may have ended before."""
    if out is not None or kept is None:
        return out, overwrite, False
    out, overwrite = kept[0], overwrite or kept[1]
    if problem.arrays:
        return out, overwrite, False  # what lies there may be its own answer
    return out, overwrite, not overwrite and stands_at(out)


@contextmanager
def _stoppable(journal: str | None) -> Iterator[Count]:
    """Turn Ctrl-C into a sentence on how to go on."""
    count = Count(ignore)
    try:
        yield count
    except KeyboardInterrupt as stop:
        raise Stopped(_how_to_go_on(journal, count.passes)) from stop


def _how_to_go_on(journal: str | None, passes: int) -> str:
    if journal is None:
        return "stopped; nothing is kept. With --journal FOLDER a run records each pass, and dsketch resume FOLDER goes on."
    if Journal(journal).header() is None:
        return f"stopped before the first pass; nothing is in the journal {journal} yet. Give the same command again."
    are = "1 pass is" if passes == 1 else f"{passes} passes are"
    return f"stopped; {are} in the journal; go on with: dsketch resume {text_of(journal)}"


def _table_facts(summary: Any, refusal: DsketchError | None) -> dict[str, Any]:
    """Return what the answer's object says of its table: nothing where none was asked for, null with the reason where there is none."""
    if refusal is not None:
        return {"summary": None, "no_summary": str(refusal)}
    return {} if summary is None else {"summary": summary.to_dict(), "text": str(summary)}


def _show(solution: Solution, table: dict[str, Any], out: str | None, as_json: bool) -> None:
    text = table.pop("text", None)
    if as_json:
        print_json(solution.to_dict() | table)
    else:
        click.echo(solution_text(solution, out))
        if text is not None:
            click.echo(f"\n{text}")
    if not solution.status.is_success:
        say("dsketch: x did not reach the tolerance.")
