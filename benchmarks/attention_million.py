"""Claim: a million rows that each see a million keys of 64 columns need 1 GiB a worker, and no more time than a sweep of 1e12 entries.

An hour of two processors that nothing else uses: a script of its own.  Data, journal and rows lie beside the results until it ends, and
a run that was killed goes on when the script is started again.
"""

import shutil

from attention import COLUMNS, measure_large
from record import Case, Record, arguments, show, table


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table."""
    return {
        "attention-million": table(
            ["n = m", "columns", "hours", "processor hours", "predicted", "entries a processor second", "own memory of a worker, MB",
             "error, 24 rows", "claimed"],
            [
                [
                    case["n"], COLUMNS, case["seconds"] / 3600, case["processor_seconds"] / 3600, case["predicted_seconds"] / 3600,
                    case["n"] * case["m"] / case["processor_seconds"], case["memory"]["own"] / 1e6, case["error"], case["claimed"],
                ]
                for case in cases
            ],
        )
    }  # fmt: skip


def main() -> None:
    """Measure, print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=1_000_000, help="n = m")
    options = parser.parse_args()
    rows = 1500 if options.tiny else options.rows
    record = Record(options.out, "attention_million")
    folder = options.out / f"attention_{rows}"
    folder.mkdir(exist_ok=True)
    measure_large(record, rows, rows, folder, causal=False)
    shutil.rmtree(folder)
    show(tables(record.cases))


if __name__ == "__main__":
    main()
