"""The page of the team: who uses what, and tokens made, ended and revoked, in a browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch.errors import TokenError
from dsketch.service.auth import new_token
from tests.service.browser import FAINT, NAMELESS, playwright, watched
from tests.service.running import Service, rested
from tests.service.test_list_page import CUT, PHONE, SMALL

expect = playwright.expect
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service of an admin and an owner with quotas, of which the owner has used something, and one reader whose token has ended."""
    folder, rng = tmp_path_factory.mktemp("team"), np.random.default_rng(0)
    (folder / "data").mkdir()
    zarr.create_array(folder / "data" / "A.zarr", data=rng.standard_normal((200, 3)), chunks=(100, 3))
    zarr.create_array(folder / "data" / "b.zarr", data=rng.standard_normal(200), chunks=(100,))
    file = folder / "tokens"
    tokens = {"boss": new_token(file, "boss", is_admin=True, label="laptop"), "ann": new_token(file, "ann@example.com", days=30)}
    new_token(file, "ann@example.com", is_reader=True, days=-2, label="wall")
    (folder / "owners.toml").write_text('["*"]\nrunning_jobs = 4\nbytes_a_day = "16kB"\n')
    words = ("--token-file", str(file), "--owners", str(folder / "owners.toml"))
    with Service(folder, folder / "data", *words) as service, service.client(tokens["ann"]) as client:
        assert rested(client, client.submit(problem="lstsq", A="A.zarr", b="b.zarr")["id"])["state"] == "solved"
        yield service, tokens


@contextmanager
def opened(browser: Any, url: str, token: str, **context: Any) -> Iterator[Any]:
    """Yield the page of the team for who has a token."""
    with watched(browser, f"{url}/#/", **context) as page:
        page.get_by_role("textbox", name="Token").fill(token)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Jobs", exact=True).wait_for()
        page.evaluate("() => (location.hash = '#/admin')")
        yield page


def test_use_stands_beside_what_is_allowed(browser: Any, team: tuple[Service, dict[str, str]]) -> None:
    """Two passes over 200 × 3 numbers and b are 12.8 kB of 16 kB; who has used nothing has dashes."""
    service, tokens = team
    with opened(browser, service.url, tokens["boss"]) as page:
        expect(page.get_by_role("link", name="Team")).to_have_attribute("aria-current", "page")
        ann = page.locator(".usage tr", has_text="ann@example.com")
        expect(ann.locator("td")).to_have_text(
            ["– of 4", "–", "1", re.compile(r"12\.80 kB of 16\.00 kB"), re.compile(" s$"), "– of 1.00 GB"]
        )
        expect(page.locator(".usage tr", has_text="boss").locator("td").nth(3)).to_have_text("– of 16.00 kB")


def test_a_token_is_made_shown_once_ended_and_revoked(browser: Any, team: tuple[Service, dict[str, str]]) -> None:
    """By keyboard; the secret stands in the dialog alone; ended it stays as expired, revoked it is gone; what is refused is said there."""
    service, tokens = team
    with opened(browser, service.url, tokens["boss"]) as page:
        form = page.get_by_role("form", name="New token")
        form.get_by_label("owner").fill("eve")
        form.get_by_label("role").select_option("reader")
        form.get_by_label("label").fill("phone")
        form.get_by_label("good for days").fill("7")
        page.keyboard.press("Enter")
        secret = page.get_by_role("dialog").locator("code").text_content()
        with service.client(secret) as eve:
            assert (eve.about()["owner"], eve.about()["role"]) == ("eve", "reader")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert secret not in page.content()
        row = page.locator(".tokens tr", has=page.get_by_role("rowheader", name="eve", exact=True))
        expect(row.locator("td").nth(2)).to_have_text(re.compile("in 6 d|in 7 d"))
        row.get_by_role("button", name="Set end of the token phone of eve").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("days from now")).to_be_focused()
        page.keyboard.press("Enter")
        expect(row.locator("td").nth(2)).to_have_text(re.compile("ended"))
        row.get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(row).to_have_count(0)
        page.locator(".tokens tr", has_text="boss").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("dialog")).to_contain_text("the one that you are using")
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.locator("[data-part=tokens] .notice")).to_contain_text("another admin")


def test_what_is_typed_for_a_token_is_told_at_its_field(browser: Any, team: tuple[Service, dict[str, str]]) -> None:
    """In its words, the first one that is wrong has the focus, and no token is made; put right, the words go."""
    service, tokens = team
    with opened(browser, service.url, tokens["boss"]) as page:
        form = page.get_by_role("form", name="New token")
        for label, typed, said in (
            ("owner", "", "owner was expected; it is empty."),
            ("owner", "a b", "owner must be letters, digits"),
            ("label", "7", "label must begin with a letter"),
            ("good for days", "0", "good for days must be a number above 0, at most 36,600; got 0."),
            ("good for days", "-1", "got -1."),
            ("good for days", "1e", "got 1e."),
            ("good for days", "40000", "got 40000."),
        ):
            form.get_by_label("owner").fill("kim")
            form.get_by_label("label").fill("")
            form.get_by_label("good for days").fill("")
            form.get_by_label(label).fill(typed)
            page.keyboard.press("Enter")
            expect(form.locator(".wrong:visible")).to_have_count(1)
            expect(form.get_by_label(label)).to_be_focused()
            expect(form.get_by_label(label)).to_have_accessible_description(re.compile(re.escape(said)))
        form.get_by_label("good for days").fill("0.5")
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button").last.click()
        row = page.locator(".tokens tr", has=page.get_by_role("rowheader", name="kim", exact=True))
        expect(row.locator("td").nth(2)).to_have_text(re.compile("in (11|12) h"))
        expect(form.locator(".wrong:visible")).to_have_count(0)


def test_the_end_of_a_token_is_set_and_put_off(browser: Any, team: tuple[Service, dict[str, str]]) -> None:
    """In some days or now; what is none is told in the dialog; kept or left by Escape nothing changes; an ended one goes on."""
    service, tokens = team
    with opened(browser, service.url, tokens["boss"]) as page, service.client(tokens["boss"]) as boss:
        made = boss.make_token("zoe", label="tablet")
        page.reload()
        page.get_by_role("heading", name="Team").wait_for()
        row = page.locator(".tokens tr", has=page.get_by_role("rowheader", name="zoe", exact=True))
        end, button = row.locator("td").nth(2), row.get_by_role("button", name="Set end of the token tablet of zoe")
        dialog = page.get_by_role("dialog")
        days = dialog.get_by_label("days from now")
        for leave in (lambda: page.keyboard.press("Escape"), dialog.get_by_role("button", name="Keep it").click):
            button.click()
            days.fill("0")
            leave()
            expect(dialog).to_have_count(0)
            expect(end).to_have_text("no end")
        button.click()
        for typed in ("", "-1", "soon", "40000"):
            days.fill(typed)
            page.keyboard.press("Enter")
            expect(days).to_have_accessible_description(
                f"days from now must be a number from 0 to 36,600; got {typed or 'nothing'}."
            )
        page.keyboard.press("Escape")
        button.click()
        page.keyboard.type("3")  # in place of the 0 that stands there
        page.keyboard.press("Enter")
        expect(end).to_have_text(re.compile("in (2|3) d"))
        for typed, said, opens in (("0", "ended", False), ("30", "in (29|30) d", True)):
            button.click()
            days.fill(typed)
            dialog.get_by_role("button", name="Set end").click()
            expect(end).to_have_text(re.compile(said))
            with service.client(made["token"]) as zoe:
                if opens:
                    assert zoe.about()["owner"] == "zoe"
                else:
                    with pytest.raises(TokenError):
                        zoe.about()


def test_a_reader_is_offered_what_it_may(browser: Any, team: tuple[Service, dict[str, str]]) -> None:
    """It is told that it reads, sees list and answer, downloads, and meets no button that would be refused."""
    service, tokens = team
    with service.client(tokens["boss"]) as boss:
        token = boss.make_token("ann@example.com", role="reader", label="screen")["token"]
    with service.client(token) as reader:
        id_ = next(iter(reader.list()))["id"]
    with watched(browser, f"{service.url}/#/jobs/{id_}") as page:
        page.get_by_role("textbox", name="Token").fill(token)
        page.keyboard.press("Enter")
        expect(page.locator("[data-part=certificate] .verdict")).to_be_visible()
        expect(page.locator("#owner")).to_have_text("ann@example.com, reader")
        expect(page.locator(".actions button:visible, .actions a:visible")).to_have_text(["Download x"])
        for part in ("residuals", "predict"):
            expect(page.locator(f"[data-part={part}]")).to_be_hidden()
        expect(page.get_by_role("link", name="New job")).to_have_count(0)
        page.evaluate("() => (location.hash = '#/')")
        page.get_by_label("Select all jobs").check()
        expect(page.get_by_role("region", name="Selected jobs").get_by_role("button")).to_have_text(["Clear"])
        expect(page.get_by_role("link", name="New job")).to_have_count(0)
        page.evaluate("() => (location.hash = '#/new')")
        expect(page.get_by_role("alert")).to_contain_text("a token that may change something was expected")
    with opened(browser, service.url, tokens["ann"]) as page:
        expect(page.get_by_role("navigation").get_by_role("link", name="New job")).to_be_visible()


def test_an_owner_meets_no_team(browser: Any, team: tuple[Service, dict[str, str]]) -> None:
    """No link leads there, and by its address it is refused in a sentence."""
    service, tokens = team
    with opened(browser, service.url, tokens["ann"]) as page:
        expect(page.get_by_role("alert")).to_contain_text("an admin was expected; ann@example.com is none.")
        expect(page.get_by_role("link", name="Team")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_team_is_seen_by_everybody(browser: Any, team: tuple[Service, dict[str, str]], scheme: str) -> None:
    """With enough contrast, names and room to press, no number cut and nothing sideways, also on a telephone."""
    service, tokens = team
    with opened(browser, service.url, tokens["boss"], color_scheme=scheme) as page:
        for size in ({"width": 1280, "height": 800}, PHONE):
            page.set_viewport_size(size)
            expect(page.locator(".tokens tr", has_text="laptop")).to_be_visible()
            assert page.evaluate(FAINT) == []
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.evaluate(SMALL) == []
        assert page.evaluate(CUT) == []
