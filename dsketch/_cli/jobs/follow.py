"""Watching a job until it rests."""

import time
from datetime import datetime

import click

from dsketch._cli.jobs.told import state_text
from dsketch._cli.program import Stopped
from dsketch._cli.session import listening, say
from dsketch._cli.show import print_json
from dsketch.client import Client, Document, event_from

_CODES = {"solved": 0, "not_solved": 1, "cancelled": 1, "failed": 2}


def follow_events(client: Client, id_: str, as_json: bool) -> int:
    """Draw what happens until the job rests, then say how it ended."""
    at = time.time()
    try:
        with listening(when=lambda: at) as tell:
            for event in client.follow(id_):
                at = _seconds_of(event)
                if (known := event_from(event)) is not None:
                    tell(known)
                elif event["event"] == "state":
                    say(f"{time.strftime('%H:%M:%S', time.localtime(at))} {state_text(event)}")
    except KeyboardInterrupt as stop:
        raise Stopped(f"stopped watching; the job goes on. Watch it again with: dsketch jobs follow {id_}") from stop
    job = client.show(id_)
    if as_json:
        print_json(job)
    elif job["state"] in ("solved", "not_solved"):
        click.echo(client.solution(id_)["text"])
    return _CODES.get(job["state"], 2)


def _seconds_of(event: Document) -> float:
    """Return when an event happened, in seconds since 1970; one that the service does not keep happens now."""
    return datetime.fromisoformat(event["at"]).timestamp() if "at" in event else time.time()
