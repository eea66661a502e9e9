"""``dsketch info``: how a matrix is stored, what a pass over it reads, and what to change."""

from typing import Any

import click

from dsketch._cli.options import JSON, SIZE, with_options
from dsketch._cli.show import print_json
from dsketch._inspect import Storage, StoredAnswers, answers_at, inspect
from dsketch._units import format_bytes, format_count
from dsketch.matrix.slots import REQUESTS

_READING = {"raw": "raw bytes, a slice at a time", "decoded": "decoded, a block at a time"}


@with_options(JSON)
@click.command(short_help="Say how a matrix is stored, what a pass reads, and what to change.")
@click.argument("matrix", metavar="A")
@click.option("--memory", type=SIZE, help="Memory of a worker thread to judge chunks by. [default: this machine's, shared out]")
def info(matrix: str, memory: int | None, as_json: bool) -> int:
    """Say how the Zarr array A is stored, what a pass over it reads, and what would make passes faster; reads no chunk.

    A may be a sparse matrix too: a group with data, indices and indptr, as AnnData writes it. Of a group of answers (solve --out-dir,
    marginal) it says which arrays there are, of how many targets, and the worst certificate.

    \b
    Example: dsketch info A.zarr
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    if (answers := answers_at(matrix)) is not None:
        if as_json:
            print_json(vars(answers))
        else:
            click.echo("\n".join(_lines_of_answers(answers)))
        return 0
    found = inspect(matrix, memory_bytes=memory)
    if as_json:
        print_json({**vars(found), "advice": [vars(advice) for advice in found.advice]})
    else:
        click.echo("\n".join(_lines(found)))
    return 0


def _lines_of_answers(found: StoredAnswers) -> list[str]:
    count = found.certificate.get("targets")
    answered = found.certificate.get("answered")
    lines = [
        f"answers  {found.address}",
        f"problem  {found.problem}, by {found.method}: {found.status.replace('_', ' ')}",
        *([] if count is None else [f"targets  {format_count(count)}, {format_count(answered)} of them answered"]),
        *(
            ["worst    backward error unknown"]
            if found.worst is None
            else [f"worst    backward error {found.worst:.2e} of any target"]
        ),
        f"bytes    {format_bytes(found.decoded_bytes)} in chunks of {_sizes(found.chunks)}",
    ]
    lines += [f"array    {name}, {_sizes(shape) or 'one number'} {dtype}" for name, (shape, dtype) in found.arrays.items()]
    lines += [f"from     {name} {source or 'in memory'}" for name, source in found.sources.items()]
    return [*lines, *(f"note     {note}" for note in found.notes)]


def _lines(found: Storage) -> list[str]:
    stored = "size unknown" if found.stored_bytes is None else format_bytes(found.stored_bytes)
    objects = f"{format_count(found.stored_objects)} object{'s' * (found.stored_objects != 1)}"
    lines = [
        f"array    {found.address}",
        f"shape    {_sizes(found.shape)} {found.dtype}, Zarr format {found.zarr_format}",
        f"chunks   {_sizes(found.chunks)}{f' in shards of {_sizes(found.shards)}' if found.shards else ''}, "
        f"{', '.join(found.codecs) or 'raw bytes'}",
        *([_entries(found)] if found.nonzeros is not None else []),
        f"bytes    {format_bytes(found.decoded_bytes)} decoded, {stored} stored in {objects}",
        f"a pass   {format_count(found.blocks)} block{'s' * (found.blocks != 1)} of up to {format_bytes(found.block_bytes)} in "
        f"{format_count(found.panels)} panel{'s' * (found.panels != 1)}, {_READING[found.reading]}",
    ]
    if found.requests is not None:
        lines.append(
            f"store    about {format_count(found.requests)} request{'s' * (found.requests != 1)} a pass, up to {REQUESTS} at once for a "
            "worker process"
        )
    if found.columns:
        shown = ", ".join(found.columns[:8])
        lines.append(f"columns  {shown}{f' … ({format_count(len(found.columns))} in all)' if len(found.columns) > 8 else ''}")
    for advice in found.advice:
        lines.append(
            f"{'warning' if advice.remedy else 'note'}  {'' if advice.remedy else '   '}{advice.subject}: {advice.finding}"
        )
        lines += [f"         → {advice.remedy}"] if advice.remedy else []
    return lines


def _entries(found: Storage) -> str:
    return f"sparse   CSR, {format_count(found.nonzeros or 0)} nonzeros, density {100 * found.density:.2g} %"


def _sizes(sizes: tuple[Any, ...]) -> str:
    return " × ".join(format_count(size) for size in sizes)
