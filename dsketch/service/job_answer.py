"""The answer of a job, put in place: x, arrays, the table, the document that says all of it is there."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch._jsonable import plain
from dsketch._results.output import Output, attributes_of
from dsketch._results.read import holds
from dsketch._results.remote import RemoteOutput
from dsketch._results.rows import IN_MEMORY_BYTES
from dsketch._results.run import Run
from dsketch._results.slices import digest_of
from dsketch._results.solution import Solution
from dsketch._results.table_at_hand import table_at_hand
from dsketch.engine import Engine
from dsketch.errors import DataError, SpecError
from dsketch.problems import Problem
from dsketch.problems.tables import SummaryOptions
from dsketch.service.files import put_json, with_umask
from dsketch.service.folder import FIT, Folder
from dsketch.service.hidden import hide_addresses_in
from dsketch.service.job_work import JobWork
from dsketch.service.meter import Meter
from dsketch.service.npy_stream import NpyStream
from dsketch.service.predictions import keep_words
from dsketch.service.specs import Spec

NPY_BYTES = 64_000_000  # no answer that is a file is larger; others are Zarr arrays, sent piece by piece


def put_in_place(solution: Solution, summary: dict[str, Any], folder: Folder, run: Run, mask: int) -> None:
    """Write x, then ``out``, then the rest: what is there last says that all is there."""
    x, size = solution.x, 8 * int(np.prod(solution.x.shape))
    if solution.problem.arrays:
        place = Output(folder.path / ("x.npy" if size <= NPY_BYTES else FIT), overwrite=True)
        if place.is_npy and not holds(str(place.path), x):
            place.write(np.asarray(x), {})
    else:
        place = Output(folder.path / ("x.npy" if size <= NPY_BYTES else "x.zarr"), overwrite=True)
        if not holds(str(place.path), x):
            place.write(x, attributes_of(solution, folder.journal))
        if run.out is not None and not holds(str(run.out.path), x):  # a process of this job may have died before it could say so
            with with_umask(mask):
                run.write(solution)
    if place.is_npy:
        keep_words(folder, plain(attributes_of(solution, folder.journal)))
    facts = solution.to_dict()
    facts["x"] = {
        "shape": list(x.shape),
        "dtype": str(x.dtype),
        "bytes": size,
        "sha256": None if solution.problem.arrays else digest_of(x),
        "file": place.path.name,
        "out": None if run.out is None else str(run.out.path),
    }
    if solution.problem.arrays:
        facts["fields"] = _keep_fields(solution, folder) if size <= NPY_BYTES else _describe_fields(solution)
        facts["x"]["sha256"] = facts["fields"][solution.problem.arrays[0].name]["sha256"]
    told = {**facts, **summary, "is_success": solution.status.is_success, "text": _text_of(solution, summary)}
    put_json(folder.path / "solution.json", hide_addresses_in(plain(told)))


def _keep_fields(solution: Solution, folder: Folder) -> dict[str, Any]:
    """Write each array of an answer beside x, none of them larger, and return what they are."""
    told = {}
    for name, values in solution.fields.items():
        array, place = np.asarray(values[...]), folder.place_of_field(name)
        place.parent.mkdir(exist_ok=True)
        Output(place, overwrite=True).write(array, {})
        told[name] = {
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "sha256": hashlib.sha256(np.ascontiguousarray(array).data).hexdigest(),
        }
    return told


def _describe_fields(solution: Solution) -> dict[str, Any]:
    """Return what the arrays of an answer are that is sent from where it is stored."""
    return {
        name: {
            "shape": list(values.shape),
            "dtype": str(values.dtype),
            "chunks": list(values.chunks),
            "sha256": NpyStream(values, name).digest(),
        }
        for name, values in solution.fields.items()
    }


def _text_of(solution: Solution, summary: dict[str, Any]) -> str:
    """Return the answer for people, with its table or why there is none."""
    if "summary" not in summary:
        return str(solution)
    table = summary["summary"]
    return f"{solution}\nno table    {summary['no_summary']}" if table is None else f"{solution}\n\n{table['text']}"


def summarize(
    solution: Solution, asked: dict[str, Any] | None, engine: Engine, meter: Meter
) -> tuple[dict[str, Any], Any | None]:
    """Return what the answer's document says of its table, and the table: if none was asked for, the one that costs no pass.

    The document says nothing where none was asked for, null with the reason where there is none.
    """
    if asked is None:
        return {}, table_at_hand(solution)
    try:
        table = solution.summary(**asked, cluster=engine, progress=meter.hear)
    except (SpecError, DataError) as error:
        return {"summary": None, "no_summary": str(error)}, None
    return {"summary": {**table.to_dict(), "text": str(table)}}, table


def table_of(spec: Spec, problem: Problem, work: JobWork) -> dict[str, Any] | None:
    """Return what is asked of the table of coefficients; None where none is.

    Raises
    ------
    SpecError, DataError
        If the problem has no such table.
    """
    asked = spec.table(work.roots.open)
    if asked is not None:
        problem.require_table(SummaryOptions(**asked))
    return asked


def place_for(problem: Problem, folder: Folder, out: Output | RemoteOutput | None) -> Output | RemoteOutput | None:
    """Return where workers write an answer: ``out``, else the job's folder; nowhere if it has not as many rows as data or is gathered.

    What a process of this job has written to ``out`` before it died is its own, and is replaced.
    """
    is_large = problem.answers_rows and problem.answer_bytes > IN_MEMORY_BYTES
    if not (problem.arrays or is_large):
        return None
    if out is None:
        return Output(folder.path / (FIT if problem.arrays else "x.zarr"), overwrite=True)
    return replace(out, overwrite=_is_of(out.path, folder)) if isinstance(out, Output) else out


def _is_of(path: Path, folder: Folder) -> bool:
    """Whether what lies at a path was written for this job."""
    try:
        return bool(zarr.open(str(path), mode="r").attrs.get("journal") == str(folder.journal))
    except Exception:  # noqa: BLE001 - whatever lies there, it is not ours
        return False
