"""Claim: a wide least-squares problem costs at most twice a Gram matrix and a Cholesky factor, and what does not fit is said beforehand.

solve
    40,000 × 2,500 and 40,000 × 1,000 in memory, in this process with a thread for each processor, against AᵀA, Aᵀb and SciPy's
    ``cho_factor`` on as many BLAS threads: in turn, the best of a few.  The rival ends with an x of which nothing is known; ours with a
    certificate.
probe
    The look at a few blocks before, as a share of that solve.
driver
    With ``--large``: from AᵀA of 10,000 columns to x and its certificate, what is done between and after two passes, and the memory of it.
plan
    What is said of 100,000 × 10,000 and 100,000 × 20,000: seconds before a plan or a refusal, and the seconds planned.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch
from dsketch._linalg.threads import side_by_side
from dsketch.errors import PlanError
from dsketch.passes import Slope
from dsketch.planning.probe import probe
from dsketch.problems.linear.certificate import linear_certificate
from dsketch.problems.linear.cholesky import trusted_factor
from dsketch.problems.linear.method import LinearAnswer
from dsketch.problems.linear.polish import correct
from dsketch.settings import ROUNDING

Floats = NDArray[np.float64]
_WANTED, _PROBE_WANTED = 2.0, 0.03
_BEFORE = {2500: 10.0, 1000: 6.0}  # ratios with singular value decompositions


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and result."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def normal_equations(A: Floats, b: Floats) -> Floats:
    """Return x by AᵀA and its Cholesky factor."""
    return np.asarray(sl.cho_solve(sl.cho_factor(A.T @ A, check_finite=False), A.T @ b))


def measure_solve(record: Record, n: int, d: int, repeats: int) -> None:
    """Measure a solve and its probe against normal equations, in turn."""
    rng = np.random.default_rng(d)
    A = rng.standard_normal((n, d))
    b = A @ np.ones(d) + rng.standard_normal(n)
    problem = dsketch.LeastSquares(A, b)
    probe(problem.rows)  # what is measured once on a machine, and fresh memory, count for nobody
    ours, theirs, looks = list[float](), list[float](), list[float]()
    for _ in range(repeats):
        seconds, solution = timed(lambda: dsketch.lstsq(A, b))
        ours.append(seconds)
        theirs.append(timed(lambda: normal_equations(A, b))[0])
        looks.append(timed(lambda: probe(problem.rows))[0])
    work = f"{n:,} × {d:,} in memory"
    record.add(
        part="wide", work=work, before=_BEFORE.get(d), now_seconds=min(ours), limit_seconds=min(theirs),
        limit="Gram and Cholesky, all threads", ratio=min(ours) / min(theirs), wanted=_WANTED, method=solution.method,
        status=solution.status.name.lower(),
        backward=float(solution.certificate.backward_error[0]), planned_seconds=solution.plan.estimate.seconds,
    )  # fmt: skip
    record.add(
        part="wide", work=f"the probe of {work}", before=None, now_seconds=min(looks), limit_seconds=min(ours), limit="the solve",
        ratio=min(looks) / min(ours), wanted=_PROBE_WANTED,
    )  # fmt: skip


def measure_driver(record: Record, n: int, d: int) -> None:
    """Measure what follows a Gram pass over n rows, for a matrix that is near a multiple of I."""
    V = np.random.default_rng(0).standard_normal((d, min(d, 64)))
    G = V @ V.T
    G.flat[:: d + 1] += n
    c = G @ np.ones((d, 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with side_by_side():
        cpu = time.process_time()
        seconds, certificate = timed(lambda: _drive(G, c, n))
    record.add(
        part="wide", work=f"between and after the passes, d = {d:,}", before=None, now_seconds=seconds, limit_seconds=3600.0,
        limit="an hour", ratio=seconds / 3600.0, wanted=1.0, processor_seconds=time.process_time() - cpu,
        squares=(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (8 * d**2),
        rank=certificate.rank, condition=certificate.condition,
    )  # fmt: skip


def _drive(G: Floats, c: Floats, n: int) -> Any:
    """Return the certificate of x for AᵀA and Aᵀb."""
    d = len(G)
    factor = trusted_factor(G, n)
    x = factor.solve(factor.solve_transposed(c))
    gradient, one = 1e-12 * c, np.ones(1)
    slope = Slope(gradient, one * n, one * n, one, one * n, one * n, one)
    x, slope, error = correct(factor, x, slope, ROUNDING)
    return linear_certificate(LinearAnswer(x, factor, True, slope, error, np.sqrt(slope.rr), move=np.zeros((d, 1))), n)


def measure_plan(record: Record, n: int, d: int, memory: str | None) -> None:
    """Measure the plan for a matrix of which only the probed blocks are not holes."""
    with tempfile.TemporaryDirectory() as folder:
        A = np.lib.format.open_memmap(Path(folder) / "A.npy", mode="w+", dtype=np.float64, shape=(n, d))
        height = min(max(2 * 32_000_000 // (8 * d), 1), n)
        for low in (0, (n - height) // 2, n - height):
            A[low : low + height] = np.random.default_rng(low).standard_normal((height, d))
        problem = dsketch.LeastSquares(A, np.ones(n))
        seconds, said = timed(lambda: _plan(problem, memory))
        record.add(part="wide", work=f"plan for {n:,} × {d:,}", before=None, now_seconds=seconds, limit_seconds=None, limit=None,
                   ratio=None, wanted=None, **said)  # fmt: skip


def _plan(problem: Any, memory: str | None) -> Case:
    try:
        plan = dsketch.plan(problem, cluster="serial", memory_limit=memory)
    except PlanError as error:
        return {"refused": str(error)}
    return {"method": plan.method, "planned_seconds": plan.estimate.seconds, "memory_bytes": plan.estimate.memory_bytes}


def measure(record: Record, *, tiny: bool, large: bool = False) -> None:
    """Measure all of it; the driver's part of 10,000 columns only if ``large``."""
    for n, d in ((3000, 200), (2000, 150)) if tiny else ((40_000, 2500), (40_000, 1000)):
        measure_solve(record, n, d, 1 if tiny else 3)
    if tiny or large:
        measure_driver(record, *((3000, 200) if tiny else (100_000, 10_000)))
    for n, d in ((1000, 100), (1000, 400)) if tiny else ((100_000, 10_000), (100_000, 20_000)):
        measure_plan(record, n, d, "12MB" if tiny else "20GB")


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    timed_cases = [case for case in cases if case["ratio"] is not None]
    heads, keys = (
        ["work", "before", "seconds", "limit", "ratio", "wanted"],
        ["work", "before", "now_seconds", "limit_seconds", "ratio", "wanted"],
    )
    planned = [
        [
            case["work"],
            case["now_seconds"],
            case.get("method", "refused"),
            case.get("planned_seconds"),
            case.get("memory_bytes", 0) / 1e9 or None,
        ]
        for case in cases
        if case["ratio"] is None
    ]
    return {
        "limit-wide": table(heads, ([case[key] for key in keys] for case in timed_cases)),
        "limit-wide-plans": table(["plan", "seconds until it is said", "method", "seconds planned", "GB a thread"], planned),
    }


def draw(cases: list[Case]) -> Any:
    """Return a drawer of each ratio beside the one that is wanted."""
    shown = [case for case in cases if case["ratio"] is not None]

    def into(canvas: Any) -> None:
        canvas.set_size_inches(8, 0.6 + 0.5 * len(shown))
        axis, places = canvas.subplots(), np.arange(len(shown))
        axis.barh(places, [case["ratio"] for case in shown], label="measured")
        axis.plot([case["wanted"] for case in shown], places, "k|", ms=18, label="wanted")
        axis.set_yticks(places, [case["work"] for case in shown], fontsize=8)
        axis.set_xscale("log")
        axis.set_xlabel("ratio to the limit")
        axis.legend(fontsize=8)

    return into


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument(
        "--large", action="store_true", help="the driver's part of 10,000 columns too: minutes, and 5 GB of memory"
    )
    options = parser.parse_args()
    record = Record(options.out, "limit_wide")
    measure(record, tiny=options.tiny, large=options.large)
    show(tables(record.cases))
    figure(options.out / "limit_wide.png", draw(record.cases))


if __name__ == "__main__":
    main()
