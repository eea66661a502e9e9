"""Answers that a browser saves by itself: by a ticket, as a plain link has no header, and past the page's memory."""

import re
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from dsketch.errors import SpecError
from dsketch.service.answers_api import Answers
from dsketch.service.audit_log import note
from dsketch.service.auth import Caller, Tokens
from dsketch.service.coefficient_group import zip_group
from dsketch.service.coefficients import Coefficients
from dsketch.service.errors import ForbiddenMove, UnknownJob
from dsketch.service.jobs_api import Desk
from dsketch.service.models import Trouble
from dsketch.service.models_answers import TicketOut
from dsketch.service.npy_stream import NpyStream
from dsketch.service.routes.arrays import BINARY, NPY, header_of, send_npy
from dsketch.service.routes.dependencies import Id, Who, troubles
from dsketch.service.tickets import PATTERN, TICKET_SECONDS, Tickets

PARQUET = "application/vnd.apache.parquet"
ZIP = "application/zip"
FORMS: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}, PARQUET: BINARY, ZIP: BINARY, NPY: BINARY}
_TABLES = ("csv", "parquet", "zarr")
Of = Annotated[
    str,
    Query(
        pattern="^(x|csv|parquet|zarr|fields/[a-z0-9_]{1,60})$",
        description="x as npy, coefficients as csv, parquet or a Zarr group in a ZIP file, or one of the answer's arrays.",
    ),
]
TicketName = Annotated[str, Path(pattern=PATTERN)]


def add_downloads(app: FastAPI, desk: Desk, answers: Answers, who: Who, tokens: Tokens) -> None:
    """Add the route that gives tickets, and the one that takes them."""
    tickets = Tickets(tokens)

    @app.get("/v1/jobs/{id}/ticket", tags=["solutions"], responses={200: {"model": TicketOut}, **troubles(404, 409, 422)})
    def ticket(id_: Id, of: Of, request: Request, caller: Annotated[Caller, Depends(who)]) -> Response:
        """Ask for a path that opens a part of the answer once, within a minute, without the token: for a browser's own download."""
        _open_part(answers, caller, id_, of)
        name = tickets.issue(caller, id_, of, request.scope)
        return JSONResponse({"path": f"v1/downloads/{name}", "seconds": TICKET_SECONDS})

    @app.get(
        "/v1/downloads/{ticket}",
        tags=["solutions"],
        responses={
            200: {"description": "What the ticket was asked for.", "content": FORMS},
            206: {"description": "The part that Range asks for, of arrays.", "content": {NPY: BINARY}},
            404: {"model": Trouble, "description": "No such ticket: used, a minute old, or what it opened is gone."},
            416: {"description": "There is no such part."},
            422: {"model": Trouble, "description": "No ticket."},
            429: {"model": Trouble, "description": "Too many requests."},
        },
    )
    def download(ticket: TicketName, request: Request) -> Response:
        """Fetch what a ticket opens, with the job's name as that of the file; the ticket is used then."""
        found = tickets.redeem(ticket)
        request.scope["dsketch.caller"] = found.caller
        note(job=found.job)
        try:
            part, job = _open_part(answers, found.caller, found.job, found.of), desk.job(found.caller, found.job)
            return _send_part(part, found.of, stem_of(job.name, job.id), request)
        except (ForbiddenMove, SpecError) as error:
            raise UnknownJob(f"the answer of job {found.job} was expected; it is gone. Look at the job.") from error


def _open_part(answers: Answers, caller: Caller, id_: str, of: str) -> "Coefficients | FilePath | NpyStream":
    """Return a part of an answer that is to be sent.

    Raises
    ------
    UnknownJob, ForbiddenMove
    SpecError
        If a table would have too many lines.
    """
    if of in _TABLES:
        table = answers.coefficients(caller, id_)
        table.lines()
        return table
    return answers.x(caller, id_) if of == "x" else answers.field(caller, id_, of.removeprefix("fields/"))


def _send_part(found: "Coefficients | FilePath | NpyStream", of: str, stem: str, request: Request) -> Response:
    """Return it as a file that has the job's name."""
    if not isinstance(found, Coefficients):
        return send_npy(found, f"{stem}-{of.removeprefix('fields/')}", request)
    return send_table(found, of, stem)


def send_table(table: Coefficients, form: str, stem: str) -> Response:
    """Return coefficients as a file: csv, parquet, or a Zarr group in a ZIP file.

    Raises
    ------
    SpecError
        If the table has too many lines, or the service lacks what writes the form.
    """
    if form == "csv":
        return StreamingResponse(table.lines(), media_type="text/csv", headers=header_of(f"{stem}-coefficients.csv"))
    if form == "zarr":
        return Response(zip_group(table), media_type=ZIP, headers=header_of(f"{stem}-coefficients.zarr.zip"))
    return Response(table.to_parquet(), media_type=PARQUET, headers=header_of(f"{stem}-coefficients.parquet"))


def stem_of(name: str, id_: str) -> str:
    """Return how files of a job are called: by its name as far as that is plain, else by its id.

    >>> stem_of("rent, by rooms", "00ff"), stem_of("…", "00ff")
    ('rent-by-rooms', '00ff')
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or id_
