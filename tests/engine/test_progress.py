"""Bars on a terminal, log lines elsewhere."""

import io
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from dsketch.engine.progress import HEARTBEAT_SECONDS, LogLines, bar_or_silence
from dsketch.events import Note, PassFinished, PassStarted, Progress

GB = 1_000_000_000


def terminal() -> Console:
    """Return a console that draws into memory."""
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def drawn(console: Console) -> str:
    """Return everything that was drawn."""
    return console.file.getvalue()


def test_each_finished_pass_leaves_a_line_with_its_speed() -> None:
    """A finished pass is told by number, kind, bytes, GB/s and seconds."""
    console = terminal()
    with bar_or_silence(console) as tell:
        tell(PassStarted(2, "whitened", 2 * GB, 3))
        tell(Progress(GB, 2 * GB))
        tell(PassFinished(2, "whitened", 0.5, 2 * GB, replayed=False))
    assert "pass 2 of 3  whitened  2.00 GB  4.00 GB/s  0.5 s" in drawn(console)


def test_the_bar_of_an_unfinished_pass_stays() -> None:
    """A run that stops in a pass leaves the bar as it was: what was done, how fast, and how long it would have taken."""
    console = terminal()
    with bar_or_silence(console) as tell:
        tell(PassStarted(1, "sketch & gram", 4 * GB, 2))
        tell(Progress(GB, 4 * GB))
    last = drawn(console).rsplit("pass 1 of 2", 1)[1]
    assert "sketch & gram" in last
    assert "1.00 GB of 4.00 GB" in last
    assert "B/s" in last
    assert "left" in last


def test_a_replayed_pass_says_so() -> None:
    """A pass that the journal knew claims no speed."""
    console = terminal()
    with bar_or_silence(console) as tell:
        tell(PassStarted(1, "sketch", GB, 2))
        tell(PassFinished(1, "sketch", 0.5, GB, replayed=True))
    last = drawn(console).rsplit("pass 1 of 2", 1)[1]
    assert "from the journal" in drawn(console)
    assert "GB/s" not in last


def test_notes_are_no_markup() -> None:
    """Square brackets of a note are shown as they are."""
    console = terminal()
    with bar_or_silence(console) as tell:
        tell(Note("the triangle of [A b] took over"))
    assert "note: the triangle of [A b] took over" in drawn(console)


def test_work_without_passes_has_a_bar_too() -> None:
    """Progress that belongs to no pass (an ingest) is drawn under the given title."""
    console = terminal()
    with bar_or_silence(console, title="reading") as tell:
        tell(Progress(GB, 4 * GB))
    assert "reading" in drawn(console)
    assert "1.00 GB of 4.00 GB" in drawn(console)


def test_a_pass_beyond_the_plan_counts_on() -> None:
    """A method that needs more passes than planned never shows "pass 4 of 3"."""
    console = terminal()
    with bar_or_silence(console) as tell:
        tell(PassStarted(4, "triangle", GB, 4))
        tell(PassFinished(4, "triangle", 1.0, GB, replayed=False))
    assert "pass 4 of 4" in drawn(console)


def test_threads_may_tell() -> None:
    """Worker threads tell their progress at once; the bar ends where the last one says."""
    console = terminal()
    lock, done = threading.Lock(), 0
    with bar_or_silence(console) as tell, ThreadPoolExecutor(8) as pool:
        tell(PassStarted(1, "sketch", 800, 1))

        def read(_: int) -> None:
            nonlocal done
            with lock:
                done += 1
                tell(Progress(done, 800))

        list(pool.map(read, range(800)))
    assert "800 B of 800 B" in drawn(console)


def test_what_is_no_terminal_gets_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A file gets no control characters: the lines go to the log."""
    console = Console(file=io.StringIO(), force_terminal=False)
    with caplog.at_level(logging.INFO, "dsketch"), bar_or_silence(console) as tell:
        tell(PassStarted(1, "triangle", GB, 2))
        tell(PassFinished(1, "triangle", 2.0, GB, replayed=False))
        tell(Note("rank 3 of 4"))
    assert drawn(console) == ""
    assert caplog.messages == ["pass 1 of 2  triangle  1.00 GB  500 MB/s  2 s", "note: rank 3 of 4"]


def test_a_long_pass_shows_signs_of_life(caplog: pytest.LogCaptureFixture) -> None:
    """In a log a long pass says now and then how far it is, how fast, and how long it will take; not at every event."""
    now = 0.0
    lines = LogLines(clock=lambda: now)
    with caplog.at_level(logging.INFO, "dsketch"):
        lines(PassStarted(1, "sketch", 100 * GB, 3))
        for step in range(1, 101):
            now = step * HEARTBEAT_SECONDS / 10
            lines(Progress(step * GB, 100 * GB))
    assert len(caplog.messages) == 10
    assert caplog.messages[0] == "pass 1 of 3  sketch  10.00 GB of 100 GB  333 MB/s  4 min 30 s left"
