"""Jobs of a service: plan, submit, list, look, follow, cancel, resume, remove."""

import time
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from dsketch import events
from dsketch.client.connection import FIRST_PAUSE_SECONDS, PATIENT_SECONDS, Connection, Document, job_path
from dsketch.client.sendable import sendable
from dsketch.errors import EngineError

_LONGEST_PAUSE_SECONDS = 5.0  # no pause of one who follows a job is longer
_RESTART_SECONDS = 120.0  # one who follows a job waits so long for a service that was there


class Jobs(Connection):
    """The verbs of jobs."""

    def plan(self, spec: Document | None = None, /, **options: Any) -> Document:
        """Return how a run would be made, as :meth:`dsketch.Plan.to_dict`; parameters as in :meth:`submit`."""
        return self._json("POST", "/v1/plans", body={"spec": sendable({**(spec or {}), **options})}, seconds=PATIENT_SECONDS)

    def submit(
        self, spec: Document | None = None, /, *, name: str = "", key: str | None = None, tags: Iterable[str] = (), **options: Any
    ) -> Document:
        """Hand in a run and return its job.

        Parameters
        ----------
        spec : dict, optional
            The document of the run (:mod:`dsketch.service.specs`).
        name : str
            For people.
        key : str, optional
            The same key with the same run gives the same job; None: a new one.
        tags : iterable of str
            To find jobs by that belong together.
        **options
            Of the document, instead of or over ``spec``: ``problem, A, b, alpha, method, tol, seed, out, priority, limits`` ….
            Data are named by the path or URL that the service reads.

        Returns
        -------
        dict
            The job; its ``id`` is for the other verbs.

        Raises
        ------
        SpecError
            If a word is data itself, or what the service refuses.
        """
        headers = {"Idempotency-Key": key or uuid4().hex}
        body = {"spec": sendable({**(spec or {}), **options}), "name": name, **({"tags": tags} if (tags := [*tags]) else {})}
        return self._json("POST", "/v1/jobs", body=body, headers=headers)

    def list(
        self, state: str | None = None, *, search: str = "", order: str = "newest", tags: Iterable[str] = ()
    ) -> Iterator[Document]:
        """Yield the jobs that the token may see.

        Parameters
        ----------
        state : str, optional
            Only those in this state.
        search : str
            Only those with all these words in name, owner, problem, data, tags or id.
        order : str
            ``newest``, ``oldest``, ``active`` (what runs first, then what waits), ``state``, ``name``, ``problem``, ``owner``, ``passes``
            or ``work`` (the least first); with a minus before it, as ``-name``, from its end.
        tags : iterable of str
            Only those that have all of these.
        """
        asked = {"state": state, "search": search or None, "order": None if order == "newest" else order, "tag": [*tags] or None}
        after: str | None = None
        while True:
            given = {name: value for name, value in {**asked, "after": after}.items() if value is not None}
            page = self._json("GET", "/v1/jobs", params=given)
            yield from page["jobs"]
            after = page["next"]
            if after is None:
                return

    def show(self, id_: str) -> Document:
        """Return a job: state, progress, plan, history."""
        return self._json("GET", job_path(id_))

    def follow(self, id_: str, after: int = 0) -> Iterator[Document]:
        """Yield the events of a job as they come, until it rests; kept ones are yielded once, also over a broken connection.

        Parameters
        ----------
        id_ : str
        after : int
            Number of the last event that is known already.
        """
        failures, patience, heard_at = 0, 0.0, time.monotonic()
        while True:
            try:
                for event in self._stream(id_, after):
                    failures, patience, heard_at = 0, _RESTART_SECONDS, time.monotonic()
                    after = event.get("id", after)
                    yield event
                if self.show(id_)["state"] in ("solved", "not_solved", "failed", "cancelled"):
                    return
            except (EngineError, *self._unreachable) as error:
                failures += 1
                if failures >= self._attempts and time.monotonic() - heard_at > patience:
                    raise self._unreachable_error(error) from error
            time.sleep(min(FIRST_PAUSE_SECONDS * 2 ** max(failures - 1, 0), _LONGEST_PAUSE_SECONDS))

    def tag(self, id_: str, tags: Iterable[str]) -> Document:
        """Give a job these tags in place of those that it has, and return it."""
        return self._json("PATCH", job_path(id_), body={"tags": [*tags]})

    def cancel(self, id_: str) -> Document:
        """End a job that waits or runs, and return it ended."""
        return self._json("POST", f"{job_path(id_)}/cancel")

    def resume(self, id_: str) -> Document:
        """Put a failed or cancelled job in line again, and return it."""
        return self._json("POST", f"{job_path(id_)}/resume")

    def log(self, id_: str) -> Iterator[str]:
        """Yield what the process of a job has printed so far, some lines at a time."""
        after, size = 0, 1
        while after < size:
            response = self._send("GET", f"{job_path(id_)}/log", params={"after": after})
            yield response.text
            before, after, size = after, *(int(response.headers[name]) for name in ("dsketch-next", "dsketch-size"))
            if after == before:
                return

    def rm(self, id_: str) -> None:
        """Remove a job that rests, with its answer."""
        self._send("DELETE", job_path(id_))


def event_from(event: Document) -> events.Event | None:
    """Return an event of the service as a listener of a run knows it; None for one that only the service has."""
    kinds: dict[str, Any] = {
        "pass_started": events.PassStarted,
        "progress": events.Progress,
        "pass_finished": events.PassFinished,
        "converged": events.Converged,
        "note": events.Note,
    }
    kind = kinds.get(event["event"])
    return None if kind is None else kind(**{name: event[name] for name in kind.__dataclass_fields__})
