"""The page as checkers see it: types of its scripts by their JSDoc, what is written by mistake, and views that not everybody can use."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from dsketch.service.auth import new_token
from tests.service.browser import chromium, watched
from tests.service.page_tools import install_tools, run_tool
from tests.service.running import Service, rested
from tests.service.views import SCHEMES, WIDTHS, View, all_views, served, show


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tools, with a copy of the scripts."""
    return install_tools(tmp_path_factory.mktemp("page"))


def test_types_are_right(tools: Path) -> None:
    """TypeScript finds nothing in our scripts; what it finds in a library that we ship as it is is the library's."""
    assert _findings(tools) == []


def test_a_wrong_type_is_found(tools: Path) -> None:
    """The checker sees a call with arguments that a function does not take."""
    wrong = tools / "ui" / "wrong.js"
    wrong.write_text('import { say } from "./dom.js";\nsay(document.body, "a", "b");\n')
    try:
        assert [line.partition("(")[0] for line in _findings(tools)] == ["ui/wrong.js"]
    finally:
        wrong.unlink()


def test_nothing_is_written_by_mistake(tools: Path) -> None:
    """ESLint's recommended rules and a few more."""
    done = run_tool(tools, "node_modules/.bin/eslint", "ui")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_is_found(tools: Path) -> None:
    """A name that nobody declares, and one that nobody uses."""
    (tools / "wrong.js").write_text("const unused = 1;\nundeclared();\n")
    done = run_tool(tools, "node_modules/.bin/eslint", "wrong.js")
    assert {"no-undef", "no-unused-vars"} <= set(done.stdout.split())


def _findings(tools: Path) -> list[str]:
    done = run_tool(tools, "node_modules/.bin/tsc", "--project", "tsconfig.json", "--pretty", "false")
    return [line for line in done.stdout.splitlines() if not line.startswith((" ", "ui/vendor/"))]


# ---- style sheet -----------------------------------------------------------------------------------------------------


def test_every_selector_is_understood(tmp_path: Path) -> None:
    """A rule whose selector is not is left out without a word, as was the one that parted facts by dots; these are seen to be there."""
    with served(tmp_path) as (service, _), chromium() as browser, watched(browser, f"{service.url}/") as page:
        with service.client() as client:
            job = client.submit(problem="lstsq", A="then.zarr", b="price-then.zarr")["id"]
            rested(client, job)
        sheet = page.evaluate("async () => await (await fetch('style.css')).text()")
        plain = re.sub(r"/\*.*?\*/|@keyframes[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", sheet, flags=re.DOTALL)
        selectors = [found.strip() for found in re.findall(r"([^{};]+)\{", plain) if not found.strip().startswith("@")]
        assert len(selectors) > 100
        wrong = "(all) => all.filter((one) => { try { return document.querySelector(one), false } catch { return true } })"
        assert page.evaluate(wrong, selectors) == []
        show(page, View("job", f"#/jobs/{job}", "distance to the sea"))
        dots = "() => [...document.querySelectorAll('.meta .fact')].map((one) => getComputedStyle(one, '::after').content)"
        found = page.evaluate(dots)
        assert (found[0], found[-1]) == ('"·"', "none")


# ---- axe -------------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_view_passes_axe(tmp_path: Path, tools: Path) -> None:
    """Each view of the page, without jobs, with one of each kind and with a thousand: at two widths, light and dark."""
    axe = (tools / "node_modules" / "axe-core" / "axe.min.js").read_text()
    seen = []
    with served(tmp_path) as (service, table), chromium() as browser:
        for url, views in all_views(service, table):
            assert _violations(browser, url, axe, views) == []
            seen += [view.name for view in views]
    assert {"list-none", "list-some", "list-thousand", "form", "job-running", "job-failed", "compare", "residuals"} <= set(seen)


def test_the_page_of_the_team_passes_axe(tools: Path, tmp_path: Path) -> None:
    """With tokens and quotas, and the form of a new token."""
    axe = (tools / "node_modules" / "axe-core" / "axe.min.js").read_text()
    token = new_token(tmp_path / "tokens", "boss", is_admin=True)
    new_token(tmp_path / "tokens", "ann", label="laptop", days=-1)
    (tmp_path / "owners.toml").write_text('["*"]\nrunning_jobs = 4\nbytes_a_day = "1GB"\n')
    (tmp_path / "data").mkdir()
    words = ("--token-file", str(tmp_path / "tokens"), "--owners", str(tmp_path / "owners.toml"))
    with Service(tmp_path, tmp_path / "data", *words) as service, chromium() as browser:
        assert _violations(browser, service.url, axe, [View("admin", "#/admin", "laptop")], token) == []


def _violations(browser: Any, url: str, axe: str, views: list[View], token: str = "") -> list[tuple[str, ...]]:
    """Return what axe finds wrong in views: view, width, theme, rule, place."""
    found = []
    for scheme in SCHEMES:
        with watched(browser, f"{url}/", color_scheme=scheme) as page:
            if token:
                page.get_by_role("textbox", name="Token").fill(token)
                page.keyboard.press("Enter")
                page.get_by_role("heading", name="No jobs yet").wait_for()
            for view, width in product(views, WIDTHS):
                page.set_viewport_size({"width": width, "height": 800})
                show(page, view)
                page.evaluate(axe)
                told = page.evaluate(
                    "() => axe.run().then((found) => found.violations.map((one) => [one.id, one.nodes[0].html]))"
                )
                found += [(view.name, str(width), scheme, *one) for one in told]
    return found
