"""Run a method for powers; where it meets what it cannot do, the factor by QR takes over and says so."""

from dataclasses import replace

from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown
from dsketch.problems.powers.alternating import alternating_even, alternating_odd
from dsketch.problems.powers.answer import Floats, PowerAnswer, reached
from dsketch.problems.powers.factored import ROUTES, factored_even, factored_odd
from dsketch.problems.powers.stage import INNERS
from dsketch.settings import Settings

METHODS = (*ROUTES, *INNERS)
LAST = "factored"  # a QR needs no sketch: nothing stops it


def powered(system: LinearSystem, b: Floats | None, power: int, settings: Settings, method: str) -> Flow[tuple[PowerAnswer, str]]:
    """Return the answer and the name of the method that gave it.

    Parameters
    ----------
    b : ndarray, shape (d, k), or None
        Of (AᵀA)ʲx = b; None: the odd power, with the b of the system's rows.
    method : str
        One of ``METHODS``.
    """
    try:
        answer = yield from _tried(system, b, power, settings, method)
    except Breakdown as stop:
        answer = yield from _tried(system, b, power, settings, LAST)
        answer = replace(answer, notes=(f"{method} gave way to {LAST}: {stop.reason}", *answer.notes))
        method = LAST
    yield reached(answer.backward_error, answer.residual_norm)
    return answer, method


def _tried(system: LinearSystem, b: Floats | None, power: int, settings: Settings, method: str) -> Flow[PowerAnswer]:
    """Return the answer by one method.

    Raises
    ------
    Breakdown
        If it cannot go on, or its stages stop short of the accepted backward error.
    """
    if method in ROUTES:
        route = ROUTES[method]
        if b is None:
            return (yield from factored_odd(system, power, settings, route))
        return (yield from factored_even(system, b, power, settings, route))
    if b is None:
        answer = yield from alternating_odd(system, power, settings, method)
    else:
        answer = yield from alternating_even(system, b, power, settings, method)
    reached = float(answer.backward_error.max(initial=0.0))
    if not reached <= len(answer.stages) * settings.accepted:
        raise Breakdown(f"the stages made no more progress at a backward error of {reached:.1e}")
    return answer
