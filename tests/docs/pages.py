"""Pages as tests use them: their blocks of code, run in the order in which they stand."""

import ast
import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.testing import CliRunner

from dsketch._cli import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code: its language, the line where it stands, its text."""

    language: str
    line: int
    text: str


def pages() -> list[Path]:
    """Return every page that people read from front to back; the built site is none."""
    inside = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *inside]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of code of a page."""
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], text.count("\n", 0, found.start()) + 1, found[2]) for found in _BLOCK.finditer(text)]


def run_page(page: Path) -> None:
    """Run what a page shows with ``>>>`` as a doctest; in tutorials its command lines too, against the text that follows them."""
    names: dict[str, Any] = {}
    said = ""
    for block in blocks(page):
        if block.language == "python" and ">>>" in block.text:
            _run_python(page, block, names)
        elif block.language == "python":
            ast.parse(block.text)
        elif page.parent.name == "tutorials" and block.language == "sh":
            said = "".join(_run_command(line) for line in block.text.splitlines())
        elif page.parent.name == "tutorials" and block.language == "text":
            assert doctest.OutputChecker().check_output(block.text, said, OPTIONS), (
                f"{page.name}:{block.line} shows other than\n{said}"
            )


def understood(line: str) -> None:
    """Hold a command line against the commands: every command is there, and has every option that it is shown with."""
    _, *words = shlex.split(line, comments=True)
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {name for param in command.params for name in param.opts}
    assert {word for word in words if word.startswith("--")} <= known


def command_lines(page: Path) -> Iterator[str]:
    """Yield the command lines of dsketch that a page shows."""
    shells = (block.text.splitlines() for block in blocks(page) if block.language == "sh")
    yield from (line for lines in shells for line in lines if line.startswith("dsketch "))


def _run_python(page: Path, block: Block, names: dict[str, Any]) -> None:
    examples = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    failed = runner.run(examples, out=report.append, clear_globs=False).failed
    names |= examples.globs
    assert not failed, "".join(report)


def _run_command(line: str) -> str:
    """Run one command line in this process and return what it says on standard output; blank lines say nothing."""
    words = shlex.split(line, comments=True)
    if not words:
        return ""
    assert words[0] == "dsketch", f"tutorials run dsketch only; got {line!r}"
    ran = CliRunner().invoke(main, words[1:])
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    return ran.stdout
