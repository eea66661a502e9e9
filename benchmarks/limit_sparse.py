"""Claim: on CSR rows a solve takes at most 1.5 times as long as SciPy's LSMR where that needs few steps, and a third of it where thousands.

Three matrices of one shape, each solved by ``auto`` and by ``scipy.sparse.linalg.lsmr`` at tolerances of 1e-14, in turn and in one run:

near       independent columns: condition near 1
units      the same, columns in units from 1e-6 to 1e6, for which LSMR gets columns divided by their norms, or it would not end
blended    each column minus the one before, twice, in each of many groups: condition near 1e6

Both are judged by the backward error of their x in 80-bit arithmetic, each column in its own unit.  LSMR computes on one thread, so the
solve does too (``serial``); ``workers`` are two processes of one thread that read the same rows from Zarr, for as many LSMR threads as
there are, which is one.  Where LSMR would take minutes its steps are limited, and what it had reached by then is told.

References
----------
D. C.-L. Fong, M. A. Saunders, "LSMR: an iterative algorithm for sparse least-squares problems", SIAM J. Sci. Comput. 33, 2011.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import zarr
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table
from scipy.sparse.linalg import lsmr
from threadpoolctl import threadpool_limits

import dsketch
from dsketch.ingest import write_csr

Floats = NDArray[np.float64]
_BEFORE = 31.0  # the ratio of the first line before Krylov steps


def rows_of(n: int, d: int, per_row: int, seed: int = 0) -> Any:
    """Return n × d CSR with ``per_row`` normal numbers a row at random columns."""
    rng = np.random.default_rng([seed, n, d, per_row])
    columns = rng.integers(0, d, n * per_row, dtype=np.int32)
    pointers = np.arange(0, n * per_row + 1, per_row, dtype=np.int32)
    return scipy.sparse.csr_array((rng.standard_normal(n * per_row), columns, pointers), shape=(n, d))


def blended(A: Any, times: int, group: int) -> Any:
    """Return A with each column of a group minus the one before, a few times: condition (4 group/π) to that power, and still sparse."""
    d = A.shape[1]
    beside = np.where(np.arange(1, d) % group, -1.0, 0.0)
    difference = scipy.sparse.diags_array([np.ones(d), beside], offsets=[0, 1], format="csr")
    for _ in range(times):
        A = (A @ difference).tocsr()
    return A


def matrices(n: int, d: int, per_row: int) -> Iterator[tuple[str, str, Any, float, Floats]]:
    """Yield part, words, A, the ratio that is wanted, and the units of the columns."""
    ones = np.ones(d)
    size = f"CSR {n:,} × {d:,}"
    A = rows_of(n, d, per_row)
    yield "near", f"{size}, {per_row} a row, well-conditioned", A, 1.5, ones
    units = np.logspace(-6, 6, d)[np.random.default_rng(0).permutation(d)]
    yield "units", f"{size}, {per_row} a row, units from 1e-6 to 1e6", (A * units).tocsr(), 1.5, units
    A = blended(rows_of(n, d, per_row // 2), 2, min(800, d))
    yield "blended", f"{size}, {A.nnz / n:.0f} a row, condition near 1e6", A, 1 / 3, ones


def norms_of(A: Any) -> Floats:
    """Return the norms of the columns, entries of one place added."""
    A = A.tocsc()
    A.sum_duplicates()
    return np.sqrt(np.asarray(A.multiply(A).sum(axis=0)).ravel())


def backward(A: Any, b: Floats, x: Floats) -> float:
    """Return ‖D⁻¹Aᵀr‖ / (‖A D⁻¹‖_F ‖b‖) of x with sums in 80 bits, D the norms of the columns.

    The backward error of x is between this and ‖b‖/‖r‖ times it: the same measure for both.
    """
    data, d = A.data.astype(np.longdouble), A.shape[1]
    where = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    residual = b.astype(np.longdouble)
    np.subtract.at(residual, where, data * x.astype(np.longdouble)[A.indices])
    g = np.zeros(d, np.longdouble)
    np.add.at(g, A.indices, data * residual[where])
    sizes = norms_of(A)
    return float(np.linalg.norm((g / sizes).astype(np.float64)) / (np.sqrt(d) * np.linalg.norm(b)))


def by_lsmr(A: Any, b: Floats, limit: int) -> tuple[Floats, Case]:
    """Return x by LSMR, on columns divided by their norms where these differ, and its steps."""
    sizes = norms_of(A)
    is_even = sizes.max() < 4 * sizes.min()
    began = time.perf_counter()
    scaled = A if is_even else scipy.sparse.csr_array((A.data / sizes[A.indices], A.indices, A.indptr), shape=A.shape)
    y, stop, steps = lsmr(scaled, b, atol=1e-14, btol=1e-14, conlim=0, maxiter=limit)[:3]
    x = y if is_even else y / sizes
    return x, {"seconds": time.perf_counter() - began, "steps": int(steps), "ended": stop != 7}


def by_us(A: Any, b: Any, **where: Any) -> tuple[Floats, Case]:
    """Return x by ``auto``, and what it took."""
    began = time.perf_counter()
    found = dsketch.lstsq(A, b, progress=False, **where)
    seconds = time.perf_counter() - began
    return found.x, {"seconds": seconds, "by": found.method, "passes": len(found.passes), "status": found.status.name.lower()}


@contextmanager
def on_workers(A: Any, b: Floats, where: str) -> Iterator[Callable[[], tuple[Floats, Case]]]:
    """Yield how we solve in this process, or on two workers that read from Zarr."""
    if where == "serial":
        yield lambda: by_us(A, b, cluster=dsketch.engine.SerialEngine(1))
        return
    from distributed import Client, LocalCluster

    with tempfile.TemporaryDirectory() as folder:
        stored, target = write_csr(Path(folder) / "A.zarr", A), str(Path(folder) / "b.zarr")
        zarr.create_array(store=target, data=b)
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            yield lambda: by_us(stored, target, cluster=client)


def measure(record: Record, *, tiny: bool) -> None:
    """Add a case for each matrix and place."""
    n, d, per_row, limit, repeats = (3000, 40, 6, 300, 1) if tiny else (500_000, 2000, 20, 3000, 3)
    for part, work, A, wanted, units in matrices(n, d, per_row):
        rng = np.random.default_rng(3)
        b = A @ (rng.standard_normal(d) / units) + 1e-3 * rng.standard_normal(n)
        for where in ("serial",) if tiny else ("serial", "workers"):
            ours: list[tuple[Floats, Case]] = []
            theirs: list[tuple[Floats, Case]] = []
            with on_workers(A, b, where) as solve:
                for _ in range(1 if part == "blended" else repeats):
                    theirs.append(by_lsmr(A, b, limit))
                    ours.append(solve())
            now, then = (min(found, key=lambda one: one[1]["seconds"]) for found in (ours, theirs))
            record.add(
                part="sparse",
                work=f"{work}, {where}",
                before=_BEFORE if (part, where) == ("near", "serial") else None,
                now_seconds=now[1]["seconds"],
                limit_seconds=then[1]["seconds"],
                limit="scipy's lsmr to 1e-14" if then[1]["ended"] else f"scipy's lsmr, stopped after {limit:,} steps",
                ratio=now[1]["seconds"] / then[1]["seconds"],
                wanted=wanted,
                by=now[1]["by"],
                passes=now[1]["passes"],
                status=now[1]["status"],
                steps=then[1]["steps"],
                backward=backward(A, b, now[0]),
                backward_of_limit=backward(A, b, then[0]),
            )


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of the README."""
    if not cases:
        return {}
    heads = ["work", "by", "passes", "seconds", "lsmr", "steps", "ratio", "wanted", "backward", "lsmr's"]
    keys = ["work", "by", "passes", "now_seconds", "limit_seconds", "steps", "ratio", "wanted", "backward", "backward_of_limit"]
    return {"limit-sparse": table(heads, [[case[key] for key in keys] for case in cases])}


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer of seconds, ours and LSMR's."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(9, 3)
        axis = canvas.subplots()
        places = np.arange(len(cases))
        for shift, key, label in ((-0.2, "now_seconds", "dsketch"), (0.2, "limit_seconds", "LSMR")):
            axis.barh(places + shift, [case[key] for case in cases], 0.4, label=label)
        axis.set_yticks(places, [case["work"] for case in cases], fontsize=7)
        axis.set_xscale("log")
        axis.set_xlabel("seconds")
        axis.legend()

    return into


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "").parse_args()
    record = Record(options.out, "limit_sparse")
    with threadpool_limits(1):
        measure(record, tiny=options.tiny)
    show(tables(record.cases))
    figure(options.out / "limit_sparse.png", draw(record.cases))


if __name__ == "__main__":
    main()
