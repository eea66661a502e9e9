"""What a list costs does not grow with the jobs that are not shown; what a long table costs not with the rows out of sight: counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch.service.index import Index
from dsketch.service.job import Job, State, StateChange
from dsketch.service.listing import Look, Order
from tests.service.browser import chromium, playwright, watched
from tests.service.running import Service, rested

expect = playwright.expect
PAGE = 25  # of the page's list
COLUMNS = 1_000
ROW = 28  # pixels of a row of the table
AROUND = 24  # rows beyond both edges


def index_of(folder: Path, jobs: int) -> Index:
    """Return an index with that many jobs in all states."""
    folder.mkdir()
    index, states = Index(folder / "index.sqlite"), [state for state in State if not state.is_active]
    spec = {"problem": "lstsq", "A": "/data/A.zarr", "b": "/data/b.zarr"}
    index.replace(
        Job(
            f"{number:020x}",
            f"owner{number % 3}",
            f"model {number}",
            spec,
            1.0,
            (StateChange(states[number % len(states)], 1.0, "s"),),
        )
        for number in range(jobs)
    )
    return index


def work_of(index: Index, order: Order) -> dict[str, int]:
    """Return what a look at the first page and the counts cost: statements, steps of SQLite's machine, jobs that are read."""
    reader, statements, steps = index._reader(), list[str](), 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    reader.set_trace_callback(statements.append)
    reader.set_progress_handler(step, 1)
    found = index.page(Look(order=order, limit=PAGE + 1))
    index.counts()
    index.owners()
    reader.set_trace_callback(None)
    reader.set_progress_handler(None, 1)
    return {"statements": len(statements), "steps": steps, "jobs": len(found)}


@pytest.mark.parametrize("order", list(Order))
def test_a_page_of_many_jobs_costs_what_one_of_few_does(tmp_path: Path, order: Order) -> None:
    """With 40 jobs and with 4,000: the same statements, the same jobs, and no more than a tenth more steps (places in deeper trees)."""
    few, many = (index_of(tmp_path / f"{jobs}", jobs) for jobs in (40, 4_000))
    one, other = work_of(few, order), work_of(many, order)
    few.close()
    many.close()

    assert one["jobs"] == other["jobs"] == PAGE + 1
    assert one["statements"] == other["statements"]
    assert 0 < other["steps"] <= 1.1 * one["steps"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service, and a solved job with 1,000 coefficients that are their places."""
    folder = tmp_path_factory.mktemp("wide")
    A = np.random.default_rng(0).standard_normal((COLUMNS + 500, COLUMNS))
    stored = zarr.create_array(folder / "data" / "A.zarr", data=A, chunks=(COLUMNS, COLUMNS))
    stored.attrs["columns"] = [f"gene_{place:05d}" for place in range(COLUMNS)]
    zarr.create_array(folder / "data" / "b.zarr", data=A @ np.arange(COLUMNS, dtype=float), chunks=(COLUMNS,))
    with Service(folder, folder / "data") as service, service.client() as client:
        id_ = client.submit(problem="lstsq", A="A.zarr", b="b.zarr")["id"]
        assert rested(client, id_)["state"] == "solved"
        yield service, id_


def rows_in(page: Any) -> int:
    """Return how many rows the table has in the page."""
    return int(page.locator("[data-part=coefficients] tbody tr:not(.filler)").count())


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_long_table_has_few_rows_in_the_page(wide: tuple[Service, str]) -> None:
    """However it is scrolled by the wheel, sorted or searched: those in view and a few around; all can be reached."""
    service, id_ = wide
    with chromium() as browser, watched(browser, f"{service.url}/#/jobs/{id_}") as page:
        box = page.locator("[data-part=coefficients] .scroll.long")
        page.get_by_text("gene_00000").first.wait_for()
        most = box.evaluate("(box) => box.clientHeight") // ROW + AROUND + 2
        assert 0 < rows_in(page) <= most
        assert page.locator("table.coefficient-table").get_attribute("aria-rowcount") == str(COLUMNS + 1)
        box.hover()
        for _ in range(10):
            page.mouse.wheel(0, 5 * ROW * AROUND)
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert 0 < rows_in(page) <= most
        page.get_by_role("button", name="value", exact=True).click()
        first = page.locator("[data-part=coefficients] tbody tr:not(.filler)").first
        expect(first).to_contain_text(f"gene_{COLUMNS - 1:05d}")
        assert 0 < rows_in(page) <= most
        page.get_by_role("searchbox", name="Search names of coefficients").fill("00042")
        page.get_by_text("1 of 1,000 coefficients").wait_for()
        assert rows_in(page) == 1
