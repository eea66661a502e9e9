"""Processes that tests start, forked from one that has imported all that they need and done nothing.

To start Python and import dsketch takes more than a second of a processor, and the tests start hundreds: workers of Dask, schedulers,
services.  A fork is such a process too: its own id, memory, streams and signals, and it is as dead as any after SIGKILL.  What a new
interpreter does, with its command line and its exit code, is judged where it is the subject: ``tests/cli/test_processes.py``,
``tests/failures/test_exit_codes.py``, ``tests/deploy/``.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import dask
import pytest
from distributed.utils import get_mp_context

_CONTEXT = multiprocessing.get_context("forkserver")
_IMPORTED = [
    *("distributed.cli.utils", "distributed.nanny"),
    *("dsketch._cli", "dsketch.engine.interrupt", "dsketch.service.serve", "uvicorn.server"),
]


@contextmanager
def forked_workers() -> Iterator[None]:
    """Fork the workers of every LocalCluster of this process; the environment is that which Dask would give them."""
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}), pytest.MonkeyPatch.context() as patch:
        get_mp_context()  # names packages of its own when it is first called
        _CONTEXT.set_forkserver_preload(_IMPORTED)
        for name, value in dask.config.get("distributed.nanny.pre-spawn-environ").items():
            patch.setenv(name, str(value))  # of threads: read when NumPy is imported
        forkserver.ensure_running()
        patch.undo()
        yield


def spawned_workers() -> dask.config.set:
    """Return a context in which workers are new interpreters, as they are for users: where imports or memory are the subject."""
    return dask.config.set({"distributed.worker.multiprocessing-method": "spawn"})


class Fork:
    """``python -m module words``, forked: in the working directory and with the environment of this process.

    Parameters
    ----------
    module : str
    *words : str
        Of the command line.
    output : Path or None
        To which standard output and standard error are appended; None: standard output goes nowhere, and standard error to ``stderr``.
    """

    def __init__(self, module: str, *words: str, output: Path | None = None) -> None:
        self.stderr: IO[bytes] | None = None
        if output is not None:
            self._start(module, words, output, None)
            return
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        with ours, theirs:
            self._start(module, words, Path(os.devnull), theirs)
            self.stderr = os.fdopen(os.dup(ours.fileno()), "rb")

    def _start(self, *words: Any) -> None:
        self._process = _CONTEXT.Process(target=_run, args=words)
        self._process.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, signal: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.is_alive():
            os.kill(self.pid, signal)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self.kill()
        self.wait()

    def wait(self, seconds: float | None = None) -> int:
        """Return its exit code, negative that of a signal, once it has ended.

        Raises
        ------
        subprocess.TimeoutExpired
        """
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, seconds or 0.0)
        return self._process.exitcode


def _run(module: str, words: tuple[str, ...], output: Path, errors: Connection | None) -> None:
    with open(os.devnull, "rb") as nothing, open(output, "ab") as said:  # noqa: PTH123 - descriptors are wanted
        os.dup2(nothing.fileno(), 0)
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno() if errors is None else errors.fileno(), 2)
    if errors is not None:
        errors.close()
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - they stay open
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
