"""One pass on the workers of a cluster: who gets which task, and where parts are merged."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client, Future, as_completed

from dsketch.engine.compat import has_pending, wait_for_any
from dsketch.engine.packing import pack
from dsketch.engine.panels import Task, merge_parts
from dsketch.engine.worker import merge_on_worker, run_on_worker
from dsketch.events import Progress, Tell
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Look, Part

_IN_FLIGHT = 2  # a worker thread has so many tasks: one runs, one waits there
_QUIET_SECONDS = 2  # after so long without a result one small message asks whether anything still runs


class Stranded(Exception):  # noqa: N818 - begins the pass again, never leaves the engine
    """No worker is left that any task of the pass may run on."""


class TaskRun:
    """One pass: hands tasks to workers as they become free, and merges parts as soon as both siblings of the tree are there.

    Every worker first gets its own consecutive share of the rows, the same in every pass, so that its cache serves again; who
    has finished takes from the longest queue.  The tree is fixed, so none of this can be seen in the result.

    Parameters
    ----------
    client : distributed.Client
    look : Look
    rows : Rows
        Those of the look, whose decoded blocks have names.
    pass_ : Pass, or Future of one
        What the tasks are sent.
    name : str
        Of this pass; keys of tasks hold it.
    gathers : bool
        Whether parts come back as they are, to be merged here.
    done : dict
        Finished tasks by the name of the worker that they were meant for, counted on.
    require_workers : callable
        Waits for a worker, and raises if none comes.
    """

    def __init__(
        self,
        client: Client,
        look: Look,
        rows: Rows,
        pass_: Any,
        name: str,
        *,
        gathers: bool,
        done: dict[str, int],
        require_workers: Callable[[], None],
    ) -> None:
        self.client, self.look, self.rows, self.pass_, self.name = client, look, rows, pass_, name
        self.gathers, self.done, self.require_workers = gathers, done, require_workers
        self.queues: dict[str, deque[Task]] = {}
        self.addresses: dict[str, str] = {}
        self.coming = self._await_futures([], gathers)
        self.leaves: dict[str, tuple[Task, str]] = {}  # key → task and the worker it was meant for
        self.nodes: dict[str, tuple[int, int]] = {}  # key → place in the tree
        self.ready: dict[tuple[int, int], Any] = {}  # place → finished future, or part if gathered

    def answer(self, tasks: list[Task], infos: list[dict[str, Any]], tell: Tell) -> Part:
        """Run the tasks and return the root of their parts."""
        self.queues, self.addresses = share_out(tasks, infos), {str(info["name"]): info["address"] for info in infos}
        for _ in range(_IN_FLIGHT):  # a round each: the first worker's second task may be the only one of the last
            for info in infos:
                for _ in range(info["nthreads"]):
                    self._hand_out(str(info["name"]))
        total, read = self.look.rows.nbytes, 0
        for future, result in self._yield_finished():
            place = self.nodes.pop(future.key)
            if future.key in self.leaves:
                task, worker = self.leaves.pop(future.key)
                self._hand_out(worker)
                self.done[worker] = self.done.get(worker, 0) + 1
                read += total * (task.stop - task.start) // self.look.rows.shape[0]
                tell(Progress(read, total))
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
        self.require_workers()
        if has_pending(self.coming) and not any(
            self.name in str(key) for keys in self.client.processing().values() for key in keys
        ):
            raise Stranded("its tasks wait and none runs")

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


def share_out(tasks: list[Task], infos: list[dict[str, Any]]) -> dict[str, deque[Task]]:
    """Return consecutive tasks for each worker by name, in proportion to its threads."""
    ordered = sorted(infos, key=lambda info: str(info["name"]))
    threads = [info["nthreads"] for info in ordered]
    edges = [sum(threads[:place]) * len(tasks) // sum(threads) for place in range(len(threads) + 1)]
    return {str(info["name"]): deque(tasks[low:high]) for info, low, high in zip(ordered, edges[:-1], edges[1:], strict=True)}
