"""Run a flow by hand: what it looks at, what it is told, what it returns."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import SerialEngine
from dsketch.engine.journal import digest
from dsketch.events import Converged, ignore
from dsketch.passes.base import Flow, Part

T = TypeVar("T")


@dataclass(frozen=True)
class FinishedFlow(Generic[T]):
    """A finished flow.

    Attributes
    ----------
    result
        What the flow returned.
    digests : list of str
        One for each pass that it asked for: kinds, shapes and every bit of its arrays.
    parts : list
        What the passes gave.
    """

    result: T
    digests: list[str]
    parts: list[Part]


def run_flow(flow: Flow[T], parts: list[Part] | None = None) -> FinishedFlow[T]:
    """Run a flow to its end, answering from ``parts`` as long as they last and from the data afterwards."""
    digests: list[str] = []
    given: list[Part] = []
    known: list[Any] = list(parts or [])
    engine = SerialEngine(1)
    with one_blas_thread():
        try:
            look = next(flow)
            while True:
                if isinstance(look, Converged):
                    look = flow.send(None)
                    continue
                digests.append(digest(look))
                part = known[len(given)] if len(given) < len(known) else engine.run(look, ignore)
                given.append(part)
                look = flow.send(look.pass_.finish(part))
        except StopIteration as end:
            return FinishedFlow(end.value, digests, given)
