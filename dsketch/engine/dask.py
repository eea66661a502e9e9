"""The engine on a Dask cluster: a few tasks a thread and pass, parts merged where they lie."""

import pickle
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from itertools import count
from typing import Any, TypeVar

from distributed import Client, KilledWorker

from dsketch._linalg.threads import one_blas_thread
from dsketch._units import format_bytes
from dsketch.engine.agreement import find_missing_import, require_same_versions
from dsketch.engine.base import Engine, Workers, WorkerState
from dsketch.engine.compat import describe_workers
from dsketch.engine.kept import Kept
from dsketch.engine.packing import pack
from dsketch.engine.panels import blocks_beside, rows_in, tasks_of
from dsketch.engine.replicas import Replicated
from dsketch.engine.tasks import Stranded, TaskRun, share_out
from dsketch.engine.waiting import Waiting
from dsketch.engine.worker import cache_bytes, sample_on_worker
from dsketch.errors import DsketchError, EngineError, SpecError
from dsketch.events import Note, Tell
from dsketch.matrix.rows import Block, Rows
from dsketch.matrix.window import WINDOW_BYTES
from dsketch.passes.base import Look, Part

T = TypeVar("T")

_INLINE_BYTES = 100_000  # a pass larger than this is scattered once instead of travelling with every task
_GATHER_BYTES = 4_000_000  # if all parts together are smaller, the driver adds them sooner than a tree of tasks would
_ATTEMPTS = 3  # a pass all of whose workers were lost at once is tried so often
_HEARD_SECONDS = 5  # a worker sends a sign of life every second or less often, by how many there are
# A scheduler may be without workers for so long: a nanny restarts one in two seconds, a batch queue may take its time.
_WORKER_SECONDS = 60


class DaskEngine(Engine):
    """Runs passes on the workers of a ``distributed.Client``.

    Guarantees: the bits of the serial engine whatever the number of workers; a worker's death costs the tasks it was running;
    workers hold nothing between passes but a bounded cache; a task prefers the worker that read its rows before and never
    requires it.

    Parameters
    ----------
    client : distributed.Client
        Not closed by this engine.  Make one engine a run: decoded blocks are kept for it and never shared with another.
    how : str
        What a plan says of how this cluster was found, if anything.
    replicas : int
        An odd number of distinct workers that compute each task, for a cluster that is not trusted (:mod:`dsketch.engine.replicas`).
    """

    def __init__(self, client: Client, how: str = "", replicas: int = 1) -> None:
        self.client, self.how, self.replicas = client, how, replicas
        self.left_out: set[str] = set()  # names of workers that gave false parts
        self._secret, self._has_begun = secrets.token_bytes(), False
        self._agreed: set[str] = set()  # addresses of workers that were asked for their versions
        self.kept = Kept()
        self.run_name = self.kept.run_name
        self._numbers = count(1)
        self._known: dict[str, int] = {}  # numbers of workers that have an address for a name
        self.done: dict[str, int] = {}  # pieces by the name of the worker that they were meant for

    def run(self, look: Look, tell: Tell) -> Part:
        """Return the merged part of one pass.

        Raises
        ------
        EngineError
            If workers kept dying or the scheduler went away.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with one_blas_thread():
                    return self._part(look, tell)
            except DsketchError:
                raise
            except KilledWorker as error:
                raise EngineError(
                    f"workers kept dying in the {look.pass_.names()} pass ({error}); their memory limit is "
                    f"{format_bytes(self.workers().memory_bytes)} a thread. Give workers more memory or fewer "
                    "threads, or look at their logs."
                ) from error
            except MemoryError as error:
                raise EngineError(
                    f"a worker ran out of memory in the {look.pass_.names()} pass. Give workers more memory."
                ) from error
            except (ImportError, RuntimeError) as error:  # the latter where the scheduler could not read what it was sent
                if (missing := find_missing_import(error)) is None:
                    raise
                raise EngineError(
                    f"scheduler and workers must be able to import what the {look.pass_.names()} pass reads with; one cannot: {missing}. "
                    "Install it in their environment."
                ) from error
            except (CancelledError, Stranded) as error:  # what the pass had on the workers went with the last of them
                self._require_scheduler(error)
                if attempt == _ATTEMPTS:
                    raise EngineError(
                        f"the {look.pass_.names()} pass was begun {attempt} times and each time no worker went on with it ({error}). "
                        "Look at their logs: they died, or are paused for lack of memory. Then resume from the journal."
                    ) from error
            except (OSError, TimeoutError) as error:
                self._require_scheduler(error)
                raise EngineError(
                    f"the cluster failed in the {look.pass_.names()} pass ({type(error).__name__}: {error}). Look at its logs, "
                    "then resume from the journal."
                ) from error
        raise AssertionError  # the loop returns or raises

    def workers(self) -> Workers:
        """Describe the cluster as it is now."""
        infos = self._infos_of_replicas() if self.replicas > 1 else self._infos()
        threads = sum(info["nthreads"] for info in infos)
        memory = min(((info.get("memory_limit") or 2**40) // info["nthreads"] for info in infos), default=0)
        hosts = len({info["host"] for info in infos})
        where = f"{len(infos)} workers on {hosts} host{'s' * (hosts != 1)} at {self.client.scheduler.address}{self.how}"
        return Workers(len(infos), threads, int(memory), where)

    def cache_bytes(self) -> int:
        """Ask the workers what they may keep; a process that is several workers is asked as often."""
        return sum(self.client.run(cache_bytes, on_error="ignore").values())

    def look_at_workers(self) -> list[WorkerState]:
        """Return what each worker does now, by what the scheduler has last heard of it."""
        now, keys = time.time(), self.client.processing()
        return [
            WorkerState(
                self._public_name(str(info["name"])),
                _words_for([str(key) for key in keys.get(info["address"], ()) if self.run_name in str(key)]),
                int(info["metrics"].get("memory", 0)),
                info.get("memory_limit") or None,
                float(info["metrics"].get("cpu", 0.0)) / 100,
                self.done.get(str(info["name"]), 0),
                now - info.get("last_seen", now) < _HEARD_SECONDS,
            )
            for info in describe_workers(self.client)
        ]

    def _public_name(self, name: str) -> str:
        """Return the name of a worker; a number in place of an address, which is what workers without a name are called."""
        return name if "://" not in name else str(self._known.setdefault(name, len(self._known) + 1))

    def sample(
        self, rows: Rows, spans: Sequence[tuple[int, int]], take: Callable[[Block], T], *, goes_on: bool = False
    ) -> list[tuple[T, float]]:
        """Return what is taken of blocks, on the workers that will read them first; here, where they are near or travel with tasks.

        Where a pass comes next, each worker asks for what it reads first as well, as much as a window holds.
        """
        if not rows.A.is_remote or self.replicas > 1 or rows.futures():
            return super().sample(rows, spans, take)
        infos, named = self._infos(), self.kept.name(rows)
        tasks = tasks_of(rows, max(sum(info["nthreads"] for info in infos), 1))
        shares = share_out(tasks, infos)
        owners = {task.number: name for name, own in shares.items() for task in own}
        workers = {str(info["name"]): info for info in infos}
        asked: dict[str, list[tuple[int, int]]] = {}  # one task for each worker: who has two may lose one to another
        for span in spans:
            asked.setdefault(next(owners[task.number] for task in tasks if task.start <= span[0] < task.stop), []).append(span)
        height = rows_in(rows, WINDOW_BYTES)
        later = {name: ahead for name, own in shares.items() if goes_on and (ahead := blocks_beside(own, spans, height))}
        asked = {name: [] for name in later} | asked
        futures = [
            self.client.submit(
                sample_on_worker,
                pack(take),
                pack(_window_for(named, [*own, *later.get(owner, ())])),
                own,
                later.get(owner, []),
                workers=[workers[owner]["address"]],
                allow_other_workers=True,
                pure=False,
            )
            for owner, own in asked.items()
        ]
        try:
            found = dict(pair for own in self.client.gather(futures) for pair in own)
        except DsketchError:
            raise
        except Exception:  # noqa: BLE001 - whatever a cluster raises where workers die: the pass will say it better
            return super().sample(rows, spans, take)
        return [found[span] for span in spans]

    def close(self) -> None:
        """Do nothing: the client belongs to whoever made it."""

    # ---- one pass -------------------------------------------------------------------------------------------------

    def _part(self, look: Look, tell: Tell) -> Part:
        if self.replicas > 1:
            return self._replicated_part(look, tell)
        infos = self._infos()
        tasks = tasks_of(look.rows, max(sum(info["nthreads"] for info in infos), 1))
        gathers = look.pass_.part_bytes(look.rows.shape[1], look.rows.sides) * len(tasks) <= _GATHER_BYTES
        name = f"{look.pass_.kind}-{self.run_name}-{next(self._numbers)}"
        run = TaskRun(
            self.client,
            look,
            self.kept.name(look.rows),
            self._send(look.pass_),
            name,
            gathers=gathers,
            done=self.done,
            require_workers=self.require_workers,
        )
        return run.answer(tasks, infos, tell)

    def _replicated_part(self, look: Look, tell: Tell) -> Part:
        """Return the part of a pass that several workers compute.

        Raises
        ------
        SpecError
            If comparing parts would prove nothing.
        """
        if look.pass_.writes:
            raise SpecError(
                f"replicas={self.replicas} compares parts, and the {look.pass_.names()} pass writes rows besides, which the last of its "
                "workers decides. Leave out= away, so that rows come back, or replicas."
            )
        if look.rows.futures():
            raise SpecError(
                f"replicas={self.replicas} expects data that each worker reads by itself; these are persisted in the memory of one worker "
                "each, which all others would believe. Store them, or leave replicas out."
            )

        def leave_out(name: str, why: str) -> None:
            self.left_out.add(name)
            self.notes = (*self.notes, why)
            tell(Note(why))

        sent: dict[str, Any] = {}
        is_large = len(pickle.dumps(look.pass_)) > _INLINE_BYTES

        def send(address: str) -> Any:
            if address not in sent:  # a large one by the scheduler to each worker itself: no worker gets it from another
                packed = pack(look.pass_)
                sent[address] = self.client.scatter([packed], workers=[address], hash=False)[0] if is_large else packed
            return sent[address]

        infos = self._infos_of_replicas()
        self._has_begun = True
        tasks = tasks_of(look.rows, sum(info["nthreads"] for info in infos))
        name, run = f"{look.pass_.kind}-{self.run_name}-{next(self._numbers)}", self.kept.name_of(look.rows.A)
        replicated = Replicated(
            self.client, look, name, run, self._secret, self.replicas, self._infos_of_replicas, send, leave_out, _WORKER_SECONDS
        )
        return replicated.answer(tasks, tell)

    def _infos_of_replicas(self) -> list[dict[str, Any]]:
        """Return the descriptions of running workers that are not left out.

        Raises
        ------
        EngineError
            If a run begins with too few.
        """
        infos = [info for info in self._infos() if str(info["name"]) not in self.left_out]
        if not self._has_begun and len(infos) < self.replicas:
            raise EngineError(
                f"at least {self.replicas} workers were expected for replicas={self.replicas}; there are {len(infos)} at "
                f"{self.client.scheduler.address}. Start more of them (workers={self.replicas} for own ones), or leave replicas out."
            )
        return infos

    def _send(self, pass_: Any) -> Any:
        """Return the pass itself, or a future of it on every worker if it is large."""
        if len(pickle.dumps(pass_)) <= _INLINE_BYTES:
            return pass_
        return self.client.scatter([pack(pass_)], broadcast=True, hash=False)[0]

    def _infos(self) -> list[dict[str, Any]]:
        """Return the descriptions of running workers that compute as the driver does, waiting a little for the first to come."""
        self._require_scheduler(None)
        try:
            waiting = Waiting(self.client, _WORKER_SECONDS)
            while True:
                infos = waiting.wait_for_workers()
                if fresh := {info["address"] for info in infos} - self._agreed:
                    self._agreed |= require_same_versions(self.client, fresh)
                if known := [info for info in infos if info["address"] in self._agreed]:
                    return known
                waiting.pause(infos)  # all died while they were asked
        except OSError as error:
            raise self._explain_break(error) from error

    def require_workers(self) -> None:
        """Wait for a worker.

        Raises
        ------
        EngineError
            If none comes, or the scheduler went away.
        """
        self._require_scheduler(None)
        try:
            Waiting(self.client, _WORKER_SECONDS).wait_for_workers()
        except OSError as error:
            raise self._explain_break(error) from error

    def _explain_break(self, error: OSError) -> EngineError:
        """Return what to raise when the connection broke: the client takes a moment to know that the scheduler is gone."""
        return EngineError(
            f"an answer of the scheduler at {self.client.scheduler.address} was expected; the connection broke ({error}). Start it again "
            "and resume from the journal."
        )

    def _require_scheduler(self, cause: BaseException | None) -> None:
        """Raise if the scheduler is gone."""
        if self.client.status not in ("running", "newly-created"):
            raise EngineError(
                f"the scheduler at {self.client.scheduler.address if self.client.scheduler else 'its address'} is gone (client "
                f"{self.client.status}). Start it again and resume from the journal."
            ) from cause


def _window_for(rows: Rows, spans: Sequence[tuple[int, ...]]) -> Rows:
    """Return what a worker needs for some blocks."""
    return rows.window(min(span[0] for span in spans), max(span[1] for span in spans))


def _words_for(keys: list[str]) -> str:
    """Return in words what tasks a worker has; the first of them runs, others wait for it."""
    pieces = sorted(int(key.rsplit("-", 1)[1]) for key in keys if not key.startswith("dsketch-merge-"))
    if not keys:
        return ""
    return f"piece {', '.join(map(str, pieces))}" if pieces else "adds up parts"
