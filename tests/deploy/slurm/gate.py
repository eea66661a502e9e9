"""A gate in the workers: the first task of the chosen kind of pass says who it is and waits.

Dask loads this into each worker (``distributed.worker.preload``).  The folder named by ``DSKETCH_GATE`` is the other half: its file
``armed`` names the kind of pass, and whoever renames it is the one to wait; see :func:`tests.failures.traps.wait_for_release`.
"""

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dsketch.engine import worker as engine
from dsketch.engine.stream import run_task
from tests.failures.traps import Pipes, wait_for_release


def dask_setup(worker: object) -> None:
    """Put the gate before every task of this worker."""
    engine.run_task = partial(_gated, Path(os.environ["DSKETCH_GATE"]))


class Gate:
    """The test's side.

    Parameters
    ----------
    folder : Path
        Seen by all workers.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.pipes = folder, Pipes(SimpleNamespace(folder=folder))
        self.environment = {"DSKETCH_GATE": str(folder), "DASK_DISTRIBUTED__WORKER__PRELOAD": '["tests.deploy.slurm.gate"]'}

    def arm(self, kind: str) -> None:
        """Let the next task of a pass of this kind wait."""
        (self.folder / "armed").write_text(kind)

    def caught(self) -> dict[str, str]:
        """Wait until a task waits; return the environment of its process."""
        process = self.pipes.caught()
        words = Path(f"/proc/{process}/environ").read_text().split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)


def _gated(folder: Path, pass_: Any, *rest: Any, **more: Any) -> Any:
    armed = folder / "armed"
    if armed.exists() and armed.read_text() == pass_.kind:
        try:
            armed.rename(folder / "sprung")
        except FileNotFoundError:  # another was sooner
            pass
        else:
            wait_for_release(SimpleNamespace(folder=folder))
    return run_task(pass_, *rest, **more)
