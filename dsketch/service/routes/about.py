"""The service itself: what it offers, whether it is well, its figures."""

import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, Response

from dsketch._jsonable import plain
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS, Problem
from dsketch.problems.options import settings_of
from dsketch.problems.tables import TABLE
from dsketch.service.auth import Caller, Tokens
from dsketch.service.jobs_api import Desk
from dsketch.service.models import About, Health, Trouble
from dsketch.service.ready import READY, Readiness
from dsketch.service.routes.dependencies import Who, troubles
from dsketch.service.tokens_api import require_admin
from dsketch.settings import JOB, MEMORY_LIMIT, METHOD, OUT_DIR, Bytes, Numbers, Option
from dsketch.sketch import SKETCHES
from dsketch.version import __version__


def add_about(app: FastAPI, desk: Desk, tokens: Tokens, who: Who) -> None:
    """Add the routes of the service itself."""
    dispatcher = desk.dispatcher

    @app.get("/v1/service", tags=["service"], responses={200: {"model": About}, **troubles()})
    def about(caller: Annotated[Caller, Depends(who)]) -> Response:
        """Say what the service offers: places of data, problems with their words, limits."""
        roots = dispatcher.roots_of(caller.owner)
        facts = {
            "version": __version__,
            "owner": caller.owner,
            "is_admin": caller.is_admin,
            "role": caller.role,
            "needs_token": tokens.are_needed,
            "data_roots": [*map(str, roots.folders), *roots.prefixes],
            "out_roots": [*map(str, roots.outputs)],
            "dashboard": dispatcher.cluster.dashboard,
            "uploads": dispatcher.uploads.quota(),
            "most_jobs": dispatcher.rules.most_jobs,
            "job": [_tell(option) for option in JOB],
            "problems": [describe_problem(problem) for problem in PROBLEMS.values()],
        }
        return JSONResponse(plain(facts))


def add_figures(app: FastAPI, desk: Desk, tokens: Tokens, who: Who) -> None:
    """Add the routes by which the service is watched."""
    dispatcher = desk.dispatcher
    readiness = Readiness(dispatcher, tokens)

    @app.get("/healthz", tags=["service"], responses={200: {"model": Health}, 429: {"model": Trouble}})
    async def healthz() -> Response:
        """Say whether the process answers; waits for nothing."""
        return JSONResponse({"status": "well", "message": "the service answers"})

    @app.get("/readyz", tags=["service"], responses={200: {"model": Health}, 429: {"model": Trouble}, 503: {"model": Health}})
    async def readyz() -> Response:
        """Say whether jobs are accepted and taken from the line: tokens can be read, a file can be written."""
        status, message = await readiness.standing()
        return JSONResponse({"status": status, "message": message}, 200 if (status, message) == READY else 503)

    @app.get("/metrics", tags=["service"], responses={200: {"content": {"text/plain": {}}}, **troubles(403)})
    def metrics(caller: Annotated[Caller, Depends(who)]) -> Response:
        """Show figures for Prometheus; for admins, as they tell of everybody's jobs."""
        require_admin(caller)
        oldest = dispatcher.store.oldest_queued()
        age = 0.0 if oldest is None else max(time.time() - oldest, 0.0)
        return Response(dispatcher.metrics.text(dispatcher.store.counts(), age), media_type="text/plain; version=0.0.4")


def describe_problem(problem: type[Problem]) -> dict[str, Any]:
    """Return a problem as a form needs it."""
    how = {option.name: option for option in settings_of(problem)}
    table, by_targets = TABLE if problem.has_table else (), (OUT_DIR,) if problem.is_by_targets else ()
    return {
        "name": problem.name,
        "title": problem.title,
        "inputs": [_tell(option) for option in problem.inputs],
        "methods": list(how[METHOD.name].choices),
        "families": list(problem.families),
        "sketches": sorted(SKETCHES),
        "settings": [name for name in how if name != METHOD.name],
        "words": [_tell(option) for option in (*problem.options, problem.missing_option)],
        "options": [_tell(option) for option in (*how.values(), MEMORY_LIMIT, *table, *by_targets)],
    }


def _tell(option: Option) -> dict[str, Any]:
    """Return an option as a form needs it."""
    return {
        "name": option.name,
        "label": option.label or option.name,
        "kind": _KINDS.get(option.kind, option.kind.__name__),
        "default": option.default,
        "help": option.help,
        "choices": list(option.choices) or None,
    }


_KINDS = {Matrix: "data", Bytes: "size", Numbers: "numbers", Path: "place"}
