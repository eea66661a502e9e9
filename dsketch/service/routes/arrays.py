"""Arrays of answers as NumPy files: whole, or the part that is asked for."""

from itertools import chain, islice
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from dsketch.service.answers_api import Answers
from dsketch.service.auth import Caller
from dsketch.service.npy_stream import NpyStream, span_of
from dsketch.service.routes.dependencies import Id, Who, troubles

NPY = "application/octet-stream"
BINARY = {"schema": {"type": "string", "format": "binary"}}
_PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The part that Range asks for.", "content": {NPY: BINARY}},
    416: {"description": "There is no such part."},
    **troubles(404, 409, 422),
}
FieldName = Annotated[str, Path(pattern="^[a-z0-9_]{1,60}$")]


def add_arrays(app: FastAPI, answers: Answers, who: Who) -> None:
    """Add the routes of x and of the other arrays of an answer."""
    By = Annotated[Caller, Depends(who)]

    @app.get(
        "/v1/jobs/{id}/solution/x",
        tags=["solutions"],
        responses={200: {"description": "x as a NumPy file; Range asks for a part.", "content": {NPY: BINARY}}, **_PARTS},
    )
    def x(id_: Id, caller: By, request: Request) -> Response:
        """Fetch x, whatever its size."""
        return send_npy(answers.x(caller, id_), "x", request)

    @app.get(
        "/v1/jobs/{id}/solution/fields/{name}",
        tags=["solutions"],
        responses={
            200: {"description": "The array as a NumPy file; Range asks for a part.", "content": {NPY: BINARY}},
            **_PARTS,
        },
    )
    def field(id_: Id, name: FieldName, caller: By, request: Request) -> Response:
        """Fetch an array of an answer that has several, whatever its size: standard errors, t, p, counts."""
        return send_npy(answers.field(caller, id_, name), name, request)


def send_npy(found: FilePath | NpyStream, name: str, request: Request) -> Response:
    """Return a NumPy file, or the part that was asked for; what is stored in chunks is read as it is sent."""
    if isinstance(found, FilePath):
        return FileResponse(found, media_type=NPY, filename=f"{name}.npy")
    span = span_of(request.headers.get("range"), found.nbytes)
    if span is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{found.nbytes}"})
    (start, stop), size = span, found.nbytes
    headers = {**header_of(f"{name}.npy"), "Accept-Ranges": "bytes", "Content-Length": str(stop - start)}
    if stop - start < size:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status, pieces = 206 if stop - start < size else 200, found.pieces(start, stop)
    first = list(islice(pieces, 2))  # head and first numbers: what cannot be read at all is an error with a sentence
    return StreamingResponse(chain(first, pieces), status, headers, media_type=NPY)


def header_of(file: str) -> dict[str, str]:
    """Return the header by which a browser names what it saves."""
    return {"Content-Disposition": f'attachment; filename="{file}"'}
