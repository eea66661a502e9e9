"""Claim: the page stays quick whatever it shows: the list of 10,000 jobs, a table of 5,000 coefficients.

In headless Chromium against a running service.  The list: a service with 10 jobs and one with 10,000 take turns, each time in a browser
context that has nothing in its cache; first contentful paint as the browser tells it, and the frame in which the first row of the list
stands.  The table: a job with 5,000 coefficients, its errors known; the wheel is turned over it, each head pressed, names searched letter
by letter, and what the browser calls long tasks (50 ms and more in which it could not answer) are counted.
"""

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from record import Case, Record, arguments, figure, show, spread, table
from served import Served, fill_state, store_data

import dsketch

JOBS = (10, 10_000)
REPEATS = 15
COLUMNS = 5_000
TURNS = 60  # of the wheel, 400 pixels each
TINY = {"jobs": (2, 30), "repeats": 2, "columns": 300, "turns": 4}
LONG_MS = 50  # from which the browser calls a task long
_PATIENCE = 240_000
_ROWS = "[data-part=coefficients] tbody tr:not(.filler)"
_FIRST_ROW = """() => {
  const look = () => {
    if (!document.querySelector("tbody tr")) return void requestAnimationFrame(look);
    requestAnimationFrame(() => (window.rowAt = performance.now()));
  };
  requestAnimationFrame(look);
}"""
_LONG_TASKS = """() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
}"""
_PAINT = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  row: window.rowAt,
  bytes: performance.getEntriesByType("resource").filter((one) => one.name.includes("v1/jobs?")).map((one) => one.decodedBodySize)[0],
})"""


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        path = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page_of(opened: Any, url: str, script: str) -> Iterator[tuple[Any, Any]]:
    """Yield a page of a fresh context in which a script runs first, and the wires to what it costs, which are counted from before it."""
    context = opened.new_context(viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        wires = page.context.new_cdp_session(page)
        wires.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.add_init_script(f"({script})()")
        page.goto(url)
        yield page, wires
    finally:
        context.close()


def first_paints(opened: Any, urls: dict[int, str], repeats: int) -> Iterator[Case]:
    """Yield the paints of the lists, by turns; the first turn warms both services up and is left out."""
    found: dict[int, list[dict[str, float]]] = {count: [] for count in urls}
    for turn in range(repeats + 1):
        for count, url in urls.items():
            with page_of(opened, f"{url}/", _FIRST_ROW) as (page, _):
                page.wait_for_function("() => window.rowAt")
                told = page.evaluate(_PAINT)
            if turn:
                found[count].append(told)
    for count, paints in found.items():
        first, row = ([one[name] for one in paints] for name in ("paint", "row"))
        yield {"jobs": count, "paint_ms": spread(first), "row_ms": spread(row), "list_bytes": paints[-1]["bytes"]}


def long_tasks(opened: Any, url: str, id_: str, columns: int, turns: int, repeats: int) -> Iterator[Case]:
    """Yield what the browser could not answer during, by what was done."""
    for repeat in range(repeats):
        with page_of(opened, f"{url}/#/jobs/{id_}", _LONG_TASKS) as (page, wires):
            page.locator(_ROWS).first.wait_for()
            most, mark = 0, [0.0]

            def taken(page: Any = page) -> list[float]:
                page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
                return list(page.evaluate("() => window.long.splice(0)"))

            def note(doing: str, steps: int, repeat: int = repeat, wires: Any = wires, mark: list[float] = mark) -> Case:
                times, now = taken(), processor_of(wires)
                spent, mark[0] = now - mark[0], now
                told = {"doing": doing, "repeat": repeat, "steps": steps, "long": len(times)}
                return {**told, "longest_ms": max(times, default=0.0), "processor_ms": 1e3 * spent / steps}

            yield {**note("open", 1), "columns": columns}
            page.locator(".scroll.long").hover()
            for turn in range(turns):
                page.mouse.wheel(0, 400 if turn < turns // 2 else -400)
                page.evaluate("() => new Promise(requestAnimationFrame)")
                most = max(most, page.locator(_ROWS).count())
            yield {**note("wheel", turns), "columns": columns, "rows": most}
            heads = page.locator("[data-part=coefficients] th button.sort")
            for place in range(heads.count()):
                heads.nth(place).click()
                heads.nth(place).click()
            yield {**note("sort", 2 * heads.count()), "columns": columns, "rows": page.locator(_ROWS).count()}
            page.get_by_role("searchbox", name="Search names of coefficients").press_sequentially("00042")
            yield {**note("search", 5), "columns": columns, "rows": page.locator(_ROWS).count()}


def processor_of(wires: Any) -> float:
    """Return the processor seconds of the page's main thread so far: what other programs of a busy machine take is not in it."""
    metrics = wires.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of paints, and that of long tasks."""
    paints = [case for case in cases if case["experiment"] == "paint"]
    rows: list[list[Any]] = [
        [
            case["jobs"],
            case["paint_ms"]["median"],
            case["row_ms"]["median"],
            case["row_ms"]["low"],
            case["row_ms"]["high"],
            case["list_bytes"],
        ]
        for case in paints
    ]
    if len(paints) == 2:
        few, many = paints
        ratios = [many[name]["median"] / few[name]["median"] for name in ("paint_ms", "row_ms")]
        rows.append(["ratio", *ratios, None, None, many["list_bytes"] / few["list_bytes"]])
    told = [case for case in cases if case["experiment"] == "long tasks"]
    doings = list(dict.fromkeys(case["doing"] for case in told))
    of = {doing: [case for case in told if case["doing"] == doing] for doing in doings}
    tasks = [
        [
            doing,
            len(mine) * mine[0]["steps"],
            sum(case["long"] for case in mine),
            max(case["longest_ms"] for case in mine),
            statistics.median(case["processor_ms"] for case in mine),
            max((case.get("rows", 0) for case in mine), default=0) or None,
        ]
        for doing, mine in of.items()
    ]
    heads = ["jobs", "first paint ms", "first row ms", "least", "most", "bytes of the list"]
    return {
        "service-paint": table(heads, rows),
        "service-tasks": table(
            ["doing", "events", f"tasks ≥ {LONG_MS} ms", "longest ms", "processor ms an event", "rows in the page"], tasks
        ),
    }


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", choices=["paint", "tasks"], help="the list alone, or the table alone")
    options = parser.parse_args()
    sizes = {"jobs": JOBS, "repeats": REPEATS, "columns": COLUMNS, "turns": TURNS} | (TINY if options.tiny else {})
    jobs, repeats, columns, turns = sizes["jobs"], sizes["repeats"], sizes["columns"], sizes["turns"]
    record = Record(options.out, "service_page")
    with tempfile.TemporaryDirectory() as place, browser() as opened:
        if options.only != "tasks":
            data = store_data(Path(place) / "data", 400, 4)
            folders = {count: Path(place) / f"of-{count}" for count in jobs}
            for count, folder in folders.items():
                folder.mkdir()
                fill_state(folder / "state", count)
            with Served(folders[jobs[0]], data) as one, Served(folders[jobs[1]], data) as other:
                for case in first_paints(opened, {jobs[0]: one.url, jobs[1]: other.url}, repeats):
                    record.add(experiment="paint", **case)
        if options.only != "paint":
            data = store_data(Path(place) / "wide-data", columns + columns // 10, columns, names=True)
            with Served(Path(place) / "wide", data) as wide, dsketch.Client(wide.url) as client:
                id_ = client.submit(problem="ridge", A="A.zarr", b="b.zarr", alpha=float(columns), method="krylov")["id"]
                for _ in client.follow(id_):
                    pass
                for case in long_tasks(opened, wide.url, id_, columns, turns, max(repeats // 3, 1)):
                    record.add(experiment="long tasks", **case)
    show(tables(record.cases))

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        paints = [case for case in record.cases if case["experiment"] == "paint"]
        for name, label in (("paint_ms", "first paint"), ("row_ms", "first row of the list")):
            axes.semilogx([case["jobs"] for case in paints], [case[name]["median"] for case in paints], "o-", label=label)
        axes.set(xlabel="jobs of the service", ylabel="ms", ylim=(0, None))
        axes.legend()

    figure(options.out / "service_page.png", draw)


if __name__ == "__main__":
    main()
