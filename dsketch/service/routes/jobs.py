"""Plans, jobs and their answers."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from dsketch._jsonable import plain
from dsketch.service.auth import Caller
from dsketch.service.jobs_api import Desk
from dsketch.service.models import JobOut, Listing, Page, Place, PlanOut, Question, ReceiptOut, SolutionOut, Submission
from dsketch.service.routes.dependencies import Id, Who, troubles
from dsketch.service.routes.waiting import Threads

_NPY = "application/octet-stream"

FieldName = Annotated[str, Path(pattern="^[a-z0-9_]{1,60}$")]


def add_plans(app: FastAPI, desk: Desk, who: Who, threads: Threads) -> None:
    """Add the route of plans."""

    @app.post(
        "/v1/plans",
        tags=["plans"],
        dependencies=[Depends(who)],
        responses={200: {"model": PlanOut}, **troubles(403, 408, 413, 422, 503)},
    )
    async def plan(question: Question, request: Request) -> Response:
        """Say how a run would be made and what it would cost; reads a few blocks, solves nothing. Ends when you hang up."""
        return JSONResponse(await threads.plan(request, desk.plan(question.spec)))


def add_jobs(app: FastAPI, desk: Desk, who: Who, threads: Threads) -> None:
    """Add the routes of jobs."""
    By = Annotated[Caller, Depends(who)]
    Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern="^[!-~ ]+$")]

    def answer(id_: str, caller: Caller, status: int = 200) -> Response:
        return JSONResponse(plain(desk.describe(desk.job(caller, id_), whole=True)), status)

    @app.post(
        "/v1/jobs",
        tags=["jobs"],
        status_code=201,
        responses={
            200: {"model": JobOut, "description": "The key came before with the same request: the job that it made."},
            201: {"model": JobOut, "description": "Accepted; it is never lost from now on."},
            **troubles(403, 408, 409, 413, 422, 503),
        },
    )
    def submit(submission: Submission, request: Request, caller: By, key: Key = None) -> Response:
        """Accept a run. With an ``Idempotency-Key`` the same request may be sent again, and makes one job."""
        job, is_new = desk.submit(caller, submission.spec, submission.name, key)
        response = answer(job.id, caller, 201 if is_new else 200)
        response.headers["Location"] = f"{request.scope.get('root_path', '')}/v1/jobs/{job.id}"
        return response

    @app.get("/v1/jobs", tags=["jobs"], responses={200: {"model": Page}, **troubles(422)})
    def page(listing: Annotated[Listing, Query()], caller: By) -> Response:
        """List jobs, newest first."""
        jobs = desk.page(caller, listing.state, listing.after, listing.limit + 1)
        shown = jobs[: listing.limit]
        more = shown[-1].id if len(jobs) > listing.limit else None
        return JSONResponse(plain({"jobs": [desk.describe(job, whole=False) for job in shown], "next": more}))

    @app.get("/v1/jobs/{id}", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(404, 422)})
    def show(id_: Id, caller: By) -> Response:
        """Show a job: state, progress, plan, history."""
        return answer(id_, caller)

    @app.post("/v1/jobs/{id}/cancel", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(404, 409, 422)})
    async def cancel(id_: Id, caller: By) -> Response:
        """End a job that waits or runs; answers when it has ended. Recorded passes are kept for resume."""
        return await threads.end(lambda: answer(desk.cancel(caller, id_).id, caller))

    @app.post("/v1/jobs/{id}/resume", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(404, 409, 422)})
    def resume(id_: Id, caller: By) -> Response:
        """Put a failed or cancelled job in line again; it goes on after its last recorded pass, with the same bits."""
        return answer(desk.resume(caller, id_).id, caller)

    @app.delete("/v1/jobs/{id}", tags=["jobs"], status_code=204, responses=troubles(404, 409, 422))
    async def remove(id_: Id, caller: By) -> Response:
        """Remove a job that rests, with its answer and its records."""
        await threads.end(desk.remove, caller, id_)
        return Response(status_code=204)


def add_solutions(app: FastAPI, desk: Desk, who: Who) -> None:
    """Add the routes of answers."""
    By = Annotated[Caller, Depends(who)]

    @app.get("/v1/jobs/{id}/solution", tags=["solutions"], responses={200: {"model": SolutionOut}, **troubles(404, 409, 422)})
    def solution(id_: Id, caller: By) -> Response:
        """Fetch the answer without x: status, certificate, ledger of passes."""
        return JSONResponse(desk.solution(caller, id_))

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
        responses={
            200: {
                "description": "The array as a NumPy file.",
                "content": {_NPY: {"schema": {"type": "string", "format": "binary"}}},
            },
            **troubles(404, 409, 422),
        },
    )
    def field(id_: Id, name: FieldName, caller: By) -> Response:
        """Fetch an array of an answer that has several: standard errors, t, p, counts."""
        return FileResponse(desk.field(caller, id_, name), media_type=_NPY, filename=f"{name}.npy")
