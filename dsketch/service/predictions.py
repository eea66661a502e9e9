"""Predictions as a job: new rows by the answer of a solved job, which is read when the job starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch import events
from dsketch._results.predict import predict, predict_by
from dsketch._results.read import StoredX, read_x
from dsketch.engine import Engine
from dsketch.engine.cluster import Cluster
from dsketch.errors import DataError, SpecError
from dsketch.matrix.columns import Columns
from dsketch.problems import PROBLEMS, Problem
from dsketch.service.errors import UnknownJob
from dsketch.service.files import get_json, put_json
from dsketch.service.folder import FIT, Folder
from dsketch.service.specs import PredictSpec, Spec, spec_of

_WORDS, _PLACE = "answer.json", "place.json"


def keep_words(folder: Folder, attributes: dict[str, Any]) -> None:
    """Write what must be known to predict with an x in a NumPy file, which has no attributes."""
    put_json(folder.path / _WORDS, attributes)


def require_predicting(problem: str) -> None:
    """Refuse the answers of problems that predict nothing.

    Raises
    ------
    SpecError
    """
    kind = PROBLEMS.get(problem)
    if kind is None or kind.predictor is Problem.predictor:
        raise SpecError(f"the answer of a problem that predicts rows was expected; {problem} does not. Use its x.")


def answer_of(folder: Folder) -> tuple[StoredX | str, Spec | None]:
    """Return the answer of a solved job, and the document of its run where that is needed to predict with it.

    Raises
    ------
    UnknownJob
        If the job is gone, or has no answer.
    """
    try:
        job, place = folder.read(), folder.x()
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        place = None
    if place is None:
        raise UnknownJob(f"the answer of job {folder.path.name} was expected; it is gone. Solve it again, and predict with that.")
    if place.name == FIT:
        return str(place), None
    if place.suffix == ".npy":
        answer = StoredX(np.load(place, allow_pickle=False), get_json(folder.path / _WORDS) or {})
    else:
        answer = read_x(str(place))
    if "problem" not in answer.attributes or _needs_data(answer.attributes["problem"]):
        return answer, spec_of(job.spec)  # whose data are opened as declared places allow, not by what the answer says
    return answer, None


def told_columns(answer: StoredX | str) -> dict[str, Any] | None:
    """Return what an answer says of its columns, their levels and those without a column; None if they have no names."""
    said = dict(zarr.open_group(answer, mode="r").attrs) if isinstance(answer, str) else answer.attributes
    columns = Columns.from_attributes(said)
    return None if columns is None else columns.attributes()


def _needs_data(parameters: dict[str, Any]) -> bool:
    """Whether the problem's own data must be read to predict."""
    kind = PROBLEMS.get(parameters["problem"])
    return kind is not None and not kind.predicts_linearly and kind.predictor_from(parameters) is None


def predict_rows(
    answer: StoredX | str,
    problem: Problem | None,
    given: dict[str, Any],
    out: Path,
    engine: Engine,
    hear: Callable[[events.Event], None],
    *,
    overwrite: bool,
) -> "zarr.Array[Any]":
    """Write what an answer predicts, and return it opened.

    Parameters
    ----------
    answer : StoredX or path
    problem : Problem or None
        That the answer is one to, where its data are needed.
    given : dict
        ``A`` and ``offset``, opened stores or URLs.
    out : Path
        Of a Zarr array.
    engine : Engine
    hear : callable
        Is handed every event.
    overwrite : bool

    Raises
    ------
    SpecError, DataError, EngineError
        As :func:`dsketch.predict`.
    """
    if problem is None:
        found = predict(answer, given["A"], out, offset=given.get("offset"), overwrite=overwrite, cluster=engine, progress=hear)
    elif given.get("offset") is not None:
        raise SpecError("offset is not for answers of this problem, or of an earlier version. Leave it out, or solve it again.")
    else:
        assert isinstance(answer, StoredX)  # noqa: S101 - for type checkers
        found = predict_by(problem, answer.x, given["A"], out, cluster=Cluster(engine), progress=hear)
    assert isinstance(found, zarr.Array)  # noqa: S101 - for type checkers
    return found


def may_replace(folder: Folder, spec: PredictSpec, out: Path) -> bool:
    """Whether what lies at the place of the predictions was written by an earlier process of this job.

    Raises
    ------
    DataError
        If something else lies there.
    """
    if not out.exists():
        put_json(folder.path / _PLACE, {"out": str(out)})
        return False
    try:
        is_ours = zarr.open_array(str(out), mode="r").attrs.get("created_by") == "dsketch"
    except (OSError, ValueError):
        is_ours = False
    if is_ours and get_json(folder.path / _PLACE) == {"out": str(out)}:
        return True
    raise DataError(f"a free path was expected for the predictions; {spec.out} exists. Choose another.")


def solution_of(array: Any, records: list[dict[str, Any]], notes: list[str], x: dict[str, Any]) -> dict[str, Any]:
    """Return the document of predictions, in the shape of that of an answer: it has no certificate."""
    rows = int(array.shape[0])
    message = f"solved: {rows:,} {'row is' if rows == 1 else 'rows are'} predicted"
    shape = " × ".join(map(str, array.shape))
    lines = [f"status      {message}", f"rows        {shape}", *(f"note        {note}" for note in notes)]
    return {
        "status": "solved",
        "message": message,
        "method": "predict",
        "certificate": {},
        "passes": records,
        "notes": notes,
        "x": x,
        "is_success": True,
        "text": "\n".join(lines),
    }
