"""The runs of ``bits.py`` beside a solve: checks, journals, predictions, tables, command line, estimators, faulty requests, clusters."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from bits_data import (
    KINDS,
    Place,
    columns_side,
    far_columns,
    kernel_rows,
    kernel_targets,
    matrix,
    row_weights,
    sparse_rows,
    targets,
)
from bits_facts import Facts, facts_of_check, facts_of_numbers, facts_of_solution, facts_of_summary, message_of, text_of
from bits_problems import exponential, gram_power, heads, kernel, linear, odd_power, restricted
from bits_run import HC, ITERATED, LINEAR, Ask, Run, solve

import dsketch as ds


def _checked(ask: Ask, change: float, place: Place) -> Facts:
    problem = ask(place)
    by: dict[str, Any] = {"method": "tsqr" if problem.name in {"lstsq", "ridge", "restricted-kernel"} else "factored"}
    if problem.name == "exp-kernel":
        by = ITERATED
    x = ds.solve(problem, cluster="serial", progress=False, **by).x
    return facts_of_check(ds.check(problem, x * (1 + change), cluster="serial", progress=False))


def check_runs() -> Iterator[Run]:
    """Yield checks of x that are nearly the answer, and far from it."""
    asks = {f"lstsq, {kind}": linear(kind) for kind in KINDS} | {
        f"ridge, {kind}": linear(kind, 2.0) for kind in ("raw", "far columns")
    }
    asks |= {
        "gram-power": gram_power(3, 2),
        "odd-gram-power": odd_power(2),
        "gram-exp": exponential(None),
        "gram-exp, terms": exponential(4),
    }
    asks |= {"exp-kernel": kernel(0.3), "restricted-kernel": restricted(), "heads": heads("powers")}
    for name, ask in asks.items():
        for change in (1e-12, 0.1):
            is_tiny = name in {"lstsq, raw", "gram-power"} and change < 0.1
            yield Run("check", "", f"{name}, off by {change:g}", partial(_checked, ask, change), is_tiny=is_tiny)


def journalled(ask: Ask, choices: dict[str, Any], place: Place) -> Facts:
    """Solve with a journal, lose all passes but the first, resume, and replay: all three have their facts."""
    journal = place.folder / f"journal-{len(list(place.folder.glob('journal-*')))}"
    problem = ask(place)
    facts = facts_of_solution(ds.solve(problem, journal=journal, cluster="serial", progress=False, **choices))
    records = sorted(journal.glob("pass-*.npz"))
    for record in records[1:]:
        record.unlink()
    resumed = ds.resume(journal, problem=problem, cluster="serial", progress=False)
    replayed = ds.resume(journal, problem=problem, cluster="serial", progress=False)
    for name, solution in (("resumed", resumed), ("replayed", replayed)):
        facts |= {f"{name}.{field}": text for field, text in facts_of_solution(solution).items()}
    return facts | {"records": text_of([record.name for record in records])}


def journal_runs() -> Iterator[Run]:
    """Yield runs that are interrupted and go on."""
    cases: list[tuple[str, str, Ask, dict[str, Any]]] = [
        *(("lstsq", method, linear("raw"), {}) for method in LINEAR),
        ("ridge", "cholesky", linear("csr", 2.0), {}),
        ("lstsq", "whitened", linear("far columns"), {"sketch": "gaussian"}),
        ("gram-power", "alternating", gram_power(2), {}),
        ("odd-gram-power", "factored_whitened", odd_power(1), {}),
        ("gram-exp", "factored", exponential(None), {}),
        ("exp-kernel", "conjugate_gradient", kernel(0.5, stored=True), ITERATED),
        ("exp-kernel", "feature_space", kernel(0.5), {"features": "tensor_sketch"}),
        ("restricted-kernel", "whitened", restricted(), {}),
        ("heads", "factored", heads("powers"), {}),
    ]
    for number, (problem, method, ask, more) in enumerate(cases):
        go = partial(journalled, ask, {**more, "method": method})
        yield Run(problem, method, f"journal {number}", go, is_tiny=method == "cholesky" and problem == "ridge")


def _predicted(ask: Ask, choices: dict[str, Any], new: Any, place: Place) -> Facts:
    solution = ds.solve(ask(place), cluster="serial", progress=False, **choices)
    facts = {"values": text_of(solution.predict(new, progress=False))}
    out = place.folder / "predictions.zarr"
    written = solution.predict(new, out=out, overwrite=True, progress=False)
    return facts | {"written": text_of(np.asarray(written[...])), "chunks": text_of(written.chunks)}


def predict_runs() -> Iterator[Run]:
    """Yield predictions for new rows, returned and written."""
    new, new_kernel = matrix(31)[:200], kernel_rows()[:50] * 0.9
    for kind in ("memory", "intercept", "five sides", "csr"):
        go = partial(_predicted, linear(kind), {"method": "tsqr"}, new)
        yield Run("predict", "", f"lstsq, {kind}", go, is_tiny=kind == "intercept")
    yield Run(
        "predict",
        "",
        "ridge, far columns",
        partial(_predicted, linear("far columns", 1.0), {"method": "tsqr"}, far_columns()[:99]),
    )
    yield Run("predict", "", "gram-power", partial(_predicted, gram_power(2), {"method": "factored"}, new))
    yield Run("predict", "", "exp-kernel", partial(_predicted, kernel(0.5), ITERATED, new_kernel))
    yield Run("predict", "", "restricted-kernel", partial(_predicted, restricted(sides=2), {"method": "gram"}, new_kernel))
    yield Run(
        "predict", "", "an array", lambda _: facts_of_numbers(ds.predict(np.arange(7.0), new, intercept=True, progress=False))
    )


def _summarized(ask: Ask, method: str, robust: str | None, place: Place) -> Facts:
    solution = ds.solve(ask(place), method=method, cluster="serial", progress=False)
    return facts_of_summary(solution.summary(robust=robust, progress=False))


def summary_runs() -> Iterator[Run]:
    """Yield tables of coefficients."""
    for method in LINEAR:
        for robust in HC:
            is_tiny = method == "whitened" and robust == "HC3"
            yield Run("summary", method, f"raw, {robust}", partial(_summarized, linear("raw"), method, robust), is_tiny=is_tiny)
    for kind in [kind for kind in KINDS if kind != "raw"]:
        yield Run("summary", "tsqr", kind, partial(_summarized, linear(kind), "tsqr", None))
        yield Run("summary", "cholesky", f"{kind}, HC3", partial(_summarized, linear(kind), "cholesky", "HC3"))


# ---- the other faces -------------------------------------------------------------------------------------------------


def _commanded(problem: str, options: list[str], place: Place) -> Facts:
    """Solve, check and predict on the command line; the numbers are read from what it wrote and printed."""
    A, b, _ = place.data("raw")
    x, y = place.folder / f"{problem}-x.zarr", place.folder / f"{problem}-y.zarr"
    serial = ["--scheduler", "serial", "--json"]
    lines = [
        ["solve", problem, A, b, *options, "--out", str(x), *serial],
        ["check", problem, A, b, str(x), *(["--alpha", "2"] if problem == "ridge" else []), *serial],
        ["predict", str(x), A, "--out", str(y), *serial],
    ]
    facts: Facts = {}
    for line in lines:
        done = subprocess.run([sys.executable, "-m", "dsketch", *line], capture_output=True, text=True, check=False)
        facts[f"{line[0]}.code"] = text_of(done.returncode)
        facts[f"{line[0]}.fields"] = text_of(sorted(json.loads(done.stdout)) if done.stdout.startswith("{") else done.stdout)
    return facts | {"x": text_of(zarr.open_array(x)[...]), "y": text_of(zarr.open_array(y)[...])}


def command_runs() -> Iterator[Run]:
    """Yield the command line."""
    yield Run("command line", "", "lstsq", partial(_commanded, "lstsq", ["--method", "whitened", "--sketch", "count_sketch"]))
    yield Run("command line", "", "ridge", partial(_commanded, "ridge", ["--method", "gram", "--alpha", "2"]))


def _estimated(name: str, choices: dict[str, Any], A: Any, b: Any, _: Place) -> Facts:
    import dsketch.sklearn as estimators

    made = getattr(estimators, name)(**choices).fit(A, b)
    found = {
        field: getattr(made, field) for field in ("coef_", "intercept_", "dual_coef_", "n_features_in_") if hasattr(made, field)
    }
    facts = {field: text_of(value) for field, value in found.items()}
    return facts | {"predict": text_of(made.predict(A[:50])), "score": text_of(made.score(A, b))}


def estimator_runs() -> Iterator[Run]:
    """Yield scikit-learn's estimators."""
    A = matrix(1)
    yield Run("estimator", "", "LinearRegression", partial(_estimated, "LinearRegression", {}, A, targets(A, 2)))
    yield Run("estimator", "", "Ridge", partial(_estimated, "Ridge", {"alpha": 2.0}, far_columns(), targets(A)), is_tiny=True)
    yield Run("estimator", "", "Ridge, wide", partial(_estimated, "Ridge", {"alpha": 2.0}, A[:4], targets(A)[:4]))
    yield Run("estimator", "", "Ridge, csr", partial(_estimated, "Ridge", {"alpha": 2.0}, sparse_rows(), targets(A)))
    yield Run("estimator", "", "KernelRidge", partial(_estimated, "KernelRidge", {"alpha": 0.5}, kernel_rows(), kernel_targets()))


def faulty_runs() -> Iterator[Run]:
    """Yield requests that are refused: their messages are facts too."""
    A, b = matrix(1), targets(matrix(1))
    lacking = np.where(np.arange(len(b)) == 350, np.nan, b)
    wrong: dict[str, Callable[[], Any]] = {
        "method": lambda: ds.lstsq(A, b, method="lu"),
        "sketch": lambda: ds.lstsq(A, b, sketch="hadamard"),
        "keyword": lambda: ds.lstsq(A, b, methd="tsqr"),
        "tol": lambda: ds.lstsq(A, b, tol=2.0),
        "sketch_rows": lambda: ds.lstsq(A, b, method="whitened", sketch_rows=2),
        "features of lstsq": lambda: ds.lstsq(A, b, features="taylor"),
        "features": lambda: ds.solve(ds.ExpKernel(A, b), features="fourier"),
        "alpha": lambda: ds.ridge(A, b, -1.0),
        "power": lambda: ds.GramPower(A, columns_side(), power=0),
        "scale": lambda: ds.ExpKernel(A, b, scale=0.0),
        "wide": lambda: ds.lstsq(A.T, b[:6]),
        "rows of b": lambda: ds.lstsq(A, b[:-1]),
        "not a number": lambda: ds.lstsq(A, lacking, cluster="serial", progress=False),
        "weights": lambda: ds.lstsq(A, b, weights=-row_weights(), cluster="serial", progress=False),
        "no file": lambda: ds.lstsq("/nowhere.zarr", b),
        "no journal": lambda: ds.resume("/nowhere"),
        "shape of x": lambda: ds.check(ds.LeastSquares(A, b), np.ones(4)),
        "summary of ridge": lambda: ds.ridge(A, b, cluster="serial", progress=False).summary(),
        "no heads": lambda: ds.Heads([]),
        "centres": lambda: ds.RestrictedKernel(A, b, centres=0),
        "memory": lambda: ds.lstsq(A, b, method="tsqr", memory_limit="1kB", cluster="serial"),
        "cluster": lambda: ds.lstsq(A, b, cluster=3),
    }
    for name, ask in wrong.items():
        yield Run("refused", "", name, lambda _, ask=ask: {"message": message_of(ask)}, is_tiny=name in {"method", "alpha"})


# ---- two processes ---------------------------------------------------------------------------------------------------


def cluster_runs(client: Any) -> Iterator[Run]:
    """Yield runs on the workers of a client."""
    for method in LINEAR:
        yield Run("lstsq", method, "two processes", partial(solve, linear("raw"), method=method, cluster=client))
    asks: dict[tuple[str, str], Ask] = {
        ("ridge", "whitened"): linear("csr", 2.0),
        ("lstsq", "cholesky"): linear("far columns"),
        ("gram-power", "alternating_cg"): gram_power(2),
        ("odd-gram-power", "factored"): odd_power(2),
        ("exp-kernel", "low_rank"): kernel(0.0, stored=True),
        ("restricted-kernel", "gram"): restricted(),
        ("heads", "factored"): heads("powers"),
    }
    for (problem, method), ask in asks.items():
        yield Run(problem, method, "two processes, more", partial(solve, ask, method=method, cluster=client))


def without_place(text: str, folder: Path) -> str:
    """Return a text without the folder of this session."""
    return text.replace(str(folder), "<folder>")
