"""Peers' own tests, run against dsketch: numpy's and scipy's of ``lstsq``, scikit-learn's of ``LinearRegression`` and ``Ridge``.

``python tests/testing/peers.py`` takes the tests from the installed packages (where they ship), puts dsketch's solver in the place of
theirs, and prints one table: how many cases there are, how many agree, and why the others do not.  A case that fails for no reason in
the list ``REASONS`` ends the script with exit code 1.  No code of theirs is kept here.
"""

import importlib
import inspect
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.sklearn import LinearRegression as OurLinearRegression
from dsketch.sklearn import Ridge as OurRidge

# The name of a case, or what it says → why it is no fault.  The first that fits counts.
REASONS = (
    (r"::test_rcond$", "the rank at rcond=-1: dsketch decides ranks at 4 eps, columns scaled, and takes no rcond"),
    (r"::test_inplace_data_preprocessing", "copy_X=False: dsketch never writes into X"),
    (r"::test_dtype_match", "float32 in, float64 out: coefficients are not rounded to the type of X"),
    (r"::test_ridge_shapes_type", "a y of one column: Ridge keeps it in coef_ (said in its docstring)"),
    (r"::test_ridge_fit_intercept_sparse_(error|sag)", "solvers that refuse sparse X, or warn of it: every method takes it"),
    (r"float128|longdouble", "long doubles: refused, dsketch solves in float64"),
    (r"complex", "complex numbers: refused, dsketch solves real systems"),
    (r"must be tall", "more columns than rows: refused with numpy.linalg.lstsq's name, which solves them"),
    (r"at least one row and one column", "empty A: refused, nothing can be certified"),
    (r"at least one right-hand side", "b without columns: refused"),
    (r"positive=True", "positive=True: not offered"),
    (r"alpha must be|one alpha", "one alpha for each target: not offered yet"),
    (r"solver_|n_iter_|'lsqr'|unknown solver|Solver", "what a solver of scikit-learn tells about itself"),
    (r"Incompatible dimensions", "another error than numpy's for shapes that do not fit"),
    (r"RidgeCV|_RidgeGCV|RidgeClassifier", "an estimator that is not dsketch's"),
)


def solved(A: Any, sides: Any) -> ds.Solution:
    """Return the solution; peers ask the same of each of their drivers and strides, and are told it once."""
    key = (A.shape, A.dtype.str, A.tobytes(), sides.shape, sides.dtype.str, sides.tobytes())
    if key not in _SOLVED:
        _SOLVED[key] = ds.lstsq(A, sides, cluster="serial", progress=False)
    return _SOLVED[key]


_SOLVED: dict[Any, ds.Solution] = {}


def answer(a: Any, b: Any) -> tuple[Any, Any, int, Any]:
    """Return x, squared residuals (where numpy has them), rank and singular values as ``lstsq`` of numpy and scipy do."""
    A, sides = np.asarray(a), np.asarray(b)
    found = solved(A, sides)
    rank = found.certificate.rank
    squares = found.certificate.residual_norm**2 if rank == A.shape[1] < A.shape[0] else np.empty(0)
    kind = np.float32 if A.dtype == sides.dtype == np.float32 else np.float64  # their answers keep the type
    wrap = getattr(b, "__array_wrap__", np.asarray)
    return wrap(found.x.astype(kind)), wrap(squares.astype(kind)), rank, found.singular_values.astype(kind)


def like_numpy(a: Any, b: Any, rcond: Any = None) -> tuple[Any, ...]:
    """Stand for ``numpy.linalg.lstsq``."""
    del rcond
    return answer(a, b)


def like_scipy(a: Any, b: Any, cond: Any = None, **words: Any) -> tuple[Any, ...]:
    """Stand for ``scipy.linalg.lstsq``, whose residuals are a number for one side."""
    del cond, words
    x, squares, rank, s = answer(a, b)
    return x, squares[0] if np.ndim(b) == 1 and squares.size else squares, rank, s


class Peer:
    """Cases of one peer, and what came of them."""

    def __init__(self, name: str) -> None:
        self.name, self.agree, self.failed, self.unknown = name, 0, Counter[str](), list[str]()

    def note(self, case: str, failure: str | None) -> None:
        """Count a case; ``failure`` is what it says, None if it agrees."""
        if failure is None:
            self.agree += 1
            return
        said = (case, failure)
        reason = next((why for words, why in REASONS if any(re.search(words, text) for text in said)), None)
        self.failed[reason or "for no known reason"] += 1
        if reason is None:
            self.unknown.append(f"{self.name}: {case}\n{failure[-1500:]}")

    def rows(self) -> list[str]:
        """Return rows of the table."""
        total = self.agree + self.failed.total()
        return [f"| {self.name} | {total:,} | {self.agree:,} | |"] + [
            f"| | {count:,} | | {why} |" for why, count in sorted(self.failed.items(), key=lambda item: -item[1])
        ]


class Listener:
    """A pytest plugin that counts the selected tests for a peer."""

    def __init__(self, peer: Peer, wanted: Callable[[Any], bool], style: str) -> None:
        self.peer, self.wanted, self.style = peer, wanted, style

    def pytest_configure(self, config: pytest.Config) -> None:
        """Choose how failures are told: "native" is quick, where pytest would parse the whole file for each to show the test's source."""
        config.option.tbstyle = self.style

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep the tests that are wanted."""
        items[:] = [item for item in items if self.wanted(item)]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a test once it ran."""
        if report.when == "call" and not report.skipped:
            self.peer.note(report.nodeid, str(report.longrepr) if report.failed else None)


def run_file(peer: Peer, module: Any, wanted: Callable[[Any], bool], style: str = "auto") -> None:
    """Run the tests of an installed file."""
    words = ["-p", "no:cacheprovider", "-p", "no:terminal", "--assert", "plain", "-c", os.devnull, "-W", "ignore"]
    pytest.main(
        [*words, "--rootdir", str(Path(module.__file__).parent), module.__file__], plugins=[Listener(peer, wanted, style)]
    )


def of_numpy() -> Peer:
    """Run numpy's: its table of matrices case by case, and the other tests of its class."""
    peer = Peer("numpy.linalg.lstsq")
    module = importlib.import_module("numpy.linalg.tests.test_linalg")
    np.linalg.lstsq = like_numpy
    judge = module.TestLstsq()
    for case in module.CASES:
        if "generalized" in case.tags or not case.tags & {"square", "nonsquare"}:
            continue
        try:
            case.check(judge.do)
        except Exception as error:  # noqa: BLE001 - any failure is a row of the table
            peer.note(f"case {case.name}", f"{type(error).__name__}: {error}")
        else:
            peer.note(f"case {case.name}", None)
    run_file(peer, module, lambda item: "TestLstsq" in item.nodeid and "_cases" not in item.name)
    return peer


def of_scipy() -> Peer:
    """Run scipy's."""
    peer = Peer("scipy.linalg.lstsq")
    module = importlib.import_module("scipy.linalg.tests.test_basic")
    module.lstsq = like_scipy  # type: ignore[attr-defined]
    run_file(peer, module, lambda item: "TestLstsq" in item.nodeid, style="native")
    return peer


def of_sklearn() -> Peer:
    """Run scikit-learn's numerical tests of the two classes, fitted and predicted by dsketch's."""
    import sklearn.linear_model as models

    class LinearRegression(models.LinearRegression):  # type: ignore[misc]
        """scikit-learn's words, dsketch's work."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            if self.positive:
                raise NotImplementedError("positive=True")
            return _taken(
                self, OurLinearRegression(fit_intercept=self.fit_intercept).fit(X, y, sample_weight), "rank_", "singular_"
            )

        def predict(self, X: Any) -> Any:
            return self.work_.predict(X)

    class Ridge(models.Ridge):  # type: ignore[misc]
        """scikit-learn's words, dsketch's work."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            if self.positive:
                raise NotImplementedError("positive=True")
            return _taken(self, OurRidge(self.alpha, fit_intercept=self.fit_intercept).fit(X, y, sample_weight))

        def predict(self, X: Any) -> Any:
            return self.work_.predict(X)

    models.LinearRegression, models.Ridge = LinearRegression, Ridge
    peer = Peer("sklearn LinearRegression, Ridge")
    for name in ("test_base", "test_ridge"):
        run_file(peer, importlib.import_module(f"sklearn.linear_model.tests.{name}"), _is_about_ours, style="native")
    return peer


def _taken(model: Any, work: Any, *more: str) -> Any:
    for name in ("coef_", "intercept_", "n_features_in_", *more):
        setattr(model, name, getattr(work, name))
    model.work_ = work
    return model


def _is_about_ours(item: Any) -> bool:
    """Whether a test makes one of the two models itself, and no other that is not dsketch's."""
    return _makes_ours(item.function)


@cache
def _makes_ours(test: Callable[..., None]) -> bool:
    source = inspect.getsource(test)
    return bool(re.search(r"\b(LinearRegression|Ridge)\(", source)) and not re.search(
        r"ridge_regression\(|RidgeCV|Classifier", source
    )


PEERS = {"numpy": of_numpy, "scipy": of_scipy, "sklearn": of_sklearn}


def main(names: list[str]) -> int:
    """Run the named peers, or all; print the table."""
    warnings.simplefilter("ignore")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the peers' tests need none
    peers = [PEERS[name]() for name in names or PEERS]
    print("| peer | cases | agree | why not |\n|---|---:|---:|---|")
    print("\n".join(row for peer in peers for row in peer.rows()))
    unknown = [failure for peer in peers for failure in peer.unknown]
    print(*unknown, sep="\n\n", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
