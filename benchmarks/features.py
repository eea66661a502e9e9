"""Claim: for an attention kernel exact low degrees, with or without sketches of the others, beat random Maclaurin and positive features.

kernel
    K = exp(⟨a_i, a_j⟩) for rows in 1, 5, 50 and n clusters of length 1 and 3, on a sphere and Gaussian, so that its stable rank
    ‖K‖_F²/‖K‖² is from 1 to some hundred.  Error of every feature map of the table, relative to K, in Frobenius and in spectral
    norm, against the number of columns and the last degree; microseconds a row on one thread.
power
    Features of ⟨x, y⟩^p for unit rows by TensorSketch and by TensorSRHT: root mean square error of an entry times √m, which is flat.
centring
    The same TensorSRHT on rows with and without their mean.

Kernels are made and judged dense, by NumPy.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse.linalg as ssl
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, spread, table
from threadpoolctl import threadpool_limits

from dsketch.features import FEATURES, RowMap, TensorSketchPower, TensorSRHT, TensorSRHTPower

Floats = NDArray[np.float64]

COLUMNS = 16
NOISE = 0.2  # length of what a row adds to the centre of its cluster
LONG = 3.0  # length of the centres in the families whose kernel has a large stable rank: neighbours have e⁹, strangers about 1
EXACT = ("taylor", "tensor_sketch", "tensor_srht")  # the maps whose low degrees are exact
POWERS: dict[str, Callable[[int, int, int], RowMap]] = {"tensor_sketch": TensorSketchPower, "tensor_srht": TensorSRHTPower}
SKETCHED = ("tensor_sketch", "tensor_srht")  # the maps whose degree and size are apart
UNLIMITED = 12  # the last degree given to the others: more than any of the sizes can hold


@dataclass(frozen=True)
class Kernel:
    """Rows, their kernel and its norms."""

    name: str
    X: Floats
    K: Floats
    frobenius: float
    spectral: float

    @classmethod
    def of(cls, name: str, X: Floats) -> "Kernel":
        """Return the kernel of rows."""
        K = np.exp(X @ X.T)
        return cls(name, X, K, float(np.linalg.norm(K)), spectral_norm(K))

    @property
    def stable_rank(self) -> float:
        """‖K‖_F² / ‖K‖²."""
        return (self.frobenius / self.spectral) ** 2

    def errors(self, row_map: RowMap, mean: Floats) -> Case:
        """Return the relative errors of E F Fᵀ E."""
        C = self.X - mean
        logs = self.X @ mean - 0.5 * (mean @ mean) + 0.5 * np.einsum("ij,ij->i", C, C)
        F = row_map.apply(self.X) * np.exp(logs)[:, None]
        error = F @ F.T - self.K
        return {
            "frobenius": np.linalg.norm(error) / self.frobenius,
            "spectral": spectral_norm(error) / self.spectral,
        }


def spectral_norm(K: Floats) -> float:
    """Return the largest eigenvalue in magnitude of a symmetric matrix, to three digits."""
    start = np.random.default_rng(0).standard_normal(len(K))
    return float(abs(ssl.eigsh(K, k=1, v0=start, tol=1e-3, return_eigenvectors=False)[0]))


def kernels(n: int, clusters: tuple[int, ...]) -> list[Kernel]:
    """Return the families of rows."""
    rng = np.random.default_rng(0)

    def sphere(count: int) -> Floats:
        X = rng.standard_normal((count, COLUMNS))
        return np.asarray(X / np.linalg.norm(X, axis=1)[:, None])

    found = []
    for length, counts in ((1.0, (*clusters, n)), (LONG, (*clusters[1:], n))):
        for count in counts:
            rows = length * sphere(count)[np.arange(n) % count] + NOISE * sphere(n)
            name = f"{'n' if count == n else count} cluster{'s' * (count > 1)}"
            found.append(Kernel.of(name if length == 1 else f"{name}, length {length:.0f}", rows))
    found.append(Kernel.of("sphere", sphere(n)))
    found.append(Kernel.of("Gaussian", rng.standard_normal((n, COLUMNS)) * (2 / math.sqrt(COLUMNS))))
    return found


def measure_kernel(record: Record, kernel: Kernel, sizes: tuple[int, ...], degrees: tuple[int, ...], seeds: int) -> None:
    """Record every map at every size; those with a degree of their own at every degree."""
    mean = kernel.X.mean(axis=0)
    radius2 = float(np.mean(np.sum((kernel.X - mean) ** 2, axis=1)))
    about = {"rows": kernel.name, "n": len(kernel.X), "d": COLUMNS, "stable_rank": kernel.stable_rank, "radius2": radius2}
    for name, recipe in FEATURES.items():
        for degree in degrees if name in SKETCHED else (UNLIMITED,):
            for size in sizes:
                maps = [recipe(mean, 1.0, size, degree, seed, radius2) for seed in range(1 if name == "taylor" else seeds)]
                errors = [kernel.errors(row_map, mean) for row_map in maps]
                record.add(
                    experiment="kernel",
                    map=name,
                    size=size,
                    degree=getattr(maps[0], "degree", None),
                    asked=degree,
                    columns=maps[0].width(COLUMNS),
                    threads=1,
                    microseconds=spread([_microseconds(row_map, kernel.X) for row_map in (*maps, *maps)]),
                    **about,
                    **{key: float(np.sqrt(np.mean([found[key] ** 2 for found in errors]))) for key in errors[0]},
                )


def _microseconds(row_map: RowMap, X: Floats) -> float:
    """Return the time of a row."""
    begin = time.perf_counter()
    row_map.apply(X)
    return 1e6 * (time.perf_counter() - begin) / len(X)


def measure_power(record: Record, degree: int, size: int, n: int, seeds: int) -> None:
    """Record root mean square error · √m over all pairs of unit rows and all seeds."""
    X = np.random.default_rng(1).standard_normal((n, 32))
    X /= np.linalg.norm(X, axis=1)[:, None]
    exact = (X @ X.T) ** degree
    for name, family in POWERS.items():
        squares = [np.mean((F @ F.T - exact) ** 2) for F in (family(size, degree, seed).apply(X) for seed in range(seeds))]
        flat = float(np.sqrt(size * np.mean(squares)))
        record.add(experiment="power", map=name, degree=degree, size=size, n=n, d=32, seeds=seeds, flat=flat)


def measure_centring(record: Record, kernel: Kernel, size: int, degree: int, seeds: int) -> None:
    """Record one map with the rows' mean and with none."""
    for mean, is_centred in ((kernel.X.mean(axis=0), True), (np.zeros(COLUMNS), False)):
        radius2 = float(np.mean(np.sum((kernel.X - mean) ** 2, axis=1)))
        found = [kernel.errors(TensorSRHT(mean, 1.0, size, degree, seed, radius2), mean)["frobenius"] for seed in range(seeds)]
        record.add(
            experiment="centring", rows=kernel.name, is_centred=is_centred, radius2=radius2, size=size, degree=degree,
            frobenius=float(np.sqrt(np.mean(np.square(found)))),
        )  # fmt: skip


# ---- tables ----------------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    if not cases:
        return {}
    kernel = [case for case in cases if case["experiment"] == "kernel"]
    return {
        "features-claim": claim(cases),
        "features-power": _by_size_of_power([case for case in cases if case["experiment"] == "power"]),
        "features-size": _by_size(kernel),
        "features-degree": _by_degree(kernel),
        "features-centring": _centring([case for case in cases if case["experiment"] == "centring"]),
        "features-seconds": _seconds(kernel),
    }


def _ordered(cases: list[Case], key: str) -> list[Any]:
    return list(dict.fromkeys(case[key] for case in cases))


def _best(cases: list[Case], name: str, size: int, rows: str) -> Case:
    """Return the case of a map with the degree that serves it best."""
    return min((c for c in cases if (c["map"], c["size"], c["rows"]) == (name, size, rows)), key=lambda case: case["frobenius"])


def _by_size(cases: list[Case]) -> str:
    names = _ordered(cases, "map")
    heads = ["rows", "stable rank", "mean ‖c‖²", "m", *(f"{name}: Frobenius, spectral" for name in names)]

    def row(rows: str, size: int) -> list[Any]:
        found = [_best(cases, name, size, rows) for name in names]
        errors = [f"{case['frobenius']:.1e}, {case['spectral']:.1e}" for case in found]
        return [rows, found[0]["stable_rank"], found[0]["radius2"], size, *errors]

    return table(heads, (row(rows, size) for rows in _ordered(cases, "rows") for size in _ordered(cases, "size")))


def _by_degree(cases: list[Case]) -> str:
    size = max(case["size"] for case in cases)
    sketched = [case for case in cases if case["size"] == size and case["map"] in SKETCHED]
    degrees = _ordered(sketched, "asked")
    heads = ["rows", *(f"{name}, q = {degree}" for name in SKETCHED for degree in degrees), "taylor, q", "taylor"]

    def row(rows: str) -> list[Any]:
        found = {(case["map"], case["asked"]): case["frobenius"] for case in sketched if case["rows"] == rows}
        exact = _best(cases, "taylor", size, rows)
        return [rows, *(found[name, degree] for name in SKETCHED for degree in degrees), exact["degree"], exact["frobenius"]]

    return table(heads, (row(rows) for rows in _ordered(cases, "rows")))


def _by_size_of_power(cases: list[Case]) -> str:
    sizes = _ordered(cases, "size")

    def row(name: str, degree: int) -> list[Any]:
        found = {case["size"]: case["flat"] for case in cases if (case["map"], case["degree"]) == (name, degree)}
        return [name, degree, *(found[size] for size in sizes)]

    return table(
        ["map", "degree", *(f"m = {size}" for size in sizes)],
        (row(name, degree) for name in POWERS for degree in _ordered(cases, "degree")),
    )


def _centring(cases: list[Case]) -> str:
    def row(rows: str) -> list[Any]:
        with_mean, without = sorted((case for case in cases if case["rows"] == rows), key=lambda case: -case["is_centred"])
        return [rows, without["radius2"], with_mean["radius2"], without["frobenius"], with_mean["frobenius"]]

    heads = ["rows", "mean ‖a‖²", "mean ‖c‖²", "error, not centred", "centred"]
    return table(heads, (row(rows) for rows in _ordered(cases, "rows")))


def _seconds(cases: list[Case]) -> str:
    sizes = _ordered(cases, "size")
    rows = "sphere"

    def row(name: str) -> list[Any]:
        found = [_best(cases, name, size, rows) for size in sizes]
        return [name, *(f"{case['microseconds']['low']:.3g} ({case['columns']})" for case in found)]

    return table(["map", *(f"m ≤ {size}: µs a row (columns)" for size in sizes)], (row(name) for name in _ordered(cases, "map")))


def claim(cases: list[Case]) -> str:
    """Return what the figures say of the claim."""
    kernel = [case for case in cases if case["experiment"] == "kernel"]
    flat = [case["flat"] for case in cases if case["experiment"] == "power" and case["degree"] == 3]
    found = [
        {name: _best(kernel, name, size, rows)["frobenius"] for name in FEATURES}
        for rows in _ordered(kernel, "rows")
        for size in _ordered(kernel, "size")
    ]
    useful = [errors for errors in found if min(errors.values()) < 0.1]
    gains = [min(errors["maclaurin"], errors["positive"]) / min(errors[name] for name in EXACT) for errors in useful]
    sketch = [min(errors[name] for name in SKETCHED) < errors["taylor"] for errors in useful]
    trees = [errors["tensor_srht"] / errors["tensor_sketch"] for errors in useful]
    return (
        f"Degree 3: rms error · √m lies between {min(flat):.3g} and {max(flat):.3g} (wanted: 0.9 to 1.3).  In {len(useful)} of "
        f"{len(found)} cases some map of at most that many columns has an error below a tenth; there maps with exact low degrees are "
        f"{min(gains):.2g} to {max(gains):.2g} times more accurate than the better of random Maclaurin and positive features.  Of these "
        f"cases tensor sketches of the higher degrees improve on Taylor alone in {sum(sketch)}; TensorSRHT's error is {min(trees):.2g} to "
        f"{max(trees):.2g} times TensorSketch's."
    )


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer: error against columns for each family of rows, and the flat law."""
    kernel = [case for case in cases if case["experiment"] == "kernel"]
    power = [case for case in cases if case["experiment"] == "power"]

    def into(canvas: Any) -> None:
        families = _ordered(kernel, "rows")
        canvas.set_size_inches(18, 7)
        axes = canvas.subplots(2, (len(families) + 2) // 2).ravel()
        for axis, rows in zip(axes, families, strict=False):
            for name in FEATURES:
                found = [_best(kernel, name, size, rows) for size in _ordered(kernel, "size")]
                axis.loglog([c["columns"] for c in found], [c["frobenius"] for c in found], marker=".", label=name)
            axis.set_title(f"{rows}\nstable rank {found[0]['stable_rank']:.3g}")
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize=7)
        last = axes[len(families)]
        for name in POWERS:
            for degree in _ordered(power, "degree"):
                found = [case for case in power if (case["map"], case["degree"]) == (name, degree)]
                last.semilogx(
                    [c["size"] for c in found], [c["flat"] for c in found], marker=".", label=f"{name}, degree {degree}"
                )
        last.axhspan(0.9, 1.3, alpha=0.15)
        last.set_title("one power: rms error · √m")
        last.legend(fontsize=6)
        for axis in axes[len(families) + 1 :]:
            axis.set_visible(False)
        canvas.supxlabel("columns m")
        canvas.supylabel("relative Frobenius error of K")

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=600, help="n of the kernels")
    parser.add_argument("--seeds", type=int, default=3, help="draws of each random map")
    options = parser.parse_args()
    n, seeds, clusters = options.rows, options.seeds, (1, 5, 50)
    sizes, degrees, powers, lengths = (64, 256, 1024, 4096), (2, 4, 8, 16), (2, 3, 4, 8), (64, 128, 256, 512, 1024, 2048, 4096)
    if options.tiny:
        n, seeds, sizes, degrees, powers, lengths = 100, 1, (32, 128), (2, 4), (3,), (64, 256)
    record = Record(options.out, "features")
    with threadpool_limits(1):
        for degree in powers:
            for size in lengths:
                measure_power(record, degree, size, 100 if options.tiny else 250, 10)
        for kernel in kernels(n, clusters):
            measure_kernel(record, kernel, sizes, degrees, seeds)
            measure_centring(record, kernel, min(512, max(sizes)), 4, seeds)
    show(tables(record.cases))
    figure(options.out / "features.png", draw(record.cases))


if __name__ == "__main__":
    main()
