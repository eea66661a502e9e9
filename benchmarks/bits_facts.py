"""What ``bits.py`` keeps of an answer: field → text, exact, without anything that was timed or measured on the machine."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import dsketch as ds

Facts = dict[str, str]

SHOWN = 8  # numbers of an array that are kept as they are, beside its hash
TIMED = {
    "seconds",
    "reading_seconds",
    "means",
    "rejected",
    "memory_limit_bytes",
    "why",
}  # of a plan: they depend on the machine or the moment


def text_of(value: Any) -> str:
    """Return a text that differs if a single bit does: of an array type, shape, SHA-256 of its bytes, and the first numbers."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{value.dtype} {value.shape} {digest} {value.ravel()[:SHOWN].tolist()!r}"
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text_of(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {text_of(value[key])}" for key in sorted(value)) + "}"
    return repr(value)


def message_of(ask: Callable[[], Any]) -> str:
    """Return the kind and the words of the error that a request ends with."""
    try:
        found = ask()
    except (ds.DsketchError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return f"no error: {found!r}"


def facts_of_numbers(values: Any) -> Facts:
    """Return the fact of an array."""
    return {"values": text_of(np.asarray(values))}


def facts_of_check(certificate: Any) -> Facts:
    """Return each field of a certificate, and its lines for people."""
    facts = {f"certificate.{field.name}": text_of(getattr(certificate, field.name)) for field in dataclasses.fields(certificate)}
    return facts | {"certificate": type(certificate).__name__, "certificate.lines": text_of(certificate.lines())}


def facts_of_solution(solution: ds.Solution, told: Iterable[Any] = ()) -> Facts:
    """Return what must not change about a solution: x, status, method, notes, passes, certificate, the plan's figures, events."""
    passes = [(record.number, record.kind, record.read_bytes, record.replayed) for record in solution.passes]
    plan = {name: value for name, value in solution.plan.to_dict().items() if name not in TIMED}
    facts = {
        "x": text_of(solution.x),
        "status": solution.status.name,
        "message": solution.status.value,
        "method": solution.method,
        "notes": text_of(solution.notes),
        "names": text_of(solution.names),
        "passes": text_of(passes),
        "fields": text_of(sorted(solution.to_dict())),
        "singular_values": _or_message(lambda: solution.singular_values),
        "coefficient_errors": _or_message(lambda: solution.coefficient_errors),
        "events": text_of([_event(event) for event in told if type(event).__name__ in {"PassStarted", "Converged", "Note"}]),
        **{f"plan.{name}": text_of(value) for name, value in plan.items()},
        **facts_of_check(solution.certificate),
    }
    if isinstance(solution.answer, tuple):  # heads: each has its own outcome
        for number, outcome in enumerate(solution.answer):
            facts |= {f"head {number}.{name}": text for name, text in _facts_of_head(outcome).items()}
    return facts


def facts_of_summary(summary: ds.Summary) -> Facts:
    """Return the numbers of a table of coefficients, its covariance, and the table itself."""
    facts = {f"summary.{name}": text_of(value) for name, value in summary.to_dict().items()}
    return facts | {"covariance": text_of(summary.covariance()), "table": str(summary)}


def _facts_of_head(outcome: Any) -> Facts:
    found = {"x": text_of(outcome.x), "status": outcome.status.name, "method": outcome.method, "notes": text_of(outcome.notes)}
    return found | facts_of_check(outcome.certificate)


def _event(event: Any) -> tuple[str, dict[str, Any]]:
    return type(event).__name__, dataclasses.asdict(event)


def _or_message(ask: Callable[[], Any]) -> str:
    try:
        return text_of(ask())
    except ds.DsketchError as error:
        return f"{type(error).__name__}: {error}"
