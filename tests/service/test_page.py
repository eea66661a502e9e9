"""The web page in a real browser, before a real service with real data."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsketch._units import format_bytes, format_seconds
from dsketch.engine.progress import finished_line
from dsketch.events import PassFinished
from dsketch.service.app import UI
from dsketch.service.auth import new_token
from tests.service.browser import FAINT, NAMELESS, RECORD, playwright, watched
from tests.service.running import Service, rested

expect = playwright.expect
Opened = Callable[..., AbstractContextManager[Any]]
# Pairs of 6,000 rows: some 130 passes in a few seconds, each with its error, and a thousand in half a minute.
LONG = {
    "problem": "exp-kernel",
    "A": "pairs/A.zarr",
    "b": "pairs/b.zarr",
    "method": "conjugate_gradient",
    "features": "none",
    "scale": 0.1,
}
LONGER = {**LONG, "scale": 0.3, "alpha": 0.1}
QUICK = {"problem": "ridge", "A": "demo/A.zarr", "b": "demo/b.zarr"}
WAIT = 240_000  # milliseconds for a whole run on a machine that has other things to do


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Iterator[Service]:
    """A service that makes one run at a time, in the run's own process."""
    folder = tmp_path_factory.mktemp("page")
    with Service(folder, places, "--out-root", str(folder / "out"), "--max-jobs", "1") as service:
        yield service


@pytest.fixture
def opened(browser: Any, running: Service) -> Opened:
    """Return what opens a page of the service."""
    return lambda path="#/", **more: watched(browser, f"{running.url}/{path}", **more)


def test_the_plan_comes_before_the_run(opened: Opened) -> None:
    """The form shows what would be done, what it costs and what was rejected, and says when it no longer fits."""
    with opened("#/new") as page:
        page.locator("[name=A]").fill("demo/A.zarr")
        page.locator("[name=b]").fill("demo/b.zarr")
        page.get_by_role("button", name="Show plan").click()
        plan = page.locator("[data-part=plan]")
        expect(plan.get_by_role("heading", name="Rejected")).to_be_visible(timeout=WAIT)
        expect(plan).to_contain_text("20,000 × 10")
        expect(page.get_by_role("button", name="Submit")).to_have_class("is-primary")
        page.locator("[name=b]").fill("")
        page.locator("[name=method]").select_option("tsqr")
        expect(plan.locator(".is-stale")).to_be_visible()
        expect(page.get_by_role("button", name="Show plan")).to_have_class("is-primary")
        page.locator("[name=b]").fill("demo/b.zarr")
        expect(plan).to_contain_text("tsqr — ", timeout=WAIT)
        expect(plan.locator(".is-stale")).to_have_count(0)


def test_the_form_asks_for_the_table_of_coefficients(opened: Opened, running: Service) -> None:
    """A tick, and the table stands beside the certificate; a problem without one has no such field."""
    with opened("#/new") as page:
        page.get_by_label("Problem", exact=True).select_option("lstsq")
        for name in ("A", "b"):
            page.locator(f"[name={name}]").fill(str(QUICK[name]))
        page.locator("[name=summary]").check()
        page.get_by_label("Problem", exact=True).select_option("ridge")
        expect(page.locator("[name=summary]")).to_have_count(0)
        page.get_by_label("Problem", exact=True).select_option("lstsq")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/#/jobs/*")
        expect(page.locator("[data-part=coefficients]")).to_contain_text("std err", timeout=WAIT)
        with running.client() as client:
            found = client.solution(page.url.rsplit("/", 1)[1])
        assert found["summary"]["text"] == page.locator("[data-part=coefficients] pre").text_content()


def test_a_run_from_the_form_to_its_x(opened: Opened, running: Service, tmp_path: Path) -> None:
    """The plot grows while the job runs and nothing moves by itself; the certificate and x come with the answer."""
    with opened("#/new") as page:
        page.get_by_label("Problem", exact=True).select_option("exp-kernel")
        page.get_by_text("Advanced").click()
        for name in ("A", "b", "scale"):
            page.locator(f"[name={name}]").fill(str(LONG[name]))
        for name in ("method", "features"):
            page.locator(f"[name={name}]").select_option(LONG[name])
        page.locator("[name=name]").fill("from the form")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/#/jobs/*")
        id_ = page.url.rsplit("/", 1)[1]
        expect(page.locator(".plot")).to_be_visible()
        page.evaluate(RECORD)
        expect(page.locator(".strip")).to_contain_text(re.compile(r"pass [\d,]+ of [\d,]+\s+\w+"), timeout=WAIT)
        expect(page.locator(".head .state")).to_have_text("solved", timeout=WAIT)
        expect(page.locator("[data-part=certificate] .verdict")).to_contain_text("solved: the backward error meets")
        expect(page.locator("[data-part=certificate] .figures")).to_contain_text("backward error")
        seen = page.evaluate("() => window.seen")
        while_running = {points for points, state in seen["points"] if state == "running"}
        assert len(while_running) >= 2, seen
        assert seen["moved"] < 0.01, seen["by"]
        with running.client() as client:
            found = client.solution(id_)
        passes = found["passes"]
        expect(page.locator(".ledger tbody tr")).to_have_count(len(passes))
        expect(page.locator(".ledger tbody tr").last.locator("td").first).to_have_text(str(len(passes)))
        with page.expect_download() as download:
            page.get_by_role("button", name="Download x").click()
        download.value.save_as(tmp_path / "x.npy")
    x = np.load(tmp_path / "x.npy", allow_pickle=False)
    assert hashlib.sha256(x.tobytes()).hexdigest() == found["x"]["sha256"]


def test_cancel_resume_delete(opened: Opened, running: Service) -> None:
    """A running job is ended by a button, goes on by another after its recorded passes, and is deleted only when asked twice."""
    with running.client() as client:
        job = client.submit(LONG, name="to be stopped")
    with opened(f"#/jobs/{job['id']}") as page:
        expect(page.locator(".plot")).to_have_attribute("data-points", re.compile("[1-9]"), timeout=WAIT)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".head .state")).to_have_text("cancelled", timeout=WAIT)
        expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
        page.get_by_role("button", name="Resume").click()
        expect(page.locator(".head .state")).to_have_text("solved", timeout=WAIT)
        expect(page.locator(".ledger tbody tr").first).to_contain_text("from the journal")
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("dialog")).to_contain_text("nothing brings them back")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        page.wait_for_url("**/#/")
        expect(page.locator(f"tr[data-id='{job['id']}']")).to_have_count(0)


def test_errors_stand_where_they_help(opened: Opened) -> None:
    """What is wrong is said at its field, which gets the focus: by the page where it can know, else by the service."""
    with opened("#/new?problem=ridge&A=nowhere.zarr&b=demo/b.zarr") as page:
        alpha, A, tol = (page.locator(f"[name={name}]") for name in ("alpha", "A", "tol"))
        alpha.fill("much")
        page.get_by_role("button", name="Show plan").click()
        expect(alpha).to_be_focused()
        expect(alpha).to_have_accessible_description(re.compile("numbers with commas between were expected; got much"))
        alpha.fill("1")
        page.get_by_role("button", name="Submit").click()
        expect(A).to_have_attribute("aria-invalid", "true")
        expect(A).to_have_accessible_description(re.compile("there is nothing. Check the path."))
        A.fill("../../etc")
        page.get_by_role("button", name="Submit").click()
        expect(A).to_have_accessible_description(re.compile(r"Data matrix \(A\) was expected under a declared place"))
        A.fill("demo/A.zarr")
        page.get_by_text("Advanced").click()
        tol.fill("3")
        page.get_by_role("button", name="Show plan").click()
        expect(tol).to_be_focused()
        expect(tol).to_have_accessible_description(re.compile(r"Tolerance \(tol\) must be a number below 1; got 3\."))


def test_the_form_has_the_words_of_each_problem(opened: Opened, running: Service) -> None:
    """Each problem of the service brings its own fields, with their help, and the document has only what differs from a default."""
    with running.client() as client:
        problems = client.about()["problems"]
    with opened("#/new?A=demo/A.zarr&b=demo/b.zarr") as page:
        page.get_by_text("Advanced").click()
        for problem in problems:
            page.get_by_label("Problem", exact=True).select_option(problem["name"])
            for word in (*problem["words"], *problem["options"]):
                expect(page.locator(f"[name={word['name']}]")).to_have_accessible_description(word["help"])
            assert page.locator("[name=method] option").all_text_contents() == problem["methods"]
            assert page.locator("[name=rank]").count() == bool(problem["families"])
        page.get_by_label("Problem", exact=True).select_option("ridge")
        page.locator("[name=alpha]").fill("0.5")
        page.locator("[name='limits.seconds']").fill("60")
        shown = page.locator("[data-part=document] code").text_content()
        assert re.sub(r"\s", "", shown) == (
            '{"problem":"ridge","A":"demo/A.zarr","b":"demo/b.zarr","alpha":0.5,"limits":{"seconds":60}}'
        )


def test_defaults_are_those_of_the_problem_that_is_shown(opened: Opened) -> None:
    """Of two problems with a word of one name each shows its own default; what was typed stays; numbers may be several."""
    with opened("#/new?A=demo/A.zarr&y=demo/b.zarr") as page:
        problem, alpha, seed, family = (
            page.get_by_label("Problem", exact=True), *(page.locator(f"[name={name}]") for name in ("alpha", "seed", "family")),
        )  # fmt: skip
        page.get_by_text("Advanced").click()
        problem.select_option("ridge")
        expect(alpha).to_have_value("1")
        seed.fill("7")
        problem.select_option("glm")
        expect(alpha).to_have_value("0")
        expect(seed).to_have_value("7")
        alpha.fill("much, 2")
        page.get_by_role("button", name="Show plan").click()
        expect(alpha).to_have_accessible_description(re.compile("numbers with commas between were expected; got much, 2"))
        alpha.fill("0.5, 2")
        family.select_option("gaussian")
        shown = page.locator("[data-part=document] code").text_content()
        assert re.sub(r"\s", "", shown) == (
            '{"problem":"glm","A":"demo/A.zarr","y":"demo/b.zarr","family":"gaussian","alpha":[0.5,2],"seed":7}'
        )
        page.get_by_role("button", name="Submit").click()
        expect(page.locator(".state-sentence")).to_have_text(
            re.compile(r"Penalty \(alpha\) must be one number, or of shape \(10,\)")
        )
        page.get_by_role("link", name="Run it again with changes").click()
        expect(alpha).to_have_value("0.5,2")
        alpha.fill("2")
        page.get_by_role("button", name="Submit").click()
        expect(page.locator("[data-part=certificate]")).to_contain_text("standard errors", timeout=WAIT)


def test_bounds_that_are_none_are_typed_as_such(opened: Opened, running: Service) -> None:
    """An infinity is null in the document, and stays no bound when the run is made again."""
    with opened("#/new?problem=bounded&A=demo/A.zarr&b=demo/b.zarr") as page:
        lower, upper = page.locator("[name=lower]"), page.locator("[name=upper]")
        lower.fill("-inf")
        upper.fill("5, inf" + ", 5" * 8)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("link", name="Run it again with changes")).to_be_visible()
        shown = page.locator("[data-part=document] pre").text_content()
        assert '"lower":null,"upper":[5.0,null,5.0,' in re.sub(r"\s", "", shown).replace("5,", "5.0,")
        assert json.loads(shown).keys() == {"problem", "A", "b", "lower", "upper"}  # what was asked, without the defaults
        page.get_by_role("link", name="Run it again with changes").click()
        expect(lower).to_have_value("none")
        expect(upper).to_have_value("5,none" + ",5" * 8)


def test_a_run_is_made_again_with_changes(opened: Opened, running: Service) -> None:
    """The form takes over the document of a job."""
    with running.client() as client:
        job = client.submit({**QUICK, "alpha": 0.25, "seed": 7}, name="first")
        rested(client, job["id"])
    with opened(f"#/jobs/{job['id']}") as page:
        page.get_by_role("link", name="Run it again with changes").click()
        expect(page.locator("[name=alpha]")).to_have_value("0.25")
        expect(page.locator("[name=seed]")).to_have_value("7")
        expect(page.get_by_label("Problem", exact=True)).to_have_value("ridge")


def test_the_queue_is_live_filters_and_turns_pages(opened: Opened, running: Service) -> None:
    """Jobs come and change by themselves; one state can be shown; more than a page is reached by Next page."""
    with running.client() as client, opened() as page:
        slow = client.submit(LONGER, name="ahead of all")
        row = page.locator(f"tr[data-id='{slow['id']}']")
        expect(row.locator(".state")).to_have_text("running", timeout=WAIT)
        expect(row).to_contain_text(re.compile(r"\d+ of \d+"), timeout=WAIT)
        waiting = [client.submit(QUICK, name=f"number {number}")["id"] for number in range(26)]
        page.get_by_label("queued").check()
        expect(page.locator("tbody tr")).to_have_count(25)
        expect(page.locator("tbody tr").first).to_contain_text("number 25")
        expect(page.locator("tbody tr").first).to_contain_text("jobs go first")
        page.get_by_role("link", name="Next page").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text("number 0")
        page.get_by_role("link", name="First page").click()
        expect(page.locator("tbody tr")).to_have_count(25)
        for id_ in [*waiting, slow["id"]]:
            client.cancel(id_)
        expect(page.get_by_text("No job is queued")).to_be_visible()


def test_a_token_is_asked_for(browser: Any, tmp_path: Path, places: Path) -> None:
    """Without a token nothing is shown; a wrong one is refused in words; the right one opens the queue, which teaches while empty."""
    token = new_token(tmp_path / "tokens", "alice")
    with (
        Service(tmp_path, places, "--token-file", str(tmp_path / "tokens")) as service,
        watched(browser, f"{service.url}/") as page,
    ):
        page.get_by_label("Token", exact=True).fill("wrong")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("token")
        page.get_by_label("Token", exact=True).fill(token)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
        expect(page.get_by_text(f"dsketch demo --rows 1000000 --cols 50 --dir {places}/demo --keep")).to_be_visible()
        expect(page.locator("#owner")).to_have_text("alice")
        page.reload()
        expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
        page.get_by_role("link", name="Fill in the form for it").click()
        expect(page.locator("[name=A]")).to_have_value("demo/A.zarr")
        page.get_by_role("button", name="Submit").click()
        expect(page.locator(".head .state")).to_have_text("solved", timeout=WAIT)  # its events come with the token too
        page.get_by_role("button", name="Forget token").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("() => [...Object.values(sessionStorage), ...Object.values(localStorage)]") == ["auto"]


def test_both_themes(opened: Opened, running: Service) -> None:
    """Colours follow the system unless chosen, the choice stays, and every text has the contrast of WCAG AA in both themes."""
    with running.client() as client:
        job = client.submit(QUICK, name="solved")
        rested(client, job["id"])
    paths = ("#/", f"#/jobs/{job['id']}", "#/new")
    for scheme in ("light", "dark"):
        for path in paths:
            with opened(path, color_scheme=scheme) as page:
                expect(page.locator("h1")).to_be_visible()
                is_dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(14, 19, 24)"
                assert is_dark == (scheme == "dark")
                assert page.evaluate(FAINT) == []
                assert page.evaluate(NAMELESS) == []
    with opened(color_scheme="dark") as page:
        page.get_by_role("button", name="Colours: auto. Change to light.").click()
        page.reload()
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(244, 246, 248)"


def test_a_narrow_window_and_the_keyboard(opened: Opened, running: Service) -> None:
    """At the width of a telephone nothing sticks out; the first stop of the keyboard leads to the content."""
    with running.client() as client:
        job = client.submit(QUICK, name="a name that is rather long_for_a_narrow_window_and_has_no_place_to_break")
        rested(client, job["id"])
    for path in ("#/", f"#/jobs/{job['id']}", "#/new"):
        with opened(path, viewport={"width": 360, "height": 740}) as page:
            expect(page.locator("h1")).to_be_visible()
            expect(page.locator("[data-part=certificate] .verdict, .queue tbody tr, [name=A]").first).to_be_visible()
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    with opened() as page:
        expect(page.locator("h1")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


def test_a_service_out_of_reach(opened: Opened) -> None:
    """While the service does not answer the page says so, and goes on by itself when it does."""
    with opened(is_offline_fine=True) as page:
        expect(page.locator("h1")).to_be_visible()
        page.context.set_offline(True)
        expect(page.locator("#trouble")).to_contain_text("an answer of the service was expected; none came")
        page.context.set_offline(False)
        expect(page.locator("#trouble")).to_be_empty()


def test_an_unknown_job_is_said_in_a_sentence(opened: Opened) -> None:
    """An address of a job that is gone, or of nothing, leads back to the list."""
    for path, said in (("#/jobs/00000000000000000000", "a job was expected; there is none"), ("#/lost", "a page was expected")):
        with opened(path) as page:
            expect(page.get_by_role("alert")).to_contain_text(said)
            page.get_by_role("link", name="All jobs", exact=True).click()
            expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def test_the_words_are_those_of_the_terminal(opened: Opened) -> None:
    """Bytes, seconds and finished passes read as on the command line."""
    sizes = [0, 1, 999, 1000, 1234, 99_999, 131_200_000, 976_000_000, 1e9, 2.5e9, 1.234e12, 7e15]
    times = [0, 0.00031, 0.034, 0.1, 1, 1.04, 9.96, 10, 12.14, 59.9, 60, 75, 3599, 3600, 11_100, 86_399, 86_400, 400_000]
    passes = [
        PassFinished(2, "whitened", 0.5, 1_600_000_000, replayed=False),
        PassFinished(40, "normal", 0.0, 0, replayed=False),
        PassFinished(1, "sketch", 0.5, 1_600_000_000, replayed=True),
    ]
    ask = """async ([sizes, times, passes]) => {
        const words = await import("./words.js");
        return [sizes.map(words.bytes), times.map(words.seconds), passes.map(words.finished)];
    }"""
    with opened() as page:
        said = page.evaluate(ask, [sizes, times, [{**vars(one), "expected_passes": 39} for one in passes]])
    assert said == [[*map(format_bytes, sizes)], [*map(format_seconds, times)], [finished_line(one, 39) for one in passes]]


def test_what_is_vendored_is_unchanged() -> None:
    """The copied library is the published one, by the sums beside it, and its licence is with it."""
    note = (UI / "vendor" / "README.md").read_text()
    sums = dict(reversed(line.split()) for line in re.findall(r"^[0-9a-f]{64} +\S+$", note, re.MULTILINE))
    files = {str(file.relative_to(UI / "vendor")): file for file in (UI / "vendor" / "uplot").iterdir()}
    assert sums.keys() == files.keys()
    assert {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()} == sums
    assert "MIT" in files["uplot/LICENSE"].read_text()
