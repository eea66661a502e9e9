"""Schedulers, workers and drivers as processes of their own, killed by id when a test is over."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

from distributed import Client

from tests.forked import Fork

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def start(module: str, *words: str, log: Path | None = None, **streams: Any) -> subprocess.Popen[bytes]:
    """Start ``python -m module words`` with this repository in its path; its output goes to ``log``, unless ``streams`` say otherwise."""
    with (log or Path(os.devnull)).open("ab") as output:
        streams = {"stdout": output, "stderr": subprocess.STDOUT, **streams}
        return subprocess.Popen([sys.executable, "-m", module, *words], env={**os.environ, **ENVIRONMENT}, **streams)


Driver = Callable[..., None]


@contextmanager
def drivers(module: str, log: Path) -> Iterator[Driver]:
    """Yield a function that runs a driver of a module (:mod:`tests.failures.driver`) with words until it has killed itself."""
    with log.open("wb") as said, start(module, stdin=PIPE, stdout=PIPE, stderr=said) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(*words: str) -> None:
            process.stdin.write(json.dumps(words).encode() + b"\n")
            process.stdin.flush()
            ended = process.stdout.readline()
            assert ended.strip() == str(-signal.SIGKILL).encode(), log.read_text()

        yield run
        process.stdin.close()  # nothing more to read: it ends


class Machines:
    """A scheduler and workers as users start them by hand, with the stock settings of Dask.

    Parameters
    ----------
    folder : Path
        For the scheduler file, logs and scratch space.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.file = folder, folder / "scheduler.json"
        self.workers: list[Fork] = []
        self._stack = ExitStack()

    def __enter__(self) -> "Machines":
        """Start the scheduler."""
        self.scheduler = self._started(
            "distributed.cli.dask_scheduler",
            *("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(self.file)),
        )
        return self

    def __exit__(self, *reason: object) -> None:
        """Kill whatever still runs."""
        self._stack.close()

    def add_worker(self) -> Fork:
        """Start a worker of one thread without a nanny; it waits for the scheduler file by itself."""
        words = ("--scheduler-file", str(self.file), "--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
        worker = self._started("distributed.cli.dask_worker", *words, "--local-directory", str(self.folder))
        self.workers.append(worker)
        return worker

    def connect(self, workers: int) -> Client:
        """Return a client once the scheduler and that many workers are there."""
        client = self._stack.enter_context(Client(scheduler_file=str(self.file), set_as_default=False, timeout=240))
        if workers:
            client.wait_for_workers(workers, timeout=240)
        return client

    def _started(self, module: str, *words: str) -> Fork:
        process = Fork(module, *words, output=self.folder / "log")
        self._stack.callback(process.end)
        return process
