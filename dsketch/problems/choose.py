"""Which method answers: of those that fit in memory and against which nothing speaks, the cheapest, or a safe one near it.

One rule and one plan for all families; what differs between them (prices, what speaks against a method) belongs to the methods.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dsketch._units import format_bytes, format_counted, format_seconds
from dsketch.errors import PlanError
from dsketch.matrix.rows import Rows
from dsketch.planning.choice import MEMORY_SHARE, Choice, describe_data, describe_machines
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.method import Method, Planned, Priced

# A safe method has nothing to fall back from: it is taken at a price up to this much above the cheapest.
_SAFE_PREMIUM = 1.1
_SMALL_SECONDS = 0.05  # a safe method that costs no more is taken in any case


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


def choose_method(methods: Mapping[str, Method[Any, Any, Any]], asked: str, case: Priced) -> Verdict:
    """Return the method to take.

    A method against which something speaks is not even priced, unless no other fits in memory.

    Parameters
    ----------
    asked : str
        ``"auto"``, or the name of one that is taken if it fits in memory.

    Raises
    ------
    SpecError
        If the one asked for cannot answer the case.
    PlanError
        If no candidate (or not the one asked for) fits in memory; the message has both numbers.
    """
    if asked != "auto":
        methods[asked].require(case)
        price = methods[asked].price(case)
        if not _fits(price, case):
            raise PlanError(case.explain_need({asked: price}))
        return Verdict(asked, price, {}, "asked for")
    offered = [name for name, method in methods.items() if method.is_offered]
    unfit = {name: reason for name in offered if (reason := methods[name].unfit(case)) is not None}
    prices = {name: methods[name].price(case) for name in offered if name not in unfit}
    if not any(_fits(price, case) for price in prices.values()):
        prices |= {name: methods[name].price(case) for name in unfit}
        unfit.pop(next((name for name in unfit if _fits(prices[name], case)), ""), None)  # the first, if any
    fitting = {name: prices[name] for name in offered if name not in unfit and _fits(prices[name], case)}
    if not fitting:
        raise PlanError(case.explain_need({name: prices[name] for name in offered}))
    best, why = _cheapest(methods, fitting)
    if methods[best].reason is None:
        why = _reason_of_all(unfit, [name for name in offered if name != best]) or why
    rejected = {name: _need_text(price, case) for name, price in prices.items() if not _fits(price, case)}
    rejected |= {name: reason for name, reason in unfit.items() if name not in rejected}
    rejected |= {name: _price_text(price) for name, price in fitting.items() if name != best}
    rejected |= {name: method.aside for name, method in methods.items() if not method.is_offered and method.aside is not None}
    return Verdict(best, prices[best], rejected, why)


def require_room(methods: Mapping[str, Method[Any, Any, Any]], asked: str, case: Priced) -> list[str]:
    """Return the methods that could be taken for a case of which nothing was probed; refuse one for which none of them has room.

    Parameters
    ----------
    case : Priced
        With a probe that speaks against nothing.

    Raises
    ------
    PlanError
        As :func:`choose_method`.
    """
    offered = [name for name, method in methods.items() if method.is_offered and method.unfit(case) is None]
    names = offered if asked == "auto" else [asked]
    prices = {name: methods[name].price(case) for name in names}
    if not any(_fits(price, case) for price in prices.values()):
        raise PlanError(case.explain_need(prices))
    return names


def plan_case(methods: Mapping[str, Method[Any, Any, Any]], asked: str, case: Planned, rows: Rows, machines: Machines) -> Choice:
    """Return the plan by the method to take, with what it says of itself.

    Parameters
    ----------
    asked : str
        As in :func:`choose_method`.
    rows : Rows
        What passes read, as it is stored.

    Raises
    ------
    SpecError, PlanError
        As :func:`choose_method`.
    """
    verdict = choose_method(methods, asked, case)
    method = methods[verdict.name]
    return Choice(
        method=verdict.name,
        settings=case.settings,
        estimate=verdict.estimate,
        rejected=verdict.rejected,
        matrix=describe_data(rows, case.sides),
        machines_text=describe_machines(machines, case.found),
        why=verdict.why,
        read_bytes=verdict.estimate.passes * rows.nbytes - verdict.estimate.spared_bytes,
        condition_hint=float("nan") if case.found is None else case.found.condition,
        memory_limit_bytes=case.memory_bytes,
        details=method.details(case),
        takes=method.takes,
    )


def _fits(price: Estimate, case: Priced) -> bool:
    return price.memory_bytes <= MEMORY_SHARE * case.memory_bytes


def _reason_of_all(unfit: Mapping[str, str], others: list[str]) -> str | None:
    """Return what speaks against all others, if one sentence does: it decides then, and not the price."""
    reasons = {unfit.get(name) for name in others}
    return reasons.pop() if len(reasons) == 1 else None


def _cheapest(methods: Mapping[str, Method[Any, Any, Any]], prices: dict[str, Estimate]) -> tuple[str, str]:
    """Return the name of the cheapest, or of a safe one near it, and the reason."""
    best = min(prices, key=lambda name: prices[name].seconds)
    if len(prices) == 1 and (reason := methods[best].reason) is not None:
        return best, reason
    limit = max(_SAFE_PREMIUM * prices[best].seconds, _SMALL_SECONDS)
    for name, price in prices.items():
        if methods[name].is_safe and name != best and price.seconds <= limit:
            return name, "stable for every A, at a price near the cheapest"
    return best, f"the cheapest of {len(prices)} that can reach the tolerance"


def _price_text(price: Estimate) -> str:
    return f"about {format_seconds(price.seconds)} in {format_counted(price.passes, 'pass', 'passes')}"


def _need_text(price: Estimate, case: Priced) -> str:
    return f"needs {format_bytes(price.memory_bytes)} of {format_bytes(MEMORY_SHARE * case.memory_bytes)} a thread"
