"""What is wrong with a request, in the words of its fields: pydantic's findings as sentences of three parts."""

import re
from typing import Any

from dsketch.service.job import ID
from dsketch.service.labels import option_at
from dsketch.service.tags import TAG

_OUTER = ("body", "query", "path", "header")
# What must stand there, by the kind of finding; words in braces are of its context.
_MUST_BE = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a text of at most {max_length} characters",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "list_type": "a list",
    "too_long": "at most {max_length} of them",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_OF_PATTERN = {
    f"^{ID.pattern}$": "20 digits of 0 to f, as the list of jobs has it",
    TAG: "without commas, and without blanks at its ends",
}
_CHOICES = re.compile(r"\^\(([\w|-]+)\)\$")


def sentence_of(errors: Any) -> str:
    """Return the first of pydantic's findings as one message: expected; found. What to do.

    >>> sentence_of([{"type": "less_than", "loc": ("body", "spec", "lstsq", "tol"), "msg": "", "input": 7, "ctx": {"lt": 1}}])
    'tol must be a number below 1; got 7. Correct it; /docs has what may stand there.'
    """
    first = errors[0]
    if first["type"] == "json_invalid":
        return "a JSON object was expected as the body; it cannot be parsed. Send valid JSON."
    parts = [part for part in first["loc"] if part not in _OUTER]
    whole = ".".join(map(str, parts)) or "the request"
    place = option_at(parts) or whole
    found = repr(first.get("input"))
    found = found if len(found) <= 80 else f"{found[:80]}…"
    more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
    if first["type"] == "missing":
        return f"{place} was expected{more}; there is nothing. Give it, as /docs has it."
    if first["type"] == "extra_forbidden":
        return f"only known fields were expected; got {whole}{more}. Correct its name, or leave it out."
    if first["type"] == "union_tag_invalid":
        place, found = f"{place}.{str(first['ctx']['discriminator']).strip(chr(39))}", repr(first["ctx"]["tag"])
    return f"{place} {_say_what_must_be(first)}; got {found}{more}. Correct it; /docs has what may stand there."


def _say_what_must_be(finding: Any) -> str:
    """Return what must stand there; what is in no table in the words of whoever found it."""
    context = finding.get("ctx", {})
    pattern = context.get("pattern", "")
    if (choices := _CHOICES.fullmatch(pattern)) is not None:
        return f"must be one of {', '.join(choices[1].split('|'))}"
    if (words := _OF_PATTERN.get(pattern) or _MUST_BE.get(finding["type"])) is not None:
        return f"must be {words.format(**{name: _whole(value) for name, value in context.items()})}"
    said = str(finding["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"is not as expected ({said})"


def _whole(value: Any) -> Any:
    """Return 1.0 as 1: a limit is said as people say it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
