"""HTML for notebooks: tables of what ``str`` says, every text escaped, for names are data."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = "text-align:left;vertical-align:top;padding:0 1em 0 0;white-space:pre-wrap"
_NUMBER = "text-align:right;padding:0 0 0 1em;font-variant-numeric:tabular-nums"


def lines_table(text: str) -> str:
    """Return lines of a word and what is said of it, as :meth:`Solution.__str__` has them, as a table of two columns.

    >>> lines_table("note  x < 1")[-36:]
    'pre-wrap">x &lt; 1</td></tr></table>'
    """
    rows = [(word, said.strip()) for word, _, said in (line.partition("  ") for line in text.splitlines())]
    cells = "".join(
        f'<tr><th style="{_STYLE}">{escape(word)}</th><td style="{_STYLE}">{escape(said)}</td></tr>' for word, said in rows
    )
    return f"<table>{cells}</table>"


def number_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], more: int = 0) -> str:
    """Return a table with names in front and numbers behind; ``more`` says how many rows are not shown."""
    top = "".join(f'<th style="{_NUMBER}">{escape(word)}</th>' for word in head)
    body = "".join(
        f'<tr><th style="{_STYLE}">{escape(name)}</th>'
        + "".join(f'<td style="{_NUMBER}">{escape(number)}</td>' for number in numbers)
        + "</tr>"
        for name, *numbers in rows
    )
    rest = f'<tr><td style="{_STYLE}">… {more:,} more</td></tr>' if more else ""
    title = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    return f"<table>{title}<tr>{top}</tr>{body}{rest}</table>"


def join_parts(parts: Iterable[str]) -> str:
    """Return parts below each other."""
    return "<div>" + "".join(parts) + "</div>"
