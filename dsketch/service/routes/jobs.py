"""Plans and jobs."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from dsketch._jsonable import plain
from dsketch.service.auth import Caller
from dsketch.service.jobs_api import Desk
from dsketch.service.listing import Look
from dsketch.service.models_jobs import JobOut, Listing, Page, PlanOut, Question, Submission, Tagging
from dsketch.service.routes.dependencies import Id, Key, Who, troubles
from dsketch.service.routes.waiting import Threads


def add_plans(app: FastAPI, desk: Desk, who: Who, threads: Threads) -> None:
    """Add the route of plans."""

    @app.post(
        "/v1/plans",
        tags=["plans"],
        responses={200: {"model": PlanOut}, **troubles(403, 408, 413, 422, 503)},
    )
    async def plan(question: Question, request: Request, caller: Annotated[Caller, Depends(who)]) -> Response:
        """Say how a run would be made and what it would cost; reads a few blocks, solves nothing. Ends when you hang up."""
        return JSONResponse(await threads.plan(request, desk.plan(caller, question.spec)))


def add_jobs(app: FastAPI, desk: Desk, who: Who) -> None:
    """Add the routes of jobs."""
    By = Annotated[Caller, Depends(who)]

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
        job, is_new = desk.submit(caller, submission.spec, submission.name, key, submission.tags)
        response = _tell(desk, caller, job.id, 201 if is_new else 200)
        response.headers["Location"] = f"{request.scope.get('root_path', '')}/v1/jobs/{job.id}"
        return response

    @app.get("/v1/jobs", tags=["jobs"], responses={200: {"model": Page}, **troubles(422)})
    def page(listing: Annotated[Listing, Query()], caller: By) -> Response:
        """List jobs: newest first, unless another order is asked for; with the number of jobs in each state."""
        tags = tuple(listing.tag)
        look = Look(caller.sees, listing.state, listing.search, listing.order, listing.after, listing.limit, tags)
        jobs, more = desk.page(look)
        counts, owners = desk.counts(caller, listing.search, tags)
        shown = [desk.describe(job, whole=False) for job in jobs]
        return JSONResponse(plain({"jobs": shown, "next": more, "counts": counts, "owners": owners}))

    @app.get("/v1/jobs/{id}", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(404, 422)})
    def show(id_: Id, caller: By) -> Response:
        """Show a job: state, progress, plan, history."""
        return _tell(desk, caller, id_)

    @app.get(
        "/v1/jobs/{id}/log",
        tags=["jobs"],
        responses={
            200: {
                "content": {"text/plain": {"schema": {"type": "string"}}},
                "description": "Whole lines, 64 KiB at the most; `Dsketch-Next` is `after` of the next part, `Dsketch-Size` the log's.",
                "headers": {name: {"schema": {"type": "integer"}} for name in ("Dsketch-Next", "Dsketch-Size")},
            },
            **troubles(404, 422),
        },
    )
    def log(
        id_: Id, caller: By, after: Annotated[int, Query(ge=0, le=2**53 - 1, description="Bytes that are known.")] = 0
    ) -> Response:
        """Fetch what the job's process printed, such as the stack trace of a defect, from a place on."""
        part = desk.log(caller, id_, after)
        return PlainTextResponse(part.text, headers={"Dsketch-Next": str(part.next), "Dsketch-Size": str(part.size)})


def add_moves(app: FastAPI, desk: Desk, who: Who, threads: Threads) -> None:
    """Add the routes that tag, end, resume and remove jobs."""
    By = Annotated[Caller, Depends(who)]

    @app.patch("/v1/jobs/{id}", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(403, 404, 422, 503)})
    def tag(id_: Id, tagging: Tagging, caller: By) -> Response:
        """Give a job other tags, in whatever state it is."""
        return _tell(desk, caller, desk.tag(caller, id_, tagging.tags).id)

    @app.post("/v1/jobs/{id}/cancel", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(403, 404, 409, 422)})
    async def cancel(id_: Id, caller: By) -> Response:
        """End a job that waits or runs; answers when it has ended. Recorded passes are kept for resume."""
        return await threads.end(lambda: _tell(desk, caller, desk.cancel(caller, id_).id))

    @app.post("/v1/jobs/{id}/resume", tags=["jobs"], responses={200: {"model": JobOut}, **troubles(403, 404, 409, 422)})
    def resume(id_: Id, caller: By) -> Response:
        """Put a failed or cancelled job in line again; it goes on after its last recorded pass, with the same bits."""
        return _tell(desk, caller, desk.resume(caller, id_).id)

    @app.delete("/v1/jobs/{id}", tags=["jobs"], status_code=204, responses=troubles(403, 404, 409, 422))
    async def remove(id_: Id, caller: By) -> Response:
        """Remove a job that rests, with its answer and its records."""
        await threads.end(desk.remove, caller, id_)
        return Response(status_code=204)


def _tell(desk: Desk, caller: Caller, id_: str, status: int = 200) -> Response:
    return JSONResponse(plain(desk.describe(desk.job(caller, id_), whole=True)), status)
