"""Tasks that several distinct workers compute, and whose parts are compared by digest: for clusters that are not trusted.

A worker returns the digest of its part; the part stays with it.  Where all digests of a task are the same the driver fetches one part and
makes its digest itself.  Where they differ the driver makes the task again from the data: a majority may lie in agreement.  Workers with
another digest than the driver's are left out of the run.  Parts are merged by the driver alone, in the order of tasks, so that it holds
log₂ of them; the pass travels from the driver to each worker, never from one worker to another.  Who is asked follows from a secret, so
that nobody can choose his neighbours by a name.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from dsketch.engine.compat import wait_for_any
from dsketch.engine.packing import pack
from dsketch.engine.panels import Task, merge_parts
from dsketch.engine.stream import run_task
from dsketch.engine.worker import digest_on_worker, run_on_worker
from dsketch.errors import EngineError
from dsketch.events import Progress, Tell
from dsketch.passes.base import Look, Part
from dsketch.passes.digests import digest_part

Infos = Callable[[], list[dict[str, Any]]]

_IN_FLIGHT = 2  # a worker thread has so many replicas: one runs, one waits there
_AHEAD = 2  # so many times what is in flight may be begun before the driver has merged it: what waits is a few parts a thread
_QUIET_SECONDS = 2  # after so long without a digest one small message asks who is still there
_PAUSE_SECONDS = 0.1  # between two looks at who is there
_LOSSES = 3  # a task whose replicas were each lost so often kills its workers


@dataclass
class _Replica:
    """A task at one worker; ``vote`` is the digest of its part, or what it raised, once it has said so."""

    worker: str
    address: str
    part: Future
    digest: Future
    vote: Any = None
    has_voted: bool = False
    received: Part = None
    is_here: bool = False
    is_lost: bool = False


@dataclass
class _Case:
    """A task with its replicas by worker."""

    task: Task
    replicas: dict[str, _Replica] = field(default_factory=dict)
    losses: int = 0


class Replicated:
    """One pass of which every task is computed by several workers.

    Parameters
    ----------
    client : distributed.Client
    look : Look
    name : str
        Of the pass among the keys of tasks.
    run : str
        Under which workers keep decoded blocks.
    secret : bytes
        Decides who is asked; the same in every pass of a run.
    replicas : int
        Odd; so many workers compute each task, or all where fewer are left, but always more than half as many.
    infos : callable
        Returns the descriptions of running workers that are not left out.
    send : callable
        Returns the pass for the worker at an address.
    leave_out : callable
        Is told the name of a worker to which nothing more is to be given, and in a sentence why.
    wait_seconds : float
        How long too few workers are waited for.
    """

    def __init__(
        self,
        client: Client,
        look: Look,
        name: str,
        run: str,
        secret: bytes,
        replicas: int,
        infos: Infos,
        send: Callable[[str], Any],
        leave_out: Callable[[str, str], None],
        wait_seconds: float,
    ) -> None:
        self.client, self.look, self.name, self.run, self.secret, self.replicas = client, look, name, run, secret, replicas
        self.infos, self.send, self.tell_left_out, self.wait_seconds = infos, send, leave_out, wait_seconds
        self.present: dict[str, dict[str, Any]] = {}
        self.open: dict[int, _Case] = {}  # by number of the task, in order: from the next to be merged on
        self.busy: Counter[str] = Counter()  # replicas without a vote, by worker
        self.awaited: dict[str, tuple[_Case, _Replica]] = {}  # by key of the future
        self.left_out = 0
        self._numbers = count(1)
        self._coming = as_completed(loop=client.loop, with_results=True, raise_errors=False)

    def answer(self, tasks: list[Task], tell: Tell) -> Part:
        """Return the root of the tasks' parts.

        Raises
        ------
        EngineError
            If too few workers are left, or digests differ and the driver's own is none of them.
        DataError
            As the driver finds it where workers have raised something.
        """
        self._look_who_is_there()
        return merge_parts(self.look.pass_, self._yield_parts(tasks, tell))

    def _yield_parts(self, tasks: list[Task], tell: Tell) -> Iterator[Part]:
        threads = sum(info["nthreads"] for info in self.present.values())
        waiting, ahead = iter(tasks), _AHEAD * _IN_FLIGHT * threads // self.replicas + 1
        total, done = self.look.rows.nbytes, 0
        for task in tasks:
            while len(self.open) < ahead and (later := next(waiting, None)) is not None:
                self.open[later.number] = _Case(later)
            case = self.open[task.number]
            self._hand_out()
            while not self._is_complete(case):
                self._go_on()
            part = self._settle(case)
            for replica in [*case.replicas.values()]:
                self._drop(case, replica)
            del self.open[task.number]
            done += total * (task.stop - task.start) // self.look.rows.shape[0]
            tell(Progress(done, total))
            yield part

    def _is_complete(self, case: _Case) -> bool:
        wanted = min(self.replicas, len(self.present))
        return len(case.replicas) >= wanted and all(replica.has_voted for replica in case.replicas.values())

    # ---- giving tasks to workers ----------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give every worker that has room a replica of the first task that lacks one and that it has not got."""
        room = sum(_IN_FLIGHT * info["nthreads"] for info in self.present.values())
        for case in self.open.values():
            while len(case.replicas) < min(self.replicas, len(self.present)):
                if sum(self.busy.values()) >= room or (worker := self._choose(case)) is None:
                    break
                self._submit(case, worker)

    def _choose(self, case: _Case) -> str | None:
        """Return who gets the next replica: the first who has room, in an order that is the same in every pass, so that caches serve."""
        free = (
            name
            for name, info in self.present.items()
            if name not in case.replicas and self.busy[name] < _IN_FLIGHT * info["nthreads"]
        )
        return next(iter(draw_order(self.secret, case.task.number, free)), None)

    def _submit(self, case: _Case, worker: str) -> None:
        task, address = case.task, self.present[worker]["address"]
        key = f"dsketch-{self.name}-{task.number}-{next(self._numbers)}"
        there: dict[str, Any] = {"workers": [address], "allow_other_workers": False, "pure": False}
        rows = replace(self.look.rows.window(task.start, task.stop), run=self.run)
        part = self.client.submit(run_on_worker, self.send(address), pack(rows), task, [], key=key, **there)
        digest = self.client.submit(digest_on_worker, part, key=f"{key}-digest", **there)
        case.replicas[worker] = replica = _Replica(worker, address, part, digest)
        self.busy[worker] += 1
        self._await(digest, case, replica)

    def _await(self, future: Future, case: _Case, replica: _Replica) -> None:
        self.awaited[future.key] = case, replica
        self._coming.add(future)

    def _drop(self, case: _Case, replica: _Replica) -> None:
        """Take a replica back, whatever has become of it."""
        del case.replicas[replica.worker]
        self.busy[replica.worker] -= not replica.has_voted
        for future in (replica.digest, replica.part):
            if self.awaited.pop(future.key, None) is not None or not replica.has_voted:
                future.cancel()

    # ---- hearing from them ----------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Wait for what comes next, or ask who is still there; then give out what can be given."""
        if wait_for_any(self._coming, _QUIET_SECONDS):
            for future, result in self._coming.next_batch(block=False):
                if future.key in self.awaited:  # else it was taken back
                    self._hear(future, result, *self.awaited.pop(future.key))
        else:
            self._look_who_is_there()
            self._take_back()
        self._hand_out()

    def _hear(self, future: Future, result: Any, case: _Case, replica: _Replica) -> None:
        error = future.exception() if future.status == "error" else None
        is_lost = future.status == "cancelled" or isinstance(result, CancelledError) or isinstance(error, KilledWorker)
        if future.key == replica.part.key:
            replica.received, replica.is_here, replica.is_lost = (
                result,
                not is_lost and error is None,
                is_lost or error is not None,
            )
        elif is_lost:
            self._lose(case, replica)
        else:
            self.busy[replica.worker] -= 1
            replica.vote, replica.has_voted = (result if error is None else error), True

    def _look_who_is_there(self) -> None:
        """Renew the description of workers, waiting for more where too few are there to agree.

        Raises
        ------
        EngineError
            If too few remain.
        """
        began, fewest = time.monotonic(), self.replicas // 2 + 1
        while True:
            self.present = {str(info["name"]): info for info in self.infos()}
            if len(self.present) >= fewest:
                return
            if len(self.present) + self.left_out >= self.replicas or time.monotonic() - began > self.wait_seconds:
                raise EngineError(
                    f"at least {fewest} workers that agree were expected for replicas={self.replicas}; {len(self.present)} of them "
                    f"{'is' if len(self.present) == 1 else 'are'} left, {self.left_out} were left out in this pass. Start other workers, "
                    "and resume from the journal."
                )
            time.sleep(_PAUSE_SECONDS)

    def _take_back(self) -> None:
        """Take back what was given to workers that are gone, or are paused."""
        there = {info["address"] for info in self.present.values()}
        for case in self.open.values():
            for replica in [*case.replicas.values()]:
                if replica.address not in there:
                    if not replica.has_voted:
                        self._lose(case, replica)
                    elif replica.part.key in self.awaited:
                        replica.part.cancel()  # it is being fetched, and comes as lost

    def _lose(self, case: _Case, replica: _Replica) -> None:
        self._drop(case, replica)
        case.losses += 1
        if case.losses > _LOSSES * self.replicas:
            raise EngineError(
                f"workers kept dying in the {self.look.pass_.names()} pass, in rows {case.task.start}:{case.task.stop}. Give workers more "
                "memory or fewer threads, or look at their logs."
            )

    # ---- what is believed -----------------------------------------------------------------------------------------

    def _settle(self, case: _Case) -> Part:
        """Return the part of a task whose workers have all said theirs."""
        votes = {name: replica.vote for name, replica in case.replicas.items()}
        first = next(iter(votes.values()))
        if isinstance(first, bytes) and all(_is_vote(vote, first) for vote in votes.values()):
            for replica in [*case.replicas.values()]:
                if self._fetch(case, replica):
                    if _is_part(replica.received, first):
                        return replica.received
                    self._leave_out(case, replica.worker, "sent another part than the one whose digest it had told")
        return self._make_here(case, votes)

    def _fetch(self, case: _Case, replica: _Replica) -> bool:
        """Whether a part has come from its worker; others are heard meanwhile."""
        self._await(replica.part, case, replica)
        while not (replica.is_here or replica.is_lost):
            self._go_on()
        return replica.is_here

    def _make_here(self, case: _Case, votes: dict[str, Any]) -> Part:
        """Return a task's part, made by the driver, and leave out who said another.

        Raises
        ------
        EngineError
            If nobody said what the driver finds: machines may be of another kind.
        """
        rows = f"rows {case.task.start}:{case.task.stop} in the {self.look.pass_.names()} pass"
        part = run_task(self.look.pass_, self.look.rows, case.task)
        true, errors = digest_part(part), [vote for vote in votes.values() if isinstance(vote, BaseException)]
        if len(errors) == len(votes):  # the data are in order, the workers are not
            raise errors[0]
        if not any(_is_vote(vote, true) for vote in votes.values()):
            raise EngineError(
                f"one of the workers {', '.join(sorted(votes))} was expected to have the driver's bits of {rows}; none has, and they "
                "differ. All of them are wrong, or they are machines of another kind than the driver's. Choose others, and resume from "
                "the journal."
            )
        for name, vote in votes.items():
            if not _is_vote(vote, true):
                did = f"raised {type(vote).__name__}" if isinstance(vote, BaseException) else "made another part than the driver"
                self._leave_out(case, name, f"{did} of {rows}")
        return part

    def _leave_out(self, case: _Case, name: str, why: str) -> None:
        """Give a worker nothing more, and believe nothing that it said of what is not settled."""
        self.left_out += 1
        address = case.replicas[name].address
        for other in self.open.values():
            if name in other.replicas:
                self._drop(other, other.replicas[name])
        self.tell_left_out(name, f"worker {name} at {address} was left out: it {why}")
        self._look_who_is_there()


def draw_order(secret: bytes, number: int, names: Iterable[str]) -> list[str]:
    """Return names in the order in which they are asked for a task; taking one away leaves the others in theirs."""
    return sorted(names, key=lambda name: hashlib.sha256(secret + f"{number}:{name}".encode()).digest())


def _is_vote(vote: Any, digest: bytes) -> bool:
    """Whether a worker said this digest; it may have said anything."""
    return isinstance(vote, bytes) and vote == digest


def _is_part(part: Any, digest: bytes) -> bool:
    """Whether what a worker sent is the part with this digest; it may have sent anything."""
    try:
        return digest_part(part) == digest
    except (TypeError, AttributeError, ValueError, RecursionError):
        return False
