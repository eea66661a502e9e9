"""Data that runs may read: what lies in a folder, what a matrix is like."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query
from fastapi.responses import JSONResponse, Response

from dsketch.service.auth import Caller
from dsketch.service.browse import list_folder
from dsketch.service.data_facts import tell_data
from dsketch.service.jobs_api import Desk
from dsketch.service.models_data import Browsing, Chosen, DataOut, FolderOut
from dsketch.service.routes.dependencies import Who, troubles


def add_data(app: FastAPI, desk: Desk, who: Who) -> None:
    """Add the routes of data."""
    dispatcher = desk.dispatcher

    @app.get("/v1/data", tags=["service"], responses={200: {"model": FolderOut}, **troubles(403, 422)})
    def browse(asked: Annotated[Browsing, Query()], caller: Annotated[Caller, Depends(who)]) -> Response:
        """List a folder that runs may read: arrays with shape and dtype, groups, folders, files that can be ingested."""
        return JSONResponse(list_folder(dispatcher.roots_of(caller.owner), **asked.model_dump()))

    @app.get("/v1/data/facts", tags=["service"], responses={200: {"model": DataOut}, **troubles(403, 422)})
    def facts_of_data(asked: Annotated[Chosen, Query()], caller: Annotated[Caller, Depends(who)]) -> Response:
        """Tell shape, dtype, chunks, bytes and names of columns of a matrix; reads its metadata alone."""
        return JSONResponse(tell_data(dispatcher.roots_of(caller.owner), asked.place))
