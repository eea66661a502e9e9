"""The page as checkers see it: types of its scripts by their JSDoc, what is written by mistake, and views that not everybody can use."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch.service.auth import new_token
from tests.service.browser import chromium, watched
from tests.service.page_tools import install_tools, run_tool
from tests.service.running import Service, rested


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


# ---- axe -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without jobs, at first."""
    folder, rng = tmp_path_factory.mktemp("views"), np.random.default_rng(0)
    (folder / "data").mkdir()
    stored = zarr.create_array(folder / "data" / "A.zarr", data=rng.standard_normal((200, 3)), chunks=(100, 3))
    stored.attrs["columns"] = ["age", "income", "rooms"]
    zarr.create_array(folder / "data" / "b.zarr", data=rng.standard_normal(200), chunks=(100,))
    with Service(folder, folder / "data") as service:
        yield service


def test_every_view_passes_axe(running: Service, tools: Path) -> None:
    """The list without jobs and with some, the form, a job with its answer, two jobs compared: at two widths, light and dark."""
    axe = (tools / "node_modules" / "axe-core" / "axe.min.js").read_text()
    with chromium() as browser:
        assert _violations(browser, running.url, axe, {"#/": "No jobs yet", "#/admin": "There are no tokens"}) == []
        with running.client() as client:
            jobs = [
                client.submit(problem="lstsq", A="A.zarr", b="b.zarr", name=name, tags=["a tag"])["id"] for name in ("one", "two")
            ]
            assert {rested(client, job)["state"] for job in jobs} == {"solved"}
        views = {
            "#/": "two",
            "#/?order=-name&tag=a+tag": "one",
            "#/new": "New job",
            f"#/jobs/{jobs[0]}": "income",
            f"#/compare/{jobs[0]}/{jobs[1]}": "income",
        }
        assert _violations(browser, running.url, axe, views) == []


def test_the_page_of_the_team_passes_axe(tools: Path, tmp_path: Path) -> None:
    """With tokens and quotas, and the form of a new token."""
    axe = (tools / "node_modules" / "axe-core" / "axe.min.js").read_text()
    token = new_token(tmp_path / "tokens", "boss", is_admin=True)
    new_token(tmp_path / "tokens", "ann", label="laptop", days=-1)
    (tmp_path / "owners.toml").write_text('["*"]\nrunning_jobs = 4\nbytes_a_day = "1GB"\n')
    (tmp_path / "data").mkdir()
    words = ("--token-file", str(tmp_path / "tokens"), "--owners", str(tmp_path / "owners.toml"))
    with Service(tmp_path, tmp_path / "data", *words) as service, chromium() as browser:
        assert _violations(browser, service.url, axe, {"#/admin": "laptop"}, token) == []


def _violations(browser: Any, url: str, axe: str, views: dict[str, str], token: str = "") -> list[tuple[str, ...]]:
    """Return what axe finds wrong in views, each once it shows a text: view, width, theme, rule, place."""
    found = []
    for scheme in ("light", "dark"):
        with watched(browser, f"{url}/", color_scheme=scheme) as page:
            if token:
                page.get_by_role("textbox", name="Token").fill(token)
                page.keyboard.press("Enter")
                page.get_by_role("heading", name="No jobs yet").wait_for()
            page.evaluate(axe)
            for (view, text), width in product(views.items(), (1280, 390)):
                page.set_viewport_size({"width": width, "height": 800})
                page.evaluate("(view) => (location.hash = view)", view)
                page.get_by_text(text).first.wait_for(state="attached")
                told = page.evaluate(
                    "() => axe.run().then((found) => found.violations.map((one) => [one.id, one.nodes[0].html]))"
                )
                found += [(view, str(width), scheme, *one) for one in told]
    return found
