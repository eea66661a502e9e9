"""What every verb needs before it can look at data: an engine, and somebody who listens."""

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from dsketch.engine import Engine, connect_engine
from dsketch.engine.progress import bar_or_silence
from dsketch.errors import SpecError
from dsketch.events import Note, Tell, ignore
from dsketch.matrix.rows import Rows

Progress = bool | Tell | None

CLUSTER_OPTIONS = ("cluster", "memory_limit", "workers", "threads")


def engine_for(rows: Rows, options: dict[str, Any]) -> AbstractContextManager[Engine]:
    """Return the engine that ``cluster, memory_limit, workers, threads`` mean for these rows (see :func:`dsketch.engine.connect_engine`).

    Raises
    ------
    SpecError
        For any other option.
    """
    if unknown := sorted(set(options) - set(CLUSTER_OPTIONS)):
        raise SpecError(f"the options of a cluster are {', '.join(sorted(CLUSTER_OPTIONS))}; got {', '.join(unknown)}.")
    return connect_engine(
        options.get("cluster"),
        rows,
        workers=options.get("workers"),
        threads=options.get("threads"),
        memory=options.get("memory_limit"),
    )


def say(text: str, progress: Progress = None) -> None:
    """Tell a sentence to whoever listens, else to dsketch's log as a warning: it is about the data, and nobody asked for it."""
    with listener(progress) as tell:
        if tell is ignore:
            logging.getLogger("dsketch").warning(text)
        else:
            tell(Note(text))


@contextmanager
def listener(progress: Progress) -> Iterator[Tell]:
    """Yield what ``progress=`` means: a callable itself, a bar (None: only if standard error is a terminal), or nobody."""
    if callable(progress):
        yield progress
    elif progress or (progress is None and sys.stderr.isatty()):
        with bar_or_silence() as tell:
            yield tell
    else:
        yield ignore
