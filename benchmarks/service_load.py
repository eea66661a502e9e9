"""Claim: an audit log costs a busy service little: 1,000 jobs from 20 clients are accepted and shown as fast with it as without.

Twenty clients at a time hand in tiny jobs, look at each after that and at the list; two jobs run at once meanwhile, as they would.  A
service with the audit log and one without take turns, each with an empty state directory.  Requests a second and latencies are the
clients', who share the machine with the service; processor seconds a request are the service's alone, and say what the log costs.
"""

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from memory import Watch, processor_seconds
from record import Case, Record, arguments, figure, show, table
from served import Served, store_data

ROUNDS = 3
JOBS, CLIENTS = 1_000, 20
TINY = {"rounds": 1, "jobs": 6, "clients": 2}
KINDS = ("POST /v1/jobs", "GET /v1/jobs/{id}", "GET /v1/jobs")


def measure(folder: Path, data: Path, jobs: int, clients: int, is_audited: bool) -> Case:
    """Return the figures of one burst."""
    audit = folder / "audit"
    words = ("--rate", "1000000", "--max-jobs", "2", *(("--audit-log", str(audit)) if is_audited else ()))
    with Served(folder, data, *words) as service:
        took: dict[str, list[float]] = {kind: [] for kind in KINDS}
        with httpx.Client(base_url=service.url, timeout=240, trust_env=False) as http:
            http.get("/v1/service").raise_for_status()
        before, memory = processor_seconds([service.pid]), psutil.Process(service.pid).memory_info().rss
        began = time.perf_counter()
        with Watch([service.pid]) as watch:
            shares = [range(number, jobs, clients) for number in range(clients)]
            threads = [threading.Thread(target=burst, args=(service.url, share, took)) for share in shares]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        seconds = time.perf_counter() - began
        spent = processor_seconds([service.pid]) - before
    requests = sum(map(len, took.values()))
    every = [one for kind in KINDS for one in took[kind]]
    return {
        "jobs": len(took[KINDS[0]]),
        "clients": clients,
        "requests": requests,
        "seconds": seconds,
        "rate": requests / seconds,
        "p50": float(np.quantile(every, 0.5)),
        "p99": float(np.quantile(every, 0.99)),
        "p99_of": {kind: float(np.quantile(took[kind], 0.99)) for kind in KINDS},
        "processor_milliseconds": 1e3 * spent / requests,
        "memory_before": memory,
        "memory_peak": watch.rss,
        "lines": len(audit.read_text().splitlines()) if is_audited else 0,
    }


def burst(url: str, share: range, took: dict[str, list[float]]) -> None:
    """Hand in a client's share of the jobs, and look at each and at the list."""
    with httpx.Client(base_url=url, timeout=240, trust_env=False) as http:

        def ask(kind: str, method: str, path: str, **more: Any) -> httpx.Response:
            began = time.perf_counter()
            answer = http.request(method, path, **more).raise_for_status()
            took[kind].append(time.perf_counter() - began)
            return answer

        for number in share:
            spec = {"problem": "lstsq", "A": "A.zarr", "b": "b.zarr", "seed": number}
            id_ = ask(KINDS[0], "POST", "/v1/jobs", json={"spec": spec, "name": f"burst {number}"}).json()["id"]
            ask(KINDS[1], "GET", f"/v1/jobs/{id_}")
            ask(KINDS[2], "GET", "/v1/jobs", params={"limit": 25, "order": "active"})


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of medians, and the ratios within rounds."""
    sides = {name: [case for case in cases if case["audit"] is (name == "on")] for name in ("off", "on")}
    if not all(sides.values()):
        return {}
    rows = []
    for name, of_side in sides.items():
        middle = {
            key: statistics.median(case[key] for case in of_side) for key in ("rate", "p50", "p99", "processor_milliseconds")
        }
        memory = f"{of_side[-1]['memory_before'] / 1e6:.0f} → {max(case['memory_peak'] for case in of_side) / 1e6:.0f}"
        rows.append([name, middle["rate"], 1e3 * middle["p50"], 1e3 * middle["p99"], middle["processor_milliseconds"], memory])
    ratios = [on["processor_milliseconds"] / off["processor_milliseconds"] for off, on in zip(*sides.values(), strict=True)]
    rates = [on["rate"] / off["rate"] for off, on in zip(*sides.values(), strict=True)]
    rows.append(
        [
            "on ÷ off, within a round",
            f"{min(rates):.2f} to {max(rates):.2f}",
            "",
            "",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            "",
        ]
    )
    heads = ["audit log", "requests a second", "p50 ms", "p99 ms", "processor ms a request", "memory MB, before → most"]
    return {"service-load": table(heads, rows)}


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of one burst with the log and one without")
    parser.add_argument("--jobs", type=int, default=JOBS, help="of a burst")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="at a time")
    options = parser.parse_args()
    if options.tiny:
        vars(options).update(TINY)
    record = Record(options.out, "service_load")
    with tempfile.TemporaryDirectory() as place:
        data = store_data(Path(place) / "data", 400, 4)
        for round_ in range(options.rounds):
            for is_audited in (False, True) if round_ % 2 == 0 else (True, False):
                folder = Path(place) / f"{round_}-{is_audited}"
                case = measure(folder, data, options.jobs, options.clients, is_audited)
                record.add(experiment="load", round=round_, audit=is_audited, **case)
    show(tables(record.cases))

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for is_audited in (False, True):
            mine = [case for case in record.cases if case["audit"] is is_audited]
            axes.plot(
                [case["round"] for case in mine],
                [case["rate"] for case in mine],
                "o-",
                label=f"audit log {'on' if is_audited else 'off'}",
            )
        axes.set(xlabel="round", ylabel="requests a second", ylim=(0, None))
        axes.legend()

    figure(options.out / "service_load.png", draw)


if __name__ == "__main__":
    main()
