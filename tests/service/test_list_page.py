"""The list of jobs and the page of one, as people use them with many jobs, with failed ones and on a telephone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dsketch.service.auth import new_token
from tests.service.browser import FAINT, NAMELESS, playwright, watched
from tests.service.running import Service, rested, seen

expect = playwright.expect
QUICK = {"problem": "ridge", "A": "demo/A.zarr", "b": "demo/b.zarr"}
WRONG = {**QUICK, "b": "short.zarr"}
LONG = {
    "problem": "exp-kernel", "A": "pairs/A.zarr", "b": "pairs/b.zarr", "method": "conjugate_gradient", "features": "none",
    "scale": 0.3, "alpha": 0.1,
}  # fmt: skip
PHONE = {"width": 390, "height": 844}
# What is smaller than WCAG's 24 pixels among what is pressed, links within a sentence left out.
SMALL = """() => [...document.querySelectorAll("a, button, input:not([name=state]), select, label.chip, label.mark, summary")]
  .filter((one) => one.checkVisibility() && !one.closest("p, dd, .unseen") && !one.matches(".name, .mark input, .skip"))
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 23.9 || box.height < 23.9).map(([text, box]) => `${text} ${box.width} × ${box.height}`)"""
# Texts that have a digit and of which a part is cut off or outside of the window.
CUT = """() => [...document.querySelectorAll("main *")].filter((one) => !one.children.length && /\\d/.test(one.textContent))
  .filter((one) => one.checkVisibility() && !one.closest(".unseen, pre, .plot, .log, .cell-job, .cell-problem, option, select"))
  .filter((one) => {
    const [style, range] = [getComputedStyle(one), document.createRange()];
    range.selectNodeContents(one);
    const [text, box] = [range.getBoundingClientRect(), one.getBoundingClientRect()];
    return text.right > innerWidth + 1 || (style.overflow !== "visible" && text.width > box.width + 1);
  }).map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Iterator[Service]:
    """A service that makes one run at a time."""
    with Service(tmp_path_factory.mktemp("lists"), places, "--max-jobs", "1") as service:
        yield service


def test_what_runs_stands_first_with_its_progress(browser: Any, running: Service) -> None:
    """However many have come after it, the running job is the first row, with its pass, its part of all and the time left."""
    with running.client() as client:
        solved = client.submit(QUICK, name="before")
        rested(client, solved["id"])
        slow = client.submit(LONG, name="the one that runs")
        seen(client, slow["id"], lambda event: event["event"] == "progress")
        waiting = [client.submit(QUICK, name=f"waits {number}")["id"] for number in range(30)]
        with watched(browser, f"{running.url}/#/") as page:
            first = page.locator("tbody tr").first
            expect(first).to_contain_text("the one that runs")
            expect(first.locator(".cell-passes")).to_contain_text(re.compile(r"\d+ of \d+.*about .* left"))
            expect(first.locator(".cell-job .sentence")).to_have_text(re.compile(r"pass [\d,]+ of [\d,]+ \w+ · \d+ %"))
            expect(first.locator(".cell-problem")).to_contain_text("conjugate_gradient")
            expect(page.locator(".chip", has_text="queued").locator(".count")).to_have_text("30")
            expect(page.locator(".cell-owner").first).to_be_hidden()
            page.get_by_label("Search").fill("BEFORE demo/a.zarr")
            expect(page.locator("tbody tr")).to_have_count(1)
            expect(page.locator("tbody tr .cell-problem")).not_to_contain_text("auto")
            expect(page.locator(".chip", has_text="queued").locator(".count")).to_have_text("0")
            page.get_by_label("Search").fill("waits")
            page.get_by_label("Order").select_option("oldest")
            expect(page.locator("tbody tr").first).to_contain_text("waits 0")
            page.get_by_label("Order").select_option("name")
            expect(page.locator("tbody tr").nth(1)).to_contain_text("waits 1")
            page.reload()
            expect(page.get_by_label("Search")).to_have_value("waits")
            expect(page.locator("tbody tr").first).to_contain_text("waits 0")
            page.get_by_role("link", name="Next page").click()
            expect(page.locator("tbody tr")).to_have_count(5)
            page.go_back()
            expect(page.locator("tbody tr")).to_have_count(25)
        for id_ in [*waiting, slow["id"]]:
            client.cancel(id_)
            client.rm(id_)


def test_several_jobs_are_cancelled_and_deleted(browser: Any, running: Service) -> None:
    """Marked rows are cancelled together, then deleted together, when asked again; the whole row but for its mark is a link."""
    with running.client() as client:
        slow = client.submit(LONG, name="many runs")
        made = [client.submit(QUICK, name=f"many {number}")["id"] for number in range(3)]
        with watched(browser, f"{running.url}/#/?search=many") as page:
            expect(page.locator("tbody tr")).to_have_count(4)
            page.get_by_label("Select many 1").check()
            page.get_by_label("Select many 2").check()
            bar = page.get_by_role("region", name="Selected jobs")
            expect(bar).to_contain_text("2 jobs selected")
            bar.get_by_role("button", name="Cancel 2").click()
            page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
            expect(page.locator("tbody .state[data-state=cancelled]")).to_have_count(2)
            expect(bar).to_be_hidden()
            page.get_by_label("cancelled").check()
            page.get_by_label("Select all jobs of this page").check()
            bar.get_by_role("button", name="Delete 2").click()
            page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            expect(page.get_by_text("No job is cancelled")).to_be_visible()
            page.get_by_role("link", name="Show all jobs").click()
            row = page.locator(f"tr[data-id='{made[0]}']")
            row.locator(".cell-age").click(force=True)  # the link of the name lies over it
            page.wait_for_url(f"**/#/jobs/{made[0]}")
        assert {job["id"] for job in client.list(search="many")} == {slow["id"], made[0]}
        for id_ in (made[0], slow["id"]):
            client.cancel(id_)
            client.rm(id_)


def test_a_failed_job_leads_to_another_run(browser: Any, running: Service) -> None:
    """Its error, then the button that helps; no empty chart, no promise; what its process printed, or that it did not, when asked for."""
    with running.client() as client:
        id_ = client.submit(WRONG, name="wrong shape")["id"]
        rested(client, id_)
    with watched(browser, f"{running.url}/#/jobs/{id_}") as page:
        page.get_by_text("Output of the process").click()
        expect(page.get_by_text("The job's process printed nothing.", exact=True)).to_be_visible()
    (running.state / "jobs" / id_ / "log").write_text("said by the process\n")
    with watched(browser, f"{running.url}/#/jobs/{id_}") as page:
        expect(page.locator(".state-sentence")).to_contain_text("its shape is (5, 1)")
        first = page.locator(".actions .row > :visible").first
        expect(first).to_have_text("Run it again with changes")
        expect(first).to_have_class(re.compile("is-primary"))
        expect(page.get_by_role("button", name="Resume")).not_to_have_class(re.compile("is-primary"))
        expect(page.locator("[data-part=convergence]")).to_be_hidden()
        expect(page.locator("[data-part=passes]")).to_contain_text("No pass over the data was made.")
        expect(page.locator(".output")).to_be_hidden()
        page.get_by_text("Output of the process").click()
        expect(page.locator(".output")).to_have_text("said by the process\n")


def test_time_left_is_of_the_pass_and_of_the_job(browser: Any, running: Service) -> None:
    """Both stand in the strip, each with its name; when nothing is heard of a run for ten seconds the page says so."""
    with running.client() as client:
        slow = client.submit(LONG, name="strip")
        seen(client, slow["id"], lambda event: event["event"] == "progress")
        with watched(browser, f"{running.url}/#/jobs/{slow['id']}") as page:
            expect(page.locator(".strip-left")).to_have_text(re.compile(r"^pass: .* left$"))
            expect(page.locator(".strip-job")).to_have_text(re.compile(r"^job: about .* left$"))
            expect(page.locator(".stall")).to_be_hidden()
            said = page.evaluate(
                """async () => {
                    const { stallNotice } = await import("./stall.js");
                    const notice = stallNotice();
                    const job = { state: "running", quiet_seconds: 12 };
                    notice.heard(job);
                    notice.tick(job);
                    const first = notice.element.hidden ? "" : notice.element.firstChild.textContent;
                    notice.update({ live: { number: 1, done_bytes: 1 }, last: 1 });
                    notice.update({ live: { number: 1, done_bytes: 2 }, last: 1 });
                    notice.tick(job);
                    return [first.replace(/1[23]/, "N"), notice.element.hidden];
                }"""
            )
            assert said == ["No byte was read for N.0 s.", True]
        client.cancel(slow["id"])


def test_owners_are_told_apart_where_there_are_several(browser: Any, tmp_path: Path, places: Path) -> None:
    """An admin sees the column of owners once there are two; an owner never does."""
    tokens = tmp_path / "tokens"
    alice, admin = new_token(tokens, "alice"), new_token(tokens, "root", is_admin=True)
    with Service(tmp_path, places, "--token-file", str(tokens)) as service:
        for token in (alice, admin):
            with service.client(token) as client:
                client.submit(QUICK, name="one")
        for token, rows in ((alice, 1), (admin, 2)):
            with watched(browser, f"{service.url}/") as page:
                page.get_by_label("Token", exact=True).fill(token)
                page.keyboard.press("Enter")
                expect(page.locator("tbody tr")).to_have_count(rows)
                assert page.locator("td.cell-owner").first.is_visible() == (rows == 2)


def test_a_telephone_shows_every_number(browser: Any, running: Service) -> None:
    """At 390 pixels no number is cut, nothing sticks out, what is pressed is large enough, names and contrast are as elsewhere."""
    with running.client() as client:
        job = client.submit(QUICK, name="a name that is rather long_for_a_narrow_window_and_has_no_place_to_break")
        rested(client, job["id"])
        wrong = client.submit(WRONG, name="wrong")
        rested(client, wrong["id"])
    for path in ("#/", f"#/jobs/{job['id']}", f"#/jobs/{wrong['id']}"):
        for scheme in ("light", "dark"):
            with watched(browser, f"{running.url}/{path}", viewport=PHONE, color_scheme=scheme) as page:
                expect(page.locator("h1")).to_be_visible()
                expect(page.locator(".queue tbody tr, .ledger-box").first).to_be_visible()
                assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
                assert page.evaluate(CUT) == []
                assert page.evaluate(SMALL) == []
                assert page.evaluate(FAINT) == []
                assert page.evaluate(NAMELESS) == []


def test_the_dashboard_is_linked_where_it_can_be_reached(browser: Any, running: Service) -> None:
    """An address of the service's own machine is no link for a browser elsewhere; that of another host is one for all."""
    ask = """async (cases) => {
        const { canReach } = await import("./reach.js");
        return cases.map(([address, host]) => canReach(address, host));
    }"""
    cases = {
        ("http://127.0.0.1:8787/status", "127.0.0.1"): True,
        ("http://127.0.0.1:8787/status", "dsketch.example.com"): False,
        ("http://localhost:8787/status", "10.0.0.7"): False,
        ("http://[::1]:8787/status", "localhost"): True,
        ("http://10.0.0.5:8787/status", "dsketch.example.com"): True,
        ("javascript:alert(1)", "localhost"): False,
        (None, "localhost"): False,
    }
    with watched(browser, f"{running.url}/#/") as page:
        assert page.evaluate(ask, [list(case) for case in cases]) == [*cases.values()]
