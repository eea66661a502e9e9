"""What the views of the page show: data, jobs of each kind, a thousand jobs that are over, a team with tokens and limits."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr

from dsketch.service.auth import new_token
from dsketch.service.job import State
from tests.service.running import Service, in_pass, rested, seen, waited

NAMES = ["age", "income", "rooms", "distance to the sea", "year of the last renovation of the roof"]
MANY = 1_000
LONG_NAME = "rents of all towns by the sea, with a name that says more than anybody reads"
QUIET = 11  # seconds without a byte after which the page tells of it (ui/workers.js: 10)
_ROWS = 4_000
_TOWNS = (
    "Bergen",
    "Bremen",
    "Brest",
    "Cork",
    "Gdynia",
    "Genova",
    "Hull",
    "Leith",
    "Malmö",
    "Oban",
    "Porto",
    "Split",
    "Tallinn",
    "Vigo",
)
_APART = 2**22  # milliseconds between two of many jobs, some seventy minutes
_ENDS = (State.SOLVED, State.SOLVED, State.FAILED, State.SOLVED, State.NOT_SOLVED, State.SOLVED, State.SOLVED, State.CANCELLED)
PRICES = {"problem": "lstsq", "A": "then.zarr", "b": "price-then.zarr"}
_PAIRS = {"problem": "exp-kernel", "A": "pairs.zarr", "b": "pairs-b.zarr", "method": "conjugate_gradient", "features": "none"}
_ENDLESS = {**_PAIRS, "scale": 0.3, "alpha": 0.1, "tol": 1e-14}


def fill_data(folder: Path) -> Path:
    """Store what the jobs of the views read."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, truth in (("then", [1.0, -2.0, 0.5, 3.0, 0.0]), ("now", [1.5, -2.0, 0.5, 3.0, 0.0])):
        A = rng.standard_normal((_ROWS, len(NAMES)))
        stored = zarr.create_array(folder / f"{name}.zarr", data=A, chunks=(1_000, len(NAMES)))
        stored.attrs["columns"] = NAMES
        zarr.create_array(folder / f"price-{name}.zarr", data=A @ truth + rng.standard_normal(_ROWS), chunks=(1_000,))
    zarr.create_array(folder / "map.zarr", data=A[:, :2] @ rng.standard_normal((2, 600)) + A[:, 2:3], chunks=(1_000, 600))
    zarr.create_array(folder / "short.zarr", data=A[:7, 0], chunks=(7,))
    zarr.create_array(folder / "pairs.zarr", data=rng.standard_normal((6_000, 6)), chunks=(2_000, 6))
    zarr.create_array(folder / "pairs-b.zarr", data=rng.standard_normal(6_000), chunks=(2_000,))
    return folder


def make_first(client: Any) -> str:
    """Make a job that is solved, and return its id."""
    id_ = str(client.submit({**PRICES, "summary": True}, name="house prices", tags=["prices", "paper 2"])["id"])
    assert rested(client, id_)["state"] == "solved"
    return id_


def make_others(client: Any, first: str) -> dict[str, str]:
    """Make a job of each kind, and return their ids; one runs for a while, another waits for it."""
    asked = {
        "other": ({**PRICES, "A": "now.zarr", "b": "price-now.zarr", "summary": True}, "house prices, this year", ["prices"]),
        "iterative": ({**_PAIRS, "scale": 0.1, "alpha": 10.0}, f"{LONG_NAME}: iterative", ["rents", "paper 2"]),
        "failed": ({**PRICES, "b": "short.zarr"}, "", []),
        "targets": ({**PRICES, "b": "map.zarr"}, "trend of each cell", ["maps"]),
    }
    made = {kind: client.submit(spec, name=name, tags=tags)["id"] for kind, (spec, name, tags) in asked.items()}
    made["predictions"] = client.predict(first, "now.zarr", name="prices that were to be expected")["id"]
    for id_ in made.values():
        rested(client, id_)
    made["running"] = client.submit(_ENDLESS, name="kernel of pairs")["id"]
    made["waiting"] = client.submit({**_ENDLESS, "scale": 0.4}, name="kernel of pairs, wider")["id"]
    seen(client, made["running"], in_pass(3))
    return {"solved": first, **made}


@contextmanager
def stopped(service: Service, client: Any, id_: str) -> Iterator[None]:
    """Stop the process of a running job, as a store that does not answer would, until the service says so and to the block's end."""
    lock = str(service.state / "jobs" / id_)
    (process,) = [one for one in psutil.Process(service.pid).children(recursive=True) if _has_open(one, lock)]
    process.suspend()
    try:
        waited(lambda: True if (client.show(id_)["quiet_seconds"] or 0) >= QUIET else None, "a quiet job")
        yield
    finally:
        process.resume()


def _has_open(process: psutil.Process, folder: str) -> bool:
    try:
        return any(file.path.startswith(folder) for file in process.open_files())
    except psutil.Error:
        return False


def copy_jobs(state: Path, id_: str, owners: tuple[str, ...] = ("local",), count: int = MANY) -> None:
    """Put many jobs that are over into the state directory of a service that does not run, like one that is there."""
    pattern = state / "jobs" / id_
    about, past = (json.loads((pattern / f"{name}.json").read_text()) for name in ("job", "state"))
    for number in range(count):
        before = (number + 1) * _APART
        copy = f"{int(id_, 16) - before * 2**32:020x}"  # the first twelve digits are milliseconds
        folder = state / "jobs" / copy
        folder.mkdir()
        shutil.copy(pattern / "spec.json", folder)
        name = f"prices in {_TOWNS[number % len(_TOWNS)]}, {2025 - number // len(_TOWNS)}"
        (folder / "job.json").write_text(
            json.dumps(
                {
                    **about,
                    "id": copy,
                    "created": about["created"] - before / 1000,
                    "key": None,
                    "name": name,
                    "owner": owners[number % len(owners)],
                }
            )
        )
        end = _ENDS[number % len(_ENDS)]
        passes = 0 if end is State.FAILED else past["history"][-1]["passes"]
        history = [{**step, "at": step["at"] - before / 1000} for step in past["history"]]
        history[-1] |= {"state": end.value, "sentence": end.sentence, "passes": passes, "worked": 0.4 + number % 7}
        (folder / "state.json").write_text(json.dumps({**past, "history": history}))


def write_team(folder: Path) -> tuple[str, dict[str, str]]:
    """Write tokens and limits of a team, and return the words that serve them and the secrets of three."""
    file = folder / "tokens"
    secrets = {"boss": new_token(file, "boss", is_admin=True, label="laptop"), "ann": new_token(file, "ann@example.com", days=30)}
    secrets["ben"] = new_token(file, "ben", label="notebook")
    new_token(file, "ann@example.com", is_reader=True, days=-2, label="wall")
    (folder / "owners.toml").write_text('["*"]\nrunning_jobs = 4\nbytes_a_day = "500kB"\n')
    return str(file), secrets
