"""The one description of a run: what a journal's header holds, and what makes the problem and the settings again."""

import base64
import hashlib
import os
import re
import string
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy

from dsketch._results.plan import Plan
from dsketch.errors import SpecError
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.head import Head
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.matrix.shift import exact_type
from dsketch.matrix.unread import UnreadMatrix
from dsketch.problems import PROBLEMS, Heads, Problem, TargetRegression, kind_of
from dsketch.problems.affine import ShiftedProblem
from dsketch.settings import Settings
from dsketch.version import __version__

_HEAD = re.compile(r"\[(?P<start>\d+):(?P<stop>\d+)(?P<W>[0-9a-f]*)\]$")  # at the end of a head's fingerprint
_KEPT_BYTES = 16_000_000  # of the values of one matrix in a header: a vector of any d, or 1000 of them for d = 2000


def describe_run(problem: Problem, plan: Plan) -> dict[str, Any]:
    """Return what must be the same for a journal to belong to a run, as JSON can hold it.

    Sources are None for data in memory; their fingerprints still tell them apart.
    """
    matrices = problem.data()
    return {
        "dsketch": __version__,
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "blas_threads": 1},
        "problem": problem.parameters,
        "columns": None if problem.columns is None else problem.columns.attributes(),
        "sources": {name: None if matrix is None else matrix.source for name, matrix in matrices.items()},
        "data": {name: None if matrix is None else print_of(matrix) for name, matrix in matrices.items()},
        "grid": hashlib.sha256(np.ascontiguousarray(problem.rows.cuts).data).hexdigest()[:16],
        "method": plan.method,
        "settings": vars(plan.settings),
        "shift": _shift_of(problem.rows),
        "storage": {name: None if matrix is None else _storage_of(matrix) for name, matrix in matrices.items()},
        "values": {name: _values_of(matrices[name]) for name in problem.read_whole},
    }


def _values_of(matrix: Matrix | None) -> str | None:
    """Return the bytes of a matrix that the driver reads whole, C order, in base 64; None if they are too many to be kept."""
    if matrix is None or matrix.nbytes > _KEPT_BYTES:
        return None
    return base64.b64encode(np.ascontiguousarray(matrix.read(0, matrix.shape[0])).data).decode()


def _storage_of(matrix: Matrix) -> dict[str, Any]:
    """Return what else a flow may ask of a matrix that is not there, when a run is replayed without its data."""
    return {"is_vector": matrix.is_vector, "nonzeros": matrix.nonzeros, "trailing": list(matrix.trailing)}


def _shift_of(rows: Rows) -> dict[str, float] | None:
    """Return what is subtracted from which columns."""
    return None if rows.shift is None else {str(column): value for column, value in enumerate(rows.shift.tolist()) if value}


def print_of(matrix: Matrix) -> str:
    """Return shape, type and fingerprint of a matrix, as the header says them."""
    return f"{matrix.shape[0]}x{matrix.shape[1]} {matrix.dtype} {matrix.fingerprint()}"


def problem_of(header: dict[str, Any]) -> Problem:
    """Return the problem that a header describes.

    Raises
    ------
    SpecError
        If its data were in memory, or it is of several problems: they must be given again.
    """
    sources = header["sources"]
    lost = [name for name, data in header["data"].items() if sources.get(name) is None and data is not None]
    if (name := header["problem"]["problem"]) not in (*PROBLEMS, TargetRegression.name):
        raise SpecError(f"the journal of {name} does not make the problem again; give it: resume(journal, problem=…).")
    if lost:
        call = _call_of(kind_of(header["problem"]), lost)
        raise SpecError(f"the run read {', '.join(lost)} from memory; give the problem again: resume(journal, problem={call}).")
    return make_problem(header["problem"], sources)


def problem_at(header: dict[str, Any], given: Any) -> Problem:
    """Return the problem of a finished run, of data at given places.

    Parameters
    ----------
    given : mapping, or one place
        Paths, URLs or arrays by the names of the header, such as ``A``; one alone is that of the first.  Of several problems ``A`` stands
        for those of all heads, unless ``A0`` says otherwise.  Where the run took columns of a matrix (:class:`~dsketch.matrix.head.Head`),
        the place is the matrix's.

    Raises
    ------
    SpecError
        If there is a matrix that was in memory and has no place here, or a head was a product A W.
    """
    is_several = header["problem"]["problem"] == Heads.name
    names = [name for name, said in header["data"].items() if said is not None]
    of_all = {name: name.rstrip(string.digits) if is_several else name for name in names}
    if not isinstance(given, Mapping):
        given = {of_all[names[0]]: given}
    places = {name: given.get(name, given.get(of_all[name])) for name in names}
    sources = {name: header["sources"].get(name) if place is None else place for name, place in places.items()}
    if lost := [name for name in names if sources[name] is None]:
        wanted = dict.fromkeys(of_all[name] for name in lost)
        raise SpecError(
            f"the run read {', '.join(lost)} from memory, or as columns of a matrix, and its journal does not say where that lies. "
            f"Give the place of each: {' '.join(f'--data {name}=PATH' for name in wanted)}, in Python data= with the places by name, or "
            "with the problem."
        )
    bases: dict[str, Matrix] = {}  # heads of one matrix share it
    opened = {name: _take_columns(name, header["data"][name], place, bases) for name, place in sources.items()}
    if not is_several:
        return problem_of({**header, "sources": {**header["sources"], **opened}})
    heads = enumerate(header["problem"]["heads"])
    return Heads([make_problem(own, {name: opened.get(f"{name}{number}") for name in _inputs_of(own)}) for number, own in heads])


def _inputs_of(parameters: Mapping[str, Any]) -> list[str]:
    """Return the names of the data that a problem of such parameters may have."""
    kind = kind_of(parameters)
    return [option.name for option in (*kind.inputs, *kind.options) if option.kind is Matrix]


def _take_columns(name: str, said: str, place: Any, bases: dict[str, Matrix]) -> Any:
    """Return what a run read as a matrix, of the place where its columns, or those that it took, lie."""
    taken = _HEAD.search(said)
    if taken is None or not isinstance(place, str | os.PathLike):
        return place
    if taken["W"]:
        raise SpecError(
            f"the run read {name} as a product with a matrix W, of which its journal has no more than a digest. Give the problem, in "
            "Python: audit(receipt, data=problem)."
        )
    base = bases.setdefault(os.fspath(place), open_matrix(place))
    return Head(base, columns=(int(taken["start"]), int(taken["stop"])))


def _call_of(problem: type[Problem], lost: list[str]) -> str:
    """Return how a problem is made: its inputs, and of its options the data that were lost."""
    given = [option.name for option in problem.inputs]
    return f"{problem.__name__}({', '.join([*given, *(f'{name}={name}' for name in lost if name not in given)])})"


def make_problem(parameters: Mapping[str, Any], data: Mapping[str, Any], *, by_targets: bool = False) -> Problem:
    """Return the problem that its parameters make of its data.

    Parameters
    ----------
    parameters : mapping
        ``{"problem": name, …options}``, as :attr:`dsketch.problems.Problem.parameters`.
    data : mapping
        What the constructor opens, by argument: ``A``, ``b`` …; None: not given.
    by_targets : bool
        Whether right-hand sides are answered as targets (:func:`dsketch.problems.kind_of`).
    """
    kind: Callable[..., Problem] = kind_of(parameters, by_targets=by_targets)
    options = {name: value for name, value in parameters.items() if name != "problem"}
    return kind(**options, **{name: source for name, source in data.items() if source is not None})


def settings_of_run(header: dict[str, Any]) -> Settings:
    """Return the settings that a header describes."""
    return Settings(**header["settings"])


def problem_without_data(header: dict[str, Any]) -> Problem:
    """Return the problem that a header describes, over matrices of which only that is known: enough to replay most runs.

    Raises
    ------
    UnreadError
        If the problem reads rows when it is made.
    SpecError
        If it is of several problems, whose journal does not make them again.
    """
    name = header["problem"]["problem"]
    if name not in PROBLEMS:
        raise SpecError(f"the journal of {name} does not make the problem again; give it: audit(receipt, data=problem).")
    columns, storage = header.get("columns"), header.get("storage") or {}
    names = None if columns is None else tuple(columns["columns"])
    values = {place: base64.b64decode(raw) for place, raw in (header.get("values") or {}).items() if raw is not None}
    data = {
        place: None
        if said is None
        else UnreadMatrix(place, said, storage.get(place) or {}, names if place == "A" else None, values.get(place))
        for place, said in header["data"].items()
    }
    problem = make_problem(header["problem"], data)
    return problem.settle_shift(_shift_from(header, problem.rows)) if isinstance(problem, ShiftedProblem) else problem


def _shift_from(header: dict[str, Any], rows: Rows) -> AnyArray | None:
    if header.get("shift") is None:
        return None
    shift = np.zeros(rows.A.shape[1], exact_type(rows.A.dtype))
    for column, value in header["shift"].items():
        shift[int(column)] = value
    return shift
