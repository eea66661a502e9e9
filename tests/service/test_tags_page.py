"""Tags and sortable heads of the list, in a browser."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zarr

from tests.service.browser import FAINT, NAMELESS, playwright, watched
from tests.service.running import Service, rested
from tests.service.test_list_page import CUT, PHONE, SMALL

expect = playwright.expect
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
MARKUP = '<img src=x onerror="window.was=1">'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, list[str]]]:
    """A service with three solved jobs, with tags and without, and a failed one."""
    folder, rng = tmp_path_factory.mktemp("tags"), np.random.default_rng(0)
    (folder / "data").mkdir()
    zarr.create_array(folder / "data" / "A.zarr", data=rng.standard_normal((200, 3)), chunks=(100, 3))
    zarr.create_array(folder / "data" / "b.zarr", data=rng.standard_normal(200), chunks=(100,))
    zarr.create_array(folder / "data" / "short.zarr", data=rng.standard_normal(5), chunks=(5,))
    with Service(folder, folder / "data") as service, service.client() as client:
        made = [
            client.submit(problem="lstsq", A="A.zarr", b="b.zarr", name="bravo", tags=["paper 2", "night"]),
            client.submit(problem="ridge", A="A.zarr", b="b.zarr", alpha=1.0, name="alpha", tags=["paper 2", MARKUP]),
            client.submit(problem="lstsq", A="A.zarr", b="short.zarr", name="charlie"),
        ]
        assert [rested(client, job["id"])["state"] for job in made] == ["solved", "solved", "failed"]
        yield service, [job["id"] for job in made]


def names(page: Any) -> Any:
    """Return the names in the list, as they stand."""
    return page.locator("tbody .name")


def test_heads_sort_the_list(browser: Any, running: tuple[Service, list[str]]) -> None:
    """By key or click, once more from the end; the head says which way, the choice above agrees, and the address keeps it."""
    with watched(browser, f"{running[0].url}/#/") as page:
        expect(names(page)).to_have_count(3)
        expect(page.locator("th[aria-sort]")).to_have_count(0)
        head = page.locator("th.cell-job")
        head.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(names(page)).to_have_text(["alpha", "bravo", "charlie"])
        expect(head).to_have_attribute("aria-sort", "ascending")
        expect(page.get_by_label("Order")).to_have_value("name")
        page.keyboard.press("Space")
        expect(names(page)).to_have_text(["charlie", "bravo", "alpha"])
        expect(head).to_have_attribute("aria-sort", "descending")
        assert page.url.endswith("order=-name")
        page.reload()
        expect(names(page)).to_have_text(["charlie", "bravo", "alpha"])
        expect(head).to_have_attribute("aria-sort", "descending")
        page.locator("th.cell-state button").click()
        expect(names(page)).to_have_text(["charlie", "alpha", "bravo"])
        expect(page.locator("th[aria-sort]")).to_have_count(1)
        page.locator("th.cell-age button").click()
        expect(names(page)).to_have_text(["charlie", "alpha", "bravo"])
        page.locator("th.cell-age button").click()
        expect(names(page)).to_have_text(["bravo", "alpha", "charlie"])
        page.go_back()
        expect(names(page)).to_have_text(["charlie", "alpha", "bravo"])
        page.get_by_label("Order").select_option("problem")
        expect(page.locator("th.cell-problem")).to_have_attribute("aria-sort", "ascending")
        for amount in ("passes", "work"):
            page.locator(f"th.cell-{amount} button").click()
            expect(page.locator(f"th.cell-{amount}")).to_have_attribute("aria-sort", "descending")  # the most is looked for
            expect(page.get_by_label("Order")).to_have_value(f"-{amount}")
            page.locator(f"th.cell-{amount} button").click()
            expect(page.locator(f"th.cell-{amount}")).to_have_attribute("aria-sort", "ascending")


def test_a_tag_leads_to_its_jobs(browser: Any, running: tuple[Service, list[str]]) -> None:
    """Its chip shows them alone, with their counts; the chip above leaves it out again; markup in one is text."""
    with watched(browser, f"{running[0].url}/#/") as page:
        expect(page.locator("tbody tr", has_text="alpha").locator(".tag")).to_have_text(["paper 2", MARKUP])
        page.locator("tbody tr", has_text="bravo").get_by_role("link", name="paper 2").click()
        expect(names(page)).to_have_count(2)
        expect(page.locator(".chip", has_text="failed").locator(".count")).to_have_text("0")
        page.locator("tbody").get_by_role("link", name="night").click()
        expect(names(page)).to_have_text(["bravo"])
        page.get_by_role("button", name=re.compile("other tags than night")).click()
        expect(names(page)).to_have_count(3)
        assert page.evaluate("window.was") is None


def test_tags_are_changed_on_the_job_s_page(browser: Any, running: tuple[Service, list[str]]) -> None:
    """A word and Enter add one, its cross takes it away; what is refused is said there; another run begins with the same tags."""
    service, ids = running
    with watched(browser, f"{service.url}/#/jobs/{ids[2]}") as page:
        page.get_by_label("Add a tag").fill("to mend, later")
        page.keyboard.press("Enter")
        expect(page.locator(".tag-editor .tag")).to_have_text(["to mend", "later"])
        page.get_by_role("button", name="Take away the tag later").click()
        expect(page.locator(".tag-editor .tag")).to_have_text(["to mend"])
        page.get_by_label("Add a tag").fill(", ".join(f"t{number}" for number in range(16)))
        page.keyboard.press("Enter")
        expect(page.locator(".tag-editor .notice")).to_contain_text("tags")
        page.reload()
        expect(page.locator(".tag-editor .tag")).to_have_text(["to mend"])
        page.get_by_role("link", name="Run it again with changes").click()
        expect(page.get_by_label("Tags tags", exact=True)).to_have_value("to mend")
        page.locator("input[name=b]").fill("b.zarr")
        page.get_by_label("Tags tags", exact=True).fill("mended, paper 3")
        page.get_by_role("button", name="Submit").click()
        expect(page.locator(".tag-editor .tag")).to_have_text(["mended", "paper 3"])
    with service.client() as client:
        (made,) = client.list(tags=["mended"])
        rested(client, made["id"])
        client.rm(made["id"])
        client.tag(ids[2], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tags_are_seen_by_everybody(browser: Any, running: tuple[Service, list[str]], scheme: str) -> None:
    """With enough contrast, names and room to press, on a telephone too, where the heads cannot be pressed and nothing moves sideways."""
    service, ids = running
    for view, text in (("#/?tag=paper+2&order=-name", "bravo"), (f"#/jobs/{ids[0]}", "night")):
        with watched(browser, f"{service.url}/{view}", color_scheme=scheme) as page:
            for size in ({"width": 1280, "height": 800}, PHONE):
                page.set_viewport_size(size)
                expect(page.get_by_text(text, exact=True).first).to_be_visible()
                assert page.evaluate(FAINT) == []
                assert page.evaluate(NAMELESS) == []
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            assert page.evaluate(SMALL) == []
            assert page.evaluate(CUT) == []
            expect(page.locator(".queue thead button:visible")).to_have_count(0)
