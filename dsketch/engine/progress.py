"""Listeners for people: a bar for every pass on a terminal, log lines elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from dsketch import events
from dsketch._units import format_bytes, format_seconds
from dsketch.events import Event, Tell

log = logging.getLogger("dsketch")

HEARTBEAT_SECONDS = 30.0  # a log that says nothing for longer looks like a hang


# ---- on a terminal ---------------------------------------------------------------------------------------------------


class Amount(ProgressColumn):
    """Bytes done of all, as ``1.20 of 3.40 GB``."""

    def render(self, task: Task) -> Text:
        """Return the text."""
        return Text(f"{format_bytes(task.completed)} of {format_bytes(task.total or 0)}")


class Speed(ProgressColumn):
    """Bytes a second since the bar began: tasks report in lumps, so that a momentary speed would say nothing."""

    def render(self, task: Task) -> Text:
        """Return the text, empty until the first bytes are done."""
        rate = _rate(task)
        return Text(f"{format_bytes(rate)}/s" if rate else "", style="progress.data.speed")


class TimeLeft(ProgressColumn):
    """What is left, at the speed so far."""

    def render(self, task: Task) -> Text:
        """Return the text, empty until the first bytes are done."""
        rate = _rate(task)
        left = f"{format_seconds(max((task.total or 0) - task.completed, 0) / rate)} left" if rate else ""
        return Text(left, style="progress.remaining")


def _rate(task: Task) -> float:
    return task.completed / task.elapsed if task.elapsed else 0.0


@contextmanager
def bar_or_silence(console: Console | None = None, *, title: str = "rows") -> Iterator[Tell]:
    """Yield a listener that draws the current pass as a bar with GB/s and time left, and leaves one line of each finished pass.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw; None: standard error.  One that is no terminal gets nothing; the lines go to the log instead.
    title : str
        Of work that tells its progress without being a pass.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield LogLines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), Amount(), Speed(), TimeLeft())
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress, title)


class _Bars:
    """One live bar for the current pass; safe to be told from several threads, one at a time a pass."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._current: TaskID | None = None
        self._expected = 1

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, events.PassStarted):
            self._expected = event.expected_passes
            self._begin(title_of(event.number, self._expected, event.kind), event.total_bytes)
        elif isinstance(event, events.Progress):
            if self._current is None:
                self._begin(self._title, event.total_bytes)
            self._progress.update(self._current, completed=event.done_bytes)  # type: ignore[arg-type]  # begun just above
        elif isinstance(event, events.PassFinished):
            self._end()
            self._say(finished_line(event, self._expected))
        elif isinstance(event, events.Note):
            self._say(f"note: {event.text}")

    def _begin(self, title: str, total_bytes: int) -> None:
        self._end()
        self._current = self._progress.add_task(title, total=total_bytes)

    def _end(self) -> None:
        if self._current is not None:
            self._progress.remove_task(self._current)
            self._current = None

    def _say(self, line: str) -> None:
        # As Text: a line such as "[A b]" is no markup.
        self._progress.console.print(Text(line), highlight=False, soft_wrap=True)


# ---- elsewhere -------------------------------------------------------------------------------------------------------


class LogLines:
    """Logs (INFO, logger ``dsketch``) a line for each finished pass and note, and a sign of life in a long one.

    Parameters
    ----------
    clock : callable
        Seconds, monotonic.
    every_seconds : float
        Least time between two signs of life.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, every_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._clock = clock
        self._every = every_seconds
        self._title = "rows"
        self._expected = 1
        self._began = self._said = clock()

    def __call__(self, event: Event) -> None:
        """Log an event, if it is worth a line."""
        if isinstance(event, events.PassStarted):
            self._expected = event.expected_passes
            self._title = title_of(event.number, self._expected, event.kind)
            self._began = self._said = self._clock()
        elif isinstance(event, events.Progress):
            self._beat(event)
        elif isinstance(event, events.PassFinished):
            log.info("%s", finished_line(event, self._expected))
        elif isinstance(event, events.Note):
            log.info("note: %s", event.text)

    def _beat(self, event: events.Progress) -> None:
        now = self._clock()
        if now - self._said < self._every or not event.done_bytes:
            return
        self._said = now
        rate = event.done_bytes / (now - self._began)
        left = (event.total_bytes - event.done_bytes) / rate
        log.info(
            "%s  %s of %s  %s/s  %s left",
            self._title,
            format_bytes(event.done_bytes),
            format_bytes(event.total_bytes),
            format_bytes(rate),
            format_seconds(left),
        )


def finished_line(event: events.PassFinished, expected: int) -> str:
    """Return what there is to say of a finished pass.

    >>> finished_line(events.PassFinished(2, "whitened", 0.5, 1_600_000_000, replayed=False), 3)
    'pass 2 of 3  whitened  1.60 GB  3.20 GB/s  0.5 s'
    >>> finished_line(events.PassFinished(1, "sketch", 0.5, 1_600_000_000, replayed=True), 3)
    'pass 1 of 3  sketch  from the journal, nothing read'
    >>> finished_line(events.PassFinished(5, "normal", 0.5, 1_600_000_000, replayed=False), 0)
    'pass 5  normal  1.60 GB  3.20 GB/s  0.5 s'
    """
    title = title_of(event.number, expected, event.kind)
    if event.replayed:
        return f"{title}  from the journal, nothing read"
    speed = f"  {format_bytes(event.read_bytes / event.seconds)}/s" if event.seconds else ""
    return f"{title}  {format_bytes(event.read_bytes)}{speed}  {format_seconds(event.seconds)}"


def title_of(number: int, expected: int, kind: str) -> str:
    """Return the name of a pass: its number, of how many, and its kind."""
    of = f" of {max(expected, number)}" if expected else ""
    return f"pass {number}{of}  {kind}"
