"""``dsketch marginal``: each column of a wide store against each target, written as a Zarr group."""

from typing import Any

import click

from dsketch._cli.options import CLUSTER, JOURNAL, JSON, method_options, option_of, options_of, with_options
from dsketch._cli.session import problem_from
from dsketch._cli.solve import answer
from dsketch.problems import Marginal
from dsketch.problems.tables import TABLE
from dsketch.settings import OUT_DIR, OVERWRITE

_WRITING = [option_of(OUT_DIR), option_of(OVERWRITE)]


@with_options(options_of(Marginal), method_options(Marginal), JOURNAL, _WRITING, CLUSTER, JSON)
@click.command(short_help="Regress targets on each column of a wide store.")
@click.argument("g", metavar="G")
@click.argument("y", metavar="Y")
def marginal(out_dir: str | None, **given: Any) -> int:
    """Regress each target of Y on each column of G, beside covariates: coefficient, standard error, t, p and -log10 p of all.

    G is a Zarr array, n x m or m x n, or a VCF-Zarr store; Y is n x k. One pass over G, by blocks of whole chunks of columns; with
    --journal a run that was interrupted goes on with the blocks that it lacks. OUT_DIR becomes a Zarr group with arrays beta,
    standard_errors, t, p, neg_log10_p and counts, each m x k; xarray opens it.

    \b
    Example: dsketch marginal G.zarr Y.zarr --covariates C.zarr --missing mean --out-dir assoc.zarr --journal run1
             dsketch resume run1
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    no_table = {option.name: option.default for option in TABLE}
    return answer(problem_from(Marginal.name, given), {**given, **no_table, "out": out_dir})
