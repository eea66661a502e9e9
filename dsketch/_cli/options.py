"""Options that commands share, as data: each list is appended to a command's own."""

from collections.abc import Callable
from typing import Any

import click

from dsketch._units import parse_bytes
from dsketch.errors import SpecError
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS, Problem
from dsketch.problems.linear.statistics.robust import ROBUST
from dsketch.settings import MISSING, Option
from dsketch.sketch import SKETCHES


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

DATA = [click.Argument(["A"], metavar="A"), click.Argument(["b"], metavar="b")]

MISSING_CHOICE = click.Choice(["error", "fill"])


def options_of(problem: type[Problem]) -> list[click.Option]:
    """Return the options of a problem: one a word, with its name, kind, default and help."""
    return [_option_of(word) for word in (*problem.options, MISSING)]


def _option_of(word: Option) -> click.Option:
    flag = f"--{word.name.replace('_', '-')}"
    if word.kind is bool:
        return click.Option([flag], is_flag=True, default=word.default, help=word.help)
    kind = MISSING_CHOICE if word is MISSING else str if word.kind is Matrix else word.kind
    return click.Option([flag], type=kind, default=word.default, metavar=_METAVARS.get(word.kind), help=word.help)


_METAVARS = {Matrix: "W", float: "P", int: "N"}

MEMORY_LIMIT = [
    click.Option(
        ["--memory-limit"],
        type=SIZE,
        help="Memory of a worker that the plan may count on, such as 2GiB. [default: what the workers have]",
    )
]


def method_options(problem: type[Problem]) -> list[click.Option]:
    """Return the options that say how a problem is solved."""
    return [
        click.Option(
            ["--method"],
            type=click.Choice(["auto", *sorted(problem.methods)]),
            default="auto",
            help="How to solve; auto probes a few blocks and takes the cheapest that reaches the tolerance.",
        ),
        *SETTINGS,
        *(_feature_options(problem) if problem.families else []),
    ]


def _feature_options(problem: type[Problem]) -> list[click.Option]:
    return [
        click.Option(
            ["--features"],
            type=click.Choice(["auto", *problem.families]),
            default="auto",
            help="The features that precondition the kernel, or replace it with --method feature_space.",
        ),
        click.Option(["--rank"], metavar="N", type=click.IntRange(1), help="How many features. [default: a rule of the family]"),
    ]


SETTINGS = [
    click.Option(
        ["--tol"],
        metavar="E",
        type=float,
        help="What to reach: a backward error relative to ‖A‖; for kernels a relative residual. [default: that of Householder QR; "
        "kernels 1e-10]",
    ),
    click.Option(["--sketch"], type=click.Choice(sorted(SKETCHES)), default="sparse_sign", help="Family of the random sketch S."),
    click.Option(
        ["--sketch-rows"],
        metavar="N",
        type=click.IntRange(1),
        help="Rows m of the sketch. [default: a multiple of d, by its use]",
    ),
    click.Option(
        ["--seed"], metavar="N", type=click.IntRange(0), default=0, help="Of all random words: the same seed gives the same bits."
    ),
    *MEMORY_LIMIT,
]


def cluster_options(default: str) -> list[click.Option]:
    """Return the options that say where passes run; ``default`` in words for the help."""
    return [
        click.Option(
            ["--scheduler"],
            metavar="WHERE",
            help="A running Dask scheduler: tcp://host:8786 or its scheduler file; or 'serial' (this process), 'local' (own "
            f"workers). [default: {default}]",
        ),
        click.Option(
            ["--workers"],
            metavar="N",
            type=click.IntRange(1),
            help="Start this many own worker processes. [default: one a processor]",
        ),
        click.Option(["--threads"], metavar="N", type=click.IntRange(1), help="Task threads of each own worker. [default: 1]"),
        click.Option(["--memory"], type=SIZE, help="Memory limit of each own worker, such as 4GiB. [default: an equal share]"),
    ]


CLUSTER = cluster_options("this process for data below 256 MB, else own workers")

OUT = [
    click.Option(
        ["--out"],
        metavar="X",
        type=click.Path(),
        help="Write x here when solved: a Zarr array, or a NumPy file if the name ends in .npy. [default: print it]",
    ),
    click.Option(["--overwrite"], is_flag=True, help="Replace what is at --out; otherwise that is an error."),
    click.Option(
        ["--summary"], is_flag=True, help="Also print the regression table: standard errors, t, p, confidence intervals, R²."
    ),
    click.Option(
        ["--robust"], type=click.Choice(list(ROBUST)), help="The table with errors for unequal variances; one more pass."
    ),
]

JOURNAL = [
    click.Option(
        ["--journal"],
        metavar="FOLDER",
        help="Record each finished pass in this folder or URL; if it holds this very run, go on from there. [default: none]",
    )
]

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
        A command line with ``{problem}`` for the name.
    about : str
        A sentence on further arguments.
    with_method : bool
        Whether the command takes the options of a method.
    """
    for name, problem in PROBLEMS.items():
        arguments = f"{problem.rows_text} and {problem.sides_text} are paths or URLs of Zarr arrays."
        group.add_command(
            click.Command(
                name,
                params=[
                    *DATA,
                    *(p for p in params if isinstance(p, click.Argument)),
                    *options_of(problem),
                    *(method_options(problem) if with_method else []),
                    *(p for p in params if isinstance(p, click.Option)),
                    *JSON,
                ],
                callback=_bound(act, name),
                help=f"{problem.title}\n\n{arguments} {about}\n\n\b\nExample: {example.format(problem=name)}",
                short_help=problem.title,
            )
        )


def _bound(act: Callable[..., int], name: str) -> Callable[..., int]:
    def run(**given: Any) -> int:
        return act(name, **given)

    return run
