"""The contract of a certificate: never better than the truth, for every method, sketch and family of matrices, whoever made x.

The truth is computed without any rounding (:mod:`dsketch.testing.rational`).  A claim may be below it by a factor of three: the
Karlson–Waldén estimate is known to √2, columns are scaled by powers of two, and a slope has its own rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from dsketch._linalg.arrays import Floats
from dsketch.api import solve
from dsketch.problems import LeastSquares, Ridge
from dsketch.problems.linear.certificate import LinearCertificate
from dsketch.sketch import SKETCHES
from dsketch.testing.known import KNOWN
from dsketch.testing.rational import Exact, relative_distance

WANTED = 3.0
EPS = float(np.finfo(float).eps)
ROWS, COLUMNS = 48, 4


@dataclass(frozen=True)
class Family:
    """A problem that is small enough to be solved without rounding."""

    A: Floats
    b: Floats
    weights: Floats | None = None
    alpha: float = 0.0
    intercept: bool = False

    def problem(self) -> LeastSquares | Ridge:
        """Return it as a problem."""
        more: dict[str, Any] = {"weights": self.weights, "intercept": self.intercept}
        return Ridge(self.A, self.b, alpha=self.alpha, **more) if self.alpha else LeastSquares(self.A, self.b, **more)

    def exact(self) -> Exact:
        """Return it as fractions."""
        penalty = np.r_[np.full(self.A.shape[1], self.alpha), np.zeros(int(self.intercept))]
        return Exact.of(self.A, self.b, self.weights, penalty, intercept=self.intercept)


def _plain(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((ROWS, COLUMNS))


def _with_condition(condition: float) -> Floats:
    U, V = np.linalg.qr(_plain(1))[0], np.linalg.qr(_plain(2)[:COLUMNS])[0]
    return np.asarray((U * np.logspace(0, -np.log10(condition), COLUMNS)) @ V.T)


def _coherent() -> Floats:
    A = 1e-4 * _plain(3)
    A[5 : 5 + COLUMNS] += np.eye(COLUMNS)
    return A


def _with_targets(A: Floats, residual: float = 1.0, **more: Any) -> Family:
    sizes = np.linalg.norm(A, axis=0)
    x = np.arange(1, A.shape[1] + 1) / np.where(sizes > 0, sizes, 1.0)
    return Family(A, A @ x + residual * np.random.default_rng(7).standard_normal(ROWS) / np.sqrt(ROWS), **more)


def _years() -> Floats:
    year = 1970.0 + np.arange(ROWS)
    return np.stack([year, year**2, year**3], axis=1)


FAMILIES: dict[str, Callable[[], Family]] = {
    "plain": lambda: _with_targets(_plain(0)),
    "no residual": lambda: _with_targets(_plain(0), 0.0),
    "large residual": lambda: _with_targets(_plain(0), 1e3),
    "coherent": lambda: _with_targets(_coherent()),
    "condition 1e6": lambda: _with_targets(_with_condition(1e6), 1e-3),
    "condition 1e12": lambda: _with_targets(_with_condition(1e12), 1e-9),
    "duplicate column": lambda: _with_targets(_plain(0)[:, [0, 1, 2, 0]]),
    "zero column": lambda: _with_targets(_plain(0) * [1, 0, 1, 1]),
    "units 1e±3": lambda: _with_targets(_plain(0) * [1e3, 1, 1, 1e-3]),
    "units 1e±6": lambda: _with_targets(_plain(0) * [1e6, 1, 1e-3, 1e-6]),
    "units 1e±12": lambda: _with_targets(_plain(0) * [1e12, 1e5, 1e-5, 1e-12]),
    "offset 1e4": lambda: _with_targets(_plain(0) + np.array([1e4, 0, 0, 0]), intercept=True),
    "offset 1e9": lambda: _with_targets(_plain(0) + np.array([1e9, 0, 0, 1e3]), intercept=True),
    "years, squared, cubed": lambda: _with_targets(_years(), intercept=True),
    "weights": lambda: _with_targets(_plain(0), weights=10.0 ** np.linspace(-3, 3, ROWS)),
    "ridge in units": lambda: _with_targets(_plain(0) * [1e6, 1, 1e-3, 1e-6], alpha=1e-3),
}


class ClaimTests:
    """What the certificate of every method guarantees; give its name in ``METHODS`` as fixture ``method``."""

    @pytest.fixture
    def method(self) -> str:
        """Return the name of the method to test."""
        raise NotImplementedError

    @pytest.mark.parametrize("name", sorted(FAMILIES))
    @pytest.mark.parametrize("sketch", sorted(SKETCHES))
    def test_no_claim_is_better_than_the_truth(self, method: str, sketch: str, name: str) -> None:
        """Backward error, forward error and the error of each coefficient are at most three times what is claimed."""
        family = FAMILIES[name]()

        found = solve(family.problem(), method=method, sketch=sketch, cluster="serial")

        assert isinstance(found.certificate, LinearCertificate)
        require_honest(family, found.x, found.certificate, found.coefficient_errors)

    @pytest.mark.parametrize("name", sorted(KNOWN))
    def test_no_claim_about_a_known_answer_is_better_than_the_truth(self, method: str, name: str) -> None:
        """The same of the known answers; where rounding of A decides its rank, of the backward error only."""
        known = KNOWN[name]()

        found = solve(LeastSquares(known.A, known.b), method=method, cluster="serial")

        assert isinstance(found.certificate, LinearCertificate)
        columns, errors = found.x.reshape(known.A.shape[1], -1), found.coefficient_errors.reshape(known.A.shape[1], -1)
        for side in range(columns.shape[1]):
            exact, best, rank = _exact_answer(name, side)
            _require_honest(exact, best, rank, columns[:, side], found.certificate, errors[:, side], side)


@cache
def _exact_answer(name: str, side: int) -> tuple[Exact, list[Fraction], int]:
    known = KNOWN[name]()
    d = known.A.shape[1]
    exact = Exact.of(known.A, known.b.reshape(len(known.b), -1)[:, side], None, np.zeros(d), intercept=False)
    return exact, *exact.minimizer()


def require_honest(family: Family, x: Floats, certificate: LinearCertificate, errors: Floats) -> None:
    """Assert that the rank is right and no claim about x is below a third of the truth; NaN claims nothing."""
    exact = family.exact()
    best, rank = exact.minimizer()
    assert certificate.rank == rank
    _require_honest(exact, best, rank, x, certificate, errors, 0)


def _require_honest(
    exact: Exact, best: list[Fraction], rank: int, x: Floats, certificate: LinearCertificate, errors: Floats, side: int
) -> None:
    assert exact.backward_error(x) <= WANTED * max(certificate.backward_error[side], EPS / 2)
    if np.isnan(certificate.forward_error[side]) or certificate.rank != rank:
        return
    assert relative_distance(x, best, exact.squares()) <= WANTED * certificate.forward_error[side]
    for value, right, claim in zip(x.tolist(), best, errors.tolist(), strict=True):
        assert abs(float(Fraction(value) - right)) <= WANTED * claim
