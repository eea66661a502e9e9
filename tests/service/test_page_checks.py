"""The page as checkers see it: types of its scripts by their JSDoc, what is written by mistake, and views that not everybody can use."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.browser import chromium, watched
from tests.service.page_tools import UI, install_tools, run_tool
from tests.service.running import rested
from tests.service.views import SCHEMES, WIDTHS, View, all_stages, opened, served, show, turn

# What is wrong, by all rules or by those of colours; what is right is not written down, which takes a third of the time.
_AXE = """(isOfColours) => axe.run(document, {
  resultTypes: ["violations"],
  ...(isOfColours ? { runOnly: ["cat.color"], rules: { "color-contrast-enhanced": { enabled: false } } } : {}), // off otherwise too
}).then((found) => found.violations.map((one) => [one.id, one.nodes[0].html]))"""
_PICTURES = Path(__file__).parent / "screenshots"


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
    with served(tmp_path) as service, chromium() as browser, watched(browser, f"{service.url}/") as page:
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
@pytest.mark.timeout(900)
def test_every_view_passes_axe(tmp_path: Path, tools: Path) -> None:
    """Each view of the page, without jobs, with one, with one of each kind and with a thousand: at two widths, light and dark."""
    axe = (tools / "node_modules" / "axe-core" / "axe.min.js").read_text()
    seen = []
    with chromium() as browser:
        for stage in all_stages(tmp_path):
            with opened(browser, stage) as page:
                for view in stage.views:
                    assert list(_violations(page, view, axe)) == []
                    seen.append(view.name)
    assert len(set(seen)) == len(seen)
    assert {picture.name.rpartition("-")[0].rpartition("-")[0] for picture in _PICTURES.glob("*.png")} == set(seen)


def test_themes_differ_in_colours_alone() -> None:
    """Rules of one theme set its scheme alone, and no script asks which it is but to draw anew: axe's other rules need one theme."""
    sheet = (UI / "style.css").read_text()
    assert "light-dark(" in sheet
    assert "prefers-color-scheme" not in sheet
    assert re.findall(r"\[data-theme[^{]*\{([^}]*)\}", sheet) == [f" color-scheme: {scheme}; " for scheme in SCHEMES]
    asking = {
        file.name: text.count("prefers-color-scheme") for file in UI.glob("*.js") if "-scheme" in (text := file.read_text())
    }
    assert asking == {"theme.js": 1}


def test_every_view_is_pictured_in_four_ways() -> None:
    """At both widths, light and dark: a picture that lacks is a view that nobody looked at."""
    names = {picture.stem for picture in _PICTURES.glob("*.png")}
    views = {name.rpartition("-")[0].rpartition("-")[0] for name in names}
    assert names == {f"{view}-{width}-{scheme}" for view in views for width in WIDTHS for scheme in SCHEMES}


def _violations(page: Any, view: View, axe: str) -> Iterator[tuple[str, ...]]:
    """Yield what axe finds wrong in a view: view, width, theme, rule, place; of a second theme by the rules of colours."""
    show(page, view)
    page.evaluate(axe)
    for width, scheme in turn(page):
        told = page.evaluate(_AXE, scheme != SCHEMES[0])
        yield from ((view.name, str(width), scheme, *one) for one in told)
