"""Answers of jobs: certificate, coefficients, comparison, residuals, receipt."""

from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from dsketch._jsonable import plain
from dsketch.service.answers_api import Answers
from dsketch.service.auth import Caller
from dsketch.service.job import ID
from dsketch.service.models_answers import CoefficientsOut, ComparisonOut, ReceiptOut, Shown, SolutionOut
from dsketch.service.models_residuals import Picture, ResidualsOut
from dsketch.service.routes.arrays import send_npy
from dsketch.service.routes.dependencies import Id, Who, troubles
from dsketch.service.routes.downloads import FORMS, send_table
from dsketch.service.routes.waiting import Threads

Other = Annotated[str, Query(pattern=f"^{ID.pattern}$", description="Id of the job to compare with.")]
Target = Annotated[int, Query(ge=0, le=2**53 - 1, description="Column of b, counted from 0 in C order.")]
Form = Literal["json", "csv", "npy", "parquet", "zarr"]


def add_residuals(app: FastAPI, answers: Answers, who: Who, threads: Threads) -> None:
    """Add the route of residuals."""

    @app.post(
        "/v1/jobs/{id}/residuals",
        tags=["solutions"],
        responses={200: {"model": ResidualsOut}, **troubles(403, 404, 409, 422, 503)},
    )
    async def residuals(id_: Id, wish: Picture, request: Request, caller: Annotated[Caller, Depends(who)]) -> Response:
        """Draw residuals of a sample of rows against fitted values and a column; reads some blocks. Ends when you hang up."""
        asked = wish.target, wish.column, wish.rows, wish.seed
        return JSONResponse(await threads.plan(request, await threads.end(answers.residuals, caller, id_, *asked)))


def add_solutions(app: FastAPI, answers: Answers, who: Who) -> None:
    """Add the routes of answers."""
    By = Annotated[Caller, Depends(who)]

    @app.get(
        "/v1/jobs/{id}/solution",
        tags=["solutions"],
        responses={200: {"model": SolutionOut, "content": FORMS}, **troubles(404, 409, 422)},
    )
    def solution(id_: Id, caller: By, request: Request, form: Annotated[Form, Query(alias="format")] = "json") -> Response:
        """Fetch the answer: certificate and ledger as JSON, coefficients by name with their errors as CSV, Parquet or Zarr, or x as npy."""
        if form == "json":
            return JSONResponse(answers.solution(caller, id_))
        if form == "npy":
            return send_npy(answers.x(caller, id_), "x", request)
        return send_table(answers.coefficients(caller, id_), form, id_)

    @app.get(
        "/v1/jobs/{id}/coefficients", tags=["solutions"], responses={200: {"model": CoefficientsOut}, **troubles(404, 409, 422)}
    )
    def coefficients(id_: Id, shown: Annotated[Shown, Query()], caller: By) -> Response:
        """Fetch coefficients by name with what is known of their errors: of one target, or one of them for all targets, as a map."""
        found = answers.coefficients(caller, id_)
        if shown.coefficient is not None:
            return JSONResponse(found.map_of(shown.coefficient, shown.column))
        return JSONResponse(found.of_target(shown.target))

    @app.get("/v1/jobs/{id}/comparison", tags=["solutions"], responses={200: {"model": ComparisonOut}, **troubles(404, 422)})
    def comparison(id_: Id, other: Other, caller: By, target: Target = 0) -> Response:
        """Compare two jobs: options that differ, plan, ledger, certificate, and coefficients that differ by more than their errors."""
        return JSONResponse(plain(answers.compare(caller, id_, other, target)))

    @app.get("/v1/jobs/{id}/receipt", tags=["solutions"], responses={200: {"model": ReceiptOut}, **troubles(404, 409, 422)})
    def receipt(id_: Id, caller: By) -> Response:
        """Fetch the receipt of a finished job, signed by the service: what anybody who has the journal can audit the run by."""
        return Response(answers.receipt(caller, id_), media_type="application/json")
