"""What pages show runs, as it stands there."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dsketch.sketch import Sketch
from dsketch.testing.sketches import SketchTests
from tests.docs.pages import ROOT, blocks, command_lines, pages, run_page, understood

LINES = sorted({line for page in pages() for line in command_lines(page)})


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example gives what the page says that it gives, in a folder that holds nothing else."""
    monkeypatch.chdir(tmp_path)

    run_page(page)


@pytest.mark.parametrize("line", LINES)
def test_command_lines_are_understood(line: str) -> None:
    """Every command is there, and has every option that it is shown with."""
    understood(line)


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """CONTRIBUTING.md's sketch as a module, so that pickles can name its class."""
    folder = tmp_path_factory.mktemp("contributing")
    shown = next(block.text for block in blocks(ROOT / "CONTRIBUTING.md") if "class Signs" in block.text)
    (folder / "signs.py").write_text(shown)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("signs")


class TestTheSketchOfContributing(SketchTests):
    """The sketch in ten lines keeps the contract of every sketch."""

    @pytest.fixture
    def family(self, signs: ModuleType) -> type[Sketch]:
        """Return the sketch that CONTRIBUTING.md shows."""
        found: type[Sketch] = signs.Signs
        return found
