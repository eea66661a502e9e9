"""A job that predicts new rows by the answer of another one."""

import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from dsketch import events
from dsketch._jsonable import plain
from dsketch._results.output import Output
from dsketch._results.read import StoredX
from dsketch._results.slices import digest_of
from dsketch._units import format_bytes
from dsketch.engine import Engine
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.service.files import put_json, with_umask
from dsketch.service.folder import Folder
from dsketch.service.hidden import hide_addresses_in
from dsketch.service.job_answer import NPY_BYTES
from dsketch.service.job_pipe import Link
from dsketch.service.job_work import JobWork, admit, engine_for, require_small
from dsketch.service.meter import Meter
from dsketch.service.predictions import answer_of, may_replace, predict_rows, solution_of, told_columns
from dsketch.service.specs import PredictSpec


def predict(work: JobWork, folder: Folder, link: Link) -> None:
    """Predict new rows by the answer of another job, and put them in place."""
    answer, source = answer_of(Folder(folder.path.with_name(work.spec["job"])))
    spec = admit(work, link, like=told_columns(answer))
    assert isinstance(spec, PredictSpec)  # noqa: S101 - for type checkers
    given = {name: work.roots.open(address, name) for name, address in spec.addresses().items()}
    rows = Rows(open_matrix(given["A"], what="A"))
    sides = max(answer.x[0].size, 1) if isinstance(answer, StoredX) else 1
    require_small(8 * rows.shape[0] * sides, (rows.shape[0], sides), work.most_result_bytes)
    problem = None
    if source is not None:
        problem = admit(replace(work, spec=source.document()), link).opened(work.roots.open)
    told = _Told(link.hear)
    meter = Meter(work.most_read_bytes, told.hear)
    meter.require(rows.nbytes, "one pass")
    own = folder.path / "x.zarr"
    out = own if spec.out is None else Path(work.roots.writable(spec.out))
    overwrite = True if spec.out is None else may_replace(folder, spec, out)
    with engine_for(work, rows, link) as engine:
        made = _describe_reading(rows, engine)
        put_json(folder.path / "plan.json", made)
        link.tell("planned", plan=made)
        with nullcontext() if spec.out is None else with_umask(work.results_umask):
            found = predict_rows(answer, problem, given, out, engine, meter.hear, overwrite=overwrite)
    x: dict[str, Any] = {"shape": list(found.shape), "dtype": str(found.dtype), "bytes": found.nbytes, "sha256": None}
    if found.nbytes <= NPY_BYTES:
        values = np.asarray(found[...])
        Output(folder.path / "x.npy", overwrite=True).write(values, {})
        x["sha256"] = digest_of(values)
        if spec.out is None:
            shutil.rmtree(own)
    x |= {"file": "x.npy" if found.nbytes <= NPY_BYTES else out.name, "out": None if spec.out is None else str(out)}
    put_json(folder.path / "solution.json", hide_addresses_in(plain(solution_of(found, told.passes, told.notes, x))))


class _Told:
    """Hands events on, and keeps what a document says of them."""

    def __init__(self, tell: events.Tell) -> None:
        self._tell, self.passes, self.notes = tell, list[dict[str, Any]](), list[str]()

    def hear(self, event: events.Event) -> None:
        """Hand an event on."""
        self._tell(event)
        if isinstance(event, events.PassFinished):
            self.passes.append(asdict(event))
        elif isinstance(event, events.Note):
            self.notes.append(event.text)


def _describe_reading(rows: Rows, engine: Engine) -> dict[str, Any]:
    """Return the plan of predictions: one reading."""
    n, d = rows.shape
    told = {
        "method": "predict",
        "why": "one reading of the new rows",
        "passes": 1,
        "read_bytes": rows.nbytes,
        "seconds": None,
        "memory_bytes": None,
        "memory_limit_bytes": engine.workers().memory_bytes,
        "matrix": f"{n:,} × {d:,} · {format_bytes(rows.nbytes)}",
        "means": engine.workers().where,
        "condition_hint": None,
        "details": [],
        "rejected": {},
    }
    return hide_addresses_in(plain({**told, "text": f"method      predict: {told['why']}\nmatrix      {told['matrix']}"}))
