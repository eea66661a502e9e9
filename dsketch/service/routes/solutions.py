"""Answers of jobs: certificate, coefficients, errors, receipt, x."""

from typing import Annotated, Literal

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
    Place,
    Prediction,
    ReceiptOut,
    ResidualsOut,
    Shown,
    SolutionOut,
)
from dsketch.service.routes.dependencies import Id, Key, Who, troubles
from dsketch.service.routes.waiting import Threads

_NPY = "application/octet-stream"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORMS = {"text/csv": {"schema": {"type": "string"}}, "application/vnd.apache.parquet": _BINARY, _NPY: _BINARY}
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
    def solution(id_: Id, caller: By, form: Annotated[Form, Query(alias="format")] = "json") -> Response:
        """Fetch the answer: certificate and ledger as JSON, coefficients by name with their errors as CSV or Parquet, or x as npy."""
        if form == "json":
            return JSONResponse(desk.solution(caller, id_))
        if form == "npy":
            return x(id_, caller)
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
        responses={
            200: {
                "description": "x as a NumPy file; where x has as many rows as data, where its Zarr array lies.",
                "model": Place,
                "content": {_NPY: {"schema": {"type": "string", "format": "binary"}}},
            },
            **troubles(404, 409, 422),
        },
    )
    def x(id_: Id, caller: By) -> Response:
        """Fetch x."""
        path = desk.x(caller, id_)
        if path.suffix == ".npy":
            return FileResponse(path, media_type=_NPY, filename="x.npy")
        facts = desk.solution(caller, id_)["x"]
        return JSONResponse({"zarr": str(path), "shape": facts["shape"], "dtype": facts["dtype"]})

    @app.get(
        "/v1/jobs/{id}/solution/fields/{name}",
        tags=["solutions"],
        responses={200: {"description": "The array as a NumPy file.", "content": {_NPY: _BINARY}}, **troubles(404, 409, 422)},
    )
    def field(id_: Id, name: FieldName, caller: By) -> Response:
        """Fetch an array of an answer that has several: standard errors, t, p, counts."""
        return FileResponse(desk.field(caller, id_, name), media_type=_NPY, filename=f"{name}.npy")


def _header_of(file: str) -> dict[str, str]:
    """Return the header by which a browser names what it saves."""
    return {"Content-Disposition": f'attachment; filename="{file}"'}
