"""How long jobs are kept that have ended, and uploads that nobody reads."""

import logging
import threading
import time

from dsketch.errors import DsketchError
from dsketch.service.dispatch import Dispatcher
from dsketch.service.job import State

log = logging.getLogger("dsketch.service.acts")

_DAY_SECONDS = 86_400.0
_LOOK_SECONDS = 3_600.0
_AT_ONCE = 500


class Keeping:
    """Removes jobs that have rested for longer than they are kept, with their answers.

    Guarantees: a job that waits, runs or was interrupted is never removed, whatever its age.

    Parameters
    ----------
    dispatcher : Dispatcher
    days : float or None
        None: jobs are kept for ever.
    """

    def __init__(self, dispatcher: Dispatcher, days: float | None) -> None:
        self._dispatcher, self._days = dispatcher, days
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeping", daemon=True)

    def start(self) -> None:
        """Look now, and every hour."""
        if self._days is not None:
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def remove_old(self, now: float) -> list[str]:
        """Remove what has rested since before ``now`` less the days, and return the ids."""
        if self._days is None:
            return []
        removed = []
        for state in State:
            removed += self._remove_ended(state, now - self._days * _DAY_SECONDS) if state.is_resting else []
        return removed

    def remove_unused_uploads(self, now: float) -> list[str]:
        """Remove uploads that no job has asked for since before ``now`` less the days, and return their names."""
        if self._days is None:
            return []
        before = now - self._days * _DAY_SECONDS
        removed = self._dispatcher.uploads.remove_unused(before, self._dispatcher.is_upload_read)
        for name in removed:
            log.info("the upload %s was removed: no job has asked for it for more than %g days", name, self._days)
        return removed

    def _remove_ended(self, state: State, before: float) -> list[str]:
        store, removed, after = self._dispatcher.store, list[str](), None
        while page := store.page(state=state, after=after, limit=_AT_ONCE):
            after = page[-1].id
            for job in page:
                if job.history[-1].at >= before or self._stopped.is_set():
                    continue
                try:
                    store.remove(job.id)
                except (DsketchError, OSError) as error:  # resumed a moment ago, or the disk refuses: at the next look
                    log.warning("job %s is kept: %s", job.id, error)
                    continue
                self._dispatcher.hub.forget(job.id)
                log.info("job %s of %s was removed: it ended more than %g days ago", job.id, job.owner, self._days)
                removed.append(job.id)
        return removed

    def _keep(self) -> None:
        while not self._stopped.is_set():
            try:
                self.remove_old(time.time())
                self.remove_unused_uploads(time.time())
            except Exception:  # an odd folder must not end the keeping of the others
                log.exception("old jobs could not be removed")
            self._stopped.wait(_LOOK_SECONDS)
