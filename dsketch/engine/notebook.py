"""A bar in a notebook: one cell output that is updated in place, and says in the end what each pass was."""

import importlib
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

from dsketch import events
from dsketch._units import format_bytes, format_seconds
from dsketch.engine.progress import finished_line, title_of
from dsketch.events import Event

_EVERY_SECONDS = 0.2  # a page that is told more often only falls behind


def runs_in_notebook() -> bool:
    """Whether cells of a notebook are run here: there is an IPython shell, and it has a kernel.

    IPython is not imported to find out: where it is not loaded there is no shell.
    """
    find_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if find_shell is None else find_shell()
    return getattr(shell, "kernel", None) is not None


class NotebookBar:
    """A listener that draws the current pass as a bar below the cell, and a line for each finished pass and note.

    Parameters
    ----------
    title : str
        Of work that tells its progress without being a pass.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, title: str = "rows", clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._clock = title, clock
        self._lines: list[str] = []
        self._expected = 1
        self._done = self._total = 0
        self._began = self._shown = clock()
        self._handle: Any = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, events.PassStarted):
            self._expected, self._title = event.expected_passes, title_of(event.number, event.expected_passes, event.kind)
            self._done, self._total, self._began = 0, event.total_bytes, self._clock()
        elif isinstance(event, events.Progress):
            self._done, self._total = event.done_bytes, event.total_bytes
            if self._clock() - self._shown < _EVERY_SECONDS:
                return
        elif isinstance(event, events.PassFinished):
            self._lines.append(finished_line(event, self._expected))
            self._total = 0
        elif isinstance(event, events.Note):
            self._lines.append(f"note: {event.text}")
        else:
            return
        self._show()

    def _show(self) -> None:
        self._shown = self._clock()
        if self._handle is None:
            self._handle = importlib.import_module("IPython.display").display(self, display_id=True)
        else:
            self._handle.update(self)

    def _words(self) -> str:
        """Return what is done of the current pass, how fast, and what is left."""
        seconds = self._clock() - self._began
        rate = self._done / seconds if seconds > 0 else 0.0
        left = f"  {format_bytes(rate)}/s  {format_seconds((self._total - self._done) / rate)} left" if rate else ""
        return f"{self._title}  {format_bytes(self._done)} of {format_bytes(self._total)}{left}"

    def __repr__(self) -> str:
        """Return the same as text, for pages that show no HTML."""
        return "\n".join([*self._lines, *([self._words()] if self._total else [])])

    def _repr_html_(self) -> str:
        """Return finished passes and the bar."""
        lines = "".join(f"<div>{escape(line)}</div>" for line in self._lines)
        if not self._total:
            return f"<div>{lines}</div>"
        share = min(self._done / self._total, 1.0)
        return f'<div>{lines}<progress value="{share:.4f}" max="1"></progress> {escape(self._words())}</div>'
