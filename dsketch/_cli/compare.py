"""Two jobs side by side as text."""

from collections.abc import Iterator
from typing import Any

_MOST_ROWS = 20  # coefficients; all are in --json
_WIDE = 34  # of a column of values; longer ones are cut in the middle


def comparison_text(found: dict[str, Any]) -> str:
    """Return a comparison of the service in lines: what differs in what was asked, both plans, ledgers, certificates, coefficients."""
    heads = [job["name"] or job["id"] for job in found["jobs"]]
    lines = [_line("", heads), *(_line("state", [job["word"] for job in found["jobs"]]),)]
    for word in ("options", "plan", "run", "certificate"):
        facts = [fact for fact in found[word] if fact["name"] != "why"]
        lines += ["", f"{word}{'' if facts else '      the same'}", *(_line(fact["name"], fact["values"]) for fact in facts)]
    return "\n".join([*lines, "", *_coefficient_lines(found)])


def _coefficient_lines(found: dict[str, Any]) -> Iterator[str]:
    told = found["coefficients"]
    if told is None:
        yield f"coefficients  {found['no_coefficients']}"
        return
    yield f"coefficients  {said_of(told)}"
    differing = [row for row in told["rows"] if row["verdict"] in ("differs", "one")]
    for row in differing[:_MOST_ROWS]:
        yield _line(row["name"], [_with_error(*pair) for pair in zip(row["values"], row["errors"], strict=True)])
    if len(differing) > _MOST_ROWS:
        yield f"  and {len(differing) - _MOST_ROWS} more: --json prints them"


def said_of(told: dict[str, Any]) -> str:
    """Return in a sentence how many coefficients differ, and by what that is judged."""
    counts = told["counts"]
    more = [f"{counts['unknown']} have no errors to judge by"] if counts["unknown"] else []
    more += [f"{counts['one']} are in one of them only"] if counts["one"] else []
    shared = counts["differs"] + counts["agrees"] + counts["unknown"]
    return "; ".join([f"{counts['differs']} of {shared} differ by more than their {told['basis']}", *more])


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if error is None else f"{value:.6g} ± {error:.2g}"


def _line(word: str, values: list[Any]) -> str:
    one, other = (_text(value) for value in values)
    return f"  {word:<18}  {one:<{_WIDE}}  {other}".rstrip()


def _text(value: Any) -> str:
    if value is None:
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _WIDE else f"{text[: _WIDE // 2 - 1]}…{text[-_WIDE // 2 :]}"
