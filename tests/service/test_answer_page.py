"""The page about answers: two jobs compared, residuals, predictions, workers."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.service.browser import FAINT, NAMELESS, playwright, watched
from tests.service.running import Service, rested
from tests.service.test_list_page import CUT, PHONE, SMALL

expect = playwright.expect
NAMES = ["age", "income", "distance to the sea"]
# The colours in which a picture's hexagons are filled, for each picture.
COLOURS = """(card) => [...card.querySelectorAll(".hexbin-plot")].map((plot) =>
  [...plot.querySelectorAll("[class^=hexagon-][d^=M]")].map((one) => getComputedStyle(one).fill))"""
# The lengths of the six sides of each picture's first hexagon, in pixels of the screen.
CORNERS = """(card) => [...card.querySelectorAll(".hexbin-plot")].map((plot) => {
  const path = plot.querySelector("[class^=hexagon-][d^=M]");
  const matrix = path.getScreenCTM();
  const [, x, y, ...moves] = path.getAttribute("d").split("z")[0].match(/^M(\\S+) ([^l]+)(.*)$/).flatMap((part, index) =>
    index === 3 ? part.match(/[lv][^lv]+/g) : [part]);
  const steps = moves.map((move) => (move[0] === "v" ? [0, Number(move.slice(1))] : move.slice(1).split(" ").map(Number)));
  const ends = steps.reduce(([dx, dy], [ax, ay]) => [dx + ax, dy + ay], [0, 0]);
  return [...steps, [-ends[0], -ends[1]]].map(([dx, dy]) => Math.hypot(matrix.a * dx, matrix.d * dy));
})"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two samples of houses; of the second the age counts more."""
    folder, rng = tmp_path_factory.mktemp("places"), np.random.default_rng(0)
    for name, truth in (("then", [1.0, -2.0, 0.5]), ("now", [1.5, -2.0, 0.5])):
        A = rng.standard_normal((4_000, 3))
        stored = zarr.create_array(folder / f"{name}.zarr", data=A, chunks=(1_000, 3))
        stored.attrs["columns"] = NAMES
        zarr.create_array(folder / f"price-{name}.zarr", data=A @ truth + rng.standard_normal(4_000), chunks=(1_000,))
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Iterator[Service]:
    """A service."""
    folder = tmp_path_factory.mktemp("answers")
    with Service(folder, places, "--out-root", str(folder / "out")) as service:
        yield service


@pytest.fixture(scope="module")
def ids(running: Service) -> dict[str, str]:
    """Ids of two solved jobs."""
    with running.client() as client:
        made = {
            name: client.submit(problem="lstsq", A=f"{name}.zarr", b=f"price-{name}.zarr", name=f"prices {name}")["id"]
            for name in ("then", "now")
        }
        for id_ in made.values():
            assert rested(client, id_)["state"] == "solved"
    return made


def require_readable(page: Any, *, is_narrow: bool = True) -> None:
    """Require that nothing sticks out, is cut, faint, too small to press or without a name."""
    if is_narrow:
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(SMALL) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate(FAINT) == []
    assert page.evaluate(NAMELESS) == []


def test_digits_are_claimed_of_the_whole_alone(browser: Any, running: Service, places: Path) -> None:
    """A coefficient of 1e-12 beside one of 1 has some four digits where the norm of all has fifteen: the sentence says no more."""
    if not (places / "tiny.zarr").exists():
        A = zarr.open_array(places / "then.zarr", mode="r")[:]
        zarr.create_array(places / "tiny.zarr", data=A @ [1.0, 1e-12, -2.0], chunks=(1_000,))
    with running.client() as client:
        id_ = client.submit(problem="lstsq", A="then.zarr", b="tiny.zarr", name="tiny")["id"]
        assert rested(client, id_)["state"] == "solved"
        assert abs(client.fetch(id_).ravel()[1] / 1e-12 - 1) > 1e-9
    with watched(browser, f"{running.url}/#/jobs/{id_}") as page:
        told = page.locator("[data-part=certificate]")
        expect(told).to_contain_text(re.compile(r"As a whole its coefficients agree with the true ones to about 1[3-5] digits"))
        expect(told).to_contain_text("those that are small beside the others may have fewer digits.")
        expect(told.locator(".figures")).to_contain_text("‖x − x*‖/‖x‖, with columns of norm one")


def test_two_marked_jobs_are_compared(browser: Any, running: Service, ids: dict[str, str]) -> None:
    """Marks, a link, and the coefficient that differs is the first; the address alone shows the same, by keyboard too."""
    with watched(browser, f"{running.url}/#/") as page:
        for name in ("then", "now"):
            page.get_by_label(f"Select prices {name}").check()
        page.get_by_role("link", name="Compare").press("Enter")
        expect(page.get_by_role("heading", name="Two jobs compared")).to_be_focused()
        said = "1 of 3 coefficients differ by more than their standard errors."
        expect(page.locator("[data-part=coefficients] .verdict")).to_have_text(said)
        first = page.locator("[data-part=coefficients] tbody tr:not(.filler)").first
        expect(first).to_contain_text("age")
        expect(first).to_contain_text("differs")
        expect(page.locator("[data-part=options]")).to_contain_text("price-now.zarr")
        expect(page.locator("[data-part=certificate]")).to_contain_text("backward error")
        page.get_by_label("Search names").fill("sea")
        expect(page.locator("[data-part=coefficients] tbody tr:not(.filler)")).to_have_count(1)
    for scheme in ("light", "dark"):
        with watched(browser, f"{running.url}/#/compare/{ids['then']}/{ids['now']}", viewport=PHONE, color_scheme=scheme) as page:
            expect(page.locator("[data-part=coefficients] tbody")).to_contain_text("age")
            require_readable(page)


def test_residuals_are_drawn_when_asked_for(browser: Any, running: Service, ids: dict[str, str]) -> None:
    """A column is chosen by name; rows are said; both pictures tell their ends to who listens; a bad one is refused in words."""
    for scheme in ("light", "dark"):
        with watched(browser, f"{running.url}/#/jobs/{ids['then']}", viewport=PHONE, color_scheme=scheme) as page:
            card = page.locator("[data-part=residuals]")
            expect(card).to_contain_text("Reads a random sample")
            card.get_by_label("also against").select_option("income")
            card.get_by_role("button", name="Draw residuals").click()
            expect(card).to_contain_text("Residuals (b less what is fitted) of all 4,000 rows.")
            expect(card.get_by_role("img")).to_have_count(2)
            expect(card.get_by_role("img").nth(1)).to_have_attribute(
                "aria-label",
                re.compile("against income from -.*; the fullest hexagon has .*; means of bands along it lie between -"),
            )
            expect(card.locator(".hexbin-legend")).to_contain_text("rows in a hexagon1")
            assert [len(set(colours)) >= 4 for colours in card.evaluate(COLOURS)] == [True, True]
            for corners in card.evaluate(CORNERS):
                assert np.allclose(corners, corners[0], rtol=0.02)  # sides of a hexagon as the screen has them, all as long
            card.get_by_text("Means as a table").first.click()
            rows = card.locator("figure").first.locator("tbody tr")
            expect(rows).to_have_count(24)
            assert sum(int(row.locator("td").nth(2).inner_text().replace(",", "")) for row in rows.all()) == 4_000
            require_readable(page)


def test_steps_of_colour_hold_every_count(browser: Any, running: Service) -> None:
    """Steps are in order and disjoint, hold all counts, are as ratios where these are spread; few counts have a step each."""
    with watched(browser, f"{running.url}/") as page:
        steps_of = "async (counts) => (await import('./hexbin.js')).stepsOf(counts)"
        for counts in ([5], [1, 2, 9], list(range(1, 501)), [*range(1000, 1100)], [1, 1, 1, 2, 3, 5, 8, 13, 20_000], []):
            steps = page.evaluate(steps_of, counts)
            assert len(steps) <= 6
            assert all(first <= last for first, last in steps)
            assert all(one[1] < other[0] for one, other in pairwise(steps))
            assert all(sum(first <= count <= last for first, last in steps) == 1 for count in counts)
        spread, even = (page.evaluate(steps_of, counts) for counts in (list(range(1, 501)), list(range(1000, 1100))))
        assert spread[0][1] < 5
        assert {last - first for first, last in even} <= {15, 16, 17}


def test_axes_have_round_numbers(browser: Any, running: Service) -> None:
    """A few between the ends, each told from the next one, in whatever unit; 0 is one of them where it is between the ends."""
    with watched(browser, f"{running.url}/") as page:
        ask = """async (ends) => { const { evenSplits, evenTick } = await import("./scales.js");
            const found = evenSplits(ends, 5); return [found, found.map((one) => evenTick(one, found))]; }"""
        for low, high in (
            (-3.2, 3.4),
            (0.0, 1.0),
            (999.0, 1_001.0),
            (-1.7e308, 1.7e308),
            (0.0, 5e-324),
            (1e-12, 3e-12),
            (1e9, 1e9 + 1e-2),
            (-2e7, 5e7),
        ):
            splits, words = page.evaluate(ask, [low, high])
            assert 2 <= len(splits) <= 7, (low, high, splits)
            assert len(set(words)) == len(words), (low, high, words)
            slack = 1e-9 * (high / 2 - low / 2)
            assert all(low / 2 - slack <= one / 2 <= high / 2 + slack for one in splits)
            assert not low < 0 < high or "0" in words
        assert page.evaluate(ask, [-3.2, 3.4])[1] == ["-2", "0", "2"]
        assert page.evaluate(ask, [0.0, 1.0])[1] == ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_one_backward_error_is_on_the_page(browser: Any, running: Service, ids: dict[str, str]) -> None:
    """Of a direct method the certificate's is the only one; where a run took another method than was planned the plan says so."""
    with watched(browser, f"{running.url}/#/jobs/{ids['then']}") as page:
        expect(page.locator("[data-part=certificate] .figures")).to_contain_text("backward error")
        expect(page.locator(".ledger tbody tr").first).to_be_visible()
        shown = page.locator("main").inner_text()
        assert shown.count("backward error") == 1 + shown.count("the backward error meets")
        assert "stopping error" not in shown
        said = page.evaluate(
            """async () => {
                const { planView } = await import("./plan.js");
                const plan = { method: "gram", why: "cheapest", passes: 1, read_bytes: 1, seconds: 1, memory_bytes: 1,
                    memory_limit_bytes: 1, matrix: "", means: "", details: [], rejected: {} };
                return [planView(plan, "tsqr"), planView(plan, "gram")].map((parts) => parts[0].textContent.includes("the run gave way"));
            }"""
        )
    assert said == [True, False]


def test_new_rows_are_predicted_from_the_page(
    browser: Any, running: Service, ids: dict[str, str], places: Path, tmp_path: Path
) -> None:
    """A wrong path is said at its field; a right one leads to a job whose predictions are downloaded."""
    with watched(browser, f"{running.url}/#/jobs/{ids['then']}", viewport=PHONE) as page:
        form = page.get_by_role("form", name="Predict new rows")
        form.get_by_label("new rows").fill("nowhere.zarr")
        form.get_by_role("button", name="Predict").press("Enter")
        expect(form.get_by_role("alert")).to_contain_text("there is nothing")
        expect(form.get_by_label("new rows")).to_be_focused()
        form.get_by_label("new rows").fill("price-now.zarr")
        form.get_by_label("new rows").press("Enter")
        expect(form.get_by_role("alert")).to_contain_text("Data matrix (A) must have 3 columns")
        expect(form.get_by_label("new rows")).to_have_attribute("aria-invalid", "true")
        require_readable(page)
        form.get_by_label("new rows").fill("now.zarr")
        form.get_by_label("new rows").press("Enter")
        expect(page.locator("[data-part=certificate]")).to_contain_text("4,000 rows are predicted")
        shown = page.locator("[data-part=document] pre").text_content()
        assert json.loads(shown) == {"problem": "predict", "job": ids["then"], "A": str(places / "now.zarr")}
        expect(page.get_by_role("link", name="Predict other rows")).to_have_attribute("href", f"#/jobs/{ids['then']}")
        expect(page.locator("[data-part=coefficients]")).to_be_hidden()
        require_readable(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download predictions").click()
        download.value.save_as(tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").shape == (4_000,)


def test_workers_are_told_apart_by_who_stalls(browser: Any, running: Service) -> None:
    """A row for each with its memory; who gives no sign of work for ten seconds is marked, and named above."""
    with watched(browser, f"{running.url}/#/") as page:
        said = page.evaluate(
            """async () => {
                const { stalled, workersView } = await import("./workers.js");
                const { stallNotice } = await import("./stall.js");
                const sizes = { memory_bytes: 2e6, memory_limit_bytes: 4e6 };
                const one = (name, quiet_seconds) => ({ name, doing: "piece 3", ...sizes, processor: 0.5, quiet_seconds });
                const [view, notice] = [workersView(), stallNotice()];
                view.update([one("b", 12), one("a", 1)]);
                notice.update({ live: null, last: 0, workers: [one("b", 12), one("a", 1)] });
                notice.tick({ state: "running", quiet_seconds: 0 });
                const rows = [...view.element.querySelectorAll("tbody tr")].map((row) => [row.className, row.textContent]);
                return [rows, notice.element.firstChild.textContent, notice.element.hidden, stalled([one("a", 1)])];
            }"""
        )
    assert said == [
        [["is-quiet", "bpiece 3: nothing for 12.0 s2.00 MB of 4.00 MB–"], ["", "apiece 32.00 MB of 4.00 MB50 %"]],
        "Worker b: no sign of work for 12.0 s.",
        False,
        "",
    ]


# Lines come twice before anything is heard of the first scroll; then somebody scrolls up, and down again; lines get lower.
SCROLLED = """async () => {
  const { endKeeper } = await import("./dom.js");
  const box = document.createElement("div");
  box.style.cssText = "height: 100px; overflow: auto; line-height: 20px";
  document.body.append(box);
  const keepEnd = endKeeper(box);
  const add = (count) => [...Array(count)].forEach(() => box.append(Object.assign(document.createElement("div"), { textContent: "line" })));
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))));
  const left = () => Math.round(box.scrollHeight - box.scrollTop - box.clientHeight);
  const found = [];
  add(44), keepEnd(), add(9);
  await frames();
  keepEnd(), await frames(), found.push(left());
  box.scrollTop -= 60;
  await frames();
  add(5), keepEnd(), await frames(), found.push(left());
  box.scrollTop = box.scrollHeight;
  await frames();
  add(5), keepEnd(), await frames(), found.push(left());
  box.style.lineHeight = "10px";
  await frames();
  add(5), keepEnd(), await frames(), found.push(left());
  box.remove();
  return found;
}"""


def test_what_follows_its_end_follows_it_until_somebody_goes_up(browser: Any, running: Service) -> None:
    """A ledger or log that grows faster than the browser tells of scrolling stays at its end."""
    with watched(browser, f"{running.url}/") as page:
        assert page.evaluate(SCROLLED) == [0, 160, 0, 0]
