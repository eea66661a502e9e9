"""The events of a job as a stream."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import Response, StreamingResponse

from dsketch.service.auth import Caller
from dsketch.service.errors import RateError, TokenError, UnknownJob
from dsketch.service.jobs_api import Desk
from dsketch.service.routes.dependencies import Id, Who, troubles

_MOST_STREAMS = 64  # one owner has at most so many at a time; each holds a connection
_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


def add_events(app: FastAPI, desk: Desk, who: Who) -> None:
    """Add the route of events."""
    streams: dict[str, int] = {}
    hub = desk.dispatcher.hub

    @app.get(
        "/v1/jobs/{id}/events",
        tags=["jobs"],
        response_class=StreamingResponse,
        responses={
            200: {"content": _STREAM, "description": "Server-sent events; the stream ends when the job rests."},
            204: {"description": "The job rests, and nothing came after that event."},
            **troubles(404, 422),
        },
    )
    async def events(
        id_: Id,
        request: Request,
        caller: Annotated[Caller, Depends(who)],
        last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,15}$")] = None,
    ) -> Response:
        """Follow a job. Reconnect with ``Last-Event-ID`` to get what came after that event."""
        job = await anyio.to_thread.run_sync(desk.job, caller, id_)
        after = int(last_event_id or 0)
        if after and job.state.is_resting and not await anyio.to_thread.run_sync(hub.events_after, id_, after):
            return Response(status_code=204)
        if streams.get(caller.owner, 0) >= _MOST_STREAMS:
            raise RateError(f"at most {_MOST_STREAMS} streams at a time were expected; all are taken. Close some.")

        def rests() -> bool:
            try:
                return desk.job(caller, id_).state.is_resting
            except UnknownJob:
                return True

        async def lines() -> AsyncIterator[bytes]:
            streams[caller.owner] = streams.get(caller.owner, 0) + 1
            try:
                with contextlib.suppress(TokenError):  # who is let in no more hears no more, from the next event on
                    async for event in hub.follow(id_, after, rests):
                        await who(request, request.headers.get("authorization"))
                        yield _encode_event(event)
            finally:
                streams[caller.owner] -= 1

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


def _encode_event(event: dict[str, Any]) -> bytes:
    """Return an event as a stream has it; one without content keeps the connection alive."""
    if not event:
        return b": still there\n\n"
    number = f"id: {event['id']}\n" if "id" in event else ""
    return f"{number}event: {event['event']}\ndata: {json.dumps(event)}\n\n".encode()
