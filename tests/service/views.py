"""Every view of the page, with what must be there for it: made once, then pictured and judged by axe at each width and theme.

``python -m tests.service.views FOLDER [NAME ...]`` takes the pictures, as PNG files of 64 colours.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch.service.job import State
from tests.service.browser import chromium, watched
from tests.service.running import Service, in_pass, rested, seen

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
COLOURS = 64
NAMES = ["age", "income", "rooms", "distance to the sea", "year of the last renovation of the roof"]
MANY = 1_000
_LONG = {"problem": "exp-kernel", "A": "pairs.zarr", "b": "pairs-b.zarr", "method": "conjugate_gradient", "features": "none"}


@dataclass(frozen=True)
class View:
    """A view: where it is, a text that it shows, and what is done there first."""

    name: str
    place: str
    text: str
    act: Callable[[Any], None] | None = None


def fill_data(folder: Path) -> Path:
    """Store what the jobs of the views read."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, truth in (("then", [1.0, -2.0, 0.5, 3.0, 0.0]), ("now", [1.5, -2.0, 0.5, 3.0, 0.0])):
        A = rng.standard_normal((4_000, len(NAMES)))
        stored = zarr.create_array(folder / f"{name}.zarr", data=A, chunks=(1_000, len(NAMES)))
        stored.attrs["columns"] = NAMES
        zarr.create_array(folder / f"price-{name}.zarr", data=A @ truth + rng.standard_normal(4_000), chunks=(1_000,))
    zarr.create_array(folder / "map.zarr", data=A[:, :2] @ rng.standard_normal((2, 600)) + A[:, 2:3], chunks=(1_000, 600))
    zarr.create_array(folder / "short.zarr", data=A[:7, 0], chunks=(7,))
    zarr.create_array(folder / "pairs.zarr", data=rng.standard_normal((6_000, 6)), chunks=(2_000, 6))
    zarr.create_array(folder / "pairs-b.zarr", data=rng.standard_normal(6_000), chunks=(2_000,))
    return folder


def fill_jobs(client: Any) -> dict[str, str]:
    """Make a job of each kind, and return their ids; that which runs goes on for a while."""
    prices = {"problem": "lstsq", "A": "then.zarr", "b": "price-then.zarr"}
    asked = {
        "direct": {**prices, "summary": True},
        "other": {**prices, "A": "now.zarr", "b": "price-now.zarr", "summary": True},
        "iterative": {**_LONG, "scale": 0.1, "alpha": 10.0},
        "failed": {**prices, "b": "short.zarr"},
        "targets": {**prices, "b": "map.zarr"},
    }
    name = "rents of all towns by the sea, with a name that says more than anybody reads"
    made = {
        kind: client.submit(spec, name="" if kind == "other" else f"{name}: {kind}"[:200], tags=["rents", kind])["id"]
        for kind, spec in asked.items()
    }
    for id_ in made.values():
        rested(client, id_)
    made["running"] = client.submit({**_LONG, "scale": 0.3, "alpha": 0.1, "tol": 1e-14}, name="kernel of pairs")["id"]
    seen(client, made["running"], in_pass(3))
    return made


def copy_jobs(state: Path, id_: str, count: int = MANY) -> None:
    """Put many ended jobs into the state directory of a service that does not run, like one that is there."""
    pattern = state / "jobs" / id_
    about, past = (json.loads((pattern / f"{name}.json").read_text()) for name in ("job", "state"))
    for number in range(count):
        copy = f"{int(id_, 16) - (number + 1) * 2**24:020x}"
        folder = state / "jobs" / copy
        folder.mkdir()
        shutil.copy(pattern / "spec.json", folder)
        (folder / "job.json").write_text(json.dumps({**about, "id": copy, "key": None, "name": f"model {number}"}))
        last = {**past["history"][-1], "state": (State.FAILED, State.CANCELLED)[number % 2].value}
        (folder / "state.json").write_text(json.dumps({**past, "history": [*past["history"][:-1], last]}))


def views_of(ids: dict[str, str], table: Path) -> list[View]:
    """Return every view of a service with some jobs."""

    def upload(page: Any) -> None:
        page.locator("input[type=file]").set_input_files(table)
        page.get_by_label("Target", exact=True).select_option("price")

    def residuals(page: Any) -> None:
        page.get_by_label("also against").select_option("income")
        page.get_by_role("button", name="Draw residuals").click()
        page.locator(".pictures svg").nth(1).wait_for()
        page.locator("[data-part=residuals]").scroll_into_view_if_needed()

    jobs = [
        View(f"job-{kind}", f"#/jobs/{ids[kind]}", text)
        for kind, text in (
            ("running", "Cancel"),
            ("direct", "distance to the sea"),
            ("iterative", "Convergence"),
            ("failed", "Run it again with changes"),
            ("targets", "of 600"),
        )
    ]
    return [
        View("list-some", "#/", "kernel of pairs"),
        View("list-sorted", "#/?order=-name&tag=rents", "rents of all towns"),
        View("form", "#/new", "Upload a file"),
        View("upload", "#/new", "Upload a file", upload),
        *jobs,
        View("compare", f"#/compare/{ids['direct']}/{ids['other']}", "distance to the sea"),
        View("residuals", f"#/jobs/{ids['direct']}", "distance to the sea", residuals),
    ]


@contextmanager
def served(place: Path) -> Iterator[tuple[Service, Path]]:
    """Yield a service without jobs, whose data are there, and a file to upload."""
    table = place / "houses.csv"
    table.write_text("price,rooms,area,town\n" + "".join(f"{100 + 30 * i},{i},{i * i % 17},elm\n" for i in range(40)))
    with Service(place, fill_data(place / "data"), "--rate", "10000", "--max-jobs", "1") as service:
        yield service, table


def all_views(service: Service, table: Path) -> Iterator[tuple[str, list[View]]]:
    """Yield the service's address with the views that it has now: without jobs, with one of each kind, with a thousand more."""
    yield service.url, [View("list-none", "#/", "No jobs yet"), View("admin-none", "#/admin", "There are no tokens")]
    with service.client() as client:
        ids = fill_jobs(client)
        yield service.url, views_of(ids, table)
        client.cancel(ids["running"])
    service.stop()
    copy_jobs(service.state, ids["failed"])
    service.start()
    yield service.url, [View("list-thousand", "#/?order=name", "model 1")]


def show(page: Any, view: View) -> None:
    """Go to a view, and wait for what it shows."""
    page.goto(page.url.split("#")[0] + view.place)
    page.reload()
    page.get_by_text(view.text).first.wait_for(state="attached")
    if view.act is not None:
        view.act(page)
    page.locator("[aria-busy=true]").first.wait_for(state="detached")


def take_pictures(folder: Path, names: list[str]) -> None:
    """Write a picture of each view, or of some, at both widths in both themes."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, served(Path(place)) as (service, table), chromium() as browser:
        for url, views in all_views(service, table):
            for view, scheme, width in product(views, SCHEMES, WIDTHS):
                if names and view.name not in names:
                    continue
                size = {"width": width, "height": 800}
                with watched(browser, f"{url}/", viewport=size, color_scheme=scheme) as page:
                    show(page, view)
                    file = folder / f"{view.name}-{width}-{scheme}.png"
                    page.screenshot(path=file, full_page=True)
                with Image.open(file) as picture:
                    picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), sys.argv[2:])
