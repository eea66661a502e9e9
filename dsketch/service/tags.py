"""Tags: short words that people give jobs, to find again what belongs together."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

MOST_TAGS = 16  # of a job
MOST_CHARACTERS = 40  # of a tag
TAG = r"^[^\s,]([^,]*[^\s,])?$"


def _printable(tag: str) -> str:
    if not tag.isprintable():
        raise ValueError("a tag must be printable characters")
    return tag


def _distinct(tags: list[str]) -> list[str]:
    """Return the tags; of two that differ by case, the first."""
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(tag.casefold(), tag)
    return list(found.values())


Tag = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MOST_CHARACTERS,
        pattern=TAG,
        description="A tag, without a comma, and without spaces at its ends.",
    ),
    AfterValidator(_printable),
]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS), AfterValidator(_distinct)]


def kept_tags(found: Any) -> tuple[str, ...]:
    """Return the tags in a file, whatever version wrote it; none of a file that holds no list.

    >>> kept_tags(["paper 2", 7, "night"]), kept_tags(None)
    (('paper 2', 'night'), ())
    """
    return tuple(tag for tag in found if isinstance(tag, str) and tag.isprintable()) if isinstance(found, list) else ()


def lines_of(tags: Iterable[str]) -> str:
    r"""Return tags as the index looks for one of them: each on a line, folded, with an end of line on both sides.

    >>> lines_of(["Paper 2", "night"])
    '\npaper 2\nnight\n'
    """
    return "".join(f"\n{tag.casefold()}" for tag in tags) + "\n"
