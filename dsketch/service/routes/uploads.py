"""Files that callers send, as data of their runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from dsketch.service.audit_log import note
from dsketch.service.auth import Caller
from dsketch.service.errors import error_document
from dsketch.service.jobs_api import Desk
from dsketch.service.middleware import UPLOADS, RequestBounds
from dsketch.service.models_data import UploadOut, UploadsOut
from dsketch.service.routes.dependencies import Who, troubles
from dsketch.service.upload_names import NAME
from dsketch.service.uploads import Coming

_SENDERS = 8  # so many files come at a time; more of them wait, and hold no thread while they do
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "required": True}
UploadName = Annotated[str, Path(pattern=f"^{NAME.pattern}$", description="Of an upload.")]
Given = Annotated[
    str,
    Query(
        min_length=1,
        max_length=255,
        alias="name",
        description="Of the file; folders in it are dropped, other signs than letters, digits, . _ - become _.",
    ),
]


def add_uploads(app: FastAPI, desk: Desk, who: Who, bounds: RequestBounds) -> None:
    """Add the routes of uploads."""
    By = Annotated[Caller, Depends(who)]
    dispatcher = desk.dispatcher
    uploads, limiter = dispatcher.uploads, anyio.CapacityLimiter(_SENDERS)

    @app.post(
        UPLOADS,
        tags=["uploads"],
        status_code=201,
        openapi_extra={"requestBody": _BODY},
        responses={
            200: {"model": UploadOut, "description": "The same bytes are there under this name."},
            201: {"model": UploadOut},
            **troubles(403, 408, 409, 413, 422, 503),
        },
    )
    async def upload(name: Given, request: Request, caller: By) -> Response:
        """Send a CSV, TSV, Parquet, npy or npz file as the body; runs of yours may read it as ``upload:NAME``."""
        declared = request.headers.get("content-length", "")
        size = int(declared) if declared.isdigit() else None
        coming = await anyio.to_thread.run_sync(uploads.begin, caller.owner, name, size, limiter=limiter)
        note(data=[coming.name])
        try:
            await _receive(request, coming, bounds, limiter)
            about, is_new = await anyio.to_thread.run_sync(coming.keep, limiter=limiter)
            return JSONResponse(about, 201 if is_new else 200)
        except (TimeoutError, ClientDisconnect):
            said = "a file that goes on coming was expected; it stopped or came too slowly. Send it again."
            return JSONResponse(error_document("SlowRequest", said), 408, {"Connection": "close"})
        finally:
            coming.close()

    @app.get(UPLOADS, tags=["uploads"], responses={200: {"model": UploadsOut}, **troubles()})
    def list_uploads(caller: By) -> Response:
        """List your uploads, newest first, with what is left to you; an admin sees no others'."""
        return JSONResponse(uploads.describe(caller.owner))

    @app.delete(UPLOADS + "/{name}", tags=["uploads"], status_code=204, responses=troubles(403, 404, 409, 422))
    def remove(name: UploadName, caller: By) -> Response:
        """Remove an upload with the matrices made of it, unless a job that waits or runs reads it."""
        note(data=[name])
        uploads.remove(caller.owner, name, dispatcher.is_upload_read)
        return Response(status_code=204)


async def _receive(request: Request, coming: Coming, bounds: RequestBounds, limiter: anyio.CapacityLimiter) -> None:
    """Take a file as it comes, no more slowly than the largest body of another request may come.

    Raises
    ------
    TimeoutError
        If it does.
    ClientDisconnect
        If the client went.
    """
    began, stream = time.monotonic(), aiter(request.stream())
    while True:
        until = began + bounds.patience_seconds * (1 + coming.count / bounds.body_bytes)
        piece = await asyncio.wait_for(_next_piece(stream), max(until - time.monotonic(), 0.0))
        if piece is None:
            return
        await anyio.to_thread.run_sync(coming.write, piece, limiter=limiter)


async def _next_piece(stream: AsyncIterator[bytes]) -> bytes | None:
    return await anext(stream, None)
