"""Who listens while a verb looks at data."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dsketch.engine.notebook import NotebookBar, runs_in_notebook
from dsketch.engine.progress import bar_or_silence
from dsketch.events import Note, Tell, ignore

ProgressTo = bool | Tell | None


def say(text: str, progress: ProgressTo = None) -> None:
    """Tell a sentence to whoever listens, else to dsketch's log as a warning: it is about the data, and nobody asked for it."""
    with listener(progress) as tell:
        if tell is ignore:
            logging.getLogger("dsketch").warning(text)
        else:
            tell(Note(text))


@contextmanager
def listener(progress: ProgressTo) -> Iterator[Tell]:
    """Yield what ``progress=`` means: a callable itself, a bar (None: only on a terminal or in a notebook), or nobody."""
    if callable(progress):
        yield progress
    elif progress is not False and runs_in_notebook():
        yield NotebookBar()
    elif progress or (progress is None and sys.stderr.isatty()):
        with bar_or_silence() as tell:
            yield tell
    else:
        yield ignore
