"""The one chooser, on toy methods whose prices are given."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from dsketch.errors import PlanError, SpecError
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate
from dsketch.problems.choose import choose_method
from dsketch.problems.method import Method, table_of


@dataclass
class Toys:
    """A case of a memory, and who was priced on it."""

    memory_bytes: int = 1000
    priced: list[str] = field(default_factory=list)

    def explain_need(self, prices: Any) -> str:
        """Name those that do not fit."""
        return f"too large: {', '.join(prices)}"


def toy(word: str, seconds: float, memory: int = 100, against: str | None = None, **facts: Any) -> Method[Any, Any, Any]:
    """Return a method of a price."""

    class Toy(Method[Toys, Any, Any]):
        name = word

        def price(self, case: Toys) -> Estimate:
            case.priced.append(word)
            return Estimate(1, seconds, memory, 0)

        def unfit(self, _: Toys) -> str | None:
            return against

        def solve(self, system: Any, settings: Any, start: Any = None) -> Flow[Any]:
            raise NotImplementedError

    for fact, value in facts.items():
        setattr(Toy, fact, value)
    return Toy()


def test_the_cheapest_that_fits_is_taken_and_every_other_has_its_reason() -> None:
    """Price, memory, what speaks against a method, and why one is never offered."""
    methods = table_of(
        [
            toy("cheap", 1.0),
            toy("dear", 2.0),
            toy("large", 0.1, memory=900),
            toy("wrong", 0.1, against="is for others"),
            toy("aside", 0.1, is_offered=False, aside="is approximate"),
            toy("hidden", 0.1, is_offered=False),
        ]
    )
    case = Toys()

    found = choose_method(methods, "auto", case)

    assert (found.name, found.why) == ("cheap", "the cheapest of 2 that can reach the tolerance")
    assert found.rejected == {
        "dear": "about 2 s in 1 pass",
        "large": "needs 900 B of 800 B a thread",
        "wrong": "is for others",
        "aside": "is approximate",
    }
    assert case.priced == ["cheap", "dear", "large"]  # a price may cost a forecast


def test_the_only_one_says_why_it_is_there() -> None:
    """A method for its own kind of problem has no price to win by."""
    methods = table_of([toy("mine", 1.0, reason="there is a ridge"), toy("other", 0.1, against="needs no ridge")])

    assert choose_method(methods, "auto", Toys()).why == "there is a ridge"


def test_what_speaks_against_a_method_yields_to_memory() -> None:
    """If no other fits, the first of the doubtful ones that does is taken; if none does, all are named."""
    methods = table_of([toy("large", 1.0, memory=900), *(toy(name, 1.0, against="is doubtful") for name in ("one", "two"))])

    found = choose_method(methods, "auto", Toys())

    assert (found.name, found.rejected["two"]) == ("one", "is doubtful")
    with pytest.raises(PlanError, match="too large: large, one, two"):
        choose_method(methods, "auto", Toys(memory_bytes=10))


def test_who_is_asked_for_is_taken_unless_it_cannot() -> None:
    """By name doubts do not count, but memory does, and what a method refuses."""

    def refuse(method: Any, case: Any) -> None:
        raise SpecError("strict is for others")

    methods = table_of([toy("cheap", 0.1), toy("doubtful", 1.0, against="why not"), toy("strict", 1.0, require=refuse)])

    assert choose_method(methods, "doubtful", Toys()).why == "asked for"
    with pytest.raises(SpecError, match="strict is for others"):
        choose_method(methods, "strict", Toys())
    with pytest.raises(PlanError, match=r"too large: cheap$"):
        choose_method(methods, "cheap", Toys(memory_bytes=10))
