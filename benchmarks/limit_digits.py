"""Claim: with accuracy="full" every coefficient is right to half a unit in its last place, proven, whatever the condition number.

nist
    The eleven sets of NIST for linear regression: right digits of x, and of its standard errors, against the exact solution of the floats,
    by LAPACK's QR, NumPy, scikit-learn, and dsketch at both accuracies; and against the certified values, which are those of decimals.
claims
    Random problems of condition up to 1e15, their columns in units up to 1e±100, residuals up to a million times the fit, solved as
    fractions: the largest error in units in the last place, the largest claimed, and the largest part of a claim that is true (above 1
    a claim would be wrong).  Where A lacks rank to rounding nothing is claimed.
cost
    n = 1,000,000, d = 100 on two workers, raw chunks in the page cache: seconds of the two passes that the accuracy costs, against those of
    a light pass of the same run.
"""

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table
from sklearn.linear_model import LinearRegression

import dsketch as ds
from dsketch.testing.rational import Exact
from dsketch.testing.strd import REFERENCES, Reference, digits

Floats = NDArray[np.float64]
SETS = ("Norris", "NoInt2", "Wampler5")  # of a tiny run
WANTED = 6.0  # a pass, in light passes
TYPES = ("float64", "float32", "int16")


def by_qr(A: Floats, b: Floats) -> Floats:
    """Return LAPACK's answer by Householder QR, without any limit of rank."""
    Q, R = np.linalg.qr(A)
    return np.asarray(np.linalg.solve(R, Q.T @ b))


def by_numpy(A: Floats, b: Floats) -> Floats:
    """Return NumPy's answer."""
    return np.asarray(np.linalg.lstsq(A, b, rcond=None)[0])


def by_sklearn(A: Floats, b: Floats) -> Floats:
    """Return scikit-learn's answer, which makes the constant itself."""
    has_constant = bool((A[:, 0] == 1).all()) and A.shape[1] > 1
    model = LinearRegression(fit_intercept=has_constant).fit(A[:, 1:] if has_constant else A, b)
    return np.r_[model.intercept_, model.coef_] if has_constant else np.asarray(model.coef_)


RIVALS: dict[str, Callable[[Floats, Floats], Floats]] = {"lapack": by_qr, "numpy": by_numpy, "sklearn": by_sklearn}


def nist(record: Record, name: str, reference: Reference) -> None:
    """Count the right digits of one set."""
    A, b = reference.floats()
    (x, errors), (certified, certified_errors) = reference.solve_floats(), reference.solve_decimals()
    usual, full = (ds.lstsq(A, b, accuracy=accuracy, cluster="serial") for accuracy in ("standard", "full"))
    found, their = full.summary().standard_errors, usual.summary().standard_errors
    record.add(
        part="nist",
        work=name,
        **{rival: digits(solve(A, b), x) for rival, solve in RIVALS.items()},
        standard=digits(usual.x, x),
        full=digits(full.x, x),
        standard_errors=digits(their, errors),
        full_errors=digits(found, errors),
        certified=digits(full.x, certified),
        certified_errors=digits(found, certified_errors),
        passes_added=len(full.passes) - len(usual.passes),
    )


def claims(record: Record, condition: float, residual: float, count: int) -> None:
    """Hold claims against fractions."""
    rng, off, claimed, share, proven = np.random.default_rng(0), 0.0, 0.0, 0.0, 0
    for _ in range(count):
        A, b = draw(rng, condition, residual)
        found = ds.lstsq(A, b, accuracy="full", cluster="serial")
        if found.certificate.last_places is None:  # of lost rank, which is said; nothing is claimed
            continue
        proven += 1
        truth, _ = Exact.of(A, b, None, np.zeros(A.shape[1]), intercept=False).minimizer()
        for value, true, error in zip(found.x.tolist(), truth, found.coefficient_errors.tolist(), strict=True):
            far, place = float(abs(Fraction(value) - true)), float(np.spacing(abs(value)))
            off, claimed = max(off, far / place), max(claimed, error / place)
            share = max(share, far / error if error else float(far > 0))
    record.add(
        part="claims", condition=condition, residual=residual, count=count, proven=proven, off=off, claimed=claimed, share=share
    )


def draw(rng: np.random.Generator, condition: float, residual: float, rows: int = 30, columns: int = 5) -> tuple[Floats, Floats]:
    """Return a random problem, its columns in units up to 1e±100 apart."""
    U, V = np.linalg.qr(rng.standard_normal((rows, columns)))[0], np.linalg.qr(rng.standard_normal((columns, columns)))[0]
    A = (U * np.logspace(0, -np.log10(condition), columns)) @ V
    fit = A @ rng.standard_normal(columns)
    rest = rng.standard_normal(rows)
    b = fit + residual * rest * np.linalg.norm(fit) / np.linalg.norm(rest)
    return A * 10.0 ** rng.integers(-100, 100, columns), b


def cost(record: Record, dtype: str, rows: int, columns: int, repeats: int) -> None:
    """Time the passes of a solve on two workers."""
    with tempfile.TemporaryDirectory() as folder:
        A = store(Path(folder) / "A.zarr", dtype, rows, columns)
        b = np.random.default_rng(1).standard_normal(rows)
        light, exact, peaks = [], [], []
        for _ in range(repeats):
            solution = ds.lstsq(str(A), b, method="tsqr", accuracy="full", workers=2, threads=1, progress=False)
            seconds = {passed.kind: passed.seconds for passed in solution.passes}
            light.append(seconds["gradient"])
            exact.append(seconds["exact gram"])
            peaks.append(seconds["peaks"])
    now, limit = min(exact) + min(peaks), min(light)
    record.add(
        part="digits",
        work=f"accuracy full, {rows:,} × {columns} {dtype}: both passes",
        before=None,
        now_seconds=now,
        limit_seconds=limit,
        limit="a light pass of the same run",
        ratio=now / limit,
        peaks=min(peaks) / limit,
        exact=min(exact) / limit,
        wanted=4 * WANTED,
    )


def store(path: Path, dtype: str, rows: int, columns: int) -> Path:
    """Write random rows in raw chunks of 32 MB."""
    height = max(32_000_000 // (columns * np.dtype(dtype).itemsize), 1)
    shape = (rows, columns)
    A = zarr.create_array(str(path), shape=shape, chunks=(min(height, rows), columns), dtype=dtype, compressors=None)
    rng = np.random.default_rng(0)
    for low in range(0, rows, height):
        part = rng.standard_normal((min(height, rows - low), columns))
        A[low : low + len(part)] = np.rint(3000 * part) if dtype == "int16" else part
    return path


def measure(record: Record, *, tiny: bool) -> None:
    """Add all cases."""
    for name, reference in REFERENCES.items():
        if not tiny or name in SETS:
            nist(record, name, reference)
    for condition in (1e3, 1e9, 1e15)[: 1 if tiny else 3]:
        for residual in (1e-6, 1.0, 1e6)[: 1 if tiny else 3]:
            claims(record, condition, residual, 2 if tiny else 40)
    for dtype in TYPES[: 1 if tiny else 3]:
        cost(record, dtype, *((2_000, 10, 1) if tiny else (1_000_000, 100, 2)))


def draw_digits(canvas: Any, found: list[Case]) -> None:
    """Draw the digits of each set."""
    axes = canvas.subplots()
    names = [case["work"] for case in found]
    for who in (*RIVALS, "standard", "full"):
        axes.plot(names, [max(case[who], 0.0) for case in found], "o-", label=who)
    axes.set(ylabel="right digits of x, the least of all coefficients")
    axes.tick_params(axis="x", rotation=60)
    axes.legend()


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of all parts."""

    def of(part: str, names: tuple[str, ...]) -> list[list[Any]]:
        return [[case[name] for name in names] for case in cases if case["part"] == part]

    return {
        "limit-nist": table(
            [
                "right digits of x, the set",
                "LAPACK's QR",
                "NumPy",
                "scikit-learn",
                "standard",
                "full",
                "errors, standard",
                "full",
                "certified x",
                "errors",
            ],
            of("nist", ("work", *RIVALS, "standard", "full", "standard_errors", "full_errors", "certified", "certified_errors")),
        ),
        "limit-claims": table(
            [
                "condition",
                "residual",
                "problems",
                "of full rank to rounding",
                "largest error, units in the last place",
                "largest claim",
                "truth over claim",
            ],
            of("claims", ("condition", "residual", "count", "proven", "off", "claimed", "share")),
        ),
        "limit-digits": table(
            ["work", "seconds", "a light pass", "ratio", "finding the largest", "exact sums"],
            of("digits", ("work", "now_seconds", "limit_seconds", "ratio", "peaks", "exact")),
        ),
    }


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__).parse_args()
    record = Record(asked.out, "limit_digits")
    measure(record, tiny=asked.tiny)
    figure(asked.out / "limit_digits.png", lambda canvas: draw_digits(canvas, [c for c in record.cases if c["part"] == "nist"]))
    show(tables(record.cases))


if __name__ == "__main__":
    main()
