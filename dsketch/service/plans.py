"""Plans and pictures that somebody waits for: a few at a time, each in a process of its own that ends with who asked for it."""

import threading
from dataclasses import replace
from typing import Any

from dsketch.errors import DsketchError
from dsketch.service.attempt import Attempt
from dsketch.service.dispatch import Dispatcher
from dsketch.service.errors import RateError, ServiceError
from dsketch.service.residuals import ResidualWish
from dsketch.service.specs import Spec

_PLAN_SECONDS = 120.0  # a probe reads a few blocks; own workers may have to start before
PLANS_AT_ONCE = 4
_GONE = "nobody waits for the plan any more"
_STOPPING = "a plan was expected; the service is about to stop. Ask again when it runs."


class Plans:
    """The places to plan.

    Guarantees: nobody waits for a place; a plan's process is gone when :meth:`Planning.go` returns, at the latest a moment after
    :meth:`Planning.stop`.

    Parameters
    ----------
    dispatcher : Dispatcher
    most : int
        Plans at a time.
    """

    def __init__(self, dispatcher: Dispatcher, most: int = PLANS_AT_ONCE) -> None:
        self.dispatcher, self.most = dispatcher, most
        self._changing = threading.Lock()
        self._under_way: set[Planning] = set()
        self._is_closed = False

    def begin(self, spec: Spec, owner: str, residuals: ResidualWish | None = None) -> "Planning":
        """Return a plan to make, or residuals to draw, which has a place until it has ended; never waits.

        Raises
        ------
        SpecError
            If the work would grow beyond what the service does.
        RateError
            If all places are taken.
        ServiceError
            If the service is about to stop.
        """
        spec.require_bounded()
        with self._changing:
            if self._is_closed:
                raise ServiceError(_STOPPING)
            if len(self._under_way) >= self.most:
                raise RateError(
                    f"a free place to plan was expected; {self.most} plans are under way. Ask again in a few seconds."
                )
            planning = Planning(self, spec, owner, residuals)
            self._under_way.add(planning)
        return planning

    def give_back(self, planning: "Planning") -> None:
        """Give a place back."""
        with self._changing:
            self._under_way.discard(planning)

    def close(self) -> None:
        """End every plan under way, and take no more."""
        with self._changing:
            self._is_closed = True
            rest = list(self._under_way)
        for planning in rest:
            planning.stop(_STOPPING)


class Planning:
    """A plan that is made, or residuals of a solved job that are drawn."""

    def __init__(self, plans: Plans, spec: Spec, owner: str, residuals: ResidualWish | None = None) -> None:
        self._plans, self._spec, self._owner, self._residuals = plans, spec, owner, residuals
        self._run = Attempt(self._hear, plans.dispatcher.cluster.address)

    def stop(self, why: str = _GONE) -> None:
        """End its process."""
        self._run.stop(why)

    def go(self, seconds: float = _PLAN_SECONDS) -> dict[str, Any]:
        """Return the plan, or the picture.

        Raises
        ------
        DsketchError
            What planning raised in its process; ServiceError if it was stopped or took too long.
        """
        try:
            return self._make(seconds)
        finally:
            self._plans.give_back(self)

    def _make(self, seconds: float) -> dict[str, Any]:
        dispatcher = self._plans.dispatcher
        work = dispatcher.work_for(dispatcher.admit(self._spec, self._owner), None, self._owner)
        work = replace(work, residuals=self._residuals)
        ending = self._run.go(work, planning=min(seconds, dispatcher.rules.most_planning_seconds))
        if ending.kind == "ended":
            found: dict[str, Any] = ending.fields["found"]
            return found
        raise _error_named(ending.fields.get("error", ""), ending.message)

    def _hear(self, kind: str, fields: dict[str, Any]) -> None:
        """Count what was read for a picture; the few blocks of a plan are not counted."""
        if kind == "read":
            self._plans.dispatcher.quotas.count_of(self._owner, fields["read_bytes"])


def _error_named(name: str, message: str) -> DsketchError:
    """Return the error that a process named."""
    found = {kind.__name__: kind for kind in _all_errors(DsketchError)}
    return found.get(name, ServiceError)(message)


def _all_errors(root: type[DsketchError]) -> list[type[DsketchError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _all_errors(child))]
