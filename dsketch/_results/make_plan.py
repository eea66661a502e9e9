"""Make a plan: describe the engine as machines to plan for, and let the problem choose."""

from dataclasses import replace
from functools import partial

import psutil

from dsketch._results.plan import Plan
from dsketch._units import format_bytes, format_counted, parse_bytes
from dsketch.engine.base import Engine
from dsketch.engine.cluster import Cluster
from dsketch.engine.panels import panels_of, refine_panels, tasks_of
from dsketch.planning.price import Machines
from dsketch.planning.probe import SAMPLE
from dsketch.planning.traffic import asked_aside, traffic_of
from dsketch.problems import Problem
from dsketch.problems.base import require_names
from dsketch.problems.options import explain_unread
from dsketch.settings import Settings


def make_plan(
    problem: Problem,
    method: str,
    settings: Settings,
    engine: Engine,
    cluster: Cluster,
    *,
    is_begun: bool = False,
    goes_on: bool = False,
) -> Plan:
    """Return the plan for a problem on an engine, which is that of ``cluster``; ``is_begun``: of a run that has a journal.

    Where it is carried out at once (``goes_on``), what a first pass reads of stores is asked for while the plan is made.

    Raises
    ------
    SpecError
        For unknown names.
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    require_names(problem, method, settings, is_begun=is_begun)
    reading = SAMPLE.set(partial(engine.sample, goes_on=True) if goes_on else engine.sample)
    try:
        with asked_aside(problem.rows) as stored:
            choice = problem.plan(method, settings, machines_of(engine, cluster.memory_limit))
    finally:
        SAMPLE.reset(reading)
    choice = replace(choice, details=(*choice.details, *explain_unread(problem, choice.method, settings)))
    if settings.min_panels is not None:
        choice = replace(choice, details=(*choice.details, _explain_panels(problem, settings.min_panels)))
    estimate = choice.estimate
    store = traffic_of(stored(), problem.rows.nbytes, estimate.passes, engine.cache_bytes(), estimate.reading_seconds)
    choice = replace(choice, store=store)
    if (replicas := engine.replicas) > 1:
        detail = f"each part is computed by {replicas} workers, which must agree: {replicas} times the reading"
        choice = replace(choice, read_bytes=replicas * choice.read_bytes, details=(*choice.details, detail))
    return Plan.of(choice, problem.as_solved, cluster)


def _explain_panels(problem: Problem, least: int) -> str:
    """Return how many panels a pass has, and why no more."""
    rows = problem.rows
    count = len(panels_of(refine_panels(rows, least)))
    size = f"min_panels={least}: {format_counted(count, 'panel', 'panels')} of {format_bytes(rows.nbytes // count)}"
    return size if count >= least else f"{size}; the data have no more pieces that are read by themselves"


def machines_of(engine: Engine, memory_limit: str | int | None) -> Machines:
    """Return what a plan knows of an engine; ``memory_limit`` is for one worker."""
    workers = engine.workers()
    threads = max(workers.threads, 1)
    per_worker = max(threads // max(workers.count, 1), 1)
    limit = workers.memory_bytes if memory_limit is None else min(parse_bytes(memory_limit) // per_worker, workers.memory_bytes)
    total = workers.memory_bytes * workers.threads
    return Machines(
        workers.where,
        max(threads // engine.replicas, 1),  # that many do different work
        limit,
        total // engine.replicas,
        engine.cache_bytes() // engine.replicas,
        lambda rows: len(tasks_of(rows, threads)),
        int(psutil.virtual_memory().available),
        engine.keeps_near,
    )
