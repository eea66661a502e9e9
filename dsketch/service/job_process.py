"""What runs in the process of one job: open the data, plan, make the passes, put the answer in place.

The process holds the lock of the job's folder for as long as it lives, so that two never work on one job, and it ends when its
service does.  It tells the service what happens in lines of JSON; what it must not lose it has written to the folder before.
"""

import hashlib
import shutil
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch import events
from dsketch._jsonable import plain
from dsketch._results.choices import cluster_from, settings_from
from dsketch._results.output import Output, attributes_of
from dsketch._results.plan import Plan
from dsketch._results.read import StoredX, holds
from dsketch._results.receipt import sign_kept_receipt
from dsketch._results.remote import RemoteOutput
from dsketch._results.rows import IN_MEMORY_BYTES
from dsketch._results.run import Run
from dsketch._results.slices import digest_of
from dsketch._results.solution import Solution
from dsketch._results.table_at_hand import table_at_hand
from dsketch._units import format_bytes
from dsketch.engine import Engine, connect_engine
from dsketch.engine.connect import is_small
from dsketch.errors import DataError, DsketchError, EngineError, SpecError
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.planning.traffic import Tariff
from dsketch.problems import Problem
from dsketch.problems.tables import SummaryOptions
from dsketch.service.coefficients import keep_coefficients
from dsketch.service.errors import ServiceError, SizeError, document_of, error_document
from dsketch.service.files import put_json, with_umask
from dsketch.service.folder import FIT, Folder
from dsketch.service.hidden import hide_addresses_in
from dsketch.service.job_limits import end_with_parent, hold_lock, limit_memory, redirect_prints
from dsketch.service.job_pipe import Link
from dsketch.service.meter import Meter
from dsketch.service.npy_stream import NpyStream
from dsketch.service.places import Roots
from dsketch.service.predictions import answer_of, keep_words, may_replace, predict_rows, solution_of
from dsketch.service.residuals import ResidualWish, draw_residuals
from dsketch.service.specs import PredictSpec, Spec, spec_of
from dsketch.service.upload_data import UploadPlace, bring_in
from dsketch.service.watch import watching

SIGNER = "dsketch service"  # who signs, as receipts say it; which service, its key says
_NPY_BYTES = 64_000_000  # no answer that is a file is larger; others are Zarr arrays, sent piece by piece


@dataclass(frozen=True)
class JobWork:
    """What a process is to do.

    Attributes
    ----------
    spec : dict
        The document of the run.
    folder : Path or None
        Of the job; None: only plan.
    roots : Roots
    small_bytes : int
        Data below this are solved in the process itself, larger ones on the cluster.
    memory_bytes : int or None
        That the process may use.
    most_result_bytes : int
        Of x.
    most_read_bytes : int or None
        That all passes together may read.
    results_umask : int
        For results outside of the job's folder.
    sign_key : Path or None
        The service's private key, by which the receipt is signed; None: not signed.
    residuals : ResidualWish or None
        Draw these of a solved job in place of a plan.
    tariff : Tariff or None
        What the stores of the data take.
    uploads : UploadPlace or None
        Of the owner.
    """

    spec: dict[str, Any]
    folder: Path | None
    roots: Roots
    small_bytes: int
    memory_bytes: int | None
    most_result_bytes: int
    most_read_bytes: int | None = None
    results_umask: int = 0o077
    sign_key: Path | None = None
    residuals: ResidualWish | None = None
    tariff: Tariff | None = None
    uploads: UploadPlace | None = None


def lead(pipe: Connection, work: JobWork) -> None:
    """Do the work and tell how it went: the last line is ``ended`` or ``failed``."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the service, which ends us in order
    link = Link(pipe)
    try:
        limit_memory(work.memory_bytes)
        if work.folder is None:
            link.tell("ended", found=_plan(work, link) if work.residuals is None else _draw(work, work.residuals, link))
        else:
            folder = Folder(work.folder)
            with hold_lock(folder), redirect_prints(folder):
                if folder.solution() is None:
                    (_predict if work.spec.get("problem") == "predict" else _solve)(work, folder, link)
                link.tell("ended")
    except DsketchError as error:
        is_passing = isinstance(error, EngineError | ServiceError)
        link.tell("failed", is_passing=is_passing, **document_of(error))
    except MemoryError as error:
        link.tell("failed", is_passing=False, **error_document("SizeError", _out_of_memory(work.memory_bytes, error)))
    except Exception as error:  # noqa: BLE001 - whatever it is becomes the state of the job
        traceback.print_exc()
        said = f"{type(error).__name__} in the job's process, a defect of dsketch. Report it with the job's log."
        link.tell("failed", is_passing=False, **error_document("Defect", said))


def _out_of_memory(limit_bytes: int | None, error: MemoryError) -> str:
    """Return the sentence for a process that got no more memory; NumPy says what it asked for."""
    found = str(error).rstrip(".") or "it wanted more"
    if limit_bytes is None:
        return f"the job was expected to fit into this machine's memory; its process could not: {found}. Store the data in smaller chunks."
    return (
        f"the job was expected to stay within its limit of {format_bytes(limit_bytes)}; its process could not: {found}. Ask for more with "
        "limits.memory, up to the service's --max-memory, or store the data in smaller chunks."
    )


def _plan(work: JobWork, link: Link) -> dict[str, Any]:
    spec = _admit(work, link)
    problem = spec.opened(work.roots.open)
    _table_of(spec, problem, work)
    meter = Meter(work.most_read_bytes)
    meter.require(problem.rows.nbytes, "one pass")
    with _engine(work, problem, link, spec.replicas) as engine:
        made = _run(spec, problem).plan(engine)
    meter.require(made.read_bytes, f"its {made.estimate.passes} passes")
    return _describe(made, work.tariff)


def _draw(work: JobWork, wish: ResidualWish, link: Link) -> dict[str, Any]:
    """Return a picture of residuals of a solved job."""
    spec = _admit(work, link)
    problem = spec.opened(work.roots.open)
    with _engine(work, problem, link, 1) as engine:
        found = draw_residuals(wish, problem, engine)
    link.tell("read", read_bytes=found.pop("read_bytes"))
    return found


def _predict(work: JobWork, folder: Folder, link: Link) -> None:
    """Predict new rows by the answer of another job, and put them in place."""
    spec = _admit(work, link)
    assert isinstance(spec, PredictSpec)  # noqa: S101 - for type checkers
    answer, source = answer_of(Folder(folder.path.with_name(spec.job)))
    given = {name: work.roots.open(address, name) for name, address in spec.addresses().items()}
    rows = Rows(open_matrix(given["A"], what="A"))
    sides = max(answer.x[0].size, 1) if isinstance(answer, StoredX) else 1
    _require_small(8 * rows.shape[0] * sides, (rows.shape[0], sides), work.most_result_bytes)
    problem = None
    if source is not None:
        problem = _admit(replace(work, spec=source.document()), link).opened(work.roots.open)
    told = _Told(link.hear)
    meter = Meter(work.most_read_bytes, told.hear)
    meter.require(rows.nbytes, "one pass")
    own = folder.path / "x.zarr"
    out = own if spec.out is None else Path(work.roots.writable(spec.out))
    overwrite = True if spec.out is None else may_replace(folder, spec, out)
    with _engine_for(work, rows, link) as engine:
        made = _describe_reading(rows, engine)
        put_json(folder.path / "plan.json", made)
        link.tell("planned", plan=made)
        with nullcontext() if spec.out is None else with_umask(work.results_umask):
            found = predict_rows(answer, problem, given, out, engine, meter.hear, overwrite=overwrite)
    x: dict[str, Any] = {"shape": list(found.shape), "dtype": str(found.dtype), "bytes": found.nbytes, "sha256": None}
    if found.nbytes <= _NPY_BYTES:
        values = np.asarray(found[...])
        Output(folder.path / "x.npy", overwrite=True).write(values, {})
        x["sha256"] = digest_of(values)
        if spec.out is None:
            shutil.rmtree(own)
    x |= {"file": "x.npy" if found.nbytes <= _NPY_BYTES else out.name, "out": None if spec.out is None else str(out)}
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


def _solve(work: JobWork, folder: Folder, link: Link) -> None:
    spec = _admit(work, link)
    problem = spec.opened(work.roots.open)
    table = _table_of(spec, problem, work)
    _require_fitting(problem, work.most_result_bytes)
    meter = Meter(work.most_read_bytes, link.hear)
    meter.require(problem.rows.nbytes, "one pass")
    run = replace(_run(spec, problem), journal=folder.journal, out=_output(work, spec))
    place = _place(problem, folder, run.out)
    is_own = run.out is None and place is not None  # in the job's folder: nothing to try
    if run.header is None and not is_own:  # else it was tried, and a process of this job may have filled it before it died
        with with_umask(work.results_umask):
            run.probe([*spec.addresses().values(), folder.path])
    with _engine(work, problem, link, spec.replicas) as engine:
        made = run.plan(engine)
        meter.require(made.read_bytes, f"its {made.estimate.passes} passes")
        put_json(folder.path / "plan.json", _describe(made, work.tariff))
        link.tell("planned", plan=_describe(made, work.tariff))
        with with_umask(work.results_umask) if place is not None else nullcontext():
            solution = replace(run, out=place).solve(made, engine, meter.hear)
        meter.mute()  # what follows are no passes of the run, and in no journal
        summary, errors = _summarize(solution, table, engine, meter)
        link.tell("read", read_bytes=meter.unheard_bytes)
    keep_coefficients(folder, solution, errors)
    if work.sign_key is not None:
        sign_kept_receipt(folder.journal, work.sign_key, SIGNER)
    _put_in_place(solution, summary, folder, replace(run, out=_output(work, spec)), work.results_umask)


def _table_of(spec: Spec, problem: Problem, work: JobWork) -> dict[str, Any] | None:
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


def _summarize(
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


def _run(spec: Spec, problem: Problem) -> Run:
    """Return the run that a spec describes."""
    choices = spec.choices()
    return Run(problem, choices["method"], settings_from(choices), cluster_from(choices))


def _output(work: JobWork, spec: Spec) -> Output | None:
    return None if spec.place is None else Output(Path(work.roots.writable(spec.place)))


def _place(problem: Problem, folder: Folder, out: Output | RemoteOutput | None) -> Output | RemoteOutput | None:
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


def _admit(work: JobWork, link: Link) -> Spec:
    """Return the spec with the data's full addresses, uploads made into matrices, after a look at what lies there."""
    spec = spec_of(work.spec)
    spec.require_bounded()
    if work.uploads is not None:
        spec = spec.model_copy(update=bring_in(spec.addresses(), work.uploads, link.hear))
    places = {name: work.roots.admit(address, name) for name, address in spec.addresses().items()}
    for name, address in places.items():
        work.roots.screen(address, name)
    return spec.model_copy(update=places)


def _require_fitting(problem: Problem, most_bytes: int) -> None:
    _require_small(problem.answer_bytes, problem.x_shape, most_bytes)


def _require_small(size: int, shape: tuple[int, ...], most_bytes: int) -> None:
    if size > most_bytes:
        raise SizeError(
            f"an answer of at most {format_bytes(most_bytes)} was expected; x of shape {shape} has {format_bytes(size)}. Ask "
            "for fewer right-hand sides at once, or for a larger --max-result."
        )


def _engine(work: JobWork, problem: Problem, link: Link, replicas: int) -> AbstractContextManager[Engine]:
    """Return the engine of a problem, as a context."""
    return _engine_for(work, problem.rows, link, replicas)


@contextmanager
def _engine_for(work: JobWork, rows: Rows, link: Link, replicas: int = 1) -> Iterator[Engine]:
    """Yield the engine: this process for small data that no workers shall compare, else the service's cluster; both give the same bits."""
    where = "serial" if replicas == 1 and is_small(rows, work.small_bytes) else link.cluster()
    threads = 1 if where == "serial" else None
    with connect_engine(where, rows, threads=threads, replicas=replicas) as engine, watching(engine, link.tell):
        yield engine


def _describe(made: Plan, tariff: Tariff | None) -> dict[str, Any]:
    money = {"dollars": made.store.dollars(tariff)} if made.store is not None and tariff is not None else {}
    return hide_addresses_in(plain({**made.to_dict(), **money, "text": str(made)}))


def _text_of(solution: Solution, summary: dict[str, Any]) -> str:
    """Return the answer for people, with its table or why there is none."""
    if "summary" not in summary:
        return str(solution)
    table = summary["summary"]
    return f"{solution}\nno table    {summary['no_summary']}" if table is None else f"{solution}\n\n{table['text']}"


def _put_in_place(solution: Solution, summary: dict[str, Any], folder: Folder, run: Run, mask: int) -> None:
    """Write x, then ``out``, then the rest: what is there last says that all is there."""
    x, size = solution.x, 8 * int(np.prod(solution.x.shape))
    if solution.problem.arrays:
        place = Output(folder.path / ("x.npy" if size <= _NPY_BYTES else FIT), overwrite=True)
        if place.is_npy and not holds(str(place.path), x):
            place.write(np.asarray(x), {})
    else:
        place = Output(folder.path / ("x.npy" if size <= _NPY_BYTES else "x.zarr"), overwrite=True)
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
        facts["fields"] = _keep_fields(solution, folder) if size <= _NPY_BYTES else _describe_fields(solution)
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
