"""Options in plain words: the labels of the form, for sentences that begin with an option's name."""

import re
from collections.abc import Iterable
from typing import Any

from dsketch.problems import PROBLEMS
from dsketch.problems.options import settings_of
from dsketch.problems.tables import TABLE
from dsketch.settings import JOB, MEMORY_LIMIT, OUT_DIR

_OF_PROBLEMS = (
    option for asked in PROBLEMS.values() for option in (*asked.inputs, *asked.options, asked.missing_option, *settings_of(asked))
)
LABELS: dict[str, str] = {
    option.name: option.label for option in (*_OF_PROBLEMS, MEMORY_LIMIT, *TABLE, OUT_DIR, *JOB) if option.label
}
# What follows the name of an option where a sentence is about it; after other words it may be a word like others.
_FOLLOWING = r"(?=:| must | is not as expected| was expected| were expected| of at most | of shape )"
_SUBJECT = re.compile(rf"({'|'.join(sorted(map(re.escape, LABELS), key=len, reverse=True))}){_FOLLOWING}")
_LABELLED = re.compile(rf"([^():;]+) \(([\w.]+)\){_FOLLOWING}")


def name_in(message: str) -> str | None:
    """Return the option that a sentence begins with, or its label; None of a sentence about something else.

    >>> name_in("alpha must be a number ≥ 0; got -1."), name_in("a job was expected; there is none.")
    ('alpha', None)
    """
    if (found := _SUBJECT.match(message)) is not None:
        return found[1]
    told = _LABELLED.match(message)
    return told[2] if told is not None and LABELS.get(told[2]) == told[1] else None


def with_label(message: str) -> str:
    """Return a sentence that calls its option as the form does, with the name of the keyword beside it.

    >>> with_label("alpha must be a number ≥ 0; got -1.")
    'Penalty (alpha) must be a number ≥ 0; got -1.'

    One that does so already stays as it is.
    """
    found = _SUBJECT.match(message)
    return message if found is None else f"{LABELS[found[1]]} ({found[1]}){message[found.end() :]}"


def option_at(place: Iterable[Any]) -> str | None:
    """Return the option that a place within a document belongs to; None where it is none.

    >>> option_at(["spec", "ridge", "alpha", "float"]), option_at(["limits", "seconds"]), option_at(["tags", 0])
    ('alpha', 'limits.seconds', None)
    """
    parts = [str(part) for part in place]
    at = 2 if parts[:1] == ["spec"] and len(parts) > 1 and parts[1] in PROBLEMS else 0
    return next((name for end in (at + 2, at + 1) if (name := ".".join(parts[at:end])) in LABELS), None)
