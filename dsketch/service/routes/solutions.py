"""Answers of jobs: certificate, coefficients, errors, receipt, x."""

from itertools import chain, islice
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse

from dsketch._jsonable import plain
from dsketch.service.auth import Caller
from dsketch.service.folder import ID
from dsketch.service.jobs_api import Desk
from dsketch.service.models import (
    CoefficientsOut,
    ComparisonOut,
    Errors,
    JobOut,
    Picture,
    Prediction,
    ReceiptOut,
    ResidualsOut,
    Shown,
    SolutionOut,
)
from dsketch.service.npy_stream import NpyStream, span_of
from dsketch.service.routes.dependencies import Id, Key, Who, troubles
from dsketch.service.routes.waiting import Threads

_NPY = "application/octet-stream"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORMS = {"text/csv": {"schema": {"type": "string"}}, "application/vnd.apache.parquet": _BINARY, _NPY: _BINARY}
_PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The part that Range asks for.", "content": {_NPY: _BINARY}},
    416: {"description": "There is no such part."},
    **troubles(404, 409, 422),
}
FieldName = Annotated[str, Path(pattern="^[a-z0-9_]{1,60}$")]
Other = Annotated[str, Query(pattern=f"^{ID.pattern}$", description="Id of the job to compare with.")]
Target = Annotated[int, Query(ge=0, le=2**53 - 1, description="Column of b, counted from 0 in C order.")]
Form = Literal["json", "csv", "npy", "parquet"]


def add_residuals(app: FastAPI, desk: Desk, who: Who, threads: Threads) -> None:
    """Add the route of residuals."""

    @app.post(
        "/v1/jobs/{id}/residuals",
        tags=["solutions"],
        responses={200: {"model": ResidualsOut}, **troubles(403, 404, 409, 422, 503)},
    )
    async def residuals(id_: Id, wish: Picture, request: Request, caller: Annotated[Caller, Depends(who)]) -> Response:
        """Draw residuals of a sample of rows against fitted values and a column; reads some blocks. Ends when you hang up."""
        asked = wish.target, wish.column, wish.rows, wish.seed
        return JSONResponse(await threads.plan(request, await threads.end(desk.residuals, caller, id_, *asked)))


def add_solutions(app: FastAPI, desk: Desk, who: Who) -> None:
    """Add the routes of answers."""
    By = Annotated[Caller, Depends(who)]

    @app.get(
        "/v1/jobs/{id}/solution",
        tags=["solutions"],
        responses={200: {"model": SolutionOut, "content": _FORMS}, **troubles(404, 409, 422)},
    )
    def solution(id_: Id, caller: By, request: Request, form: Annotated[Form, Query(alias="format")] = "json") -> Response:
        """Fetch the answer: certificate and ledger as JSON, coefficients by name with their errors as CSV or Parquet, or x as npy."""
        if form == "json":
            return JSONResponse(desk.solution(caller, id_))
        if form == "npy":
            return x(id_, caller, request)
        table, name = desk.coefficients(caller, id_), f"{id_}-coefficients"
        if form == "csv":
            return StreamingResponse(table.lines(), media_type="text/csv", headers=_header_of(f"{name}.csv"))
        return Response(table.to_parquet(), media_type="application/vnd.apache.parquet", headers=_header_of(f"{name}.parquet"))

    @app.get(
        "/v1/jobs/{id}/coefficients", tags=["solutions"], responses={200: {"model": CoefficientsOut}, **troubles(404, 409, 422)}
    )
    def coefficients(id_: Id, shown: Annotated[Shown, Query()], caller: By) -> Response:
        """Fetch coefficients by name with what is known of their errors: of one target, or one of them for all targets, as a map."""
        found = desk.coefficients(caller, id_)
        if shown.coefficient is not None:
            return JSONResponse(found.map_of(shown.coefficient, shown.column))
        return JSONResponse(found.of_target(shown.target))

    @app.get("/v1/jobs/{id}/comparison", tags=["solutions"], responses={200: {"model": ComparisonOut}, **troubles(404, 422)})
    def comparison(id_: Id, other: Other, caller: By, target: Target = 0) -> Response:
        """Compare two jobs: options that differ, plan, ledger, certificate, and coefficients that differ by more than their errors."""
        return JSONResponse(plain(desk.compare(caller, id_, other, target)))

    @app.post(
        "/v1/jobs/{id}/errors",
        tags=["solutions"],
        status_code=201,
        responses={200: {"model": JobOut}, 201: {"model": JobOut}, **troubles(403, 404, 409, 422, 503)},
    )
    def errors(id_: Id, asked: Errors, caller: By, key: Key = None) -> Response:
        """Accept a job that computes standard errors, t or z and p of a solved one; its passes are not made again."""
        job, is_new = desk.summarize(caller, id_, asked.model_dump(exclude_none=True), key)
        return JSONResponse(plain(desk.describe(job, whole=True)), 201 if is_new else 200)

    @app.post(
        "/v1/jobs/{id}/predict",
        tags=["solutions"],
        status_code=201,
        responses={200: {"model": JobOut}, 201: {"model": JobOut}, **troubles(403, 404, 409, 422, 503)},
    )
    def predict(id_: Id, asked: Prediction, caller: By, key: Key = None) -> Response:
        """Accept a job that predicts new rows by the answer of a solved one; its x are the predictions."""
        job, is_new = desk.predict(caller, id_, asked.model_dump(exclude_none=True), key)
        return JSONResponse(plain(desk.describe(job, whole=True)), 201 if is_new else 200)

    @app.get("/v1/jobs/{id}/receipt", tags=["solutions"], responses={200: {"model": ReceiptOut}, **troubles(404, 409, 422)})
    def receipt(id_: Id, caller: By) -> Response:
        """Fetch the receipt of a finished job, signed by the service: what anybody who has the journal can audit the run by."""
        return Response(desk.receipt(caller, id_), media_type="application/json")

    @app.get(
        "/v1/jobs/{id}/solution/x",
        tags=["solutions"],
        responses={200: {"description": "x as a NumPy file; Range asks for a part.", "content": {_NPY: _BINARY}}, **_PARTS},
    )
    def x(id_: Id, caller: By, request: Request) -> Response:
        """Fetch x, whatever its size."""
        return _send_npy(desk.x(caller, id_), "x", request)

    @app.get(
        "/v1/jobs/{id}/solution/fields/{name}",
        tags=["solutions"],
        responses={
            200: {"description": "The array as a NumPy file; Range asks for a part.", "content": {_NPY: _BINARY}},
            **_PARTS,
        },
    )
    def field(id_: Id, name: FieldName, caller: By, request: Request) -> Response:
        """Fetch an array of an answer that has several, whatever its size: standard errors, t, p, counts."""
        return _send_npy(desk.field(caller, id_, name), name, request)


def _send_npy(found: FilePath | NpyStream, name: str, request: Request) -> Response:
    """Return a NumPy file, or the part that was asked for; what is stored in chunks is read as it is sent."""
    if isinstance(found, FilePath):
        return FileResponse(found, media_type=_NPY, filename=f"{name}.npy")
    span = span_of(request.headers.get("range"), found.nbytes)
    if span is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{found.nbytes}"})
    (start, stop), size = span, found.nbytes
    headers = {**_header_of(f"{name}.npy"), "Accept-Ranges": "bytes", "Content-Length": str(stop - start)}
    if stop - start < size:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status, pieces = 206 if stop - start < size else 200, found.pieces(start, stop)
    first = list(islice(pieces, 2))  # head and first numbers: what cannot be read at all is an error with a sentence
    return StreamingResponse(chain(first, pieces), status, headers, media_type=_NPY)


def _header_of(file: str) -> dict[str, str]:
    """Return the header by which a browser names what it saves."""
    return {"Content-Disposition": f'attachment; filename="{file}"'}
