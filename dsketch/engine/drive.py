"""Run a method to its end: replay what the journal knows, ask the engine for the rest, record, tell."""

import time
from dataclasses import replace
from typing import TypeVar

import numpy as np

from dsketch._linalg.threads import one_blas_thread, side_by_side
from dsketch.engine import Engine
from dsketch.engine.journal import Journal, digest, seed_of
from dsketch.engine.panels import refine_panels
from dsketch.errors import DataError
from dsketch.events import Converged, PassFinished, PassRecord, PassStarted, Tell
from dsketch.passes.base import Flow, Look, Part, leaves
from dsketch.passes.digests import DIGESTS
from dsketch.passes.sealed import Panels, Sealed

T = TypeVar("T")


class Drive:
    """Answers the looks that flows yield, in order.

    Parameters
    ----------
    engine : Engine
    tell : callable
        Listener of events.
    journal : Journal or None
        Its header must have been begun.
    expected : int
        Passes that the plan foresees, for listeners; 0 where nobody can say.
    suspect : str
        What else may be at fault if a pass overflows, as its sentence goes on.
    panels : int or None
        The least of a pass.
    """

    def __init__(
        self,
        engine: Engine,
        tell: Tell,
        journal: Journal | None = None,
        expected: int = 1,
        suspect: str = "",
        panels: int | None = None,
    ) -> None:
        self.engine = engine
        self.tell = tell
        self.journal = journal
        self.expected = expected
        self.suspect = suspect
        self.panels = panels
        self.passes: list[PassRecord] = []
        self.history: list[Converged] = []

    def run(self, flow: Flow[T]) -> T:
        """Return what the flow returns.

        Arithmetic between passes runs on one BLAS thread, what is large of it tile by tile on all processors, so that its bits can be had
        again, and without warnings of overflow: what is not finite in the end is refused with a sentence
        (:func:`dsketch.problems.linear.certificate.require_finite`).
        """
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            try:
                asked, sent = None, None
                while True:
                    with side_by_side():
                        asked = flow.send(sent if asked is None or isinstance(asked, Converged) else asked.pass_.finish(sent))
                    if isinstance(asked, Converged):
                        self.history.append(replace(asked, number=len(self.passes)))
                        self.tell(self.history[-1])
                        sent = None
                    else:
                        sent = self._answer(asked)
            except StopIteration as end:
                result: T = end.value
                return result

    def _answer(self, look: Look) -> Part:
        look = self._cut(look)
        number, kind, read_bytes = len(self.passes) + 1, look.pass_.names(), look.rows.nbytes
        self.tell(PassStarted(number, kind, read_bytes, max(self.expected, number) if self.expected else 0))
        known = self.journal.read(number, look) if self.journal else None
        if known is not None:
            part, facts = known
            record = PassRecord(number, kind, read_bytes, float(facts["seconds"]), replayed=True)
        else:
            began = time.perf_counter()
            part, panels = self._run(number, look)
            record = PassRecord(number, kind, self.engine.replicas * read_bytes, time.perf_counter() - began)
            if self.journal:
                self.journal.write(number, look, part, {"seconds": record.seconds}, panels)
        if not all(
            np.isfinite(array).all() for array in leaves(part)
        ):  # a NaN or infinity of the data was refused where it was read
            raise DataError(
                f"the squares of the data must be finite in float64; they overflow in the {kind} pass. Rescale A and b (units!) to "
                f"entries below 1e150{self.suspect}."
            )
        self.passes.append(record)
        self.tell(PassFinished(number, kind, record.seconds, record.read_bytes, record.replayed))
        return part

    def _cut(self, look: Look) -> Look:
        """Return the look in as many panels as were asked for."""
        return look if self.panels is None else look._replace(rows=refine_panels(look.rows, self.panels))

    def _run(self, number: int, look: Look) -> tuple[Part, Panels | None]:
        """Return the part, and for a journal what the pass says of its panels."""
        if self.journal is None:
            return self.engine.run(look, self.tell), None
        sealed = Sealed(look.pass_, seed_of(self.journal.digest_of(number - 1), digest(look)), DIGESTS)
        return sealed.finish(self.engine.run(look._replace(pass_=sealed), self.tell))
