"""The text of a summary: one table for each right-hand side."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dsketch._html import number_table

_LONGEST_NAME = 40


def coefficient_lines(names: Sequence[str], columns: NDArray[np.float64], level: float, test: str = "t") -> list[str]:
    """Return the lines of one table.

    Parameters
    ----------
    names : sequence of str
    columns : ndarray, shape (d, 6)
        Coefficient, standard error, t or z, p, lower and upper end of the interval.
    level : float
        Of the interval.
    test : {"t", "z"}
    """
    width = min(max((len(name) for name in names), default=0), _LONGEST_NAME)
    low, high = f"[{(1 - level) / 2:.4g}", f"{(1 + level) / 2:.4g}]"
    head = f"{'':{width}} {'coef':>12} {'std err':>11} {test:>10} {f'P>|{test}|':>8} {low:>12} {high:>12}"
    rule = "-" * len(head)
    lines = [
        f"{name[:width]:{width}} {row[0]:12.5g} {row[1]:11.4g} {row[2]:10.3f} {_p(row[3]):>8} {row[4]:12.5g} {row[5]:12.5g}"
        for name, row in zip(names, columns, strict=True)
    ]
    return [rule, head, rule, *lines, rule]


def coefficient_html(names: Sequence[str], columns: NDArray[np.float64], level: float, test: str = "t", caption: str = "") -> str:
    """Return the same as :func:`coefficient_lines` in HTML; ``caption`` stands above."""
    low, high = f"[{(1 - level) / 2:.4g}", f"{(1 + level) / 2:.4g}]"
    rows = [
        (name, f"{row[0]:.5g}", f"{row[1]:.4g}", f"{row[2]:.3f}", _p(row[3]), f"{row[4]:.5g}", f"{row[5]:.5g}")
        for name, row in zip(names, columns, strict=True)
    ]
    return number_table(caption, ("", "coef", "std err", test, f"P>|{test}|", low, high), rows)


def note_lines(notes: Iterable[str]) -> list[str]:
    """Return a line for each note."""
    return [f"note        {note}" for note in notes]


def _p(value: float) -> str:
    return f"{value:.3f}" if not 0 < value < 0.0005 else f"{value:.0e}"
