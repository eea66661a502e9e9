"""``dsketch predict``: what an answer says of new rows."""

from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import dsketch.api as api
from dsketch._cli.options import CLUSTER, JSON, option_of, with_options
from dsketch._cli.session import absolute, engine_from, listening, text_of
from dsketch._cli.show import MOST_SHOWN, print_json, row_text
from dsketch._results.output import Output
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.settings import MISSING, OVERWRITE


@with_options([option_of(OVERWRITE), option_of(MISSING)], CLUSTER, JSON)
@click.command(short_help="Predict new rows from an answer.")
@click.argument("x", metavar="X")
@click.argument("a", metavar="A")
@click.option(
    "--out", metavar="Y", help="Write the predictions here as Zarr, a path or URL, block by block. [default: print them]"
)
@click.option(
    "--intercept", is_flag=True, default=None, help="The last row of X is an intercept. [default: what solve --out wrote into X]"
)
@click.option("--offset", metavar="O", help="Zarr vector of the new rows' offsets, for generalised linear models. [default: 0]")
def predict(x: str, a: str, out: str | None, offset: str | None, as_json: bool, **given: Any) -> int:
    """Predict the rows of A (m × d) from the answer X. One pass over A.

    Linear models: A x, plus the intercept if X has one. Generalised linear models: means, of several classes their probabilities.
    Softmax regressions: the shares of these rows among themselves.

    X is what dsketch solve --out wrote (it knows its problem), or any vector or d × k matrix in Zarr or .npy.

    \b
    Example: dsketch predict x.zarr A_new.zarr --out y.zarr
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    A = open_matrix(absolute(a), missing=given["missing"])
    with engine_from(given, Rows(A)) as engine, listening() as tell:
        y = api.predict(absolute(x), A, out, offset=absolute(offset), cluster=engine, progress=tell, **given)
    if out is not None:
        _say_written(Output.at(out).path, y.shape, as_json)
    elif as_json:
        print_json({"y": y})
    else:
        click.echo(_rows_text(y))
    return 0


def _say_written(path: Any, shape: tuple[int, ...], as_json: bool) -> None:
    if as_json:
        print_json({"out": str(path), "shape": shape})
    else:
        click.echo(f"y           {' × '.join(map(str, shape))} in {text_of(path)}")


def _rows_text(y: NDArray[np.float64]) -> str:
    rows = [f"y           {number:<8}  {row_text(values)}" for number, values in enumerate(y.reshape(len(y), -1)[:MOST_SHOWN])]
    more = len(y) - len(rows)
    return "\n".join([*rows, *([f"            and {more} more: --out writes them, --json prints them"] if more else [])])
