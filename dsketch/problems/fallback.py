"""Run a method; where it meets what it cannot do, go on with its successor and say so."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from dsketch.passes.base import Flow
from dsketch.problems.method import Breakdown, Method
from dsketch.settings import Settings

S = TypeVar("S")


def with_fallback(
    methods: Mapping[str, Method[Any, S, Any]], name: str, system: S, settings: Settings, start: Any = None
) -> Flow[tuple[Any, str]]:
    """Return the answer and the name of the method that gave it, through as many methods as it takes.

    Parameters
    ----------
    methods : mapping of str to Method
        Of the family; answers are dataclasses with ``notes``.
    name : str
        Of the first one.
    start : object
        What it need not make again.
    """
    notes: tuple[str, ...] = ()
    while True:
        method = methods[name]
        try:
            answer = yield from method.solve(system, settings, start)
        except Breakdown as stop:
            if method.successor is None:
                raise
            notes += (f"{name} gave way to {method.successor}: {stop.reason}",)
            name, start = method.successor, stop.start
        else:
            return replace(answer, notes=(*notes, *answer.notes)), name
