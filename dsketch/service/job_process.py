"""What runs in the process of one job: open the data, plan, make the passes, put the answer in place.

The process holds the lock of the job's folder for as long as it lives, so that two never work on one job, and it ends when its
service does.  It tells the service what happens in lines of JSON; what it must not lose it has written to the folder before.
"""

import signal
import threading
import traceback
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dsketch._results.choices import cluster_from, settings_from
from dsketch._results.output import Output
from dsketch._results.receipt import sign_kept_receipt
from dsketch._results.run import Run
from dsketch._units import format_bytes
from dsketch.engine import Engine
from dsketch.errors import DsketchError, EngineError
from dsketch.problems import Problem
from dsketch.service.coefficients import keep_coefficients
from dsketch.service.errors import ServiceError, document_of, error_document
from dsketch.service.files import put_json, with_umask
from dsketch.service.folder import Folder
from dsketch.service.job_answer import place_for, put_in_place, summarize, table_of
from dsketch.service.job_limits import end_with_parent, hold_lock, limit_memory, redirect_prints
from dsketch.service.job_pipe import Link
from dsketch.service.job_predict import predict
from dsketch.service.job_work import JobWork, admit, describe_plan, engine_for, require_small
from dsketch.service.meter import Meter
from dsketch.service.residuals import ResidualWish, draw_residuals
from dsketch.service.specs import Spec

SIGNER = "dsketch service"  # who signs, as receipts say it; which service, its key says


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
                    (predict if work.spec.get("problem") == "predict" else _solve)(work, folder, link)
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
    spec = admit(work, link)
    problem = spec.opened(work.roots.open)
    table_of(spec, problem, work)
    meter = Meter(work.most_read_bytes)
    meter.require(problem.rows.nbytes, "one pass")
    with _engine(work, problem, link, spec.replicas) as engine:
        made = _run(spec, problem).plan(engine)
    meter.require(made.read_bytes, f"its {made.estimate.passes} passes")
    return describe_plan(made, work.tariff)


def _draw(work: JobWork, wish: ResidualWish, link: Link) -> dict[str, Any]:
    """Return a picture of residuals of a solved job."""
    spec = admit(work, link)
    problem = spec.opened(work.roots.open)
    with _engine(work, problem, link, 1) as engine:
        found = draw_residuals(wish, problem, engine)
    link.tell("read", read_bytes=found.pop("read_bytes"))
    return found


def _solve(work: JobWork, folder: Folder, link: Link) -> None:
    spec = admit(work, link)
    problem = spec.opened(work.roots.open)
    table = table_of(spec, problem, work)
    _require_fitting(problem, work.most_result_bytes)
    meter = Meter(work.most_read_bytes, link.hear)
    meter.require(problem.rows.nbytes, "one pass")
    run = replace(_run(spec, problem), journal=folder.journal, out=_output(work, spec))
    place = place_for(problem, folder, run.out)
    is_own = run.out is None and place is not None  # in the job's folder: nothing to try
    if run.header is None and not is_own:  # else it was tried, and a process of this job may have filled it before it died
        with with_umask(work.results_umask):
            run.probe([*spec.addresses().values(), folder.path])
    with _engine(work, problem, link, spec.replicas) as engine:
        made = run.plan(engine, goes_on=True)
        meter.require(made.read_bytes, f"its {made.estimate.passes} passes")
        put_json(folder.path / "plan.json", describe_plan(made, work.tariff))
        link.tell("planned", plan=describe_plan(made, work.tariff))
        with with_umask(work.results_umask) if place is not None else nullcontext():
            solution = replace(run, out=place).solve(made, engine, meter.hear)
        meter.mute()  # what follows are no passes of the run, and in no journal
        summary, errors = summarize(solution, table, engine, meter)
        link.tell("read", read_bytes=meter.unheard_bytes)
    keep_coefficients(folder, solution, errors)
    if work.sign_key is not None:
        sign_kept_receipt(folder.journal, work.sign_key, SIGNER)
    put_in_place(solution, summary, folder, replace(run, out=_output(work, spec)), work.results_umask)


def _run(spec: Spec, problem: Problem) -> Run:
    """Return the run that a spec describes."""
    choices = spec.choices()
    return Run(problem, choices["method"], settings_from(choices), cluster_from(choices))


def _output(work: JobWork, spec: Spec) -> Output | None:
    return None if spec.place is None else Output(Path(work.roots.writable(spec.place)))


def _require_fitting(problem: Problem, most_bytes: int) -> None:
    require_small(problem.answer_bytes, problem.x_shape, most_bytes)


def _engine(work: JobWork, problem: Problem, link: Link, replicas: int) -> AbstractContextManager[Engine]:
    """Return the engine of a problem, as a context."""
    return engine_for(work, problem.rows, link, replicas)
