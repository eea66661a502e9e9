"""``dsketch jobs compare``, ``predict`` and ``residuals``: what is made of solved jobs."""

from typing import Any

import click

from dsketch._cli.compare import comparison_text
from dsketch._cli.jobs.follow import follow_events
from dsketch._cli.jobs.group import URL, full_path, jobs, open_client
from dsketch._cli.options import JSON, with_options
from dsketch._cli.residuals import residuals_text
from dsketch._cli.show import print_json


@with_options(URL, JSON)
@jobs.command(short_help="Compare two jobs side by side.")
@click.argument("job")
@click.argument("other")
@click.option(
    "--target", metavar="N", type=click.IntRange(0), default=0, help="Column of b whose coefficients are compared, from 0."
)
def compare(job: str, other: str, target: int, as_json: bool, **given: Any) -> int:
    """Compare JOB and OTHER: options that differ, plan, passes, certificate, and coefficients that differ by more than their errors.

    \b
    Example: dsketch jobs compare 01a201b91cb989bffd70 01a201b91d0289bffd71
    """  # noqa: D301
    with open_client(given) as client:
        found = client.compare(job, other, target=target)
    if as_json:
        print_json(found)
    else:
        click.echo(comparison_text(found))
    return 0


@with_options(URL, JSON)
@jobs.command(short_help="Predict new rows by a solved job.")
@click.argument("job")
@click.argument("a", metavar="A")
@click.option(
    "--out", metavar="Y", help="Where the service writes them as Zarr, below its folders for results. [default: fetch them]"
)
@click.option("--offset", metavar="PATH", help="Of a generalised linear model: the new rows' own.")
@click.option("--name", "title", metavar="TEXT", default="", help="For people.")
@click.option("--key", metavar="KEY", help="The same key with the same request gives the same job. [default: a new one]")
@click.option("--follow", is_flag=True, help="Watch it until it rests.")
def predict(job: str, a: str, follow: bool, as_json: bool, **given: Any) -> int:
    """Hand in a job that predicts the rows of A by the answer of JOB; prints its id, by which fetch gives the predictions.

    \b
    Example: dsketch jobs predict 01a201b91cb989bffd70 A_new.zarr --follow
    """  # noqa: D301
    words = {"out": given.pop("out"), "offset": full_path("offset", given.pop("offset"))}
    words |= {"name": given.pop("title"), "key": given.pop("key")}
    with open_client(given) as client:
        made = client.predict(job, str(full_path("A", a)), **words)
        if as_json and not follow:
            print_json(made)
        elif not as_json:
            click.echo(made["id"])
        return follow_events(client, made["id"], as_json) if follow else 0


@with_options(URL, JSON)
@jobs.command(short_help="Draw residuals of a solved job.")
@click.argument("job")
@click.option("--column", metavar="NAME", help="Draw them against this column of A besides the fitted values.")
@click.option("--target", metavar="N", type=click.IntRange(0), default=0, help="Column of b, from 0.")
@click.option("--rows", metavar="N", type=click.IntRange(1), default=20_000, show_default=True, help="Drawn at random, at most.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True, help="The same seed draws the same rows."
)
def residuals(job: str, column: str | None, target: int, rows: int, seed: int, as_json: bool, **given: Any) -> int:
    """Draw residuals of a random sample of the rows of JOB against its fitted values, and against a column of A.

    \b
    Example: dsketch jobs residuals 01a201b91cb989bffd70 --column age
    """  # noqa: D301
    with open_client(given) as client:
        found = client.residuals(job, column, target=target, rows=rows, seed=seed)
    if as_json:
        print_json(found)
    else:
        click.echo(residuals_text(found))
    return 0
