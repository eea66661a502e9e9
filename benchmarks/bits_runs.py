"""The runs of ``bits.py``: every problem, method and sketch, journals, predictions, checks, tables, estimators, faulty requests.

A run is a name and a function that returns facts: field → text.  It names its method (what ``auto`` takes may depend on timings), except
where data are so small that nothing timed decides.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import zarr
from bits_data import (
    KINDS,
    Place,
    columns_side,
    deficient_columns,
    far_columns,
    generator,
    kernel_rows,
    kernel_targets,
    matrix,
    narrow_rows,
    row_weights,
    sparse_rows,
    targets,
)
from bits_facts import Facts, facts_of_check, facts_of_numbers, facts_of_solution, facts_of_summary, message_of, text_of

import dsketch as ds

LINEAR = ("cholesky", "gram", "whitened", "tsqr", "conjugate_gradient", "gradient_descent", "sketch_and_solve")
NONLINEAR = ("levenberg", "newton", "newton_sampled", "gradient_descent")
SMOOTH = ("newton", "newton_qr", "newton_sketch", "conjugate_gradient", "gradient_descent")
POWERS = ("factored", "factored_whitened", "alternating", "alternating_cg")
SKETCHES = ("sparse_sign", "count_sketch", "gaussian", "block_srht")
FEATURES = ("none", "pivoted_cholesky", "taylor", "tensor_sketch", "tensor_srht")
ITERATED = {"method": "conjugate_gradient", "features": "pivoted_cholesky", "rank": 30}  # of an attention kernel
HC = (None, "HC0", "HC1", "HC2", "HC3")


class Run(NamedTuple):
    """One run: where it belongs, and what gives its facts."""

    problem: str
    method: str
    about: str
    go: Callable[[Place], Facts]
    is_tiny: bool = False

    @property
    def name(self) -> str:
        """The name under which it is recorded."""
        return " · ".join(part for part in (self.problem, self.method, self.about) if part)


Ask = Callable[[Place], Any]


def all_runs() -> Iterator[Run]:
    """Yield every run that one process can do."""
    yield from linear_runs()
    yield from sketch_runs()
    yield from smooth_runs()
    yield from power_runs()
    yield from exponential_runs()
    yield from kernel_runs()
    yield from restricted_runs()
    yield from nonlinear_runs()
    yield from class_runs()
    yield from heads_runs()
    yield from auto_runs()
    yield from check_runs()
    yield from journal_runs()
    yield from predict_runs()
    yield from summary_runs()
    yield from command_runs()
    yield from estimator_runs()
    yield from faulty_runs()


def solve(ask: Ask, place: Place, **choices: Any) -> Facts:
    """Return the facts of a solve, with all that it told on the way."""
    told: list[Any] = []
    choices = {"cluster": "serial", **choices}
    return facts_of_solution(ds.solve(ask(place), progress=told.append, **choices), told)


def nonlinear_runs() -> Iterator[Run]:
    """Yield the problems whose f looks through a softmax: all methods, with noise, from 0 and from a drawn point."""
    for problem, ask in (("softmax-regression", _shares), ("softmax-resnet", _shares_beside), ("two-layer", _units)):
        for method in NONLINEAR:
            go = partial(solve, ask, method=method, tol=1e-3 if method == "gradient_descent" else None)
            yield Run(problem, method, "two starts", go, is_tiny=method == "levenberg")


def _shares(_: Place) -> Any:
    return ds.SoftmaxRegression(narrow_rows(), _positive(), restarts=1)


def _shares_beside(_: Place) -> Any:
    return ds.SoftmaxResNet(narrow_rows(), _positive(), restarts=1, alpha=1e-6)


def _units(_: Place) -> Any:
    A = narrow_rows()
    return ds.TwoLayer(A, generator(31, len(A)).standard_normal((len(A), 24)), np.linspace(-0.1, 0.2, 24), restarts=1, alpha=1e-3)


def _positive() -> Any:
    weights = generator(30).random(len(narrow_rows()))
    return weights / weights.sum()


def linear(kind: str, alpha: float | None = None) -> Ask:
    """Return what makes least squares, or ridge, of a kind of data."""

    def ask(place: Place) -> Any:
        A, b, more = place.data(kind)
        return ds.LeastSquares(A, b, **more) if alpha is None else ds.Ridge(A, b, alpha=alpha, **more)

    return ask


# ---- the problems ----------------------------------------------------------------------------------------------------


def linear_runs() -> Iterator[Run]:
    """Yield least squares and ridge: all methods on all kinds of data."""
    tiny = {("raw", "cholesky"), ("weights", "whitened"), ("far columns", "tsqr"), ("csr", "conjugate_gradient")}
    for kind in KINDS:
        for method in LINEAR:
            for problem, alpha in (("lstsq", None), ("ridge", 3.0)):
                go = partial(solve, linear(kind, alpha), method=method)
                yield Run(problem, method, kind, go, is_tiny=(kind, method) in tiny)
    for method in LINEAR:
        yield Run("lstsq", method, "tol 1e-6", partial(solve, linear("raw"), method=method, tol=1e-6))
        yield Run("ridge", method, "alpha 0", partial(solve, linear("raw", 0.0), method=method))
        yield Run("ridge", method, "alpha 1e5", partial(solve, linear("five sides", 1e5), method=method, seed=3))
    yield Run("lstsq", "tsqr", "the verb", lambda _: facts_of_solution(ds.lstsq(matrix(1), targets(matrix(1)), method="tsqr")))
    yield Run(
        "ridge", "gram", "the verb", lambda _: facts_of_solution(ds.ridge(matrix(1), targets(matrix(1)), 2.0, method="gram"))
    )
    yield Run("lstsq", "cholesky", "by its plan", _by_its_plan)


def _by_its_plan(place: Place) -> Facts:
    return facts_of_solution(ds.solve(ds.plan(linear("raw")(place), method="cholesky", cluster="serial")))


def labels(family: str) -> Ask:
    """Return what makes a generalised linear model of raw, sparse or weighted rows."""

    def ask(place: Place) -> Any:
        A, b, _ = place.data("csr" if family == "sparse" else "raw")
        numbers = np.asarray(ds.open_matrix(b).read(0, ds.open_matrix(b).shape[0]))[:, 0]
        middle = np.median(numbers)
        if family == "poisson":
            return ds.GLM(A, np.floor(np.abs(numbers - middle) / np.abs(numbers - middle).mean() * 3), family=family)
        return ds.GLM(A, np.where(np.arange(len(numbers)) % 5 == 0, numbers < middle, numbers > middle).astype(float), alpha=0.5)

    return ask


def smooth_runs() -> Iterator[Run]:
    """Yield generalised linear models: all methods, counts and labels, dense and sparse."""
    for method in SMOOTH:
        for family in ("binomial", "poisson", "sparse"):
            go = partial(solve, labels(family), method=method)
            yield Run("glm", method, family, go, is_tiny=family == "binomial" and method == "newton")


def sketch_runs() -> Iterator[Run]:
    """Yield all sketches in all methods that may draw one."""
    for sketch in SKETCHES:
        for method in LINEAR:
            for kind in ("raw", "csr", "far columns"):
                go = partial(solve, linear(kind), method=method, sketch=sketch, seed=5)
                yield Run("lstsq", method, f"{kind}, {sketch}", go, is_tiny=kind == "raw" and method == "sketch_and_solve")
            go = partial(solve, linear("weights", 0.5), method=method, sketch=sketch, sketch_rows=60)
            yield Run("ridge", method, f"weights, {sketch} of 60 rows", go)
        for method in POWERS[1:]:
            go = partial(solve, gram_power(2), method=method, sketch=sketch, seed=5)
            yield Run("gram-power", method, f"power 2, {sketch}", go)
            go = partial(solve, odd_power(1), method=method, sketch=sketch, sketch_rows=80)
            yield Run("odd-gram-power", method, f"power 1, {sketch} of 80 rows", go)
        go = partial(solve, exponential(None), method="factored_whitened", sketch=sketch)
        yield Run("gram-exp", "factored_whitened", sketch, go)


def gram_power(power: int, sides: int = 0, A: Any = None) -> Ask:
    """Return what makes an even power."""

    def ask(place: Place) -> Any:
        rows = place.data("raw").A if A is None else A
        return ds.GramPower(rows, columns_side(sides), power=power)

    return ask


def odd_power(power: int, kind: str = "raw") -> Ask:
    """Return what makes an odd power."""

    def ask(place: Place) -> Any:
        A, b, _ = place.data(kind)
        return ds.OddGramPower(A, b, power=power)

    return ask


def power_runs() -> Iterator[Run]:
    """Yield even and odd powers."""
    for method in POWERS:
        for power in (1, 2, 5):
            yield Run(
                "gram-power", method, f"power {power}", partial(solve, gram_power(power), method=method), is_tiny=power == 2
            )
        for name, A in (("deficient", deficient_columns()), ("csr", sparse_rows()), ("float32", matrix(1).astype("f4"))):
            yield Run("gram-power", method, name, partial(solve, gram_power(2, 3, A), method=method))
        for power in (1, 3):
            yield Run("odd-gram-power", method, f"power {power}", partial(solve, odd_power(power), method=method))
        for kind in ("deficient", "csr", "five sides", "ill-conditioned", "int16"):
            go = partial(solve, odd_power(1, kind), method=method)
            yield Run("odd-gram-power", method, kind, go, is_tiny=kind == "five sides" and method == "factored")


def exponential(terms: int | None, sides: int = 0, A: Any = None) -> Ask:
    """Return what makes an exponential of the Gram matrix."""
    return lambda _: ds.GramExponential(narrow_rows() if A is None else A, columns_side(sides), terms=terms)


def exponential_runs() -> Iterator[Run]:
    """Yield exponentials, whole and truncated."""
    for method in POWERS[:2]:
        for terms in (None, 1, 6):
            go = partial(solve, exponential(terms), method=method)
            yield Run("gram-exp", method, f"terms {terms}", go, is_tiny=terms is None)
        yield Run(
            "gram-exp",
            method,
            "deficient, three sides",
            partial(solve, exponential(None, 3, deficient_columns() / 4000), method=method),
        )
        yield Run("gram-exp", method, "csr", partial(solve, exponential(None, 0, sparse_rows() / 10), method=method))


def kernel(alpha: float, *, scale: float = 1.0, sides: int = 0, stored: bool = False, cast: Any = np.asarray) -> Ask:
    """Return what makes an attention kernel."""

    def ask(place: Place) -> Any:
        A: Any = cast(kernel_rows())
        if stored and not (place.folder / "kernel.zarr").exists():
            place.store("kernel", A, 64)
        return ds.ExpKernel(str(place.folder / "kernel.zarr") if stored else A, kernel_targets(sides), alpha=alpha, scale=scale)

    return ask


def kernel_runs() -> Iterator[Run]:
    """Yield attention kernels: every family of features as preconditioner and in the kernel's place."""
    for features in FEATURES:
        for rank in (None, 40):
            about = f"{features}, rank {rank}"
            go = partial(solve, kernel(0.5), method="conjugate_gradient", features=features, rank=rank)
            yield Run("exp-kernel", "conjugate_gradient", about, go, is_tiny=features == "taylor")
            yield Run(
                "exp-kernel",
                "feature_space",
                about,
                partial(solve, kernel(0.5), method="feature_space", features=features, rank=rank),
            )
        go = partial(solve, kernel(1e-3, scale=0.7, sides=3, stored=True), method="conjugate_gradient", features=features, seed=2)
        yield Run("exp-kernel", "conjugate_gradient", f"{features}, stored, three sides", go)
    for name, ask in (
        ("no ridge", kernel(0.0)),
        ("no ridge, stored, two sides", kernel(0.0, sides=2, stored=True)),
        ("ridge", kernel(0.2)),
    ):
        yield Run("exp-kernel", "low_rank", name, partial(solve, ask, method="low_rank"), is_tiny=name == "no ridge")
    for name, cast in (("float32", lambda A: A.astype("f4")), ("csr", scipy.sparse.csr_array)):
        go = partial(solve, kernel(0.5, cast=cast), method="conjugate_gradient", features="pivoted_cholesky")
        yield Run("exp-kernel", "conjugate_gradient", name, go)
        go = partial(solve, kernel(0.5, cast=cast), method="feature_space", features="tensor_srht")
        yield Run("exp-kernel", "feature_space", name, go)
    go = partial(solve, kernel(0.5), method="conjugate_gradient", features="pivoted_cholesky", tol=1e-5)
    yield Run("exp-kernel", "conjugate_gradient", "tol 1e-5", go)


def restricted(draw: int = 0, sides: int = 0, *, alpha: float = 0.1, centres: int = 40, cast: Any = np.asarray) -> Ask:
    """Return what makes a kernel ridge regression with centres."""
    choices: dict[str, Any] = {"alpha": alpha, "scale": 0.8, "centres": centres, "draw": draw}
    return lambda _: ds.RestrictedKernel(cast(kernel_rows()), kernel_targets(sides), **choices)


def _restricted_csr(place: Place) -> Any:
    A, b, _ = place.data("csr")
    return ds.RestrictedKernel(A, b, alpha=0.1, scale=0.2, centres=30)


def restricted_runs() -> Iterator[Run]:
    """Yield kernel ridge regressions with centres."""
    for method in LINEAR:
        for draw, sides in ((0, 0), (1, 3)):
            go = partial(solve, restricted(draw, sides), method=method)
            yield Run("restricted-kernel", method, f"draw {draw}, {sides or 1} sides", go, is_tiny=not draw and method == "gram")
    yield Run("restricted-kernel", "tsqr", "csr", partial(solve, _restricted_csr, method="tsqr"))
    yield Run("restricted-kernel", "cholesky", "all rows are centres", partial(solve, restricted(centres=240), method="cholesky"))
    yield Run("restricted-kernel", "tsqr", "no ridge", partial(solve, restricted(alpha=0.0), method="tsqr"))


def heads(kind: str) -> Ask:
    """Return what makes several problems on heads of one A: powers, least squares, ridge, odd powers."""

    def ask(_: Place) -> Any:
        rows, W = matrix(1), generator_matrix()
        A = ds.open_matrix(sparse_rows() if kind == "sparse powers" else rows)
        first, last = ds.Head(A, columns=(0, 2)), ds.Head(A, columns=(2, 6))
        mixed = ds.Head(A, projection=W)
        if kind.endswith("powers"):
            problems = [ds.GramPower(first, [1.0, 2.0]), ds.GramPower(last, np.ones(4), power=3), ds.GramPower(mixed, np.ones(3))]
        elif kind == "odd":
            problems = [ds.OddGramPower(head, targets(rows), power=1) for head in (first, mixed)]
        else:
            problems = [
                ds.LeastSquares(first, targets(rows)),
                ds.LeastSquares(last, targets(rows)),
                ds.Ridge(mixed, targets(rows)),
            ]
        return ds.Heads(problems)

    return ask


def generator_matrix() -> Any:
    """Return a projection of columns onto three."""
    return np.cos(np.arange(18.0)).reshape(6, 3)


def class_runs() -> Iterator[Run]:
    """Yield multinomial regressions: all methods, with and without a penalty."""

    def ask(place: Place, alpha: float) -> Any:
        A, b, _ = place.data("raw")
        numbers = np.asarray(ds.open_matrix(b).read(0, ds.open_matrix(b).shape[0]))[:, 0]
        y = np.argsort(np.argsort(numbers)) * 3 // len(numbers)
        y[::5] = np.arange(len(y[::5])) % 3
        return ds.Multinomial(A, y, classes=3, alpha=alpha)

    for method in ("newton", "newton_qr", "newton_sketch", "conjugate_gradient", "gradient_descent"):
        for alpha in (0.0, 2.0):
            go = partial(solve, partial(ask, alpha=alpha), method=method)
            yield Run("multinomial", method, f"alpha {alpha:g}", go, is_tiny=alpha > 0 and method == "newton")


def heads_runs() -> Iterator[Run]:
    """Yield heads in lockstep."""
    for kind, methods in (("powers", POWERS), ("sparse powers", POWERS[:2]), ("odd", POWERS), ("linear", LINEAR)):
        for method in methods:
            is_tiny = (kind, method) in {("powers", "factored"), ("linear", "cholesky")}
            yield Run("heads", method, kind, partial(solve, heads(kind), method=method), is_tiny=is_tiny)


def auto_runs() -> Iterator[Run]:
    """Yield what is so small that nothing timed decides."""
    asks = {
        "lstsq": linear("memory"),
        "ridge": linear("memory", 1.0),
        "gram-power": gram_power(2, A=matrix(1)),
        "odd-gram-power": odd_power(1, "memory"),
        "gram-exp": exponential(None),
        "restricted-kernel": restricted(),
        "heads": heads("linear"),
    }
    for name, ask in asks.items():
        yield Run(name, "auto", "", partial(solve, ask, method="auto"), is_tiny=name == "lstsq")
    yield Run("lstsq", "auto", "deficient", partial(solve, linear("deficient"), method="auto"))


# ---- what is asked beside a solve ------------------------------------------------------------------------------------


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
