"""The service over HTTP: the application, its guards, and how it speaks of errors."""

import logging
from collections.abc import Iterable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from dsketch.errors import DsketchError
from dsketch.service.access import Access
from dsketch.service.answers_api import Answers
from dsketch.service.audit_log import REQUEST_ID, facts, note
from dsketch.service.auth import Tokens
from dsketch.service.errors import document_of, error_document, http_status_of
from dsketch.service.findings import sentence_of
from dsketch.service.jobs_api import Desk
from dsketch.service.middleware import Bodies, Headers, Hosts, Prefix, Rates, RequestBounds, path_below
from dsketch.service.routes.about import add_about, add_figures
from dsketch.service.routes.admin import add_admin
from dsketch.service.routes.arrays import add_arrays
from dsketch.service.routes.data import add_data
from dsketch.service.routes.dependencies import who_asks
from dsketch.service.routes.downloads import add_downloads
from dsketch.service.routes.events import add_events
from dsketch.service.routes.jobs import add_jobs, add_moves, add_plans
from dsketch.service.routes.solutions import add_residuals, add_solutions
from dsketch.service.routes.successors import add_successors
from dsketch.service.routes.uploads import add_uploads
from dsketch.service.routes.waiting import Threads
from dsketch.version import __version__

log = logging.getLogger("dsketch.service")

UI = Path(__file__).parent / "ui"


def application(
    desk: Desk,
    tokens: Tokens,
    *,
    host: str = "127.0.0.1",
    bounds: RequestBounds | None = None,
    allowed: Iterable[str] = (),
    root_path: str = "",
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    desk : Desk
        Started.
    tokens : Tokens
    host : str
        Where it will listen; decides which names are good.
    bounds : RequestBounds, optional
        Of requests.
    allowed : iterable of str
        Names by which a proxy reaches it; none: any where tokens are needed, else this machine's own.
    root_path : str
        Prefix under which a proxy shows it, such as ``/dsketch``; requests may come with or without it.
    """
    bounds = bounds or RequestBounds()
    threads = Threads()
    about = "Solve least-squares problems on a cluster: submit a run, follow its events, fetch x with its certificate."
    app = FastAPIOffline(title="dsketch", version=__version__, description=about, redoc_url=None, root_path=root_path)
    _speak_of_errors(app)
    who = who_asks(tokens)
    for add_waiting in (add_plans, add_moves):
        add_waiting(app, desk, who, threads)
    for add in (add_jobs, add_events, add_data):
        add(app, desk, who)
    answers = Answers(desk)
    add_residuals(app, answers, who, threads)
    for add_answers in (add_solutions, add_arrays, add_successors):
        add_answers(app, answers, who)
    for add_open in (add_about, add_figures, add_admin):
        add_open(app, desk, tokens, who)
    add_uploads(app, desk, who, bounds)
    add_downloads(app, desk, answers, who, tokens)
    _add_page(app)
    app.add_middleware(Bodies, bounds=bounds)
    app.add_middleware(Rates, bounds=bounds, tokens=tokens)
    app.add_middleware(Hosts, host=host, is_open=not tokens.are_needed, allowed=tuple(allowed))
    app.add_middleware(Headers)
    app.add_middleware(Access, tokens=tokens, metrics=desk.dispatcher.metrics)
    app.add_middleware(Prefix)
    return app


def _speak_of_errors(app: FastAPI) -> None:
    @app.exception_handler(DsketchError)
    async def ours(_: Request, error: DsketchError) -> Response:
        status = http_status_of(error)
        note(error=type(error).__name__)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "5"} if status in (429, 503) else None
        return JSONResponse(document_of(error), status, headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        return JSONResponse(error_document("SpecError", sentence_of(error.errors())), 422)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        said = {
            404: f"a path of the API was expected; got {path_below(request.scope)[:200]!r}. See /docs.",
            405: f"another method was expected for this path; got {request.method}. See /docs.",
            400: "a JSON object was expected as the body; it cannot be parsed. Send valid JSON.",
        }.get(error.status_code, str(error.detail))
        status = 422 if error.status_code == 400 else error.status_code
        return JSONResponse(error_document("SpecError", said), status, getattr(error, "headers", None))

    @app.exception_handler(Exception)
    async def defect(_: Request, __: Exception) -> Response:
        id_ = facts().get("request", "")  # Access stands inside of this handler: its header is set here
        log.error("request %s met a defect", id_)
        document = error_document("Defect", "the service met a defect of its own. Report it with the service's log.")
        return JSONResponse(document, 500, {REQUEST_ID: id_} if id_ else None)


def _add_page(app: FastAPI) -> None:
    if UI.is_dir():
        app.mount("/", StaticFiles(directory=UI, html=True), name="page")
        return

    @app.get("/", include_in_schema=False)
    def front() -> Response:
        return RedirectResponse("docs")
