"""``dsketch audit``: what is false of a finished run, by its receipt."""

from typing import Any

import click

import dsketch.api as api
from dsketch._cli.options import JSON, Interval, with_options
from dsketch._cli.show import print_json
from dsketch.errors import SpecError


@with_options(JSON)
@click.command(short_help="Check a finished run by its receipt: links, steps, sums, drawn panels.")
@click.argument("receipt")
@click.option("--journal", metavar="PATH", help="Where the journal is. [default: beside the receipt, or where the receipt says]")
@click.option(
    "--data", multiple=True, metavar="[NAME=]PATH", help="Where A is, or b=PATH and so on. [default: where the journal says]"
)
@click.option(
    "--panels", type=click.IntRange(0), help="Panels to draw and make again from the data. [default: 50 with --data, else 0]"
)
@click.option(
    "--share",
    type=Interval(0, 1, min_open=True),
    help="The most that drawn panels may read, as a part of what the solve read, such as 0.05. [default: whatever they read]",
)
@click.option(
    "--x", metavar="X", help="Where an x with a number for each row of A lies. [default: where the run was told to write it]"
)
@click.option("--signer", metavar="KEY", help="The public key that must have signed it: a PEM file, or 64 hexadecimal digits.")
@click.option("--seed", type=int, help="Of the draw. [default: unforeseeable]")
def audit(receipt: str, data: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Check a finished run by its receipt, and say which record or panel is false.

    RECEIPT is a receipt's file or the run's journal. Without data: every link, the driver's steps on the recorded sums to the bits of x,
    and the sums with random signs. With data: panels drawn at random are made again.

    Exits with 0 if nothing false was found, with 1 otherwise.

    \b
    Example: dsketch audit receipt.json --data A.zarr --panels 50
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    found = api.audit(receipt, data=_places_of(data), **given)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(found))
    return 0 if found.is_clean else 1


def _places_of(data: tuple[str, ...]) -> dict[str, str] | str | None:
    """Return the sources that words mean.

    Raises
    ------
    SpecError
        If two of them mean the same.
    """
    if not data:
        return None
    if len(data) == 1 and "=" not in data[0]:
        return data[0]
    named = [word if "=" in word else f"A={word}" for word in data]
    places = {name: place for name, _, place in (word.partition("=") for word in named)}
    if len(places) < len(data):
        raise SpecError(f"one place for each name was expected; got {', '.join(data)}. Give --data A.zarr --data b=b.zarr.")
    return places
