"""Make a plan: probe the data, describe the means, price the candidates."""

from typing import Any

from dsketch.cost import Means
from dsketch.engine import Engine
from dsketch.engine.panels import tasks_of
from dsketch.engine.worker import CACHE_SHARE
from dsketch.methods.base import Settings
from dsketch.plan import Plan, check_words, choose
from dsketch.probe import Probe, probe
from dsketch.problems.base import LinearProblem
from dsketch.units import format_bytes, format_count, parse_bytes


def make_plan(
    problem: LinearProblem,
    method: str,
    settings: Settings,
    engine: Engine,
    memory_limit: str | int | None,
    options: dict[str, Any],
) -> Plan:
    """Return the plan for a problem on an engine.

    Raises
    ------
    SpecError
        For unknown names.
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    check_words(method, settings, problem.shape[1])
    found = probe(problem)
    workers = engine.workers()
    means = _means(problem, found, engine, memory_limit)
    name, estimates, rejected, why = choose(method, settings, means, found)
    n, d = problem.shape
    sides = f", {means.k} right-hand sides" if means.k > 1 else ""
    return Plan(
        name,
        settings,
        estimates[name],
        rejected,
        f"{format_count(n)} × {format_count(d)} {problem.rows.A.dtype}{sides} · "
        f"{format_bytes(problem.rows.nbytes)} · {problem.rows.A.describe()}",
        f"{workers.where} · {format_bytes(means.memory_bytes)} a thread · reads "
        f"{format_bytes(found.read_bytes_per_second)}/s a thread (probed)",
        why,
        estimates[name].passes * problem.rows.nbytes,
        found.condition,
        means.memory_bytes,
        problem,
        options,
    )


def _means(problem: LinearProblem, found: Probe, engine: Engine, memory_limit: str | int | None) -> Means:
    workers, rows = engine.workers(), problem.rows
    per_worker = max(workers.threads // max(workers.count, 1), 1)
    limit = workers.memory_bytes if memory_limit is None else min(parse_bytes(memory_limit) // per_worker, workers.memory_bytes)
    # Raw bytes stay in the page cache of the machine, which workers' limits do not see; decoded blocks stay in theirs.
    kept = workers.memory_bytes * workers.threads * (1.0 if rows.A.is_raw else CACHE_SHARE)
    return Means(
        n=problem.shape[0],
        d=problem.shape[1],
        k=problem.sides,
        total_bytes=rows.nbytes,
        block_bytes=found.block_bytes,
        float_bytes=8 * problem.shape[0] * problem.shape[1],
        threads=max(workers.threads, 1),
        memory_bytes=limit,
        cold_bytes_per_second=found.read_bytes_per_second,
        stays_warm=rows.nbytes <= kept,
        tasks=len(tasks_of(rows, max(workers.threads, 1))),
        blocks=1 if rows.A.is_raw else 2,
    )
