"""b of three dimensions, and an alpha for each of its targets: with weights, an intercept, powers and heads, as of b laid flat."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.matrix.head import Head
from dsketch.problems import Heads

N, D, TARGETS = 80, 3, (2, 4)
RNG = np.random.default_rng(0)
A, W = RNG.standard_normal((N, D)) + 1.0, RNG.uniform(0.5, 2, N)
TALL, LOW = RNG.standard_normal((N, *TARGETS)), RNG.standard_normal((D, *TARGETS))
ALPHAS = RNG.uniform(0.1, 9, TARGETS)
STORED = ds.open_matrix(A)
LEFT = Head(STORED, columns=(0, 2))
MORE: tuple[dict[str, Any], ...] = ({}, {"weights": W}, {"intercept": True}, {"weights": W, "intercept": True})

Make = Callable[[Any, Any], ds.Problem]  # of b and alpha


def _heads(of: Callable[[Any], ds.Problem]) -> ds.Problem:
    return Heads([of(LEFT), of(STORED)])


LINEAR: dict[str, Make] = {f"lstsq {[*more]}": lambda b, _, m=more: ds.LeastSquares(A, b, **m) for more in MORE}
RIDGES: dict[str, Make] = {
    **{f"ridge {[*more]}": lambda b, alpha, m=more: ds.Ridge(A, b, alpha=alpha, **m) for more in MORE},
    **{f"heads of ridge {[*more]}": lambda b, alpha, m=more: _heads(lambda A: ds.Ridge(A, b, alpha=alpha, **m)) for more in MORE},
}
TALL_POWERS: dict[str, Make] = {
    "odd power": lambda b, _: ds.OddGramPower(A, b),
    "heads of odd powers": lambda b, _: _heads(lambda A: ds.OddGramPower(A, b)),
    "heads of lstsq": lambda b, _: _heads(lambda A: ds.LeastSquares(A, b)),
}
LOW_POWERS: dict[str, Make] = {
    "power": lambda b, _: ds.GramPower(A, b, power=2),
    "exponential": lambda b, _: ds.GramExponential(A / N, b),
    "heads of powers": lambda b, _: _heads(lambda A: ds.GramPower(A, b[: A.shape[1]])),
}


def require_as_flat(make: Make, b: np.ndarray, alpha: Any) -> None:
    """Hold the answer to that of b as a matrix, bit by bit, and have it checked as it came."""
    flat_alpha = alpha if np.ndim(alpha) == 0 else np.reshape(alpha, (1, -1))
    problem = make(b, alpha)

    found = ds.solve(problem, cluster="serial")
    flat = ds.solve(make(b.reshape(len(b), -1), flat_alpha), cluster="serial")

    assert found.x.shape == (len(flat.x), *TARGETS)
    assert found.x.tobytes() == flat.x.tobytes()
    assert ds.check(problem, found.x, cluster="serial").backward_error.size == flat.certificate.backward_error.size


@pytest.mark.parametrize("make", [*LINEAR.values(), *TALL_POWERS.values()], ids=[*LINEAR, *TALL_POWERS])
def test_targets_keep_their_dimensions(make: Make) -> None:
    """Of problems without a penalty."""
    require_as_flat(make, TALL, None)


@pytest.mark.parametrize("make", LOW_POWERS.values(), ids=[*LOW_POWERS])
def test_targets_of_powers_keep_their_dimensions(make: Make) -> None:
    """Of a b with a row for each column of A."""
    require_as_flat(make, LOW, None)


@pytest.mark.parametrize("alpha", [0.5, ALPHAS, ALPHAS.ravel()], ids=["a number", "a cube", "a vector"])
@pytest.mark.parametrize("make", RIDGES.values(), ids=[*RIDGES])
def test_every_target_may_have_its_own_alpha(make: Make, alpha: Any) -> None:
    """Given with the dimensions of the targets, or flat."""
    require_as_flat(make, TALL, alpha)


def test_heads_of_other_targets_lie_flat() -> None:
    """Where heads agree in how many targets they have and not in their dimensions, x has these side by side."""
    found = ds.solve(Heads([ds.LeastSquares(LEFT, TALL), ds.LeastSquares(STORED, TALL.reshape(N, 4, 2))]), cluster="serial")

    assert found.x.shape == (2 + D, 8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ds.ElasticNet(A, TALL), "Reshape it to rows"),
        (lambda: ds.SampledLeastSquares(A, TALL[:, 0], alpha=ALPHAS[0]), "one column of b at a time"),
        (lambda: ds.GLM(A, TALL), "Reshape it to rows"),
    ],
)
def test_what_takes_no_cube_says_what_to_do(make: Callable[[], Any], words: str) -> None:
    """One sentence, with a remedy that works."""
    with pytest.raises((ds.SpecError, ds.DataError), match=words):
        make()
