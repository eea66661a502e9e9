"""Claim: off the beaten track, too, a solve is near what the machine, or the best tool for that work, allows.

One table of what the scripts ``limit_*.py`` measure, each ratio within one run: what the work took before it was looked at (as a ratio
then), what it takes now, what is meant by its limit, and what was wanted.  ``--only`` runs some of the areas; the others keep the figures
of their last run.
"""

from collections.abc import Callable

import limit_codecs
import limit_digits
import limit_sparse
import limit_store
import limit_warm
import limit_wide
from limit_figure import draw, with_limit
from record import Case, Record, arguments, figure, load, show, table

AREAS: dict[str, Callable[..., None]] = {
    "store": limit_store.measure,
    "codecs": limit_codecs.measure,
    "warm": limit_warm.measure,
    "wide": limit_wide.measure,
    "sparse": limit_sparse.measure,
    "digits": limit_digits.measure,
}


def area_of(case: Case) -> str:
    """Return the area of a case; that of every digit has three parts."""
    return "digits" if case["part"] in ("nist", "claims") else str(case["part"])


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of all areas."""
    heads = ["work", "before", "now, s", "limit, s", "limit", "ratio", "wanted", "holds"]
    lines = [
        [
            case["work"],
            case.get("before"),
            case.get("now_seconds"),
            case.get("limit_seconds"),
            case.get("limit", ""),
            case["ratio"],
            case.get("wanted"),
            "" if case.get("wanted") is None else "yes" if case["ratio"] <= case["wanted"] else "**no**",
        ]
        for case in with_limit(cases)
    ]
    digits = [case for case in cases if area_of(case) == "digits"]
    return {"limit": table(heads, lines)} | (limit_digits.tables(digits) if digits else {})


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", nargs="+", choices=sorted(AREAS), help="areas; default: all")
    asked = parser.parse_args()
    areas = asked.only or list(AREAS)
    kept = [case for case in load(asked.out, "limit") if area_of(case) not in areas]
    record = Record(asked.out, "limit")
    for case in kept:
        record.add(**case)
    for area in areas:
        AREAS[area](record, tiny=asked.tiny)
        show(tables(record.cases))
    figure(asked.out / "limit.png", draw(record.cases))


if __name__ == "__main__":
    main()
