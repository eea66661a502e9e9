"""Answers with a number for each row of A: gathered where they fit in memory, else written by whoever reads the rows.

That pass is not in the journal: what it makes is the answer itself.  A run with a journal that was interrupted finds on a local disk the
chunks that were written, and makes the others.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch._results.format import OURS
from dsketch._results.output import Output, words_of
from dsketch._results.remote import RemoteOutput
from dsketch._units import format_bytes
from dsketch.engine.drive import Drive
from dsketch.errors import PlanError, SpecError
from dsketch.matrix.retrying import store_at
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.writing import Writing, Written, align_to_chunks, digest_rows, root_of_rows
from dsketch.problems import Outcome, Problem
from dsketch.problems.outcome import RowsLook, RowsRoot

IN_MEMORY_BYTES = 1_000_000_000  # the most rows that come back as an array: they pass through the scheduler and the driver


def is_written_by_workers(out: Output | RemoteOutput | None) -> bool:
    """Whether a place is one that workers can fill block by block."""
    return out is not None and not (isinstance(out, Output) and out.is_npy)


def require_room(problem: Problem, out: Output | RemoteOutput | None) -> None:
    """Refuse, before anything is tried, an answer that nobody could hold, and a place that holds no arrays.

    Raises
    ------
    SpecError
        For several arrays in one NumPy file.
    PlanError
        With both sizes.
    """
    size, is_large = problem.answer_bytes, problem.answers_rows or bool(problem.arrays)
    if problem.arrays and isinstance(out, Output) and out.is_npy:
        raise SpecError(
            f"a folder for a Zarr group was expected, as {problem.name} answers with {', '.join(array.name for array in problem.arrays)}; "
            f"got {out.path.name}. Leave out .npy."
        )
    if is_large and size > IN_MEMORY_BYTES and not is_written_by_workers(out):
        where = "out_dir=, on the command line --out-dir" if problem.arrays else "out=, on the command line --out"
        raise PlanError(
            f"an answer of at most {format_bytes(IN_MEMORY_BYTES)} comes back as {'arrays' if problem.arrays else 'an array'}; "
            f"{problem.name} has {problem.x_shape[0]} rows of it, {format_bytes(size)}. Give a place to write them to as Zarr: {where}."
        )


def require_agreement(problem: Problem, out: Output | RemoteOutput | None, replicas: int) -> None:
    """Refuse, before the first pass, answers that several workers would write, each over the other's.

    Raises
    ------
    SpecError
    """
    if replicas > 1 and (problem.answers_rows or problem.arrays) and is_written_by_workers(out):
        instead = "Leave out_dir" if problem.arrays else "Leave out= away, give it a name that ends in .npy,"
        raise SpecError(
            f"replicas={replicas} compares parts, and answers that workers write to Zarr are none. {instead} or leave replicas out."
        )


def make_rows(
    rows: RowsLook,
    problem: Problem,
    drive: Drive,
    out: Output | RemoteOutput | None,
    attributes: Callable[[Outcome], dict[str, Any]],
    key: str,
) -> Outcome:
    """Return the outcome with its rows, an array or, at ``out``, a Zarr array that the workers have written.

    Parameters
    ----------
    rows : RowsLook
        How they are made.
    attributes : callable
        Returns what a stored answer says about itself.
    key : str
        Of a run that may go on where it was interrupted (:func:`key_of`); empty: of one that may not.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    if out is None or not is_written_by_workers(out):
        return _gather(rows, drive)
    return _write(rows, problem, drive, out, attributes, key)


def _gather(rows: RowsLook, drive: Drive) -> Outcome:
    values = drive.run(_look_once(rows.look))
    _, height = align_to_chunks(rows.look.rows.A)
    written = Written(len(values), np.abs(values).max(axis=0), values.sum(axis=0), digest_rows(values, height))
    found = replace(rows.conclude(written), root=RowsRoot(height, root_of_rows(written.leaves)))
    return replace(found, x=values[:, 0] if values.shape[1] == 1 else values)


def _write(
    rows: RowsLook,
    problem: Problem,
    drive: Drive,
    out: Output | RemoteOutput,
    attributes: Callable[[Outcome], dict[str, Any]],
    key: str,
) -> Outcome:
    look, (n, sides) = rows.look, problem.x_shape
    A, height = align_to_chunks(look.rows.A)
    with out.fill((n,) if sides == 1 else (n, sides), height, {**words_of(problem), **OURS}, key) as target:
        written = drive.run(_look_once(Look(Writing(look.pass_, target, sides, bool(key)), replace(look.rows, A=A))))
        found = rows.conclude(written)
        target.update_attributes(attributes(found))
    return replace(found, x=open_rows(out), root=RowsRoot(height, root_of_rows(written.leaves)))


def key_of(header: dict[str, Any] | None) -> str:
    """Return what tells apart the rows of a run with this header: the same key means the same bytes; empty without a header.

    After the machine started again it is another one: of chunks that no flush had brought to the disk, a power cut leaves what it will.
    """
    if header is None:
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{json.dumps(header, sort_keys=True)}".encode()).hexdigest()[:16]


def open_rows(out: Output | RemoteOutput) -> "zarr.Array[Any]":
    """Return what was written at a place, opened."""
    return zarr.open_array(store_at(os.fspath(out.path)), mode="r")


def _look_once(look: Look) -> Flow[Any]:
    return (yield look)
