"""Brings jobs from the queue through their attempts to their end.

Guarantees: a job is at the end exactly once, whatever dies: its folder's ``solution.json`` decides, not who said so last; what was
recorded in its journal is not computed again; a job ends in a state with a sentence, never in silence.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from dsketch._results.signing import make_key
from dsketch.service.attempt import Attempt, Ending, warm
from dsketch.service.audit_log import write_line
from dsketch.service.errors import ForbiddenMove, UnknownJob
from dsketch.service.events import Hub
from dsketch.service.job import MOST_FAULTS, Job, State
from dsketch.service.job_work import JobWork
from dsketch.service.metrics import Metrics
from dsketch.service.notices import Notices
from dsketch.service.owners import Owners
from dsketch.service.pace import Paces
from dsketch.service.places import Roots
from dsketch.service.queue import Queue, QueuedJob
from dsketch.service.quotas import Quotas
from dsketch.service.rules import Rules
from dsketch.service.specs import Spec, limit_of
from dsketch.service.store import Store
from dsketch.service.upload_data import UploadPlace, remove_half_made
from dsketch.service.upload_names import address_of, is_upload
from dsketch.service.uploads import Uploads
from dsketch.service.workers import JobCluster

__all__ = ["Dispatcher", "Rules", "lesser_limit"]

log = logging.getLogger("dsketch.service")
acts = logging.getLogger("dsketch.service.acts")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0  # before another attempt; doubled each time
_RETRY_SECONDS = 1.0  # the pause between two attempts to write down how a job ended, on a disk without any room
_ENDING_SECONDS = 30.0  # a process that was killed has so long to go, and its end to be written down
_STOPPING = "the service was stopped; the job goes on when it runs again"
_CANCELLED = "cancelled"


class Dispatcher:
    """Runs what is in line, as many at once as the rules allow.

    Parameters
    ----------
    store, hub, cluster, roots, metrics
        What it works with.
    rules : Rules
    owners : Owners, optional
        What each owner may do.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        cluster: JobCluster,
        roots: Roots,
        metrics: Metrics,
        rules: Rules,
        owners: Owners | None = None,
    ) -> None:
        self.store, self.hub, self.cluster, self.roots, self.metrics, self.rules = store, hub, cluster, roots, metrics, rules
        self.quotas = Quotas(owners or Owners(None, roots), store.state)
        self.queue, self._notices = Queue(rules.most_jobs, self.quotas.most_running), Notices(rules.notice_hosts)
        self.paces = Paces()
        self.uploads = Uploads(store.state / "uploads", rules.uploads)
        self._changed = threading.Condition()
        self._runs: dict[str, Attempt] = {}
        self._is_stopping = False
        self._pool = ThreadPoolExecutor(rules.most_jobs, thread_name_prefix="job")
        self._thread = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)

    # ---- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what an earlier service left, and begin."""
        warm()
        for folder in self.uploads.sweep():
            remove_half_made(folder)
        for job in self.store.restless():
            try:
                self._recover(job)
            except Exception:  # one folder's misfortune keeps nobody else from being served
                log.exception("job %s in %s is not taken up", job.id, self.store.folder(job.id).path)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether jobs are taken from the line."""
        return self._thread.is_alive() and not self._is_stopping

    def add(self, job: Job, ready_at: float = 0.0) -> None:
        """Put a queued job in line."""
        with self._changed:
            self.queue.add(QueuedJob(job.id, job.owner, job.priority, ready_at))
            self._changed.notify_all()

    def cancel(self, id_: str) -> Job:
        """End a job, and return it when it has ended; as it is, if its process or the disk keeps that from happening for a while.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        with self._changed:
            run = self._runs.get(id_)
            if run is not None:
                run.stop(_CANCELLED)
                if not self._changed.wait_for(lambda: self._runs.get(id_) is not run, _ENDING_SECONDS):
                    return self.store.job(id_)
            if self.queue.remove(id_):
                return self.move(id_, State.CANCELLED)
            if run is not None:
                return self.store.job(id_)
        return self.move(id_, State.CANCELLED)  # refused, unless it was interrupted just now

    def stop(self) -> None:
        """Interrupt what runs; it goes on when the service runs again."""
        with self._changed:
            self._is_stopping = True
            for run in self._runs.values():
                run.stop(_STOPPING)
            self._changed.notify_all()
        self._pool.shutdown(wait=True)
        if self._thread.ident is not None:
            self._thread.join()

    def roots_of(self, owner: str) -> Roots:
        """Return where an owner may read and write."""
        return self.quotas.owners.roots(owner)

    def admit(self, spec: Spec, owner: str) -> dict[str, Any]:
        """Return the document of an owner's run with the data's full addresses.

        Raises
        ------
        SpecError, PlaceError, AccessError, MissingDataError
            If it asks for what the service does not do.
        """
        spec.require_bounded()
        if spec.notify is not None:
            self.rules.notice_hosts.require(spec.notify)
        roots = self.roots_of(owner)
        places = {
            name: self.uploads.admit(owner, address, name) if is_upload(address) else roots.admit(address, name)
            for name, address in spec.addresses().items()
        }
        if spec.place is not None:
            places["out" if spec.out is not None else "out_dir"] = roots.writable(spec.place)
        return spec.document() | places

    def work_for(self, document: dict[str, Any], folder: Path | None, owner: str) -> JobWork:
        """Return what a process is to do for an owner's document; only to plan, without a folder."""
        rules = self.rules
        memory = lesser_limit(limit_of(document, "memory"), rules.most_memory_bytes)
        roots, uploads = self.roots_of(owner), self.uploads.folder(owner).resolve()
        return JobWork(
            document,
            folder,
            replace(roots, folders=(*roots.folders, uploads)),
            rules.small_bytes,
            memory,
            rules.most_result_bytes,
            rules.most_read_bytes,
            rules.results_umask,
            None if folder is None else make_key(self.store.state / "signing.pem"),
            tariff=rules.tariff,
            uploads=UploadPlace(uploads, rules.uploads.owner_bytes),
        )

    def is_upload_read(self, owner: str, name: str) -> bool:
        """Whether a job that waits or runs reads an owner's upload."""
        return any(
            is_upload(place) and address_of(place, word).name == name
            for job in self.store.restless()
            if job.owner == owner
            for word, place in job.spec.items()
            if isinstance(place, str) and word not in ("out", "notify")
        )

    def move(self, id_: str, state: State, sentence: str = "", **more: Any) -> Job:
        """Change a job's state and tell it."""
        job = self.store.move(id_, state, sentence, **more)
        acts.info("job %s of %s is %s: %s", id_, job.owner, state.value, job.sentence)
        problem = str(job.spec.get("problem", ""))
        write_line("job", job=id_, who=job.owner, problem=problem, state=state.value, sentence=job.sentence)
        self.hub.tell(id_, "state", state=state.value, sentence=job.sentence)
        if state.is_resting:
            self._end(job, problem)
        return job

    def _end(self, job: Job, problem: str) -> None:
        """Count a job that rests now, and tell whom it is to tell."""
        self.metrics.count_end(problem, job.state, self.store.seconds(job))
        if isinstance(notify := job.spec.get("notify"), str):
            told = {"id": job.id, "name": job.name, "state": job.state.value, "sentence": job.sentence, "problem": problem}
            self._notices.send(notify, told)

    # ---- the line ----------------------------------------------------------------------------------------------------

    def _recover(self, job: Job) -> None:
        """Bring a job on that was under way when the service ended, or was about to be."""
        passes = self.store.folder(job.id).passes
        if job.state.is_active:
            job = self.move(job.id, State.INTERRUPTED, "the service ended while the job was under way", passes=passes)
        if job.state is State.INTERRUPTED:
            if self.store.folder(job.id).solution() is not None:
                self._finish(job.id)
                return
            job = self.move(job.id, State.QUEUED, f"goes on after {passes} recorded passes" if passes else "begins again")
        self.add(job)

    def _dispatch(self) -> None:
        with self._changed:
            while not self._is_stopping:
                taken = self.queue.take(time.monotonic())
                if taken is not None:
                    run = Attempt(self._listener(taken.id), self.cluster.address)
                    self._runs[taken.id] = run
                    self._pool.submit(self._attempt, taken.id, run)
                    continue
                later = self.queue.next_time()
                pause = None if later is None or self.queue.is_full else max(later - time.monotonic(), 0.01)
                self._changed.wait(pause)

    def _attempt(self, id_: str, run: Attempt) -> None:
        """Run a job once; whatever happens, the line goes on."""
        try:
            job = self.move(id_, State.PLANNING, passes=self.store.folder(id_).passes)
            if (said := self.quotas.overrun(job.owner)) is not None:
                self._conclude(id_, Ending("failed", said))
                return
            self.quotas.begin(id_, job.owner)
            allowed = lesser_limit(limit_of(job.spec, "seconds"), self.rules.most_seconds)
            work = self.work_for(job.spec, self.store.folder(id_).path, job.owner)
            self._conclude(id_, run.go(work, allowed, self.store.seconds(job), self.rules.most_planning_seconds))
        except (UnknownJob, ForbiddenMove) as error:
            log.info("job %s is not started: %s", id_, error)  # cancelled or removed in the moment before
        except Exception:  # one job's misfortune is not the service's
            log.exception("job %s", id_)
            self._conclude(id_, Ending("died", "the service could not start the job's process"))
        finally:
            self.quotas.end(id_)
            self.hub.forget(id_)
            self.paces.forget(id_)
            with self._changed:
                self.queue.finish(id_)
                self._runs.pop(id_, None)
                self._changed.notify_all()

    # ---- the end of an attempt ---------------------------------------------------------------------------------------

    def _conclude(self, id_: str, ending: Ending) -> None:
        """Write down how an attempt ended, however long the disk refuses."""
        while True:
            try:
                self._settle(id_, ending)
                return
            except (ForbiddenMove, UnknownJob):
                log.exception("job %s", id_)
                return
            except OSError as error:
                log.error("the state of job %s cannot be written (%s); trying again", id_, error.strerror)
                with self._changed:
                    if self._is_stopping or self._changed.wait_for(lambda: self._is_stopping, _RETRY_SECONDS):
                        return  # the next service finds it under way, and takes it up

    def _settle(self, id_: str, ending: Ending) -> None:
        folder = self.store.folder(id_)
        passes = folder.passes
        if folder.solution() is not None:
            self._finish(id_)
        elif ending.kind == "stopped" and ending.message == _CANCELLED:
            self.move(id_, State.CANCELLED, passes=passes)
        elif ending.kind == "stopped" and ending.message == _STOPPING:
            self.move(id_, State.INTERRUPTED, ending.message, passes=passes)
        elif ending.kind in ("passing", "died"):
            job = self.move(id_, State.INTERRUPTED, ending.message, passes=passes, is_fault=True)
            self._try_again(job, ending, passes)
        else:
            self.move(id_, State.FAILED, ending.message, passes=passes)

    def _finish(self, id_: str) -> None:
        """The answer is there: say so."""
        folder = self.store.folder(id_)
        facts = folder.solution() or {}
        if self.store.job(id_).state is State.PLANNING:
            self.move(id_, State.RUNNING, passes=folder.passes)
        state = State.SOLVED if facts["is_success"] else State.NOT_SOLVED
        self.move(id_, state, facts["message"], passes=len(facts["passes"]))

    def _try_again(self, job: Job, ending: Ending, passes: int) -> None:
        """Try once more after a pause, unless that was tried often enough."""
        faults = job.faults
        if faults >= MOST_FAULTS:
            said = f"given up after {faults} attempts without another recorded pass; the last one: {ending.message}"
            self.move(job.id, State.FAILED, said, passes=passes)
            return
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (faults - 1), _LONGEST_PAUSE_SECONDS)
        queued = self.move(job.id, State.QUEUED, f"tried again ({faults} of {MOST_FAULTS}): {ending.message}", passes=passes)
        self.add(queued, time.monotonic() + pause)

    # ---- what a process tells ----------------------------------------------------------------------------------------

    def _listener(self, id_: str) -> Any:
        def hear(kind: str, fields: dict[str, Any]) -> None:
            if kind == "workers":
                self.hub.show_workers(id_, fields["workers"])
                return
            self.paces.hear(id_, kind, fields)
            if kind == "progress":
                self._stop_if_over(id_)
                self.hub.show(id_, fields)
                return
            if kind == "read":  # by passes that are not told one by one
                self.quotas.count_read(id_, fields["read_bytes"])
                return
            if kind == "planned":
                self.move(id_, State.RUNNING)
            if kind == "pass_finished":
                self.hub.show(id_, None)
                self.metrics.count_pass(fields)
                self.quotas.count_read(id_, 0 if fields["replayed"] else fields["read_bytes"])
                self._stop_if_over(id_)
            self.hub.tell(id_, "plan" if kind == "planned" else kind, **fields)

        return hear

    def _stop_if_over(self, id_: str) -> None:
        """End a job whose owner has nothing left of the day; resumed on another one, it goes on after its last recorded pass."""
        run, said = self._runs.get(id_), self.quotas.overrun_of(id_)
        if run is not None and said is not None:
            run.stop(said)


def lesser_limit(asked: Any, allowed: Any) -> Any:
    """Return the smaller of two limits, either of which may be None.

    >>> lesser_limit(3, None), lesser_limit(None, 2), lesser_limit(3, 2)
    (3, 2, 2)
    """
    return min((limit for limit in (asked, allowed) if limit is not None), default=None)
