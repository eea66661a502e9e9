"""``dsketch jobs upload``: files for runs there."""

from typing import Any

import click

from dsketch._cli.jobs.group import URL, jobs, open_client
from dsketch._cli.options import JSON, with_options
from dsketch._cli.show import print_json
from dsketch._units import format_bytes
from dsketch.client import Document


@with_options(URL, JSON)
@jobs.command(short_help="Send a CSV, Parquet or NumPy file into your private folder there; or list what is there.")
@click.argument("file", required=False)
@click.option("--name", metavar="NAME", help="Under which it is kept. [default: its own]")
@click.option("--remove", metavar="NAME", help="Remove this upload instead, with the matrices made of it.")
def upload(file: str | None, name: str | None, remove: str | None, as_json: bool, **given: Any) -> int:
    """Send a CSV, TSV, Parquet, npy or npz file that runs of yours then read as upload:NAME; without FILE, list what was sent.

    \b
    Example: dsketch jobs upload cars.csv
    Then:    dsketch jobs submit lstsq upload:cars.csv 'upload:cars.csv#price' --follow
    """  # noqa: D301
    with open_client(given) as client:
        if remove is not None:
            client.rm_upload(remove)
        found = client.uploads() if file is None else client.upload(file, name=name)
    if as_json:
        print_json(found)
    else:
        lines = [_upload_line(one) for one in (found["uploads"] if file is None else [found])]
        click.echo("\n".join(lines) or "no uploads")
    return 0


def _upload_line(about: Document) -> str:
    shown = ", ".join(about["columns"][:12]) + (", …" if about["column_count"] > 12 else "")
    return f"{about['address']}  {format_bytes(about['bytes'])}  {about['column_count']} columns: {shown}"
