"""Claim: with missing="drop" each target is the regression on its own rows, to rounding, at a hundred thousand targets a second and core.

masks
    1,000 targets of 12 to 60 rows and 2 to 4 columns, conditions to 1e8 and units to 1e±3, up to 60 % of the values missing: coefficients
    and standard errors beside those of 50 digits (mpmath) and those of statsmodels' OLS on the dropped rows; each error in units of what
    rounding of the data allows, u κ (1 + κ tan θ) for the target's own rows.
speed
    n = 480, d = 2, 10 % of the values missing: processor seconds beside xarray's ``polyfit(skipna=True)`` in memory.
"""

from time import process_time
from typing import Any

import mpmath
import numpy as np
import statsmodels.api as sm
import xarray
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch as ds
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import SerialEngine

Floats = NDArray[np.float64]

UNIT = float(np.finfo(float).eps) / 2
BUCKETS = (1e2, 1e4, 1e6, np.inf)


def exact(A: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return coefficients and standard errors by normal equations of 50 digits."""
    M, v = mpmath.matrix(A.tolist()), mpmath.matrix(b.tolist())
    K = (M.T * M) ** -1
    x = K * (M.T * v)
    r = v - M * x
    variance = (r.T * r)[0] / (A.shape[0] - A.shape[1])
    return np.array([float(value) for value in x]), np.array([float(mpmath.sqrt(variance * K[i, i])) for i in range(A.shape[1])])


def masks(record: Record, count: int) -> None:
    """Compare targets with random masks."""
    rng, done = np.random.default_rng(3), 0
    mpmath.mp.dps = 50
    worst: dict[float, dict[str, float]] = {}
    while done < count:
        n, d, condition = int(rng.integers(12, 60)), int(rng.integers(2, 5)), 10 ** rng.uniform(0, 8)
        U, V = np.linalg.qr(rng.standard_normal((n, d)))[0], np.linalg.qr(rng.standard_normal((d, d)))[0]
        A = U * np.geomspace(1, 1 / condition, d) @ V.T * 10 ** rng.uniform(-3, 3)
        noise = np.linalg.norm(A) / np.sqrt(n) / condition / 10
        b = A @ rng.standard_normal((d, 40)) + noise * rng.standard_normal((n, 40))
        b[rng.random(b.shape) < rng.uniform(0, 0.6)] = np.nan
        found: Any = ds.lstsq(A, b, missing="drop", cluster="serial", progress=False)
        for target in range(40):
            rows = ~np.isnan(b[:, target])
            if rows.sum() <= d + 1 or done == count:
                continue
            done += 1
            case = judge(A[rows], b[rows, target], found.x[:, target], found.standard_errors[:, target])
            bucket = next(limit for limit in BUCKETS if case["condition"] <= limit)
            kept = worst.setdefault(bucket, {"targets": 0})
            kept["targets"] += 1
            for name, value in case.items():
                kept[name] = max(kept.get(name, 0.0), value)
    for bucket in sorted(worst):
        record.add(part="masks", condition_to=bucket, **worst[bucket])


def judge(A: Floats, b: Floats, x: Floats, errors: Floats) -> dict[str, float]:
    """Return how far coefficients and standard errors are from the exact ones, ours and statsmodels'."""
    truth, true_errors = exact(A, b)
    other = sm.OLS(b, A).fit()
    kappa = float(np.linalg.cond(A / np.linalg.norm(A, axis=0)))
    slope = np.linalg.norm(b - A @ truth) / np.linalg.norm(A @ truth)
    allowed = UNIT * kappa * (1 + kappa * slope)
    size = np.linalg.norm(truth)
    return {
        "condition": kappa,
        "x": float(np.linalg.norm(x - truth) / size),
        "x_statsmodels": float(np.linalg.norm(other.params - truth) / size),
        "x_in_rounding": float(np.linalg.norm(x - truth) / size / allowed),
        "errors": float(np.max(np.abs(errors / true_errors - 1))),
        "errors_statsmodels": float(np.max(np.abs(other.bse / true_errors - 1))),
    }


def seconds_of(act: Any) -> float:
    """Return the processor seconds of the better of two runs."""
    found = []
    for _ in range(2):
        began = process_time()
        act()
        found.append(process_time() - began)
    return min(found)


def speed(record: Record, rows: int, targets: int) -> None:
    """Count processor seconds of a trend by target."""
    rng = np.random.default_rng(0)
    b = rng.standard_normal((rows, targets))
    b[rng.random(b.shape, dtype=np.float32) < 0.1] = np.nan
    time = np.arange(rows) / 12.0
    cube = xarray.DataArray(b, dims=("time", "target"), coords={"time": time})
    with one_blas_thread():
        ours = seconds_of(
            lambda: ds.lstsq(time[:, None], b, intercept=True, missing="drop", cluster=SerialEngine(1), progress=False)
        )
        theirs = seconds_of(lambda: cube.polyfit("time", 1, skipna=True))
    record.add(
        part="speed",
        n=rows,
        k=targets,
        dsketch=ours,
        polyfit=theirs,
        ratio=theirs / ours,
        a_second=targets / ours,
        others=targets / theirs,
    )


def draw(canvas: Any, found: list[Case]) -> None:
    """Draw the worst errors over conditions."""
    axes = canvas.subplots()
    for name, label in (("x", "dsketch"), ("x_statsmodels", "statsmodels")):
        axes.loglog([case["condition"] for case in found], [case[name] for case in found], "o-", label=label)
    axes.set(xlabel="condition of the target's own rows", ylabel="worst relative error of x")
    axes.legend()


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README: errors against 50 digits by the condition of a target's own rows, and a trend by target."""
    heads = ["condition to", "targets", "x", "statsmodels", "in units of rounding", "standard errors", "statsmodels"]
    names = ("condition_to", "targets", "x", "x_statsmodels", "x_in_rounding", "errors", "errors_statsmodels")
    masks_found = [[case[name] for name in names] for case in cases if case["part"] == "masks"]
    speeds = [
        [f"{case['k']:,}", case["dsketch"], case["polyfit"], case["ratio"], case["a_second"], case["others"]]
        for case in cases
        if case["part"] == "speed"
    ]
    return {
        "targets-missing-errors": table(heads, masks_found),
        "targets-missing-speed": table(
            ["targets", "dsketch s", "polyfit s", "ratio", "targets a second and core", "polyfit"], speeds
        ),
    }


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__).parse_args()
    record = Record(asked.out, "targets_missing")
    masks(record, 40 if asked.tiny else 1000)
    speed(record, *((60, 500) if asked.tiny else (480, 50_000)))
    found = [case for case in record.cases if case["part"] == "masks"]
    figure(asked.out / "targets_missing.png", lambda canvas: draw(canvas, found))
    show(tables(record.cases))


if __name__ == "__main__":
    main()
