"""The engine on a Dask cluster: a few tasks a thread and pass, parts merged where they lie."""

import pickle
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from itertools import count
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, as_completed

from dsketch._linalg.threads import one_blas_thread
from dsketch._units import format_bytes
from dsketch.engine.agreement import find_missing_import, require_same_versions
from dsketch.engine.base import Engine, Workers, WorkerState
from dsketch.engine.compat import describe_workers, has_pending, wait_for_any
from dsketch.engine.kept import Kept
from dsketch.engine.packing import pack
from dsketch.engine.panels import Task, merge_parts, tasks_of
from dsketch.engine.replicas import Replicated
from dsketch.engine.waiting import Waiting
from dsketch.engine.worker import cache_bytes, merge_on_worker, run_on_worker, sample_on_worker
from dsketch.errors import DsketchError, EngineError, SpecError
from dsketch.events import Note, Progress, Tell
from dsketch.matrix.rows import Block, Rows
from dsketch.passes.base import Look, Part

T = TypeVar("T")

_INLINE_BYTES = 100_000  # a pass larger than this is scattered once instead of travelling with every task
_GATHER_BYTES = 4_000_000  # if all parts together are smaller, the driver adds them sooner than a tree of tasks would
_IN_FLIGHT = 2  # a worker thread has so many tasks: one runs, one waits there
_ATTEMPTS = 3  # a pass all of whose workers were lost at once is tried so often
_HEARD_SECONDS = 5  # a worker sends a sign of life every second or less often, by how many there are
_QUIET_SECONDS = 2  # after so long without a result one small message asks whether anything still runs
# A scheduler may be without workers for so long: a nanny restarts one in two seconds, a batch queue may take its time.
_WORKER_SECONDS = 60


class _Stranded(Exception):  # noqa: N818 - begins the pass again, never leaves this file
    """No worker is left that any task of the pass may run on."""


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
            except (CancelledError, _Stranded) as error:  # what the pass had on the workers went with the last of them
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

    def sample(self, rows: Rows, spans: Sequence[tuple[int, int]], take: Callable[[Block], T]) -> list[tuple[T, float]]:
        """Return what is taken of blocks, on the workers that will read them first; here, where they are near or travel with tasks."""
        if not rows.A.is_remote or self.replicas > 1 or rows.futures():
            return super().sample(rows, spans, take)
        infos, named = self._infos(), self.kept.name(rows)
        tasks = tasks_of(rows, max(sum(info["nthreads"] for info in infos), 1))
        owners = {task.number: name for name, own in _shares(tasks, infos).items() for task in own}
        addresses = {str(info["name"]): info["address"] for info in infos}
        asked: dict[str, list[tuple[int, int]]] = {}  # one task for each worker: who has two may lose one to another
        for span in spans:
            asked.setdefault(next(owners[task.number] for task in tasks if task.start <= span[0] < task.stop), []).append(span)
        futures = [
            self.client.submit(
                sample_on_worker,
                pack(take),
                pack(named.window(own[0][0], own[-1][1])),
                own,
                workers=[addresses[owner]],
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
        return _Run(self, look, self._send(look.pass_), name, gathers).answer(tasks, infos, tell)

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


class _Run:
    """One pass: hands tasks to workers as they become free, and merges parts as soon as both siblings of the tree are there.

    Every worker first gets its own consecutive share of the rows, the same in every pass, so that its cache serves again; who
    has finished takes from the longest queue.  The tree is fixed, so none of this can be seen in the result.
    """

    def __init__(self, engine: DaskEngine, look: Look, pass_: Any, name: str, gathers: bool) -> None:
        self.engine, self.client, self.rows = engine, engine.client, engine.kept.name(look.rows)
        self.look, self.pass_, self.name, self.gathers = look, pass_, name, gathers
        self.queues: dict[str, deque[Task]] = {}
        self.addresses: dict[str, str] = {}
        self.coming = self._await_futures([], gathers)
        self.leaves: dict[str, tuple[Task, str]] = {}  # key → task and the worker it was meant for
        self.nodes: dict[str, tuple[int, int]] = {}  # key → place in the tree
        self.ready: dict[tuple[int, int], Any] = {}  # place → finished future, or part if gathered

    def answer(self, tasks: list[Task], infos: list[dict[str, Any]], tell: Tell) -> Part:
        """Run the tasks and return the root of their parts."""
        self.queues, self.addresses = _shares(tasks, infos), {str(info["name"]): info["address"] for info in infos}
        for _ in range(_IN_FLIGHT):  # a round each: the first worker's second task may be the only one of the last
            for info in infos:
                for _ in range(info["nthreads"]):
                    self._hand_out(str(info["name"]))
        total, done = self.look.rows.nbytes, 0
        for future, result in self._yield_finished():
            place = self.nodes.pop(future.key)
            if future.key in self.leaves:
                task, worker = self.leaves.pop(future.key)
                self._hand_out(worker)
                self.engine.done[worker] = self.engine.done.get(worker, 0) + 1
                done += total * (task.stop - task.start) // self.look.rows.shape[0]
                tell(Progress(done, total))
            self.ready[place] = result if self.gathers else future
            if not self.gathers:
                self._merge_above(place)
        if self.gathers:
            return merge_parts(self.look.pass_, (self.ready[0, task.number] for task in tasks))
        self.coming = self._await_futures(self.ready.values(), with_results=True)
        ((_, root),) = self._yield_finished()
        return root

    def _await_futures(self, futures: Iterable[Any], with_results: bool) -> as_completed:
        return as_completed(list(futures), loop=self.client.loop, with_results=with_results, raise_errors=False)

    def _yield_finished(self) -> Iterator[tuple[Any, Any]]:
        """Yield (future, its result if results are asked for) as they come; when none comes, see that something still runs."""
        while not self.coming.is_empty():
            if not wait_for_any(self.coming, _QUIET_SECONDS):
                self._require_progress()
            for item in self.coming.next_batch(block=False):
                future, result = item if self.coming.with_results else (item, None)
                if future.status in ("error", "cancelled"):
                    future.result()  # raises what the task raised
                if isinstance(result, CancelledError):
                    raise result
                yield future, result

    def _require_progress(self) -> None:
        """Raise if nothing runs and nothing will.

        A scheduler that loses all workers at once sets their tasks aside and gives them to a worker they were meant for, even
        though they only prefer it; no later worker has its address.

        Raises
        ------
        EngineError
            If there are no workers and none come.
        """
        self.engine.require_workers()
        if has_pending(self.coming) and not any(
            self.name in str(key) for keys in self.client.processing().values() for key in keys
        ):
            raise _Stranded("its tasks wait and none runs")

    def _hand_out(self, worker: str) -> None:
        """Give a worker its next task, or one from the end of the longest queue."""
        own = self.queues.get(worker)
        queue = own or max(self.queues.values(), key=len)
        if not queue:
            return
        task = queue.popleft() if queue is own else queue.pop()
        rows = self.rows.window(task.start, task.stop)
        held = rows.futures()
        future = self.client.submit(
            run_on_worker,
            self.pass_ if isinstance(self.pass_, Future) else pack(self.pass_),
            pack(rows.holding([])),
            task,
            held,
            key=f"dsketch-{self.name}-{task.number}",
            workers=None if held else [self.addresses[worker]],  # persisted chunks draw the task to where they lie
            allow_other_workers=not held,
            pure=False,
        )
        self.leaves[future.key], self.nodes[future.key] = (task, worker), (0, task.number)
        self.coming.add(future)

    def _merge_above(self, place: tuple[int, int]) -> None:
        """Submit the merge of a node with its sibling if both are there; it runs where one of them lies."""
        level, number = place
        sibling = (level, number ^ 1)
        if sibling not in self.ready:
            return
        left, right = (self.ready.pop(node) for node in sorted((place, sibling)))
        future = self.client.submit(
            merge_on_worker, self.pass_, left, right, key=f"dsketch-merge-{self.name}-{level}-{number // 2}", pure=False
        )
        self.nodes[future.key] = (level + 1, number // 2)
        self.coming.add(future)


def _words_for(keys: list[str]) -> str:
    """Return in words what tasks a worker has; the first of them runs, others wait for it."""
    pieces = sorted(int(key.rsplit("-", 1)[1]) for key in keys if not key.startswith("dsketch-merge-"))
    if not keys:
        return ""
    return f"piece {', '.join(map(str, pieces))}" if pieces else "adds up parts"


def _shares(tasks: list[Task], infos: list[dict[str, Any]]) -> dict[str, deque[Task]]:
    """Return consecutive tasks for each worker by name, in proportion to its threads."""
    ordered = sorted(infos, key=lambda info: str(info["name"]))
    threads = [info["nthreads"] for info in ordered]
    edges = [sum(threads[:place]) * len(tasks) // sum(threads) for place in range(len(threads) + 1)]
    return {str(info["name"]): deque(tasks[low:high]) for info, low, high in zip(ordered, edges[:-1], edges[1:], strict=True)}
