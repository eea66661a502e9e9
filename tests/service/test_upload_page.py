"""A file of one's own on the page, from an empty folder to coefficients with names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.browser import FAINT, NAMELESS, playwright, watched
from tests.service.running import Service
from tests.service.test_list_page import CUT, SMALL
from tests.service.test_uploads import CSV

expect = playwright.expect
CLICKS = """() => { window.clicks = 0; addEventListener("click", (event) => { clicks += event.isTrusted; }, true); }"""
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service before an empty folder."""
    folder = tmp_path_factory.mktemp("upload-page")
    (folder / "empty").mkdir()
    with Service(folder, folder / "empty") as service:
        yield service


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A CSV file of houses."""
    path = tmp_path / "houses.csv"
    path.write_bytes(CSV)
    return path


def test_five_clicks_from_an_empty_folder_to_names(browser: Any, running: Service, table: Path) -> None:
    """New job, Upload a file, the target (to open its list and to choose), Solve; no shell, and nothing typed."""
    with watched(browser, f"{running.url}/") as page:
        page.evaluate(CLICKS)
        page.get_by_role("navigation").get_by_role("link", name="New job").click()
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Upload a file").click()
        chooser.value.set_files(table)
        page.get_by_label("Target", exact=True).select_option("price")  # two for a person: the list, and its line
        page.get_by_role("button", name="Solve").click()
        page.wait_for_url("**/#/jobs/*")

        found = page.locator(".coefficient-table")
        for name in ("rooms", "area", "town=ash", "town=elm"):
            expect(found).to_contain_text(name)
        assert page.evaluate("() => clicks") + 2 == 5


def test_an_upload_is_used_again_and_deleted(browser: Any, running: Service, table: Path) -> None:
    """What was uploaded before stands below the button; a file that is none is refused where it was chosen."""
    wrong = table.with_name("wrong.npy")
    wrong.write_bytes(b"no array")
    with watched(browser, f"{running.url}/#/new") as page:
        upload = page.get_by_role("region", name="Upload a file")
        file = upload.locator("input[type=file]")
        file.set_input_files(wrong)
        expect(upload.locator(".notice")).to_contain_text("an array of NumPy was expected in wrong.npy")
        file.set_input_files(table)
        expect(upload).to_contain_text("houses.csv: 4 columns")
        page.reload()
        upload.get_by_text("Your uploads: 1").click()
        upload.get_by_role("button", name="Use houses.csv").click()
        page.get_by_label("Target", exact=True).select_option("rooms")
        expect(page.locator("[name=A]")).to_have_value("upload:houses.csv")
        expect(page.locator("[name=b]")).to_have_value("upload:houses.csv#rooms")
        upload.get_by_role("button", name="Delete the upload houses.csv").click()
        expect(upload).not_to_contain_text("houses.csv")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_part_can_be_read_and_pressed(browser: Any, running: Service, table: Path, scheme: str, width: int) -> None:
    """On a telephone too nothing is cut or sticks out; names, contrast and sizes are as elsewhere."""
    with watched(browser, f"{running.url}/#/new", viewport={**PHONE, "width": width}, color_scheme=scheme) as page:
        page.locator("input[type=file]").set_input_files(table)
        page.get_by_label("Target", exact=True).select_option("price")
        page.get_by_text("Your uploads: 1").click()
        expect(page.get_by_role("button", name="Use houses.csv")).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        assert page.evaluate(FAINT) == []
        assert page.evaluate(NAMELESS) == []
        if width == PHONE["width"]:
            assert page.evaluate(SMALL.replace("[...document.", "[...document.querySelector('.upload').")) == []
