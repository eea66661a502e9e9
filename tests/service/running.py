"""A real service in a process of its own, to use and to kill."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from dsketch.client import Client
from tests.forked import Fork

T = TypeVar("T")
DEADLINE_SECONDS = 240  # a busy machine is slow, not wrong


class Service:
    """``dsketch serve`` on a free port.

    Parameters
    ----------
    folder : Path
        For the state directory and the log; the same folder is the same service after a restart.
    data : Path
        The declared data root.
    *words : str
        Further options.
    module : str
        That is run; :mod:`tests.service.hasty` does not wait before another attempt.
    """

    def __init__(self, folder: Path, data: Path, *words: str, module: str = "dsketch") -> None:
        self._module = module
        self.folder, self.state, self.log = folder, folder / "state", folder / "log"
        self._words = ("--state", str(self.state), "--data-root", str(data), "--port", "0", *words)
        self._process: Fork | None = None
        self.url = ""

    def __enter__(self) -> "Service":
        """Start it."""
        self.start()
        return self

    def __exit__(self, *reason: object) -> None:
        """Kill it if it still runs."""
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *words: str) -> None:
        """Start it, with further options, and wait until it takes connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = Fork(self._module, "serve", *self._words, *words)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._note(line)
            if b"serves at " in line:
                self.url = line.decode().split("serves at ")[1].split()[0]
                break
        else:
            raise AssertionError(self.log.read_text())
        threading.Thread(target=self._drain, args=(self._process.stderr,), daemon=True).start()

    def kill(self) -> None:
        """End it by SIGKILL, in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def client(self, token: str | None = None) -> Client:
        """Return a client of it."""
        return Client(self.url, token)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(DEADLINE_SECONDS)
        self._process = None

    def _note(self, line: bytes) -> None:
        with self.log.open("ab") as log:
            log.write(line)

    def _drain(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self._note(line)


def waited(look: Callable[[], T | None], what: str) -> T:
    """Return what a look gives as soon as it gives something; looks pause by themselves, as they go over HTTP or to the disk."""
    deadline = monotonic() + DEADLINE_SECONDS
    while monotonic() < deadline:
        if (found := look()) is not None:
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"{what} did not come within {DEADLINE_SECONDS} seconds")


def rested(client: Client, id_: str) -> dict[str, Any]:
    """Return a job once it rests, by following its events."""
    for _ in client.follow(id_):
        pass
    return client.show(id_)


def solved(client: Client, job: dict[str, Any]) -> str:
    """Return the id of a job once it is solved."""
    done = rested(client, job["id"])
    assert done["state"] == "solved", done
    return str(done["id"])


def seen(client: Client, id_: str, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first event of a job that is it."""
    found = next((event for event in client.follow(id_) if is_it(event)), None)
    assert found is not None, client.show(id_)
    return found


def in_pass(number: int) -> Callable[[dict[str, Any]], bool]:
    """Return a question for :func:`seen`: whether this pass has begun."""
    return lambda event: event["event"] == "pass_started" and event["number"] >= number
