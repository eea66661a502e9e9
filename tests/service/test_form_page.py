"""The form in a real browser: paths are offered, what is chosen is shown, what is typed is kept and checked."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch._demo import make
from tests.service.browser import FAINT, NAMELESS, playwright, watched
from tests.service.running import Service

expect = playwright.expect
Opened = Callable[..., AbstractContextManager[Any]]
WAIT = 240_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two places to read: a small demo beside columns with names, and many arrays."""
    folder = tmp_path_factory.mktemp("places")
    make(folder / "demo", 20_000, 10)
    named = zarr.create_array(str(folder / "demo" / "named.zarr"), data=np.ones((8, 8)), chunks=(4, 8))
    named.attrs["columns"] = ["rain", "wind", "sun", "fog", "ice", "hail", "dew", "snow"]
    for number in range(60):
        (folder / "many" / f"part-{number:02}").mkdir(parents=True)
    with Service(tmp_path_factory.mktemp("form"), folder, "--data-root", "s3://bucket/data", "--rate", "10000") as service:
        yield service


@pytest.fixture
def opened(browser: Any, running: Service) -> Opened:
    """Return what opens the form."""
    return lambda path="#/new", **more: watched(browser, f"{running.url}/{path}", **more)


def test_paths_are_completed_by_the_keyboard(opened: Opened) -> None:
    """Arrows and Enter go down the folders to an array, Escape closes the list, and Enter in it does not plan."""
    with opened() as page:
        field = page.locator("[name=A]")
        expect(field).to_have_role("combobox")
        field.press_sequentially("de")
        options = page.get_by_role("listbox", name="Paths for").get_by_role("option")
        expect(options).to_have_text([re.compile("^demo/")])
        field.press("ArrowDown")
        expect(options.first).to_have_attribute("aria-selected", "true")
        expect(field).to_have_attribute("aria-activedescendant", options.first.get_attribute("id"))
        field.press("Enter")
        expect(field).to_have_value("demo/")
        expect(options).to_contain_text(["../", "A.zarr20,000 × 10 float64", "b.zarr", "named.zarr"])
        field.press("Escape")
        expect(options).to_have_count(0)
        expect(field).to_have_attribute("aria-expanded", "false")
        field.press("ArrowDown")
        expect(options.first).to_be_visible()
        for _ in range(2):
            field.press("ArrowDown")
        field.press("Enter")
        expect(field).to_have_value("demo/A.zarr")
        expect(field).to_be_focused()
        expect(options).to_have_count(0)


def test_folders_are_browsed(opened: Opened) -> None:
    """A button lists the places, folders go by pages and back up; a place of data in an object store is offered with them."""
    with opened() as page:
        field = page.locator("[name=A]")
        page.get_by_role("button", name="Browse for Data matrix").first.click()
        options = page.locator(".paths li")
        expect(options).to_contain_text(["demo/", "many/", "s3://bucket/data"])
        options.filter(has_text="many/").click()
        expect(options).to_have_count(52)  # fifty, the folder above, and more
        options.filter(has_text="More …").click()
        expect(options).to_have_count(61)
        options.filter(has_text="../").click()
        expect(field).to_have_value("")
        options.filter(has_text="s3://").click()
        expect(field).to_have_value("s3://bucket/data/")
        field.fill("/etc/")
        expect(page.locator(".paths .help").first).to_have_text(re.compile("was expected under a declared place; /etc"))


def test_what_is_chosen_is_shown(opened: Opened) -> None:
    """Shape, type, bytes, chunks and names of columns stand below the field, and go with the path."""
    with opened() as page:
        field, facts = page.locator("[name=A]"), page.locator(".data-facts").first
        field.fill("demo/A.zarr")
        expect(facts).to_contain_text(re.compile("20,000 × 10 float64 · 1.60 MB · chunks of "))
        field.fill("demo/named.zarr")
        expect(facts).to_contain_text("8 columns: rain, wind, sun, fog, ice, hail, …")
        facts.locator("summary").click()
        expect(facts).to_contain_text("dew, snow")
        field.fill("demo/")
        expect(facts).to_be_hidden()


def test_the_form_is_checked_while_one_types(opened: Opened) -> None:
    """An error stands at its field without taking the focus; cost and memory come without a click, and follow what is typed."""
    with opened("#/new?problem=ridge") as page:
        page.locator("[name=A]").fill("demo/A.zarr")
        page.locator("[name=b]").fill("demo/nothing.zarr")
        b, cost = page.locator("[name=b]"), page.locator(".cost")
        expect(b).to_have_accessible_description(
            re.compile(r"Targets \(b\) was expected at .*nothing.zarr; there is nothing"), timeout=WAIT
        )
        expect(b).to_be_focused()
        expect(page.locator("[aria-invalid]")).to_have_count(1)
        b.fill("demo/b.zarr")
        expect(cost).to_have_text(re.compile(r"Cost: \d+ pass.* read, about .* of memory a thread; by "), timeout=WAIT)
        expect(page.locator("[aria-invalid]")).to_have_count(0)
        expect(page.locator("[data-part=plan]")).to_contain_text("20,000 × 10")
        page.locator("[name=alpha]").fill("much")
        expect(page.locator("[name=alpha]")).to_have_accessible_description(re.compile("numbers .* got much"))
        expect(cost).to_be_empty()
        page.locator("[name=alpha]").fill("2")
        page.locator("[name=method]").select_option("tsqr")
        expect(cost).to_contain_text("by tsqr", timeout=WAIT)


def test_a_draft_is_kept_until_it_is_sent_or_discarded(opened: Opened) -> None:
    """What was typed is there after a look elsewhere and a reload; discarded or submitted it is gone."""
    with opened() as page:
        page.get_by_label("Problem", exact=True).select_option("ridge")
        page.locator("[name=A]").fill("demo/A.zarr")
        page.locator("[name=name]").fill("mine")
        page.get_by_role("link", name="Jobs", exact=True).click()
        expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        page.goto(page.url.split("#")[0] + "#/new")
        page.reload()
        expect(page.locator("[name=A]")).to_have_value("demo/A.zarr")
        expect(page.locator("[name=name]")).to_have_value("mine")
        expect(page.get_by_label("Problem", exact=True)).to_have_value("ridge")
        page.get_by_role("button", name="Discard draft").click()
        expect(page.locator("[name=A]")).to_have_value("")
        page.reload()
        expect(page.locator("[name=A]")).to_have_value("")
        expect(page.get_by_role("button", name="Discard draft")).to_be_hidden()
        for name in ("A", "b"):
            page.locator(f"[name={name}]").fill(f"demo/{name}.zarr")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/#/jobs/*")
        assert page.evaluate("() => Object.keys(localStorage).filter((key) => key.startsWith('dsketch.draft'))") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_telephone_in_both_themes(opened: Opened, scheme: str) -> None:
    """With a list open, and with facts, an error and the cost shown: nothing sticks out, every text has its contrast and name."""
    with opened("#/new?problem=ridge", color_scheme=scheme, viewport={"width": 390, "height": 800}) as page:
        page.locator("[name=A]").fill("demo/")
        expect(page.locator(".paths li").first).to_be_visible()
        require_readable(page)
        page.locator("[name=A]").fill("demo/A.zarr")
        page.locator("[name=b]").fill("demo/b.zarr")
        expect(page.locator(".cost")).to_contain_text("Cost", timeout=WAIT)
        require_readable(page)


def require_readable(page: Any) -> None:
    """Look at a page: its width, its contrast, its names."""
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert page.evaluate(FAINT) == []
    assert page.evaluate(NAMELESS) == []
