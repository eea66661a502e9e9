"""Every view of the page, with what must be there for it: made once, then pictured and judged by axe at each width and theme.

``python -m tests.service.views FOLDER [NAME ...]`` takes the pictures of all, or of some, as PNG files of 64 colours; taking all, it
removes pictures of views that are no more.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.service.browser import chromium, watched
from tests.service.running import Service, rested
from tests.service.view_jobs import PRICES, copy_jobs, fill_data, make_first, make_others, stopped, write_team

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
COLOURS = 64
_HEIGHT = 800


@dataclass(frozen=True)
class View:
    """A view: where it is, a text that it shows, what is done there first, and the part that is pictured if not all of it."""

    name: str
    place: str
    text: str
    act: Callable[[Any], None] | None = None
    part: str | None = None


@dataclass(frozen=True)
class Stage:
    """A service as it is for some views: its address, the token to come in by, the views."""

    url: str
    token: str | None
    views: list[View]


# ---- what there is to see --------------------------------------------------------------------------------------------


def all_stages(place: Path) -> Iterator[Stage]:
    """Yield a service without jobs, with one, with some of each kind, with a stalled one, with a thousand; then a team likewise."""
    table = place / "houses.csv"
    table.write_text("price,rooms,area,town\n" + "".join(f"{100 + 30 * i},{i},{i * i % 17},elm\n" for i in range(40)))
    with served(place) as service:
        yield Stage(service.url, None, [View("list-none", "#/", "No jobs yet"), View("form", "#/new", "Upload a file")])
        with service.client() as client:
            first = make_first(client)
            views = [View("list-one", "#/", "house prices"), View("job-solved", f"#/jobs/{first}", "distance to the sea")]
            yield Stage(service.url, None, views)
            ids = make_others(client, first)
            with stopped(service, client, ids["running"]):
                yield Stage(service.url, None, [View("job-stalled", f"#/jobs/{ids['running']}", "No byte was read for")])
            yield Stage(service.url, None, live_views(ids))
            for kind in ("waiting", "running"):
                client.cancel(ids[kind])
                rested(client, ids[kind])
            yield Stage(service.url, None, views_of(ids, table))
        service.stop()
        copy_jobs(service.state, first)
        service.start()
        many = [
            View("list-thousand", "#/", "Next page"),
            View("list-thousand-sorted", "#/?order=-work&state=failed", "prices in"),
            View("job-thousand", f"#/jobs/{first}", "distance to the sea"),
        ]
        yield Stage(service.url, None, many)
    yield from team_stages(place / "team")


def live_views(ids: dict[str, str]) -> list[View]:
    """Return the views of a job that runs, first, as its page has a line more with each pass, and of those beside it."""

    def mark(page: Any) -> None:
        for box in page.locator("tbody input[type=checkbox]").all()[-2:]:
            box.check()

    return [
        View("job-running", f"#/jobs/{ids['running']}", "Cancel"),
        View("job-waiting", f"#/jobs/{ids['waiting']}", "waits for its turn"),
        View("list-some", "#/", "kernel of pairs"),
        View("list-sorted", "#/?order=-passes&tag=paper+2", "house prices"),
        View("list-marked", "#/", "kernel of pairs", mark),
    ]


def views_of(ids: dict[str, str], table: Path) -> list[View]:
    """Return the views of a service with a job of each kind that is over, and nothing that takes the processor from who looks."""

    def upload(page: Any) -> None:
        page.locator("input[type=file]").set_input_files(table)
        page.get_by_label("Target", exact=True).select_option("price")

    def complete(page: Any) -> None:
        page.locator("[name=A]").press_sequentially("pri")
        page.get_by_role("listbox", name="Paths for").get_by_role("option").first.wait_for()

    def plan(page: Any) -> None:
        for name in ("A", "b"):
            page.locator(f"[name={name}]").fill(PRICES[name])
            page.keyboard.press("Escape")
        page.get_by_text("Rejected", exact=True).wait_for()  # it is planned by itself

    def draw(page: Any) -> None:
        page.get_by_label("also against").select_option("income")
        page.get_by_role("button", name="Draw residuals").click()
        page.locator(".pictures svg").nth(1).wait_for()

    def predict(page: Any) -> None:
        page.locator("[name=predict-A]").fill("short.zarr")
        page.get_by_role("button", name="Predict").click()
        page.locator("[data-part=predict] .notice").wait_for()

    texts = {
        "iterative": "Convergence",
        "failed": "Run it again with changes",
        "targets": "of 600",
        "predictions": "the answer of this job",
    }
    return [
        View("form-paths", "#/new", "Upload a file", complete),
        View("form-plan", "#/new", "Upload a file", plan),
        View("upload", "#/new", "Upload a file", upload),
        *(View(f"job-{kind}", f"#/jobs/{ids[kind]}", text) for kind, text in texts.items()),
        View("compare", f"#/compare/{ids['solved']}/{ids['other']}", "distance to the sea"),
        View("residuals", f"#/jobs/{ids['solved']}", "distance to the sea", draw, "[data-part=residuals]"),
        View("predict", f"#/jobs/{ids['solved']}", "distance to the sea", predict, "[data-part=predict]"),
    ]


def team_stages(place: Path) -> Iterator[Stage]:
    """Yield what an admin of a team sees: without jobs, with one, with a thousand of all owners; and the way in."""
    place.mkdir()
    tokens, secrets = write_team(place)
    words = ("--token-file", tokens, "--owners", str(place / "owners.toml"), "--rate", "10000")
    with Service(place, fill_data(place / "data"), *words) as service:
        way_in = View("token", "#/", "Token")
        yield Stage(service.url, None, [way_in])
        yield Stage(service.url, secrets["boss"], [View("team-none", "#/admin", "laptop")])
        with service.client(secrets["ann"]) as ann:
            id_ = ann.submit(PRICES, name="house prices")["id"]
            rested(ann, id_)
        yield Stage(service.url, secrets["boss"], [View("team-one", "#/admin", "laptop")])
        service.stop()
        copy_jobs(service.state, id_, ("ann@example.com", "ben", "boss"))
        service.start()
        many = [View("team-thousand", "#/admin", "laptop"), View("list-team", "#/", "prices in")]
        yield Stage(service.url, secrets["boss"], many)


@contextmanager
def served(place: Path) -> Iterator[Service]:
    """Yield a service without jobs, whose data are there, that runs one job at a time."""
    with Service(place, fill_data(place / "data"), "--rate", "10000", "--max-jobs", "1") as service:
        yield service


# ---- how it is seen --------------------------------------------------------------------------------------------------


@contextmanager
def opened(browser: Any, stage: Stage) -> Iterator[Any]:
    """Yield a page of a service, come in by the token."""
    with watched(browser, f"{stage.url}/") as page:
        if stage.token is not None:
            page.get_by_role("textbox", name="Token").fill(stage.token)
            page.keyboard.press("Enter")
            page.get_by_role("link", name="Team").wait_for()
        yield page


def show(page: Any, view: View) -> None:
    """Go to a view, and wait for what it shows."""
    page.goto(page.url.split("#")[0] + view.place)
    page.reload()
    page.get_by_text(view.text).first.wait_for(state="attached")
    page.locator("[aria-busy=true]").first.wait_for(state="detached")
    if view.act is not None:
        view.act(page)


def turn(page: Any) -> Iterator[tuple[int, str]]:
    """Turn a view to each width and theme, as somebody would who turns a telephone or dims the light."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": _HEIGHT})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            yield width, scheme


def take_pictures(folder: Path, names: list[str]) -> None:
    """Write a picture of each view, or of some, at both widths in both themes."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = set()
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        for stage in all_stages(Path(place)):
            for view in stage.views:
                if names and view.name not in names:
                    continue
                with opened(browser, stage) as page:
                    show(page, view)
                    for width, scheme in turn(page):
                        file = folder / f"{view.name}-{width}-{scheme}.png"
                        take_picture(page, view, file)
                        taken.add(file)
    for file in () if names else set(folder.glob("*.png")) - taken:
        file.unlink()


def take_picture(page: Any, view: View, file: Path) -> None:
    """Write a picture of what a page shows, with few colours: those that are far from others first, however rare."""
    from PIL import Image

    if view.part is None:
        page.screenshot(path=file, full_page=True)
    else:
        page.locator(view.part).screenshot(path=file)
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
        few.save(file, optimize=True)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), sys.argv[2:])
