"""The runs of ``bits.py`` that solve: every problem, method and sketch."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from bits_data import (
    KINDS,
    Place,
    columns_side,
    deficient_columns,
    generator,
    kernel_rows,
    kernel_targets,
    matrix,
    narrow_rows,
    sparse_rows,
    targets,
)
from bits_facts import Facts, facts_of_solution
from bits_run import FEATURES, LINEAR, NONLINEAR, POWERS, SKETCHES, SMOOTH, Ask, Run, solve

import dsketch as ds


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
