"""Options that commands share, made from those that are said once (:mod:`dsketch.settings`): each list is appended to a command's own."""

from collections.abc import Callable
from copy import copy
from math import isnan
from pathlib import Path
from typing import Any

import click

from dsketch import settings
from dsketch._units import parse_bytes
from dsketch.errors import SpecError
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS, Problem
from dsketch.problems.options import settings_of
from dsketch.problems.tables import TABLE
from dsketch.settings import Bytes, Numbers, Option


class Size(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on; we allow older ones
    """Bytes with a unit."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        try:
            return parse_bytes(value)
        except SpecError as error:
            self.fail(str(error), param, ctx)


SIZE = Size()


class Interval(click.FloatRange):
    """Numbers of an interval; NaN lies in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        found = super().convert(value, param, ctx)
        if isnan(found):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return found


_KINDS: dict[type, Any] = {Bytes: SIZE, Matrix: str, Numbers: str, object: str, Path: click.Path()}
_METAVARS = {Matrix: "W", Numbers: "P,…", float: "P", int: "N"}


def option_of(option: Option, *, of_service: bool = False) -> click.Option:
    """Return an option as click has it.

    Parameters
    ----------
    of_service : bool
        Whether it is for a service, so that the largest number that one takes binds.
    """
    flag = f"--{(option.flag or option.name).replace('_', '-')}"
    if option.kind is bool:
        flag = f"{flag}/--no{flag.removeprefix('-')}" if option.default else flag
        return click.Option([flag], is_flag=True, default=option.default, help=option.help)
    kind = _type_of(option, option.most if of_service else None)
    default = str(option.default) if option.kind is Numbers and option.default is not None else option.default
    metavar = option.metavar or (None if option.choices else _METAVARS.get(option.kind))
    return click.Option([flag], type=kind, default=default, metavar=metavar, help=option.help)


def _type_of(option: Option, most: int | None) -> Any:
    if option.choices:
        return click.Choice(option.choices)
    if option.least is not None:
        return click.IntRange(option.least, most)
    if option.above is not None and option.below is None:
        return Interval(option.above, min_open=True)
    return _KINDS.get(option.kind, option.kind)  # an interval is for the problem to refuse, in a sentence on what it means


def inputs_of(problem: type[Problem]) -> list[click.Argument]:
    """Return what must be given, in order; click calls an argument by its name in lower case."""
    return [click.Argument([option.name], metavar=option.name) for option in problem.inputs]


def _explain_inputs(problem: type[Problem]) -> str:
    """Return a line for each input of a problem: what it is, and how it is given."""
    ways: dict[type, str] = {Matrix: "path or URL", Numbers: "numbers with commas between, or a path"}
    return "\n".join(f"{option.name}  {option.help} ({ways[option.kind]})" for option in problem.inputs)


def options_of(problem: type[Problem]) -> list[click.Option]:
    """Return the options of a problem."""
    return [option_of(option) for option in (*problem.options, problem.missing_option)]


def method_options(problem: type[Problem]) -> list[click.Option]:
    """Return the options that say how a problem is solved."""
    return [*map(option_of, settings_of(problem)), *MEMORY_LIMIT]


def cluster_options(default: str) -> list[click.Option]:
    """Return the options that say where passes run; ``default`` in words for the help."""
    return [*map(option_of, settings.cluster_options(default))]


CLUSTER = [*map(option_of, settings.CLUSTER)]
MEMORY_LIMIT = [option_of(settings.MEMORY_LIMIT)]
JOURNAL = [option_of(settings.JOURNAL)]
OUT = [*map(option_of, (settings.OUT, settings.OUT_DIR, settings.OVERWRITE, *TABLE))]
OUT_DIR = [option_of(settings.OUT_DIR)]
_OF_TABLES = tuple(option.name for option in TABLE)

PRICE = [option_of(settings.PRICE)]

JSON = [click.Option(["--json", "as_json"], is_flag=True, help="Print exactly one JSON object on standard output.")]


def with_options(*lists: list[click.Option]) -> Callable[[click.Command], click.Command]:
    """Return a decorator that appends shared options to a command."""

    def appended(command: click.Command) -> click.Command:
        command.params = [*command.params, *(option for options in lists for option in options)]
        return command

    return appended


def for_each_problem(
    group: click.Group,
    act: Callable[..., int],
    params: list[click.Parameter],
    example: str,
    about: str = "",
    *,
    with_method: bool = True,
) -> None:
    """Add a command a problem to a group; ``act`` is called with the problem's name and all options by name.

    Parameters
    ----------
    act : callable
        Returns the exit code.
    params : list
        Arguments and options between the problem's and ``--json``.
    example : str
        A command line with ``{problem}`` for the name, and ``{data}`` for what must be given.
    about : str
        A sentence on further arguments.
    with_method : bool
        Whether the command takes the options of a method.
    """
    for name, problem in PROBLEMS.items():
        data = " ".join(f"{option.name}.zarr" for option in problem.inputs)
        group.add_command(
            click.Command(
                name,
                params=[
                    *inputs_of(problem),
                    *(p for p in params if isinstance(p, click.Argument)),
                    *options_of(problem),
                    *(method_options(problem) if with_method else []),
                    *(_shown(p, problem) for p in params if isinstance(p, click.Option) and _takes(problem, p)),
                    *JSON,
                ],
                callback=_bound(act, name),
                help=f"{problem.title} {about}\n\n\b\n{_explain_inputs(problem)}\n\n\b\n"
                f"Example: {example.format(problem=name, data=data)}",
                short_help=problem.title,
            )
        )


def _takes(problem: type[Problem], option: click.Option) -> bool:
    """Whether a problem has the option at all: only some have answers by target."""
    return option.name != settings.OUT_DIR.name or problem.is_by_targets


def _shown(option: click.Option, problem: type[Problem]) -> click.Option:
    """Return an option, out of the help's sight where the problem has no use for it: who gives it all the same is told why."""
    if option.name not in _OF_TABLES or problem.has_table:
        return option
    unseen = copy(option)
    unseen.hidden = True
    return unseen


def _bound(act: Callable[..., int], name: str) -> Callable[..., int]:
    def run(**given: Any) -> int:
        return act(name, **given)

    return run
