"""What a command works with: the problem, an engine, a listener."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click

from dsketch._results.run_header import make_problem
from dsketch.engine import Engine, connect_engine
from dsketch.engine.progress import LogLines, bar_or_silence
from dsketch.events import Tell
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.problems import PROBLEMS, Problem
from dsketch.problems.options import settings_of

When = Callable[[], float]  # seconds since 1970

_OWN = ("workers", "threads", "memory")


def absolute(address: str | None) -> str | None:
    """Return a path that means the same in the folder of a worker; URLs as they are."""
    return address if address is None or "://" in address else str(Path(address).absolute())


def problem_from(name: str, given: dict[str, Any]) -> Problem:
    """Open the problem that the arguments describe; what belongs to it is taken out of ``given``."""
    asked = PROBLEMS[name]
    name_settings(asked, given)
    options = {option: given.pop(option.name.lower()) for option in asked.inputs}  # arguments have names in lower case
    options |= {option: given.pop(option.name) for option in (*asked.options, asked.missing_option)}
    words = {option.name: value for option, value in options.items() if option.kind is not Matrix}
    data = {option.name: absolute(value) for option, value in options.items() if option.kind is Matrix}
    return make_problem({"problem": name, **words}, data, by_targets=given.get("out_dir") is not None)


def name_settings(problem: type[Problem], given: dict[str, Any]) -> None:
    """Give settings that have a flag of another name, such as ``--passes``, their own names in ``given``."""
    for option in settings_of(problem):
        if option.flag and option.flag in given:
            given[option.name] = given.pop(option.flag)


def engine_from(given: dict[str, Any], rows: Rows) -> AbstractContextManager[Engine]:
    """Return the engine of ``--scheduler`` or ``--workers --threads --memory``, with ``--replicas``, which are taken out of ``given``.

    Raises
    ------
    click.UsageError
        If both are given: a running cluster has the workers that it has.
    """
    scheduler = given.pop("scheduler")
    own, replicas = {name: given.pop(name) for name in _OWN}, given.pop("replicas")
    if scheduler not in (None, "local", "serial") and (named := [f"--{name}" for name in _OWN if own[name] is not None]):
        raise click.UsageError(
            f"{', '.join(named)} would start own workers, --scheduler uses running ones. Leave one out.",
            click.get_current_context(),
        )
    return connect_engine(scheduler, rows, **own, replicas=replicas)


@contextmanager
def listening(title: str = "rows", when: When | None = None) -> Iterator[Tell]:
    """Yield a listener: bars if standard error is a terminal, else log lines there, with the time of now or of ``when``."""
    if sys.stderr.isatty():
        with bar_or_silence(title=title) as tell:
            yield tell
    else:
        with show_log(when):
            yield LogLines()


@contextmanager
def show_log(when: When | None = None) -> Iterator[None]:
    """Send dsketch's log, from INFO on, to standard error for a while, with the time of now or of ``when``."""
    handler = logging.StreamHandler(sys.stderr)

    def set_time(record: logging.LogRecord) -> bool:
        record.created = record.created if when is None else when()
        return True

    handler.addFilter(set_time)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("dsketch")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def say(text: str) -> None:
    """Print a line for people to standard error."""
    click.echo(text, err=True)


def text_of(path: str | os.PathLike[str]) -> str:
    """Return a path as one would type it: relative where that is shorter; URLs as they are."""
    if "://" in os.fspath(path):
        return os.fspath(path)
    full, here = os.fspath(path), os.path.relpath(path)
    return here if len(here) < len(full) else full
