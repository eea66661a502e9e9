"""Jobs that are made of a solved one: its standard errors, predictions by it."""

from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, Response

from dsketch._jsonable import plain
from dsketch.service.auth import Caller
from dsketch.service.jobs_api import Desk
from dsketch.service.models import Errors, JobOut, Prediction
from dsketch.service.routes.dependencies import Id, Key, Who, troubles


def add_successors(app: FastAPI, desk: Desk, who: Who) -> None:
    """Add the routes of jobs that follow from a job."""
    By = Annotated[Caller, Depends(who)]

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
