"""Claim: the exact attention kernel is solved in tens of sweeps, `auto` near the best preconditioner, 50,000 rows within 1 GiB a worker.

Five experiments; ``--parts`` chooses among them, the others keep the figures of their last run.

families    iterations to 1e-6 and 1e-10 with every preconditioner on spheres, Gaussians and clusters, λ = tau times the mean diagonal of K,
            b smooth with 10 % noise; beside, the figures of a study with dense kernels (features there were not this library's)
accuracy    x and its backward error against LAPACK's Cholesky of the dense K + λ I
large       one solve on two workers with little memory each: seconds, entries of K a second, memory of a worker
features    features in place of the kernel: their measured distance, the residual with the exact kernel, how far the fitted values are
flights     arrival delays of real flights on rows held out: ridge, the exact kernel on a sample, centres on all rows

Iterations are counted by a listener of the public interface, until the residual that it is told is small enough; they do not depend on
the machine.  Kernels that judge are formed densely by NumPy.
"""

import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import scipy.linalg as sl
import zarr
from distributed import Client
from flights import NUMBERS, TARGET, joined
from kernel_rows import STUDY, Family
from kernel_tables import MOST, PARTS, SKETCHED, draw, tables
from memory import Watch, high_water
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, load, show
from threadpoolctl import threadpool_limits

import dsketch
from dsketch.engine import local_cluster
from dsketch.events import Converged, Event
from dsketch.problems import ExpKernel, RestrictedKernel

Floats = NDArray[np.float64]

U = np.finfo(float).eps / 2
TOLERANCES = (1e-6, 1e-10)
SKETCH_LIMIT = 4.0  # of the processor time of auto: a sketched preconditioner that needs more is stopped
LARGE_MEMORY = "1GiB"
# Chosen by eye among a dozen values on 4,000 rows of another draw.
FLIGHTS_SCALE, FLIGHTS_RIDGE = 0.1, 3e-3  # times 1/d; λ
HELD_OUT = 0.2


# ---- solving with ears ------------------------------------------------------------------------------------------------


class EnoughError(Exception):
    """A listener has heard enough."""


class Ears:
    """A listener that keeps the relative residuals of the iterations, and stops a run that takes too long.

    Parameters
    ----------
    b : ndarray
    most : int
        Iterations.
    seconds : float
        Of the processor.
    """

    def __init__(self, b: Floats, most: int, seconds: float = np.inf) -> None:
        self.size, self.most = float(np.linalg.norm(b)), most
        self.ends = time.process_time() + seconds
        self.residuals: list[float] = []

    def __call__(self, event: Event) -> None:
        """Keep a residual; stop the run if it is time."""
        if isinstance(event, Converged):
            self.residuals.append(event.residual_norm / self.size)
            if self.residuals[-1] > min(TOLERANCES) and (len(self.residuals) >= self.most or time.process_time() > self.ends):
                raise EnoughError

    def iterations(self, tol: float) -> int | None:
        """Return after how many iterations the residual was small enough."""
        return next((number for number, residual in enumerate(self.residuals, 1) if residual <= tol), None)


def ridge_of(A: Floats, tau: float) -> float:
    """Return λ."""
    return tau * float(np.mean(np.exp(np.einsum("ij,ij->i", A, A))))


def attempt(A: Floats, b: Floats, alpha: float, features: str, rank: int | None, seconds: float = np.inf) -> Case:
    """Solve in this process with one preconditioner; return iterations, seconds, and what was chosen."""
    ears = Ears(b, MOST, seconds)
    began, ticked = time.process_time(), time.perf_counter()
    try:
        solution = dsketch.solve(
            ExpKernel(A, b, alpha=alpha),
            features=features,
            rank=rank,
            tol=min(TOLERANCES),
            cluster="serial",
            threads=1,
            progress=ears,
        )
    except EnoughError:
        solution = None
    return {
        "iterations": [ears.iterations(tol) for tol in TOLERANCES],
        "taken": len(ears.residuals),
        "reached": min(ears.residuals, default=None),
        "processor": time.process_time() - began,
        "seconds": time.perf_counter() - ticked,
        "chosen": solution and chosen(solution),
        "status": solution and solution.status.name.lower(),
        "preconditioned": solution and solution.certificate.preconditioned,
        "forecast": solution and solution.plan.condition_hint,
    }


def chosen(solution: dsketch.Solution) -> str:
    """Return family and columns of the last preconditioner."""
    words = solution.notes[-1].split(";")[0].split(" iterations with ")[1]
    return words.replace(" columns", "").replace(", ", " ").replace("+diagonal", "")


# ---- experiments ------------------------------------------------------------------------------------------------------


def contestants(problem: ExpKernel) -> list[tuple[str, str, int | None]]:
    """Return (label, features, rank) of everybody but auto: two degrees of Taylor's, and the degree of its own rule."""
    n, d = problem.shape
    small, large = min(512, n // 8), min(1024, n // 4)
    degrees = {degree: monomials(d, degree) for degree in range(1, 8)}
    fitting = [degree for degree, size in degrees.items() if size <= min(1300, n)][-2:]
    ruled = dsketch.plan(problem, features="taylor", cluster="serial", threads=1).settings.rank
    asked = sorted({degrees[degree] for degree in fitting} | {ruled})
    return [
        ("none", "none", None),
        *((name, name, large) for name in SKETCHED),
        *((f"pivoted_cholesky {rank}", "pivoted_cholesky", rank) for rank in (small, large)),
        *((f"taylor {size}", "taylor", size) for size in asked),
    ]


def monomials(d: int, degree: int) -> int:
    """Return how many monomials of at most this degree d variables have."""
    return math.comb(d + degree, degree)


def one_family(family: Family, tau: float, n: int) -> Case:
    """Return a case: auto first, then everybody; sketches are stopped where they take much longer than auto."""
    with threadpool_limits(1):
        A, b = family.rows(n)
        alpha = ridge_of(A, tau)
        attempt(A[:200], b[:200], alpha, "auto", None)  # imports
        began = time.process_time()
        dsketch.plan(ExpKernel(A, b, alpha=alpha), cluster="serial", threads=1)
        looking = time.process_time() - began
        found = {"auto": attempt(A, b, alpha, "auto", None)}
        limit = SKETCH_LIMIT * found["auto"]["processor"]
        for label, features, rank in contestants(ExpKernel(A, b, alpha=alpha)):
            found[label] = attempt(A, b, alpha, features, rank, limit if features in SKETCHED else np.inf)
    return {
        "part": "families",
        "rows": family.name,
        "tau": tau,
        "n": n,
        "d": family.d,
        "alpha": alpha,
        "threads": 1,
        "looking": looking,
        "found": found,
    }


def families(sizes: list[tuple[Family, float]], n: int) -> Iterator[Case]:
    """Yield a case for each family and tau, one process a processor."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=context) as pool:
        yield from pool.map(one_family, *zip(*((family, tau, n) for family, tau in sizes), strict=True))


def accuracy(sizes: list[tuple[Family, float]], n: int) -> Iterator[Case]:
    """Yield a case for each family, tau and tolerance: distance from LAPACK's x, both backward errors with the dense matrix."""
    for family, tau in sizes:
        A, b = family.rows(n)
        alpha = ridge_of(A, tau)
        M = np.exp(A @ A.T)
        M[np.diag_indices(n)] += alpha
        norm = float(np.linalg.eigvalsh(M)[-1]) if n <= 500 else power_norm(M)
        with threadpool_limits(1):
            began = time.process_time()
            reference = sl.cho_solve(sl.cho_factor(M), b)
            lapack_seconds = time.process_time() - began
        for tol in (1e-6, 1e-10, 1e-14):
            began = time.process_time()
            solution = dsketch.solve(ExpKernel(A, b, alpha=alpha), tol=tol, cluster="serial", threads=1, progress=False)
            seconds = time.process_time() - began
            errors = [
                float(np.linalg.norm(b - M @ x) / (norm * np.linalg.norm(x) + np.linalg.norm(b))) for x in (solution.x, reference)
            ]
            yield {
                "part": "accuracy", "rows": family.name, "tau": tau, "n": n, "tol": tol, "condition": norm / alpha, "threads": 1,
                "status": solution.status.name.lower(), "iterations": solution.answer.iterations, "chosen": chosen(solution),
                "apart": float(np.linalg.norm(solution.x - reference) / np.linalg.norm(reference)),
                "bound": float(solution.certificate.forward_error[0]),
                "backward": errors[0], "lapack_backward": errors[1],
                "claimed": float(solution.certificate.backward_error[0]),
                "residual": float(np.linalg.norm(b - M @ solution.x) / np.linalg.norm(b)),
                "processor": seconds, "lapack_processor": lapack_seconds,
            }  # fmt: skip


def power_norm(M: Floats) -> float:
    """Return the largest eigenvalue of a positive matrix: twenty steps, entries positive, so that it stands alone."""
    x = np.ones(len(M))
    for _ in range(20):
        x = M @ (x / np.linalg.norm(x))
    return float(np.linalg.norm(x))


def large(family: Family, tau: float, n: int, memory: str) -> Iterator[Case]:
    """Yield one case: a solve from Zarr on two workers, each with little memory."""
    A, b = family.rows(n)
    alpha = ridge_of(A, tau)
    with tempfile.TemporaryDirectory() as name:
        paths = [stored(Path(name) / f"{what}.zarr", array) for what, array in (("A", A), ("b", b))]
        with local_cluster(2, 1, memory) as cluster, Client(cluster, set_as_default=False) as client:
            small = A[:500], b[:500]
            dsketch.solve(ExpKernel(*small, alpha=alpha), cluster=client, progress=False)  # imports, rates
            pids = list(client.run(os.getpid).values())
            with Watch(pids) as watch:
                began = time.perf_counter()
                solution = dsketch.solve(ExpKernel(*paths, alpha=alpha), cluster=client, progress=False)
                seconds = time.perf_counter() - began
            peak = max(map(high_water, pids))
    sweeps = [record.seconds for record in solution.passes if record.kind == "kernel"]
    some = np.random.default_rng(0).choice(n, min(n, 200), replace=False)
    error = np.exp(A[some] @ A.T) @ solution.x + alpha * solution.x[some] - b[some]
    yield {
        "part": "large", "rows": family.name, "tau": tau, "n": n, "d": family.d, "workers": 2, "threads": 2, "memory_limit": memory,
        "status": solution.status.name.lower(), "chosen": chosen(solution), "iterations": solution.answer.iterations,
        "passes": len(solution.passes), "sweeps": len(sweeps), "seconds": seconds, "predicted_seconds": solution.plan.estimate.seconds,
        "predicted_memory": solution.plan.estimate.memory_bytes,
        "entries_per_second": n * n * len(sweeps) / sum(sweeps), "sweep_seconds": sum(sweeps),
        "memory": {"own": watch.largest_private, "high_water": peak},
        "relative_residual": float(solution.certificate.relative_residual[0]),
        "sampled_residual": float(np.linalg.norm(error) / np.linalg.norm(b[some])),
    }  # fmt: skip


def stored(path: Path, array: Floats, chunks: int = 8) -> str:
    """Write an array in raw chunks; return its path."""
    shape = (-(-len(array) // chunks), *array.shape[1:])
    zarr.create_array(store=str(path), data=array, chunks=shape, compressors=None)
    return str(path)


def features(sizes: list[tuple[Family, float]], n: int, columns: int) -> Iterator[Case]:
    """Yield a case for each family and map: features in place of the kernel, against the dense kernel."""
    for family, tau in sizes:
        A, b = family.rows(n)
        alpha = ridge_of(A, tau)
        K = np.exp(A @ A.T)
        fitted = K @ sl.cho_solve(sl.cho_factor(K + alpha * np.eye(n)), b)
        for name in ("tensor_srht", "tensor_sketch", "taylor", "pivoted_cholesky"):
            began = time.process_time()
            solution = dsketch.solve(
                ExpKernel(A, b, alpha=alpha), method="feature_space", features=name, rank=columns, cluster="serial", threads=1,
                progress=False,
            )  # fmt: skip
            x, seconds = solution.x, time.process_time() - began
            # (B Bᵀ + λ I) x = b: what the features fit is b − λ x.
            apart = np.linalg.norm(b - alpha * x - fitted) / np.linalg.norm(fitted)
            yield {
                "part": "features", "rows": family.name, "tau": tau, "n": n, "map": name, "columns": solution.answer.columns,
                "threads": 1, "status": solution.status.name.lower(), "passes": len(solution.passes), "processor": seconds,
                "distance": solution.certificate.distance,
                "stable_rank": float(solution.notes[-2].split("‖F‖² is ")[1].split(",")[0]),
                "residual": float(np.linalg.norm(b - K @ x - alpha * x) / np.linalg.norm(b)),
                "claimed": float(solution.certificate.relative_residual[0]), "fitted_apart": float(apart),
            }  # fmt: skip


# ---- flights ----------------------------------------------------------------------------------------------------------


def flights_rows(most: int | None) -> tuple[Floats, Floats]:
    """Return features and arrival delays: numbers standardised, categories one-hot and centred, rows shuffled; no missing values."""
    import pandas as pd

    data = joined(most).dropna()
    numbers = data[NUMBERS].to_numpy(float)
    numbers = (numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), np.finfo(float).tiny)
    kinds = pd.get_dummies(data[["carrier", "origin", "hour"]], drop_first=True).to_numpy(float)
    order = np.random.default_rng(0).permutation(len(data))
    return np.hstack([numbers, kinds - kinds.mean(axis=0)])[order], data[TARGET].to_numpy(float)[order]


def flights(most: int | None, sample: int, counts: tuple[int, ...]) -> Iterator[Case]:
    """Yield a case for each model: R² on rows held out."""
    F, y = flights_rows(most)
    held = int(HELD_OUT * len(y))
    new, truth, A, delays = F[:held], y[:held], F[held:], y[held:]
    d, sample = F.shape[1], min(sample, len(delays))
    scale, about = FLIGHTS_SCALE / d, {"part": "flights", "held_out": held, "d": d}
    with (
        tempfile.TemporaryDirectory() as name,
        local_cluster(2, 1) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        folder = Path(name)
        path = stored(folder / "new.zarr", new)
        dsketch.ridge(new, truth, cluster=client, progress=False)  # imports
        for label, rows, kind, words in (
            ("ridge, all rows", len(delays), dsketch.Ridge, {"alpha": 1.0, "intercept": True}),
            ("ridge, the sample", sample, dsketch.Ridge, {"alpha": 1.0, "intercept": True}),
            ("exact kernel", sample, ExpKernel, {"alpha": FLIGHTS_RIDGE, "scale": scale}),
            *(
                (f"{count} centres", len(delays), RestrictedKernel, {"alpha": FLIGHTS_RIDGE, "scale": scale, "centres": count})
                for count in counts
            ),
        ):
            mean = 0.0 if kind is dsketch.Ridge else float(delays[:rows].mean())
            inputs = [
                stored(folder / f"{what}{len(label)}{rows}{label[0]}.zarr", array)
                for what, array in (("A", A[:rows]), ("b", delays[:rows] - mean))
            ]
            began = time.perf_counter()
            solution = dsketch.solve(kind(*inputs, **words), cluster=client, progress=False)
            solved = time.perf_counter()
            guess = mean + solution.predict(path, cluster=client, progress=False)
            yield about | {
                "model": label, "n": rows, "method": solution.method, "status": solution.status.name.lower(),
                "chosen": chosen(solution) if kind is ExpKernel else None,
                "iterations": solution.answer.iterations if kind is ExpKernel else None,
                "passes": len(solution.passes), "seconds": solved - began, "predict_seconds": time.perf_counter() - solved,
                "condition": solution.certificate.condition, "backward": float(solution.certificate.backward_error[0]),
                "r_squared": r_squared(truth, guess), "absolute": float(np.median(np.abs(truth - guess))),
            }  # fmt: skip


def r_squared(truth: Floats, guess: Floats) -> float:
    """Return 1 − ‖truth − guess‖²/‖truth − its mean‖²."""
    return float(1 - np.sum((truth - guess) ** 2) / np.sum((truth - truth.mean()) ** 2))


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which experiments to run")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="of the families those whose name contains this; the others keep theirs"
    )
    options = parser.parse_args()
    sizes, n = [(family, tau) for family, tau, *_ in STUDY], 4000
    judged = [sizes[0], sizes[3], sizes[4], sizes[9]]
    others, columns = [sizes[0], sizes[4]], 1024
    big: tuple[Family, float, int, str] = (Family("Gaussian", 32, 4.0), 1e-2, 50_000, LARGE_MEMORY)
    real: tuple[int | None, int, tuple[int, ...]] = (None, 20_000, (500, 1000))
    if options.tiny:
        sizes, n, columns, big, real = (
            [sizes[0], sizes[4]],
            240,
            60,
            (Family("sphere", 4, 1.0), 1e-2, 900, "512MiB"),
            (1500, 300, (20,)),
        )
        judged = others = sizes[:1]
    sizes = [(family, tau) for family, tau in sizes if options.only in family.name]
    names = {family.name for family, _ in sizes}
    kept = [
        case
        for case in load(options.out, "kernel")
        if case["part"] not in options.parts or (case["part"] == "families" and case["rows"] not in names)
    ]
    record = Record(options.out, "kernel")
    for case in kept:
        record.add(**case)
    runs: dict[str, Callable[[], Iterator[Case]]] = {
        "families": lambda: families(sizes, n),
        "accuracy": lambda: accuracy(judged, n),
        "large": lambda: large(*big),
        "features": lambda: features(others, n, columns),
        "flights": lambda: flights(*real),
    }
    for part in options.parts:
        for case in runs[part]():
            record.add(**case)
    show(tables(record.cases))
    figure(options.out / "kernel.png", draw(record.cases))


if __name__ == "__main__":
    main()
