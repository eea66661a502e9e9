"""Which method answers: of those that fit in memory and against which nothing speaks, the cheapest, or a safe one near it.

One rule for all families; what differs between them (prices, what speaks against a method) belongs to the methods.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dsketch._units import format_bytes, format_count, format_seconds
from dsketch.errors import PlanError
from dsketch.planning.choice import MEMORY_SHARE, describe_room
from dsketch.planning.price import Estimate, Workload
from dsketch.problems.method import Case, Method

# A safe method has nothing to fall back from: it is taken at a price up to this much above the cheapest.
SAFE_PREMIUM = 1.1
SMALL_SECONDS = 0.05  # below it no method is worth choosing over a safe one


@dataclass(frozen=True)
class Verdict:
    """What was chosen, and why.

    Attributes
    ----------
    name : str
    estimate : Estimate
        Of the chosen method.
    rejected : dict of str to str
        The other methods and why each lost.
    why : str
    """

    name: str
    estimate: Estimate
    rejected: dict[str, str]
    why: str


def choose_method(methods: Mapping[str, Method[Any, Any, Any]], asked: str, case: Case) -> Verdict:
    """Return the method to take.

    Parameters
    ----------
    asked : str
        ``"auto"``, or the name of one that is taken if it fits in memory.

    Raises
    ------
    PlanError
        If no candidate (or not the one asked for) fits in memory; the message has both numbers.
    """
    offered = [method for method in methods.values() if method.is_offered or method.name == asked]
    prices = {method.name: method.price(case) for method in offered}
    names = list(prices) if asked == "auto" else [asked]
    room = MEMORY_SHARE * case.workload.memory_bytes
    fitting = [name for name in names if prices[name].memory_bytes <= room]
    if not fitting:
        raise PlanError(_too_large({name: prices[name] for name in names}, case.workload))
    if asked != "auto":
        return Verdict(asked, prices[asked], {}, "asked for")
    rejected = {
        name: f"needs {format_bytes(prices[name].memory_bytes)} of {format_bytes(room)} a thread"
        for name in names
        if name not in fitting
    }
    for name in reversed(fitting.copy()):  # the first ones stay longest, if something speaks against all
        if len(fitting) > 1 and (reason := methods[name].unfit(case)) is not None:
            fitting.remove(name)
            rejected[name] = reason
    best, why = _cheapest(methods, {name: prices[name] for name in fitting})
    rejected |= {name: _price_text(prices[name]) for name in fitting if name != best}
    return Verdict(best, prices[best], rejected, why)


def _cheapest(methods: Mapping[str, Method[Any, Any, Any]], prices: dict[str, Estimate]) -> tuple[str, str]:
    """Return the name of the cheapest, or of a safe one near it, and the reason."""
    best = min(prices, key=lambda name: prices[name].seconds)
    limit = max(SAFE_PREMIUM * prices[best].seconds, SMALL_SECONDS)
    for name, price in prices.items():
        if methods[name].is_safe and name != best and price.seconds <= limit:
            return name, "stable for every A, at a price near the cheapest"
    return best, f"the cheapest of {len(prices)} that can reach the tolerance"


def _price_text(price: Estimate) -> str:
    return f"about {format_seconds(price.seconds)} in {price.passes} passes"


def _too_large(prices: dict[str, Estimate], workload: Workload) -> str:
    needs = ", ".join(f"{name} {format_bytes(price.memory_bytes)}" for name, price in prices.items())
    return (
        f"{describe_room(workload.memory_bytes)}; {needs} would be needed: {workload.blocks} block(s) of "
        f"{format_bytes(workload.block_bytes)} and the parts for {format_count(workload.d)} columns. Give workers "
        "more memory or fewer threads, or store smaller chunks."
    )
