"""Jobs that are made of a solved one: its standard errors, predictions by it."""

from functools import partial
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, Response

from dsketch._jsonable import plain
from dsketch.service.answers_api import Answers
from dsketch.service.auth import Caller
from dsketch.service.job import Job
from dsketch.service.models_answers import Errors, Prediction
from dsketch.service.models_jobs import JobOut
from dsketch.service.routes.dependencies import Id, Key, Who, troubles


def add_successors(app: FastAPI, answers: Answers, who: Who) -> None:
    """Add the routes of jobs that follow from a job."""
    By = Annotated[Caller, Depends(who)]
    outcomes = {200: {"model": JobOut}, 201: {"model": JobOut}, **troubles(403, 404, 409, 422, 503)}
    post = partial(app.post, tags=["solutions"], status_code=201, responses=outcomes)

    def tell(made: tuple[Job, bool]) -> Response:
        job, is_new = made
        return JSONResponse(plain(answers.desk.describe(job, whole=True)), 201 if is_new else 200)

    @post("/v1/jobs/{id}/errors")
    def errors(id_: Id, asked: Errors, caller: By, key: Key = None) -> Response:
        """Accept a job that computes standard errors, t or z and p of a solved one; its passes are not made again."""
        return tell(answers.summarize(caller, id_, asked.model_dump(exclude_none=True), key))

    @post("/v1/jobs/{id}/predict")
    def predict(id_: Id, asked: Prediction, caller: By, key: Key = None) -> Response:
        """Accept a job that predicts new rows by the answer of a solved one; its x are the predictions."""
        return tell(answers.predict(caller, id_, asked.model_dump(exclude_none=True), key))
