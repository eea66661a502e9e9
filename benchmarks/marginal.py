"""Claim: marginal regressions are products of blocks of columns: a share of the matrix-product rate, reading and writing included.

speed
    n rows, m columns, 100 targets, 20 covariates and a constant, to a Zarr group in this process: int8 in chunks of columns, the same
    m × n, calls of alleles as bio2zarr stores them, float32 with 1 % missing, both ways.  A rate is 2 n m k flops a CPU second (k
    targets alone: what covariates cost counts against it) beside that of two float64 products on one BLAS thread before and after, in
    CPU seconds too, as others may use the machine: one of 4,000³, and one of the same shapes, 512 columns of n rows with the k targets.
    "With covariates": 2 n m (k + q + 1).
groups
    The same beside targets of which each misses rows of its own, in 1, 4 and 16 patterns.
accuracy
    Coefficients, errors, t and p of some columns and all targets against statsmodels' OLS, whatever is missing.

References
----------
Hail's linear_regression_rows: 69 models a CPU second at n = 361,000 (Neale lab, 50e9 models in 200,000 CPU hours).
"""

import shutil
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table
from threadpoolctl import threadpool_limits

import dsketch as ds

Floats = NDArray[np.float64]

FIELDS = ("beta", "standard_errors", "t", "p")
KINDS = (
    "int8, n × m",
    "int8, n × m, not compressed",
    "int8, m × n",
    "calls, m × n × 2",
    "float32, 1 % missing, mean",
    "float32, 1 % missing, drop",
)
DRAWN = 4  # chunks of columns that differ


def product_rates(n: int, k: int, size: int) -> Floats:
    """Return the flops of a CPU second in a product of so many rows, and of 512 columns of n rows with k targets, one thread."""
    rng, found = np.random.default_rng(0), []
    for rows, inner, sides in ((size, size, size), (512, n, k)):
        A, B = rng.standard_normal((rows, inner)), rng.standard_normal((inner, sides))
        with threadpool_limits(1):
            began = process_time()
            A @ B
            found.append(2 * rows * inner * sides / max(process_time() - began, 1e-9))
    return np.array(found)


def store(folder: Path, kind: str, n: int, m: int, columns: int) -> Path:
    """Store columns of a kind: a few chunks of columns are drawn and encoded, the others are copies of their files."""
    rng, path = np.random.default_rng(1), folder / f"{KINDS.index(kind)}.zarr"
    rows = min(n, 10_000)
    shape, chunks = {
        "int8, m × n": ((m, n), (columns, rows)),
        "calls, m × n × 2": ((m, n, 2), (columns, rows, 2)),
    }.get(kind, ((n, m), (rows, columns)))
    dtype, names = ("float32" if "float" in kind else "int8"), ("variants", "samples", "ploidy")[: len(shape)]
    axis = 0 if "m × n" in kind else 1  # of the columns
    more: dict[str, Any] = {} if axis else {"dimension_names": names}
    if "not compressed" in kind:
        more["compressors"] = None
    array = zarr.create_array(str(path), shape=shape, chunks=chunks, dtype=dtype, config={"write_empty_chunks": True}, **more)
    frequencies = rng.uniform(0.05, 0.5, (columns, 1, 1))
    for low in range(0, min(DRAWN * columns, m), columns):
        calls = (rng.random((columns, n, 2), dtype=np.float32) < frequencies).astype(np.int8)[: m - low]
        if axis == 0:
            array[low : low + columns] = calls if len(shape) == 3 else calls.sum(axis=2)
        else:
            values = calls.sum(axis=2).T.astype(dtype)
            if "missing" in kind:
                values[rng.random(values.shape, dtype=np.float32) < 0.01] = np.nan
            array[:, low : low + columns] = values
    for key in np.ndindex(*(-(-size // step) for size, step in zip(shape, chunks, strict=True))):
        drawn = (*key[:axis], key[axis] % DRAWN, *key[axis + 1 :])
        if drawn != key:
            places = [path / array.metadata.encode_chunk_key(each) for each in (drawn, key)]
            places[1].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(*places)
    return path


def measure(record: Record, folder: Path, kinds: list[str], sizes: tuple[int, int, int, int], columns: int, size: int) -> None:
    """Time each kind, and compare some columns with statsmodels."""
    (n, m, k, q), rng = sizes, np.random.default_rng(2)
    Y, C = rng.standard_normal((n, k)), rng.standard_normal((n, q))
    for name, array in (("Y", Y), ("C", C)):
        zarr.create_array(str(folder / f"{name}.zarr"), data=array, chunks=(min(n, 10_000), array.shape[1]))
    for kind in kinds:
        path = store(folder, kind, n, m, columns)
        missing = "drop" if "drop" in kind else "mean"
        found, facts = timed(folder, path, missing, n, m, k, q, size)
        record.add(
            part="speed",
            kind=kind,
            n=n,
            m=m,
            k=k,
            q=q,
            **facts,
            error=worst(found, path, Y, C, missing),
            status=found.status.name,
        )
    for patterns in (1, 4, 16) if len(kinds) == len(KINDS) else ():
        some = Y.copy()
        for target in range(k):
            some[target % patterns :: 50 + target % patterns, target] = np.nan
        zarr.create_array(str(folder / "Y.zarr"), data=some, chunks=(min(n, 10_000), k), overwrite=True)
        path = folder / "0.zarr"
        found, facts = timed(folder, path, "mean", n, m, k, q, size)
        record.add(
            part="groups",
            patterns=patterns,
            **facts,
            error=worst(found, path, some, C, "mean"),
            groups=found.certificate.patterns,
        )


def timed(folder: Path, path: Path, missing: str, n: int, m: int, k: int, q: int, size: int) -> tuple[ds.MarginalResult, Case]:
    """Return an answer that was written, and what it cost."""
    before = product_rates(n, k, size)
    began, cpu = perf_counter(), process_time()
    found = ds.marginal(
        path,
        folder / "Y.zarr",
        folder / "out.zarr",
        covariates=folder / "C.zarr",
        missing=missing,
        overwrite=True,
        cluster="serial",
        progress=False,
    )
    seconds, cpu = perf_counter() - began, process_time() - cpu
    square, alike = (before + product_rates(n, k, size)) / 2
    return found, {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "square_gflops": square / 1e9,
        "alike_gflops": alike / 1e9,
        "share": 2 * n * m * k / cpu / square,
        "share_alike": 2 * n * m * k / cpu / alike,
        "share_of_all": 2 * n * m * (k + q + 1) / cpu / square,
        "models": m * k / cpu,
        "planned_seconds": found.plan.estimate.seconds,
    }


def worst(found: ds.MarginalResult, path: Path, Y: Floats, C: Floats, missing: str) -> float:
    """Return the largest relative distance of any number of a few columns from statsmodels'."""
    import statsmodels.api as sm

    m, off = found.beta.shape[0], 0.0
    for column in {0, m // 2, m - 1}:
        g = column_of(path, column)
        for target in range(0, Y.shape[1], max(Y.shape[1] // 5, 1)):
            there = ~np.isnan(Y[:, target])
            there &= ~np.isnan(g) | (missing == "mean")
            values = np.where(np.isnan(g), np.nanmean(g[there]), g)[there]
            fit = sm.OLS(Y[there, target], np.column_stack([values, np.ones(there.sum()), C[there]])).fit()
            theirs = np.array([fit.params[0], fit.bse[0], fit.tvalues[0], fit.pvalues[0]])
            mine = np.array([getattr(found, name)[column, target] for name in FIELDS])
            off = max(off, float(np.abs(mine / theirs - 1).max()))
    return off


def column_of(path: Path, column: int) -> Floats:
    """Return a column as numbers."""
    array = zarr.open_array(path, mode="r")
    stored: Any = array[column] if getattr(array.metadata, "dimension_names", None) else array[:, column]
    return np.asarray(stored.sum(axis=1) if stored.ndim == 2 else stored, np.float64)


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    names = ("cpu_seconds", "share_alike", "share", "share_of_all", "models", "error")
    heads = (
        "stored as",
        "n × m",
        "CPU s",
        "share, same shapes",
        "share, 4,000³",
        "with covariates",
        "models a CPU s",
        "largest error",
    )
    rows = [(c["kind"], f"{c['n']:,} × {c['m']:,}", *(c.get(name) for name in names)) for c in cases if c["part"] == "speed"]
    groups = [(c["groups"], c["cpu_seconds"], c["share"], c["error"]) for c in cases if c["part"] == "groups"]
    return {
        "marginal-speed": table(heads, rows),
        "marginal-groups": table(("patterns of missing targets", "CPU s", "share", "largest error"), groups),
    }


def draw(cases: list[Case], canvas: Any) -> None:
    """Draw the share of the product rate of each kind."""
    speed = [case for case in cases if case["part"] == "speed"]
    axes = canvas.subplots()
    axes.barh([case["kind"] for case in speed], [case["share_of_all"] for case in speed])
    axes.set_xlabel("products with targets and covariates a CPU second, as a share of the rate of a product of 4,000³")


def main() -> None:
    """Measure, print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=100_000, help="n")
    parser.add_argument("--columns", type=int, default=5_000, help="m")
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=KINDS, help="stores to measure; with others than all, no groups"
    )
    given = parser.parse_args()
    record = Record(given.out, "marginal")
    n, m, k, q, columns, size = (300, 40, 5, 2, 10, 64) if given.tiny else (given.rows, given.columns, 100, 20, 100, 4000)
    with tempfile.TemporaryDirectory() as folder:
        measure(record, Path(folder), given.kinds, (n, m, k, q), columns, size)
    show(tables(record.cases))
    figure(given.out / "marginal.png", lambda canvas: draw(record.cases, canvas))


if __name__ == "__main__":
    main()
