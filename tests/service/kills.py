"""Kill the service again and again under a queue of jobs, and count: ``python -m tests.service.kills [kills] [jobs]``.

Prints one line of JSON: jobs accepted, finished, lost, finished twice, answers that differ in a bit from the library's own.
"""

import json
import random
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dsketch
from dsketch.client import Client
from dsketch.errors import DsketchError
from tests.failures.data import columns, write
from tests.service.running import Service, rested

_LONGEST_SECONDS = 1.5  # between a start and a kill: the first job is planned, passes run, some jobs end


@dataclass
class Tally:
    """What came of the jobs."""

    kills: int = 0
    accepted: int = 0
    finished: int = 0
    lost: int = 0
    finished_twice: int = 0
    differing: int = 0
    passes_made: int = 0
    passes_needed: int = 0
    interrupted: int = 0
    half_written_served: int = 0


def torment(folder: Path, data: Path, kills: int, jobs: int, seed: int = 0) -> Tally:
    """Submit jobs while the service is killed at random moments, let the rest end, and count."""
    tally, rng = Tally(), random.Random(seed)
    service = Service(folder, data, "--max-jobs", "2", "--rate", "10000")
    keys = [f"job-{number}" for number in range(jobs)]
    accepted: dict[str, str] = {}
    for round_ in range(kills):
        service.start()
        last_word = threading.Timer(rng.uniform(0.0, _LONGEST_SECONDS), service.kill)
        last_word.start()
        share = keys[round_ * jobs // kills : (round_ + 1) * jobs // kills]
        _submit(service, [*share, *rng.sample(sorted(accepted), min(2, len(accepted)))], accepted)
        _watch(service, accepted, tally)
        last_word.join()
        tally.kills += 1
    with service:
        _submit(service, [key for key in keys if key not in accepted], accepted)
        _judge(service, data, accepted, tally)
    return tally


def spec_of(key: str) -> dict[str, Any]:
    """Return the run that belongs to a key: methods and seeds in turn."""
    number = int(key.removeprefix("job-"))
    method = ("conjugate_gradient", "whitened", "gradient_descent", "tsqr")[number % 4]
    return {"problem": "lstsq", "A": "A.zarr", "b": "b.zarr", "method": method, "seed": number % 3}


def _submit(service: Service, keys: list[str], accepted: dict[str, str]) -> None:
    """Hand in the jobs of some keys; a key that is known already must give the same job again."""
    for key in keys:
        try:
            with Client(service.url, attempts=1) as client:  # the service is about to die: do not wait for it
                id_ = client.submit(spec_of(key), key=key)["id"]
        except DsketchError:
            return
        assert accepted.setdefault(key, id_) == id_


def _watch(service: Service, accepted: dict[str, str], tally: Tally) -> None:
    """Fetch whatever says that it is solved, until the service dies: it must be whole."""
    while True:
        for id_ in list(accepted.values()):
            try:
                with Client(service.url, attempts=1) as client:
                    if client.show(id_)["state"] == "solved":
                        client.fetch(id_)
            except dsketch.DataError:
                tally.half_written_served += 1
            except DsketchError:
                return
        if not accepted:
            return


def _judge(service: Service, data: Path, accepted: dict[str, str], tally: Tally) -> None:
    with service.client() as client:
        known = {job["id"] for job in client.list()}
        for key, id_ in accepted.items():
            tally.accepted += 1
            if id_ not in known:
                tally.lost += 1
                continue
            job = rested(client, id_)
            states = Counter(step["state"] for step in job["history"])
            tally.finished += job["state"] == "solved"
            tally.finished_twice += states["solved"] > 1
            tally.interrupted += states["interrupted"]
            events = [json.loads(line) for line in (service.state / "jobs" / id_ / "events.jsonl").read_text().splitlines()]
            made = [event for event in events if event["event"] == "pass_finished" and not event["replayed"]]
            tally.passes_made += len(made)
            wanted = dsketch.lstsq(
                str(data / "A.zarr"),
                str(data / "b.zarr"),
                method=spec_of(key)["method"],
                seed=spec_of(key)["seed"],
                cluster="serial",
            )
            tally.passes_needed += len(wanted.passes)
            tally.differing += job["state"] != "solved" or client.fetch(id_).tobytes() != wanted.x.tobytes()


def main(kills: int = 20, jobs: int = 60) -> None:
    """Make the figures for tests/README.md."""
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        A, b = columns(40_000, 16)
        write(data / "A.zarr", A, chunk_rows=4_000)
        write(data / "b.zarr", b, chunk_rows=4_000)
        print(json.dumps(asdict(torment(Path(place) / "service", data, kills, jobs))))  # noqa: T201 - a script


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
