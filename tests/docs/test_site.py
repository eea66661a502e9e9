"""The site builds without a warning, names everything public, and its pages lead somewhere."""

import importlib
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import dsketch
from tests.docs.pages import DOCS, ROOT, pages

DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
PACKAGES = ("dsketch", "dsketch.problems", "dsketch.sketch", "dsketch.sklearn", "dsketch.ingest")
OF_ERRORS = "dsketch.errors"
INNER = {"PROBLEMS", "SKETCHES", "LinearProblem", "kind_of"}  # tables and what asks them, and what linear problems share


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site in a process of its own, every warning an error."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "-q", "-d", str(folder / "trees")]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def described(site: Path) -> set[str]:
    """Return the names of Python that the site describes, from its inventory: four lines, then compressed ones."""
    _, packed = (site / "objects.inv").read_bytes().split(b"# The remainder of this file is compressed using zlib.\n")
    return {name for name, kind, *_ in map(str.split, zlib.decompress(packed).decode().splitlines()) if kind.startswith("py:")}


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_is_described(package: str, described: set[str]) -> None:
    """What a public package offers stands in the reference, once, under the name of one of them."""
    short = {name.rpartition(".")[2] for name in described if name.rpartition(".")[0] in (*PACKAGES, OF_ERRORS)}
    offered = {name for name in importlib.import_module(package).__all__ if not name.startswith("_")}

    assert offered - short - INNER == set()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """Styles, scripts and pictures are the site's own."""
    loads = re.compile(r"""<(?:script|img|link)\b[^>]*?(?:src|href)=["']((?:https?:)?//[^"']+)""")

    assert not [found for page in site.rglob("*.html") for found in loads.findall(page.read_text(encoding="utf-8"))]


def links(page: Path) -> Iterator[str]:
    """Yield the places in this repository to which a page links."""
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield target


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every file that a page links to is there."""
    assert not [target for target in links(page) if not (page.parent / target).exists()]


def numbers(text: str) -> set[float]:
    """Return the numbers of a text."""
    return {float(word.replace(",", "")) for word in re.findall(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?", text)}


def test_the_readme_s_figures_are_measured_ones() -> None:
    """Every number in the README's small table stands in the evidence, which benchmarks write."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Figures")[2].partition("##")[0]
    rows = "\n".join(line for line in section.splitlines() if line.startswith("|"))

    assert rows
    assert numbers(rows) - numbers((DOCS / "evidence.md").read_text(encoding="utf-8")) == set()


def test_the_readme_is_short_and_has_no_tables_of_benchmarks() -> None:
    """Below 200 lines; what scripts write lies elsewhere."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) < 200
    assert "<!--" not in text


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_decisions_have_their_form(page: Path) -> None:
    """A number, a date, the four paragraphs, and a line in the index."""
    text = page.read_text(encoding="utf-8")
    title, day = re.match(r"# (.+)\n\n(\S+)\n", text).groups()  # type: ignore[union-attr]
    words = re.findall(r"^\*\*([^*]+)\.\*\*", text, re.MULTILINE)
    number = int(page.name[:3])

    assert title.startswith(f"{number}. ")
    assert words == ["Context", "Decision", "What lost", "Consequences"]
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    assert f"| [{number}]({page.name}) | {title.partition('. ')[2]} | {date.fromisoformat(day)} |" in index


def test_decisions_are_numbered_without_a_gap() -> None:
    """Numbers run from 1."""
    assert [int(page.name[:3]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.usefixtures("importable_scripts")
def test_every_place_for_a_table_has_one() -> None:
    """The tables of the evidence are those that the results give now."""
    from readme import PAGES, all_tables, filled
    from record import RESULTS

    text = (DOCS / "evidence.md").read_text(encoding="utf-8")
    assert DOCS / "evidence.md" in PAGES
    assert set(re.findall(r"<!-- (\S+) -->", text)) - {"end"} <= set(all_tables(RESULTS))
    assert filled(text, all_tables(RESULTS)) == text


def test_the_version_is_that_of_the_package(site: Path) -> None:
    """The title says which version the pages are about."""
    assert f"<title>dsketch {dsketch.__version__}</title>" in (site / "index.html").read_text(encoding="utf-8")
