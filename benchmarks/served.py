"""A service in a process of its own for benchmarks, with data to read, and states of many jobs that were not run."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import zarr

from dsketch.service.job import State
from dsketch.service.specs import spec_of
from dsketch.service.store import Store

_WORDS = {"problem": "lstsq", "A": "A.zarr", "b": "b.zarr"}
_ENDS = (State.CANCELLED, State.FAILED)  # of the jobs that stand in for many: neither has an answer, and none runs
_LOOK_SECONDS = 0.05


class Served:
    """``dsketch serve`` on a free port, until the block ends.

    Parameters
    ----------
    folder : Path
        For the state directory and the log.
    data : Path
        The data root.
    *words : str
        Further options.
    """

    def __init__(self, folder: Path, data: Path, *words: str) -> None:
        self.state = folder / "state"
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "dsketch", "serve", "--state", str(self.state), "--data-root", str(data), "--port", "0"]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([*command, *words], stderr=log, stdout=log)
        self.pid, self.url = self._process.pid, self._wait_for_url(folder / "log")

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def _wait_for_url(self, log: Path) -> str:
        while self._process.poll() is None:
            _, found, rest = log.read_text().partition("serves at ")
            if found and "\n" in rest:
                return rest.split()[0]
            time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"a service that takes connections was expected; it ended: {log.read_text()[-500:]}")


def store_data(folder: Path, rows: int, columns: int, names: bool = False, seed: int = 0) -> Path:
    """Store A and b = A 1 + noise in a folder, and return it."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, columns))
    stored = zarr.create_array(folder / "A.zarr", data=A, chunks=(max(rows // 4, 1), columns), compressors=None)
    if names:
        stored.attrs["columns"] = [f"gene_{place:05d}" for place in range(columns)]
    zarr.create_array(folder / "b.zarr", data=A.sum(1) + rng.standard_normal(rows), chunks=(max(rows // 4, 1),), compressors=None)
    return folder


def fill_state(state: Path, jobs: int) -> None:
    """Put that many ended jobs into a state directory, as a service of many months has them: copies of one."""
    store = Store(state)
    first, _ = store.accept("local", "model", spec_of(_WORDS).model_dump(), None, "")
    store.move(first.id, _ENDS[0])
    store.close()
    pattern = state / "jobs" / first.id
    about, past = (json.loads((pattern / f"{name}.json").read_text()) for name in ("job", "state"))
    for number in range(jobs):
        id_ = f"{int(first.id, 16) - (number + 1) * 2**24:020x}"
        folder = state / "jobs" / id_
        shutil.copytree(pattern, folder)
        ended = {**past["history"][-1], "state": _ENDS[number % 2].value}
        _put(folder / "job.json", {**about, "id": id_, "name": f"model {number}, of rent by rooms"})
        _put(folder / "state.json", {**past, "history": [*past["history"][:-1], ended]})
    shutil.rmtree(pattern)


def _put(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document))
