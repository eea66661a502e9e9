"""Options that commands share, as data: each list is appended to a command's own."""

from collections.abc import Callable
from typing import Any

import click

from dsketch.errors import SpecError
from dsketch.methods import METHODS
from dsketch.problems import PROBLEMS
from dsketch.sketch import SKETCHES
from dsketch.statistics.inference import ROBUST
from dsketch.units import parse_bytes


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

PROBLEM = [
    click.Option(
        ["--weights"], metavar="W", help="Zarr vector of weights ≥ 0, one a row: minimizes Σ w (Ax − b)². [default: all 1]"
    ),
    click.Option(["--intercept"], is_flag=True, help="Append a column of ones to A (never stored); its coefficient is x's last."),
    click.Option(
        ["--missing"],
        type=click.Choice(["error", "fill"]),
        default="error",
        help="What an absent Zarr chunk means: lost data, or rows of the fill value.",
    ),
]

# What problems ask for beyond A, b, weights, intercept and missing.
OF_PROBLEM: dict[str, list[click.Option]] = {
    "lstsq": [],
    "ridge": [
        click.Option(
            ["--alpha"],
            metavar="P",
            type=float,
            default=1.0,
            help="Penalty alpha ‖x‖², ≥ 0; scikit-learn's meaning, not divided by n.",
        )
    ],
}

MEMORY_LIMIT = [
    click.Option(
        ["--memory-limit"],
        type=SIZE,
        help="Memory of a worker that the plan may count on, such as 2GiB. [default: what the workers have]",
    )
]

METHOD = [
    click.Option(
        ["--tol"], metavar="E", type=float, help="Backward error to reach, relative to ‖A‖. [default: that of Householder QR]"
    ),
    click.Option(
        ["--method"],
        type=click.Choice(["auto", *sorted(METHODS)]),
        default="auto",
        help="How to solve; auto probes a few blocks and takes the cheapest that reaches the tolerance.",
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
    group: click.Group, act: Callable[..., int], params: list[click.Parameter], example: str, about: str = ""
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
    """
    for name in PROBLEMS:
        group.add_command(
            click.Command(
                name,
                params=[
                    *DATA,
                    *(p for p in params if isinstance(p, click.Argument)),
                    *PROBLEM,
                    *OF_PROBLEM[name],
                    *_options(params),
                ],
                callback=_bound(act, name),
                help=f"{_SUMMARIES[name]}\n\n{_ARGUMENTS} {about}\n\n\b\nExample: {example.format(problem=name)}",
                short_help=_SUMMARIES[name],
            )
        )


_SUMMARIES = {
    "lstsq": "Least squares, min ‖A x − b‖.",
    "ridge": "Ridge regression, min ‖A x − b‖² + alpha ‖x‖².",
}
_ARGUMENTS = "A (n × d, n ≥ d) and b (n, or n × k) are paths or URLs of Zarr arrays."


def _options(params: list[click.Parameter]) -> list[click.Parameter]:
    return [*(p for p in params if isinstance(p, click.Option)), *JSON]


def _bound(act: Callable[..., int], name: str) -> Callable[..., int]:
    def run(**given: Any) -> int:
        return act(name, **given)

    return run
