"""Listeners for people: a bar for every pass on a terminal, log lines elsewhere."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from dsketch import events
from dsketch.events import Event, Tell
from dsketch.units import format_bytes, format_seconds

log = logging.getLogger("dsketch")


@contextmanager
def bar_or_silence(console: Console | None = None) -> Iterator[Tell]:
    """Yield a listener that draws one bar a pass with GB/s and time left on standard error."""
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=False) as progress:
        current: list[TaskID] = []

        def tell(event: Event) -> None:
            if isinstance(event, events.PassStarted):
                title = f"pass {event.number} of {event.expected_passes}  {event.kind}"
                current.append(progress.add_task(title, total=event.total_bytes))
            elif isinstance(event, events.Progress) and current:
                progress.update(current[-1], completed=event.done_bytes)
            elif isinstance(event, events.PassFinished):
                progress.update(current[-1], completed=event.read_bytes)
                if event.replayed:
                    progress.console.print(f"pass {event.number} {event.kind}: from the journal")
            elif isinstance(event, events.Note):
                progress.console.print(f"note: {event.text}")

        yield tell


def log_lines(event: Event) -> None:
    """Log one line a pass (INFO) and every note."""
    if isinstance(event, events.PassFinished):
        speed = event.read_bytes / event.seconds if event.seconds else 0.0
        source = "replayed from the journal" if event.replayed else f"{format_seconds(event.seconds)}, {format_bytes(speed)}/s"
        log.info("pass %d %s: %s read, %s", event.number, event.kind, format_bytes(event.read_bytes), source)
    elif isinstance(event, events.Note):
        log.info("note: %s", event.text)
