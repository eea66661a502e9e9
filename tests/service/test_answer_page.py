"""The page about answers: two jobs compared, residuals, predictions, workers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.service.browser import FAINT, NAMELESS, chromium, playwright, watched
from tests.service.running import Service, rested
from tests.service.test_list_page import CUT, PHONE, SMALL

expect = playwright.expect
NAMES = ["age", "income", "distance to the sea"]


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with chromium() as started:
        yield started


def require_readable(page: Any, *, is_narrow: bool = True) -> None:
    """Require that nothing sticks out, is cut, faint, too small to press or without a name."""
    if is_narrow:
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(SMALL) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate(FAINT) == []
    assert page.evaluate(NAMELESS) == []


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
