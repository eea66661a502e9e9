"""Answers of several arrays: gathered where they fit in memory, else written as a Zarr group by whoever reads the data.

As with one number a row (:mod:`dsketch._results.rows`) the pass is not in the journal: what it makes is the answer itself.  A run with a
journal that was interrupted finds on a local disk the chunks that were written, and makes the others; one that had come to its end is read.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dsketch._jsonable import plain
from dsketch._results.format import OURS
from dsketch._results.group import array_in, is_written, open_group
from dsketch._results.output import Output, words_of
from dsketch._results.remote import RemoteOutput
from dsketch.engine.drive import Drive
from dsketch.passes import Look
from dsketch.passes.arrays import look_of, root_of_arrays
from dsketch.passes.base import Flow, Part
from dsketch.problems import Outcome, Problem
from dsketch.problems.outcome import ArraysLook, ArraysRoot


def make_arrays(
    look: ArraysLook,
    problem: Problem,
    drive: Drive,
    out: Output | RemoteOutput | None,
    attributes: Callable[[Outcome], dict[str, Any]],
    key: str,
) -> Outcome:
    """Return the outcome with its arrays, in memory or, at ``out``, those of a Zarr group that the workers have written.

    Parameters
    ----------
    look : ArraysLook
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
        gathered, tally = drive.run(look.gather())
        form = _form_of(problem)
        arrays = {name: np.asarray(gathered[name], dtype) for name, dtype in zip(form.names, form.dtypes, strict=True)}
        root = root_of_arrays([arrays[name] for name in form.names], form.dtypes, form.chunk)
        return _with_arrays(look.conclude(tally), arrays, form._replace(root=root))
    if not is_written(os.fspath(out.path), key):
        _write(look, problem, drive, out, attributes, key)
    form = _form_of(problem)
    arrays, told = open_group(os.fspath(out.path), form.names)
    return _with_arrays(look.conclude(look.source.tell(_unpack(told["tally"]))), arrays, form._replace(root=told["root"]))


def _write(
    look: ArraysLook,
    problem: Problem,
    drive: Drive,
    out: Output | RemoteOutput,
    attributes: Callable[[Outcome], dict[str, Any]],
    key: str,
) -> None:
    """Let the workers fill a group, and the group say what it holds and which of its arrays is x."""
    names = [array.name for array in problem.arrays]
    with out.fill_group(problem.arrays, {**words_of(problem), **OURS}, key) as group:
        targets = tuple(array_in(group, name) for name in names)
        filled = drive.run(_look_once(look_of(look.source, targets, look.rows, goes_on=bool(key))))
        found = look.conclude(look.source.tell(filled.tally))
        told = {"certificate": plain(vars(found.certificate)), "notes": list(found.notes)}
        own = {"run": key, "tally": _pack(filled.tally), "root": filled.root}
        group.update_attributes({**attributes(found), **told, **own, **({} if "x" in names else {"x": names[0]})})


def _with_arrays(found: Outcome, arrays: dict[str, Any], root: ArraysRoot) -> Outcome:
    return replace(found, x=next(iter(arrays.values())), fields=arrays, root=root)


def _form_of(problem: Problem) -> ArraysRoot:
    """Return how the chunks of an answer are digested, without the root."""
    arrays = problem.arrays
    least = min(arrays, key=lambda array: len(array.shape))  # its dimensions are those along which all arrays are cut
    return ArraysRoot([array.name for array in arrays], [array.dtype for array in arrays], list(least.chunks), "")


def _pack(tally: Part) -> list[Any]:
    """Return arrays of float64 as JSON holds every bit of them."""
    return [[list(array.shape), np.ascontiguousarray(array, "<f8").tobytes().hex()] for array in tally]


def _unpack(packed: list[Any]) -> Part:
    return tuple(np.frombuffer(bytes.fromhex(raw), "<f8").reshape(shape) for shape, raw in packed)


def _look_once(look: Look) -> Flow[Any]:
    return (yield look)
