"""``dsketch ingest``: files of NumPy, CSV and Parquet become Zarr arrays."""

import csv
from collections.abc import Mapping
from typing import Any

import click

from dsketch._cli.options import JSON, SIZE, with_options
from dsketch._cli.session import listening
from dsketch._cli.show import print_json
from dsketch._units import format_bytes, format_count, format_seconds
from dsketch.errors import SpecError
from dsketch.ingest import Ingested
from dsketch.ingest import ingest as convert


@with_options(JSON)
@click.command(short_help="Convert .npy, .npz, CSV or Parquet of any size to Zarr.")
@click.argument("source")
@click.option("--to", required=True, metavar="A", help="Folder to write the matrix to, such as A.zarr.")
@click.option(
    "--target", metavar="COL", multiple=True, help="Column that becomes b; it is then not in A. May be repeated. [default: none]"
)
@click.option("--target-to", metavar="B", help="Folder to write b to; needed with --target.")
@click.option("--weights", metavar="COL", help="Column that becomes the weights; it is then not in A. [default: none]")
@click.option("--weights-to", metavar="W", help="Folder to write the weights to; needed with --weights.")
@click.option("--add-intercept", is_flag=True, help="Append a stored column of ones (solve --intercept needs none stored).")
@click.option(
    "--columns", multiple=True, metavar="NAMES", help='Columns of A in this order: a,b,"c,d". May be repeated. [default: all]'
)
@click.option("--drop", multiple=True, metavar="NAMES", help="Columns to leave out, written likewise.")
@click.option("--nulls", type=click.Choice(["error", "drop"]), default="error", help="Rows with a null: an error, or left out.")
@click.option("--drop-first", is_flag=True, help="Leave out the first level of each one-hot column: full rank with an intercept.")
@click.option(
    "--base",
    metavar="COL=LEVEL",
    multiple=True,
    help="Level to leave out of a one-hot column; LEVEL alone where one column has it. May be repeated. [default: none]",
)
@click.option("--categories", multiple=True, metavar="NAMES", help="Columns whose values are levels, whatever they look like.")
@click.option(
    "--like",
    metavar="A",
    help="Make the columns and levels of this matrix, in its order: rows to predict. [default: those of SOURCE]",
)
@click.option(
    "--unseen",
    type=click.Choice(["error", "zero"]),
    default="error",
    help="A level that --like lacks: an error, or none of the levels.",
)
@click.option(
    "--delimiter", metavar="SIGN", help="Between columns of CSV: a sign, 'tab', or 'space' for blanks. [default: by the ending]"
)
@click.option("--encoding", metavar="NAME", help="Of CSV, such as latin-1. [default: UTF-8]")
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first line of CSV has names. [default: yes, unless they are numbers, which is an error]",
)
@click.option("--chunk-bytes", type=SIZE, default="64MB", help="Size of a chunk, a number of full rows.")
@click.option("--overwrite", is_flag=True, help="Replace Zarr arrays that are at --to, --target-to or --weights-to.")
def ingest(source: str, as_json: bool, **given: Any) -> int:
    """Convert SOURCE, of any size, into a Zarr matrix A and, with --target, a vector b.

    SOURCE is .npy, .npz (also of scipy.sparse.save_npz), or a file, a folder or a glob of .csv or .tsv (also .gz, .bz2, .xz, .zst) or of
    Parquet. Numbers become one column each, text becomes one-hot columns name=level.

    \b
    Example: dsketch ingest flights.csv --to A.zarr --target delay --target-to b.zarr --nulls drop
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    lists = {word: _split_names(given.pop(word)) for word in ("columns", "drop", "categories")}
    lists["columns"] = lists["columns"] or None  # type: ignore[assignment]  # none said: all
    with listening("reading") as tell:
        done = convert(source, target=given.pop("target") or None, tell=tell, **lists, **given)  # type: ignore[arg-type]
    if as_json:
        print_json(vars(done))
    else:
        click.echo(_summary_text(done))
    return 0


def _split_names(texts: tuple[str, ...]) -> list[str]:
    """Return column names, separated by commas, quoted as in CSV where they contain one."""
    try:
        # An empty text is a name too: that of a column without one.
        return [name for text in texts for row in csv.reader([text or '""'], skipinitialspace=True, strict=True) for name in row]
    except csv.Error as error:
        raise SpecError(
            f'names separated by commas were expected; got {" ".join(texts)!r} ({error}). Write a,b,"c,d".'
        ) from error


def _summary_text(done: Ingested) -> str:
    dropped = (
        f", {format_count(done.rows_dropped)} with nulls left out{_cost_text(done.rows_dropped_by)}" if done.rows_dropped else ""
    )
    lines = [
        f"matrix   {done.matrix}   {' × '.join(format_count(size) for size in done.shape)} {done.dtype}",
        f"target   {done.target}" if done.target else "",
        f"weights  {done.weights}" if done.weights else "",
        f"columns  {_join_names(done.columns)}",
        f"base     {', '.join(f'{name}={level}' for name, level in done.base.items())}" if done.base else "",
        f"rows     {format_count(done.rows_read)} read{dropped}",
        f"wrote    {format_bytes(done.bytes_written)} in {format_seconds(done.seconds)}",
    ]
    return "\n".join(line for line in lines if line)


def _cost_text(by: Mapping[str, int], most: int = 12) -> str:
    """Return which columns cost how many rows; a row may be named by several."""
    shown = ", ".join(f"{name} {format_count(count)}" for name, count in list(by.items())[:most])
    return f" ({shown}{', …' if len(by) > most else ''})"


def _join_names(names: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" … ({format_count(len(names))} in all)" if len(names) > most else "")
