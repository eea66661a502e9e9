"""Two jobs side by side: what was asked otherwise, what each cost and is certified of, and which coefficients differ beyond their errors.

A difference is claimed only where the errors do not allow it.  Where both answers have standard errors, the two are taken for
estimates from independent rows (rows that both have seen make a claim rarer, never more frequent), and d of them are compared at
once (Bonferroni): of two answers that estimate the same, none of the d differences is claimed with 95 % probability, as far as the
errors are right (of generalised linear models, and robust ones, that is for many rows: gamma claims 7 % with some 100).  Else the proven
bounds of how far rounding may have moved each coefficient are added up; where one lacks, nothing is claimed.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dsketch._jsonable import plain
from dsketch.service.coefficients import LEVEL, Coefficients

_MOST_ROWS = 5_000  # of coefficients; the ones that differ most come first
_MOST_VALUES = 8  # of a list that is told whole; of a longer one the largest
_OF_PLAN = ("method", "why", "passes", "read_bytes", "seconds", "memory_bytes", "matrix", "means")
_NOT_TOLD = ("coefficient_errors", "last_places")  # of certificates: they have a number for each coefficient
_FAR = 0.1  # a first-order bound relative to x that is larger proves nothing
_MEANINGS = ("problem", "family", "link", "power", "features")  # options with which coefficients have another meaning

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """One of two jobs.

    Attributes
    ----------
    job : dict
        As the service describes it, whole.
    solution : dict or None
        Its answer without x.
    coefficients : Coefficients or None
    """

    job: dict[str, Any]
    solution: dict[str, Any] | None
    coefficients: Coefficients | None


def compare(one: Side, other: Side, target: int = 0) -> dict[str, Any]:
    """Return what two jobs have otherwise, as JSON can hold it; every fact has a pair of values.

    Parameters
    ----------
    target : int
        The right-hand side whose coefficients are compared.

    Raises
    ------
    SpecError
        If one of them has no such right-hand side.
    """
    both = (one, other)
    options = _find_differing(*(_flat(side.job["spec"]) for side in both))
    told = {
        "jobs": [
            {name: side.job[name] for name in ("id", "name", "owner", "state", "word", "sentence", "created")} for side in both
        ],
        "options": options,
        "plan": _pair(*({name: (side.job["plan"] or {}).get(name) for name in _OF_PLAN} for side in both)),
        "run": _pair(*(_ledger(side) for side in both)),
        "certificate": _pair(*(_certificate(side.solution) for side in both)),
        "notes": [list((side.solution or {}).get("notes", ())) for side in both],
    }
    lacking = [side.job["name"] or side.job["id"] for side in both if side.coefficients is None]
    if one.coefficients is None or other.coefficients is None:
        return {**told, "coefficients": None, "no_coefficients": f"no coefficients by name: {' and '.join(lacking)}"}
    doubt = [fact["name"] for fact in options if fact["name"] in _MEANINGS]
    found = _compare_values(*(_values(side, target) for side in both))
    targets = min(one.coefficients.targets, other.coefficients.targets)
    coefficients = {"target": target, "targets": targets, **found, "doubt": doubt}
    compared: dict[str, Any] = plain({**told, "coefficients": coefficients, "no_coefficients": None})
    return compared


# ---- facts in pairs --------------------------------------------------------------------------------------------------


def _flat(document: dict[str, Any], stem: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= _flat(value, f"{stem}{name}.") if isinstance(value, dict) else {f"{stem}{name}": value}
    return found


def _pair(one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every fact that one of them has, with both values."""
    known = [name for name in {**one, **other} if one.get(name) is not None or other.get(name) is not None]
    return [{"name": name, "values": [one.get(name), other.get(name)]} for name in known]


def _find_differing(one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    return [fact for fact in _pair(one, other) if fact["values"][0] != fact["values"][1]]


def _ledger(side: Side) -> dict[str, Any]:
    """Return what a run came to."""
    if side.solution is None:
        return {"status": None, "passes": side.job["passes"], "work_seconds": side.job["seconds"]}
    passes = side.solution["passes"]
    made = [one for one in passes if not one["replayed"]]
    return {
        "status": side.solution["status"],
        "method": side.solution["method"],
        "passes": len(passes),
        "replayed": len(passes) - len(made),
        "read_bytes": sum(one["read_bytes"] for one in made),
        "pass_seconds": sum(one["seconds"] for one in made),
        "work_seconds": side.job["seconds"],
    }


def _certificate(solution: dict[str, Any] | None) -> dict[str, Any]:
    facts = {} if solution is None else solution["certificate"]
    return {name: _brief(value) for name, value in facts.items() if name not in _NOT_TOLD}


def _brief(value: Any) -> Any:
    """Return a value, of a long list the largest number."""
    if not isinstance(value, list):
        return value
    known = [number for number in value if isinstance(number, int | float)]
    if len(value) == 1:
        return value[0]
    return value if len(value) <= _MOST_VALUES else max(known, default=None)


# ---- coefficients ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Values:
    """Coefficients of one target by name; NaN for what is not known.

    ``bounds`` are how far rounding may have moved each, proven to first order.
    """

    names: list[tuple[str, int]]
    x: Floats
    errors: Floats | None
    bounds: Floats
    degrees: float

    def at(self, names: list[tuple[str, int]], of: Floats) -> Floats:
        """Return numbers in the order of other names."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([of[place[name]] if name in place else np.nan for name in names])


def _values(side: Side, target: int) -> _Values:
    known = side.coefficients
    assert known is not None and side.solution is not None  # noqa: S101, PT018 - asked before
    table = known.of_target(target)
    counted: Counter[str] = Counter()
    names = []
    for name in table["names"]:
        names.append((name, counted[name]))
        counted[name] += 1
    columns = {name: np.array(values, np.float64) for name, values in table["columns"].items()}
    bounds, errors = known.bounds_of(target), columns.get("standard_error")
    if errors is not None and table["is_estimable"] is not None:
        errors = np.where(table["is_estimable"], errors, np.nan)
    return _Values(
        names,
        columns["value"],
        errors,
        bounds if _is_near(side.solution, target) else np.full(len(names), np.nan),
        known.degrees_of(target),
    )


def _is_near(solution: dict[str, Any], target: int) -> bool:
    """Whether the bounds of a target are small enough to be of first order."""
    far = solution["certificate"].get("forward_error")
    told = (
        far[target] if isinstance(far, list) and target < len(far) else max(far, default=None) if isinstance(far, list) else far
    )
    return isinstance(told, int | float) and told <= _FAR


def _compare_values(one: _Values, other: _Values) -> dict[str, Any]:
    """Return the coefficients of both by name, the ones that differ most first."""
    names = list(dict.fromkeys([*one.names, *other.names]))
    x, y = one.at(names, one.x), other.at(names, other.x)
    bounds = [side.at(names, side.bounds) for side in (one, other)]
    difference = np.abs(x - y)
    if one.errors is not None and other.errors is not None:
        basis, errors = "standard errors", [one.at(names, one.errors), other.at(names, other.errors)]
        combined = np.hypot(*errors)
        reach = _quantile(min(one.degrees, other.degrees), int(np.isfinite(difference).sum()))
        allowed = reach * combined + np.nan_to_num(bounds[0]) + np.nan_to_num(bounds[1])
    else:
        basis, errors, reach = "forward errors", bounds, 1.0
        combined = allowed = bounds[0] + bounds[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(difference == 0, 0.0, difference / combined)
    has_both = np.isfinite(x) & np.isfinite(y)
    differs, agrees = has_both & (difference > allowed), (difference == 0) | (difference <= allowed)
    verdicts = np.select([~has_both, differs, agrees], ["one", "differs", "agrees"], "unknown")
    rank = np.select([differs, ~has_both], [0, 1], 2)
    order = np.lexsort((np.arange(len(names)), -np.nan_to_num(ratio, nan=-1.0, posinf=np.inf), rank))[:_MOST_ROWS]
    return {
        "basis": basis,
        "level": LEVEL if basis == "standard errors" else None,
        "reach": reach if math.isfinite(reach) else None,
        "counts": {word: int((verdicts == word).sum()) for word in ("differs", "agrees", "unknown", "one")},
        "rows": [
            {
                "name": names[row][0],
                "values": [x[row], y[row]],
                "errors": [errors[0][row], errors[1][row]],
                "difference": y[row] - x[row],
                "ratio": ratio[row],
                "verdict": str(verdicts[row]),
            }
            for row in order
        ],
        "left_out": len(names) - len(order),
    }  # fmt: skip


def _quantile(degrees: float, count: int) -> float:
    """Return how many combined errors a difference may have where ``count`` of them are compared at once; NaN if nobody knows."""
    tail = (1 - LEVEL) / 2 / max(count, 1)
    if degrees <= 0 or math.isnan(degrees):
        return math.nan
    return float(-special.ndtri(tail) if math.isinf(degrees) else -special.stdtrit(degrees, tail))
