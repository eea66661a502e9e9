"""Claim: with ``min_panels=512`` an audit of 50 panels reads 5 % of what a solve of 12 GB in two passes reads, and passes cost little more.

The same matrix is solved by turns with panels of the default size and with small ones, each with a journal, then audited by its receipt and
the store alone.  The store is out of the page cache before each solve and each audit.
"""

import shutil
import time
from pathlib import Path
from typing import Any

from matrices import Stored, Tall, scratch, write
from record import Case, Record, arguments, show, table, text

import dsketch as ds

COLUMNS, DRAWN = 100, 50
PANELS = (None, 512)


def solve_and_audit(stored: Stored, panels: int | None, folder: Path, truth: Any) -> Case:
    """Return what a solve and an audit of it took."""
    journal = folder / "journal"
    shutil.rmtree(journal, ignore_errors=True)
    stored.evict()
    began = time.perf_counter()
    solution = ds.lstsq(str(stored.A), str(stored.b), min_panels=panels, journal=journal, workers=2, threads=1, progress=False)
    solved = time.perf_counter() - began
    stored.evict()
    began = time.perf_counter()
    found = ds.audit(journal / "receipt.json", data={"A": str(stored.A), "b": str(stored.b)}, panels=DRAWN, seed=0)
    audited = time.perf_counter() - began
    return {
        "min_panels": panels,
        "method": solution.method,
        "status": solution.status.name,
        "error": float(abs(solution.x - truth).max()),
        "passes": [record.seconds for record in solution.passes],
        "seconds": solved,
        "audit_seconds": audited,
        "is_clean": found.is_clean,
        "drawn": found.drawn,
        "panels": found.panels,
        "read_share": found.read_bytes / found.solve_bytes,
        "catches": found.catches(0.05),
    }


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table."""
    runs = [case for case in cases if "read_share" in case]
    return {
        "audit-share": table(
            ["panels of a pass", "passes, s", "solve, s", "audit of", "reads", "audit, s", "÷ passes", "shows 5 % of false panels with"],
            [
                [
                    case["panels"] // len(case["passes"]),
                    ", ".join(text(seconds) for seconds in case["passes"]),
                    case["seconds"],
                    f"{case['drawn']} of {case['panels']}",
                    f"{case['read_share']:.1%}",
                    case["audit_seconds"],
                    case["audit_seconds"] / sum(case["passes"]),
                    case["catches"],
                ]
                for case in runs
            ],
        )
    }  # fmt: skip


def main() -> None:
    """Measure, print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=15_000_000, help="of 100 columns")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the data")
    options = parser.parse_args()
    rows, repeats = (80_000, 1) if options.tiny else (options.rows, 3)
    record, recipe = Record(options.out, "audit_share"), Tall(rows, COLUMNS, 1e3)
    with scratch(options.scratch) as folder:
        stored = write(recipe, folder)
        for _ in range(repeats):
            for panels in PANELS:
                record.add(rows=rows, columns=COLUMNS, nbytes=recipe.nbytes, **solve_and_audit(stored, panels, folder, recipe.x))
    show(tables(record.cases))


if __name__ == "__main__":
    main()
