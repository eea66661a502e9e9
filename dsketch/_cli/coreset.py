"""``dsketch coreset``: few rows of A and b, drawn by leverage, to solve on in place of all."""

from dataclasses import replace
from typing import Any, cast

import click

from dsketch._cli.options import CLUSTER, JSON, method_options, option_of, options_of, with_options
from dsketch._cli.session import engine_from, listening, problem_from, say, text_of
from dsketch._cli.show import print_json
from dsketch._results.choices import settings_from
from dsketch._results.coreset import Draw
from dsketch._results.output import Output
from dsketch.engine.cluster import Cluster
from dsketch.problems import SampledLeastSquares
from dsketch.settings import OVERWRITE

_OVERWRITE = replace(OVERWRITE, help="Replace what is at OUT; otherwise that is an error.")


@with_options(options_of(SampledLeastSquares), method_options(SampledLeastSquares), [option_of(_OVERWRITE)], CLUSTER, JSON)
@click.command(short_help="Draw few rows that stand for all, with weights.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("out", metavar="OUT")
def coreset(out: str, overwrite: bool, as_json: bool, **given: Any) -> int:
    """Draw rows of A and b by leverage and write them to OUT, a Zarr group: OUT/A, OUT/b, OUT/weights and OUT/rows, their numbers.

    Least squares on them is within 1 + epsilon of the least residual² over all rows. Two passes over A; OUT is there whole or not at all.

    \b
    Example: dsketch coreset A.zarr b.zarr few.zarr --epsilon 0.05
             dsketch solve lstsq few.zarr/A few.zarr/b --weights few.zarr/weights
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    problem = cast(SampledLeastSquares, problem_from(SampledLeastSquares.name, given))
    cluster = Cluster(memory_limit=given["memory_limit"])
    draw = Draw(problem, given["method"], settings_from(given), cluster, Output.at(out, overwrite=overwrite))
    draw.probe()
    with engine_from(given, problem.rows) as engine:
        made = draw.plan(engine)
        say(str(made))
        with listening() as tell:
            found = draw.carry_out(made, engine, tell)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(replace(found, path=text_of(found.path))))
    return 0
