"""The figure of limits: ratios of work to its limit, before, now and as wanted."""

from collections.abc import Callable
from typing import Any

import numpy as np
from record import Case


def with_limit(cases: list[Case]) -> list[Case]:
    """Return the cases that stand beside a limit."""
    return [case for case in cases if case.get("ratio") is not None and "work" in case]


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws the ratios, before and now, beside those wanted."""
    shown = with_limit(cases)

    def into(canvas: Any) -> None:
        canvas.set_size_inches(9, 0.3 * len(shown) + 1.5)
        axes, places = canvas.subplots(), np.arange(len(shown))[::-1]
        for key, mark, label in (("before", "|", "before"), ("wanted", "x", "wanted"), ("ratio", "o", "now")):
            known = [(case[key], place) for case, place in zip(shown, places, strict=True) if case.get(key)]
            if known:
                axes.semilogx(*zip(*known, strict=True), mark, label=label)
        axes.axvline(1, color="grey", lw=0.8)
        axes.set_yticks(places, [case["work"][:60] for case in shown], fontsize=7)
        axes.set_xlabel("seconds ÷ limit")
        axes.legend(fontsize="small")

    return into
