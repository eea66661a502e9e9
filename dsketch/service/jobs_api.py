"""The verbs of the service, as somebody may use them: submit, look, cancel, resume, remove, plan; no HTTP."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from dsketch.problems.outcome import Status
from dsketch.service.audit_log import note
from dsketch.service.auth import Caller
from dsketch.service.dispatch import Dispatcher
from dsketch.service.errors import RateError, UnknownJob
from dsketch.service.folder import Folder
from dsketch.service.job import ID, Job, State, stamp
from dsketch.service.job_log import LogPart, read_log
from dsketch.service.listing import Look, cursor_of
from dsketch.service.plans import Planning, Plans
from dsketch.service.specs import Spec

_KNOWN_METHODS = 4_096  # of jobs; more of them are looked up in their folders again

acts = logging.getLogger("dsketch.service.acts")


class Desk:
    """Where requests arrive.

    Guarantees: a caller meets only its own jobs, unless it is an admin; a job of somebody else is as unknown as one that never was.

    Parameters
    ----------
    dispatcher : Dispatcher
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self.plans = Plans(dispatcher)
        self._method = lru_cache(_KNOWN_METHODS)(self._find_method)

    # ---- jobs ------------------------------------------------------------------------------------------------------

    def submit(
        self, caller: Caller, spec: Spec, name: str, key: str | None, tags: Sequence[str] = (), records: Folder | None = None
    ) -> tuple[Job, bool]:
        """Accept a job; with a key that was used before, return the job that it made.  Also whether it is new.

        With the ``records`` of a job that asked for the same run it makes only the passes that these lack.  Tags do not tell one request
        from another: they may have been changed since.

        Raises
        ------
        SpecError, PlaceError, MissingDataError, KeyTaken, RateError, ServiceError
        """
        document = self.dispatcher.admit(spec, caller.owner)
        digest = _digest_of(name, document)
        rules, store = self.dispatcher.rules, self.dispatcher.store
        is_full = self.dispatcher.queue.waiting(caller.owner) >= rules.most_waiting
        if is_full and store.find_by_key(caller.owner, key, digest) is None:
            raise RateError(
                f"at most {rules.most_waiting} waiting jobs of an owner were expected; all are taken. Wait for some to end."
            )
        read = [document[name] for name in spec.addresses()]
        note(problem=spec.problem, data=read)
        if store.find_by_key(caller.owner, key, digest) is None:
            self.dispatcher.quotas.require(caller.owner)
        job, is_new = store.accept(caller.owner, name, document, key, digest, records, tuple(tags))
        note(job=job.id)
        if is_new:
            acts.info("%s submitted job %s: %s of %s", caller.owner, job.id, spec.problem, " and ".join(read))
            self.dispatcher.hub.tell(job.id, "state", state=job.state.value, sentence=job.sentence)
            self.dispatcher.add(job)
        return job, is_new

    def job(self, caller: Caller, id_: str) -> Job:
        """Return a job that the caller may see.

        Raises
        ------
        UnknownJob
        """
        job = self.dispatcher.store.job(id_) if ID.fullmatch(id_) else None
        if job is None or caller.sees not in (None, job.owner):
            raise UnknownJob(f"a job was expected; there is none of id {id_!r}. List the jobs for their ids.")
        return job

    def page(self, look: Look) -> tuple[list[Job], str | None]:
        """Return the jobs of a look, and the cursor of the page after them; None on the last one."""
        store = self.dispatcher.store
        grown = store.grown(look.order)
        found = store.page(replace(look, limit=look.limit + 1, grown=grown))
        shown = found[: look.limit]
        return shown, cursor_of(shown[-1], look.order, grown) if len(found) > len(shown) else None

    def counts(self, caller: Caller, search: str = "", tags: tuple[str, ...] = ()) -> tuple[dict[str, int], int]:
        """Return how many jobs that the caller may see and that are found are in each state, and how many owners it sees jobs of."""
        store = self.dispatcher.store
        found = {state.value: count for state, count in store.counts(caller.sees, search, tags).items()}
        return found, store.owners() if caller.sees is None else 1

    def log(self, caller: Caller, id_: str, after: int) -> LogPart:
        """Return a part of what the process of a job printed.

        Raises
        ------
        UnknownJob
        """
        job = self.job(caller, id_)
        return read_log(self.dispatcher.store.folder(job.id).log, after, is_final=not job.state.is_active)

    def tag(self, caller: Caller, id_: str, tags: Sequence[str]) -> Job:
        """Give a job these tags in place of those that it has, and return it.

        Raises
        ------
        UnknownJob, ServiceError
        """
        job = self.dispatcher.store.tag(self.job(caller, id_).id, tuple(tags))
        acts.info("%s tags job %s", caller.owner, id_)
        return job

    def cancel(self, caller: Caller, id_: str) -> Job:
        """End a job that waits or runs, and return it ended.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        job = self.job(caller, id_)
        acts.info("%s cancels job %s", caller.owner, job.id)
        return self.dispatcher.cancel(job.id)

    def resume(self, caller: Caller, id_: str) -> Job:
        """Put a failed or cancelled job in line again; it goes on after its last recorded pass.

        Raises
        ------
        UnknownJob, ForbiddenMove, RateError
        """
        self.dispatcher.quotas.require(self.job(caller, id_).owner)
        job = self.dispatcher.move(id_, State.QUEUED, "resumed: waits for its turn", is_asked=True)
        acts.info("%s resumed job %s", caller.owner, job.id)
        self.dispatcher.add(job)
        return job

    def remove(self, caller: Caller, id_: str) -> None:
        """Remove a resting job with its answer.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        self.dispatcher.store.remove(self.job(caller, id_).id)
        acts.info("%s removed job %s", caller.owner, id_)
        self.dispatcher.hub.forget(id_)

    def plan(self, caller: Caller, spec: Spec) -> Planning:
        """Return a plan that is to be made: how a run of the caller would go, from a process of its own.

        Raises
        ------
        RateError
            If too many plans are under way.
        """
        return self.plans.begin(spec, caller.owner)

    def close(self) -> None:
        """End what somebody waits for, as the service is about to stop."""
        self.plans.close()

    # ---- words for a job ---------------------------------------------------------------------------------------------

    def describe(self, job: Job, *, whole: bool) -> dict[str, Any]:
        """Return a job as it goes out; ``whole``: with history, plan, progress."""
        first, last = job.history[0], job.history[-1]
        progress = self.dispatcher.hub.current_pass(job.id)
        about = {
            "id": job.id,
            "name": job.name,
            "tags": list(job.tags),
            "owner": job.owner,
            "state": job.state.value,
            "word": word_of(job),
            "sentence": job.sentence,
            "created": stamp(first.at),
            "changed": stamp(last.at),
            "seconds": self.dispatcher.store.seconds(job),
            "passes": last.passes,
            "ahead": self.dispatcher.queue.ahead(job.id),
            "method": self._method(job.id, job.state, len(job.history)),
            "progress": progress,
            **self.dispatcher.paces.tell(job.id, progress),
            "spec": job.spec,
        }
        if whole or job.state.is_active:
            about["passes"] = self.dispatcher.store.passes(job)
        if not whole:
            return about
        folder = self.dispatcher.store.folder(job.id)
        return {
            **about,
            "plan": _plan_of(folder),
            "workers": self.dispatcher.hub.workers(job.id),
            "history": [
                {"state": step.state.value, "at": stamp(step.at), "sentence": step.sentence, "passes": step.passes}
                for step in job.history
            ],
        }

    def _find_method(self, id_: str, state: State, steps: int) -> str | None:
        """Return the method of a job's answer, else of its plan; kept until the job has made another step."""
        del steps
        folder = self.dispatcher.store.folder(id_)
        try:
            found = folder.solution() if state.has_solution else None
        except (ValueError, RecursionError):
            found = None
        found = found or _plan_of(folder) or {}
        return None if found.get("method") is None else str(found["method"])


def _digest_of(name: str, document: dict[str, Any]) -> str:
    """Return what tells one request from another; a word that earlier versions lack counts if it says something, so that keys stay good."""
    said = {word: value for word, value in document.items() if word != "notify" or value is not None}
    return hashlib.sha256(json.dumps([name, said], sort_keys=True).encode()).hexdigest()


def word_of(job: Job) -> str:
    """Return what to call a job: its state, or the status of its answer where that does not begin with the word of the state."""
    state = job.state.value
    if not job.state.has_solution or job.sentence.startswith(state.replace("_", " ")):
        return state
    return next((status.name.lower() for status in Status if status.value == job.sentence), state)


def _plan_of(folder: Folder) -> dict[str, Any] | None:
    """Return what was planned; None also if a file was left in pieces, as a job without its plan is still to be seen."""
    try:
        return folder.plan()
    except (ValueError, RecursionError):
        return None
