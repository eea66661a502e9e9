"""The command line has the words of Python, and explains each."""

import inspect
import shlex
from collections.abc import Iterator

import click
import pytest

import dsketch as ds
from dsketch import api
from dsketch._cli import main
from dsketch.problems import PROBLEMS
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.options import settings_of
from dsketch.settings import SETTINGS
from dsketch.sketch import SKETCHES
from tests.cli.regression import ROOT
from tests.command_line import good


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below one, with its path."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


ALL = dict(commands(main))
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}


def lines_of_the_readme() -> list[str]:
    """Return every command line that the README shows."""
    shown = (ROOT / "README.md").read_text().splitlines()
    return sorted({line for line in shown if line.startswith("dsketch ")})


@pytest.mark.parametrize("line", lines_of_the_readme())
def test_the_readme_s_command_lines_are_understood(line: str) -> None:
    """Every command is there, and has every option that it is shown with."""
    _, *words = shlex.split(line, comments=True)
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {name for param in command.params for name in param.opts}

    assert {word for word in words if word.startswith("--")} <= known


def option(path: tuple[str, ...], name: str) -> click.Option:
    """Return an option of a command."""
    return next(param for param in LEAVES[path].params if isinstance(param, click.Option) and name in param.opts)


def test_the_commands_are_the_verbs() -> None:
    """The commands, in the order in which one meets them."""
    assert list(main.commands) == [
        "demo",
        "ingest",
        "info",
        "plan",
        "solve",
        "resume",
        "receipt",
        "audit",
        "check",
        "predict",
        "coreset",
        "marginal",
        "serve",
        "token",
        "jobs",
    ]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("verb", ["plan", "solve", "check"])
def test_python_keywords_are_options(verb: str, problem: str) -> None:
    """Whatever a problem and its verb take in Python can be said on the command line, under the same name."""
    taken = {*inspect.signature(PROBLEMS[problem]).parameters, *inspect.signature(getattr(api, verb)).parameters}
    if verb == "solve":
        taken |= {*inspect.signature(api.plan).parameters, "journal"}
    said = {param.name for param in LEAVES[verb, problem].params}
    said |= {"memory_limit"} if "memory" in said else set()  # where no plan counts on it, only own workers have it
    elsewhere = {"problem", "progress", "choices", "options", "dim"}  # the command itself, the terminal, **keywords, labels
    elsewhere |= {option.name for option in SETTINGS} - {option.name for option in settings_of(PROBLEMS[problem])}
    renamed = {"cluster": "scheduler", **{option.name: option.name.lower() for option in PROBLEMS[problem].inputs}}
    renamed |= {option.name: option.flag for option in SETTINGS if option.flag}
    assert {renamed.get(name, name) for name in taken - elsewhere} <= said


def test_names_are_those_of_python() -> None:
    """Methods, sketches and problems have the names of their tables."""
    assert list(option(("solve", "lstsq"), "--method").type.choices) == ["auto", *sorted(METHODS)]
    assert list(option(("solve", "lstsq"), "--sketch").type.choices) == sorted(SKETCHES)
    assert list(main.commands["solve"].commands) == list(PROBLEMS)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_teaches(path: tuple[str, ...]) -> None:
    """Every command shows an example, every option says what it is for, and every command has --json."""
    text = good(*path, "--help").stdout
    assert f"Example: dsketch {' '.join(path)}" in text
    options = [param for param in LEAVES[path].params if isinstance(param, click.Option)]
    assert [param.name for param in options if not param.help] == []
    assert "--json" in text


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_tells_every_default(path: tuple[str, ...]) -> None:
    """An option that may be left out says what happens then."""
    silent = [
        param.opts[0]
        for param in LEAVES[path].params
        if isinstance(param, click.Option)
        and not (param.is_flag or param.required or "[default:" in param.help or param.default not in (None, ()))
        and param.name not in ("target_to", "drop", "robust")  # nothing to assume where they are not given
    ]
    assert silent == []


def test_version() -> None:
    """The version is the package's."""
    assert good("--version").stdout == f"dsketch {ds.__version__}\n"
