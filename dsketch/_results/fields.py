"""Answers of several numbers for each column of a wide store: gathered where they fit in memory, else written as a Zarr group.

As with one number a row (:mod:`dsketch._results.rows`) the pass is not in the journal: what it makes is the answer itself.  A run with a
journal that was interrupted finds on a local disk the chunks that were written, and makes the others.
"""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import zarr

from dsketch._results.format import OURS
from dsketch._results.group import Field
from dsketch._results.output import Output, words_of
from dsketch._results.remote import RemoteOutput
from dsketch._results.solution import Solution
from dsketch.engine.drive import Drive
from dsketch.errors import SpecError
from dsketch.matrix.retrying import store_at
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.marginal_writing import MarginalWriting
from dsketch.problems import Outcome, Problem
from dsketch.problems.outcome import FieldsLook

Place = Output | RemoteOutput


def require_group(problem: Problem, out: Place) -> None:
    """Refuse a NumPy file for an answer of several arrays.

    Raises
    ------
    SpecError
    """
    if problem.fields and isinstance(out, Output) and out.is_npy:
        raise SpecError(
            f"a folder for a Zarr group was expected, as {problem.name} answers with {', '.join(problem.fields)}; got {out.path.name}. "
            "Leave out .npy."
        )


def make_fields(
    rows: FieldsLook,
    problem: Problem,
    drive: Drive,
    out: Place | None,
    attributes: Callable[[Outcome], dict[str, Any]],
    key: str,
) -> Outcome:
    """Return the outcome with its fields: arrays, or those of a Zarr group at ``out`` that the workers have written.

    Parameters
    ----------
    rows : FieldsLook
        How they are made.
    attributes : callable
        Returns what a stored answer says about itself.
    key : str
        Of a run that may go on where it was interrupted; empty: of one that may not.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    if out is None:
        values, tally = drive.run(_look_once(Look(rows.pass_, rows.rows)))
        return replace(rows.conclude(tally), x=values[problem.fields[0]], fields=values)
    height = int(np.max(np.diff(rows.rows.cuts)))
    with out.fill_group(fields_of(problem), height, {**words_of(problem), **OURS}, key) as arrays:
        writing = MarginalWriting(rows.pass_, tuple(arrays[name] for name in problem.fields), bool(key))
        found = rows.conclude(drive.run(_look_once(Look(writing, rows.rows))))
        _tell(arrays, attributes(found))
    fields = open_fields(out, problem)
    return replace(found, x=fields[problem.fields[0]], fields=fields)


def write_answer(out: Place, solution: Solution, attributes: dict[str, Any]) -> None:
    """Write x that was gathered to its place; a group where there are several fields."""
    if not solution.fields:
        out.write(solution.x, attributes)
        return
    rows = max(64_000_000 // max(8 * int(solution.x.shape[1]), 1), 1)
    with out.fill_group(fields_of(solution.problem), min(rows, len(solution.x)), attributes) as arrays:
        for name, array in arrays.items():
            array[...] = np.asarray(solution.fields[name]).astype(array.dtype)
        _tell(arrays, attributes)


def fields_of(problem: Problem) -> list[Field]:
    """Return the arrays of the group that holds an answer."""
    counts = {"counts": "int32"}
    return [Field(name, problem.x_shape, counts.get(name, "float64"), ("column", "target")) for name in problem.fields]


def open_fields(out: Place, problem: Problem) -> "dict[str, zarr.Array[Any]]":
    """Return the arrays of the group that lies at a place."""
    return {name: zarr.open_array(store_at(f"{os.fspath(out.path)}/{name}"), mode="r") for name in problem.fields}


def _tell(arrays: "dict[str, zarr.Array[Any]]", attributes: dict[str, Any]) -> None:
    """Let the group say what it holds, which of its arrays is x, and, for who opens it with xarray, all metadata in one place."""
    store = next(iter(arrays.values())).store_path
    group = zarr.open_group(store.store, path=store.path.rpartition("/")[0], mode="r+")
    group.update_attributes({**attributes, "x": next(iter(arrays))})
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Consolidated metadata"
        )  # no part of format 3 yet; who does not know it passes it over
        zarr.consolidate_metadata(store.store, path=store.path.rpartition("/")[0])


def _look_once(look: Look) -> Flow[Any]:
    return (yield look)
