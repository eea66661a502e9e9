"""``dsketch ingest``: files of NumPy, CSV and Parquet become Zarr arrays."""

import csv
from typing import Any

import click

from dsketch.cli.options import JSON, SIZE, with_options
from dsketch.cli.session import listening
from dsketch.cli.show import print_json
from dsketch.errors import SpecError
from dsketch.ingest import Ingested
from dsketch.ingest import ingest as convert
from dsketch.units import format_bytes, format_count, format_seconds


@with_options(JSON)
@click.command(short_help="Convert .npy, .npz, CSV or Parquet of any size to Zarr.")
@click.argument("source")
@click.option("--to", required=True, metavar="A", help="Folder to write the matrix to, such as A.zarr.")
@click.option("--target", metavar="COL", help="Column that becomes b; it is then not in A. [default: none]")
@click.option("--target-to", metavar="B", help="Folder to write b to; needed with --target.")
@click.option("--add-intercept", is_flag=True, help="Append a stored column of ones (solve --intercept needs none stored).")
@click.option(
    "--columns", multiple=True, metavar="NAMES", help='Columns of A in this order: a,b,"c,d". May be repeated. [default: all]'
)
@click.option("--drop", multiple=True, metavar="NAMES", help="Columns to leave out, written likewise.")
@click.option("--nulls", type=click.Choice(["error", "drop"]), default="error", help="Rows with a null: an error, or left out.")
@click.option("--drop-first", is_flag=True, help="Leave out the first level of each one-hot column: full rank with an intercept.")
@click.option("--chunk-bytes", type=SIZE, default="64MB", help="Size of a chunk, a number of full rows.")
@click.option("--overwrite", is_flag=True, help="Replace Zarr arrays that are at --to or --target-to.")
def ingest(source: str, columns: tuple[str, ...], drop: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Convert SOURCE, of any size, into a Zarr matrix A and, with --target, a vector b.

    SOURCE is .npy, .npz (also of scipy.sparse.save_npz), .csv, .tsv (also .gz), or Parquet: a file, a folder or a glob. Numbers become one
    column each, text becomes one-hot columns name=level.

    \b
    Example: dsketch ingest flights.csv --to A.zarr --target delay --target-to b.zarr --nulls drop
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    with listening("reading") as tell:
        done = convert(source, columns=_names(columns) or None, drop=_names(drop), tell=tell, **given)
    if as_json:
        print_json(vars(done))
    else:
        click.echo(_text(done))
    return 0


def _names(texts: tuple[str, ...]) -> list[str]:
    """Return column names, separated by commas, quoted as in CSV where they contain one."""
    try:
        return [name for row in csv.reader(texts, skipinitialspace=True, strict=True) for name in row]
    except csv.Error as error:
        raise SpecError(
            f'names separated by commas were expected; got {" ".join(texts)!r} ({error}). Write a,b,"c,d".'
        ) from error


def _text(done: Ingested) -> str:
    dropped = f", {format_count(done.rows_dropped)} with nulls left out" if done.rows_dropped else ""
    lines = [
        f"matrix   {done.matrix}   {' × '.join(format_count(size) for size in done.shape)} {done.dtype}",
        f"target   {done.target}" if done.target else "",
        f"columns  {_listed(done.columns)}",
        f"rows     {format_count(done.rows_read)} read{dropped}",
        f"wrote    {format_bytes(done.bytes_written)} in {format_seconds(done.seconds)}",
    ]
    return "\n".join(line for line in lines if line)


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" … ({format_count(len(names))} in all)" if len(names) > most else "")
