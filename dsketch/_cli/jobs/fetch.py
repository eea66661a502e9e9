"""``dsketch jobs fetch``: x, or all arrays of an answer, written where they shall be."""

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from dsketch._cli.jobs.group import URL, jobs, open_client
from dsketch._cli.options import JSON, option_of, with_options
from dsketch._cli.session import text_of
from dsketch._cli.show import print_json, row_text
from dsketch._results.format import OURS
from dsketch._results.group import array_in
from dsketch._results.output import Output
from dsketch._results.remote import RemoteOutput
from dsketch._units import format_bytes
from dsketch.client import Client, Document
from dsketch.errors import SpecError
from dsketch.ingest.failure import writing
from dsketch.problems.outcome import ArrayOf
from dsketch.settings import OVERWRITE

_IN_MEMORY_BYTES = 64_000_000  # a larger answer passes through a file


@with_options([option_of(OVERWRITE)], URL, JSON)
@jobs.command(short_help="Fetch x of a solved job.")
@click.argument("job")
@click.option(
    "--out", metavar="X", type=click.Path(), help="Write x here: Zarr, or NumPy if it ends in .npy. [default: print it]"
)
@click.option(
    "--out-dir",
    metavar="FIT",
    type=click.Path(),
    help="Write all arrays of an answer by targets here, a Zarr group. [default: x alone]",
)
def fetch(job: str, out: str | None, out_dir: str | None, overwrite: bool, as_json: bool, **given: Any) -> int:
    """Fetch x of JOB, or all arrays of an answer that has several, and check that they came with the bits they were solved with.

    \b
    Example: dsketch jobs fetch 01a201b91cb989bffd70 --out x.zarr
    """  # noqa: D301
    with open_client(given) as client:
        if out_dir is not None:
            return _fetch_group(client, job, Output.at(out_dir, overwrite=overwrite), as_json)
        facts = client.solution(job)
        x = _fetch_x(client, job, facts, None if out is None else Output.at(out, overwrite=overwrite))
    if as_json:
        print_json({**facts, "x": x if out is None else out})
    else:
        click.echo(facts["text"])
        click.echo(f"x           in {out}" if out is not None else _coefficients(x))
    return 0 if facts["is_success"] else 1


def _fetch_x(client: Client, job: str, facts: Document, output: Output | RemoteOutput | None) -> Any:
    """Return x, written where it shall be; one that is large passes through a file beside that place.

    Raises
    ------
    SpecError
        If a large one is to be printed.
    """
    told = {"status": facts["status"], "method": facts["method"], "job": job, **OURS}
    if (size := facts["x"]["bytes"]) <= _IN_MEMORY_BYTES:
        x = client.fetch(job)
        if output is not None:
            output.write(x, told)
        return x
    if output is None:
        raise SpecError(f"a place for x was expected, as it has {format_bytes(size)}; got none. Give --out.")
    with _room_beside(output) as room:
        output.write(client.fetch(job, Path(room) / "x.npy"), told)
    return None


def _fetch_group(client: Client, job: str, output: Output | RemoteOutput, as_json: bool) -> int:
    """Write all arrays of an answer into a group, one after the other."""
    facts = client.solution(job)
    fields = facts.get("fields") or {}
    if not fields:
        raise SpecError(f"an answer of several arrays was expected in job {job}; it has x alone. Give --out.")
    names = ("column", *facts.get("dimensions", ("target",)))
    arrays = [
        ArrayOf(name, tuple(about["shape"]), tuple(about.get("chunks", about["shape"])), about["dtype"],
                names[len(names) - len(about["shape"]) :], f"{name} of job {job}")
        for name, about in fields.items()
    ]  # fmt: skip
    told = {"status": facts["status"], "method": facts["method"], "job": job, **OURS}
    with _room_beside(output) as room, output.fill_group(arrays, told) as group:
        for one in arrays:
            file = Path(room) / f"{one.name}.npy"
            _copy_chunks(client.fetch_field(job, one.name, file), array_in(group, one.name))
            file.unlink()
    if as_json:
        print_json({**facts, "out_dir": str(output.path)})
    else:
        click.echo(facts["text"])
        click.echo(f"arrays      {', '.join(fields)} in {text_of(str(output.path))}")
    return 0 if facts["is_success"] else 1


def _room_beside(output: Output | RemoteOutput) -> "TemporaryDirectory[str]":
    """Return a folder for what comes on its way to a place: beside it, where there is room for it."""
    if isinstance(output, RemoteOutput):
        return TemporaryDirectory(prefix=".dsketch-fetch-")
    with writing(output.path):
        output.path.parent.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".dsketch-fetch-", dir=output.path.parent)


def _copy_chunks(values: Any, array: Any) -> None:
    """Copy an array into a Zarr array, chunk by chunk."""
    for place in product(*(range(0, size, chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))):
        box = tuple(slice(at, at + chunk) for at, chunk in zip(place, array.chunks, strict=True))
        array[box] = values[box]


def _coefficients(x: np.ndarray, most: int = 20) -> str:
    rows = x.reshape(len(x), -1)
    more = [f"            and {len(x) - most} more: --out writes them"] if len(x) > most else []
    return "\n".join([*(f"x           x{place}  {row_text(values)}" for place, values in enumerate(rows[:most])), *more])
