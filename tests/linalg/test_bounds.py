"""Bounds on singular values by a random right-hand side: never inside the spectrum, near it when they are sharp, none where rank lacks."""

import numpy as np
import pytest

from dsketch._linalg.bounds import Bounds, Spectrum, spectrum_of

EPS = float(np.finfo(float).eps)


def spectrum_after(M: np.ndarray, seed: int, steps: int) -> Spectrum:
    """Return what conjugate gradients for a random right-hand side tell of M when they are sharp, or after so many steps."""
    r = np.random.default_rng(seed).standard_normal(len(M))
    start, p, rho = float(np.linalg.norm(r)), np.zeros(len(M)), 0.0
    lengths, betas = list[float](), list[float]()
    found = Spectrum(0.0, np.inf, 0.0, np.inf)
    for _ in range(steps):
        old, rho = rho, float(r @ r)
        if found.is_sharp or rho <= (1e-14 * start) ** 2:
            break
        betas.append(rho / old if old else 0.0)
        p = r + betas[-1] * p
        lengths.append(rho / float(p @ (M @ p)))
        r = r - lengths[-1] * (M @ p)
        found = spectrum_of(lengths, betas, float(np.linalg.norm(r)), start)
    return found


def with_eigenvalues(values: np.ndarray, seed: int) -> np.ndarray:
    """Return a symmetric matrix of these eigenvalues, its eigenvectors random."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return np.asarray((Q * values) @ Q.T)


@pytest.mark.parametrize("name", ["even", "logarithmic", "one below", "one above", "two clusters", "equal"])
def test_no_eigenvalue_lies_beyond_the_bounds(name: str) -> None:
    """Whatever the spectrum: the bounds hold, and when they are called sharp they are within a factor of three."""
    values = {
        "even": np.linspace(0.7, 1.3, 80),
        "logarithmic": np.logspace(-2, 0, 80),
        "one below": np.r_[1e-3, np.linspace(0.9, 1.1, 79)],
        "one above": np.r_[np.linspace(0.9, 1.1, 79), 60.0],
        "two clusters": np.r_[np.full(40, 0.01), np.full(40, 1.0)],
        "equal": np.ones(80),
    }[name]
    for seed in range(10):
        found = spectrum_after(with_eigenvalues(values, seed), seed, 200)

        assert found.is_sharp or name == "logarithmic"  # which ends in rounding before
        assert values.min() / 3 * (1 - 1e-12) <= found.least <= values.min() * (1 + 1e-12)
        assert values.max() * (1 - 1e-12) <= found.most <= 3 * values.max()


@pytest.mark.parametrize("least", [0.0, 1e-13, 1e-10])
def test_nothing_is_proven_of_what_lacks_rank_or_nearly_does(least: float) -> None:
    """A direction without curvature keeps its share of the random right-hand side; one with too little is lost in rounding."""
    for seed in range(10):
        M = with_eigenvalues(np.r_[least, np.linspace(0.5, 1.5, 79)], seed)

        assert not spectrum_after(M, seed, 200).is_sharp


def test_rough_units_are_paid_for() -> None:
    """Where D are not the norms, they are within the bounds times D: so much worse is each claim, and none when they are measured."""
    scale, x = np.array([1.0, 2.0, 4.0]), np.ones((3, 1))
    rough, exact = Bounds(scale, 0.5, 2.0, is_rough=True), Bounds(scale, 0.5, 2.0)

    assert rough.scaled_condition == 4 * exact.scaled_condition
    assert rough.backward_error(x, x, np.ones(1)) == pytest.approx(2 * exact.backward_error(x, x, np.ones(1)))
    assert rough.condition == exact.condition
    measured = rough.measure(scale * [1.0, 1.5, 1.0])
    assert (measured.least, measured.most, measured.is_rough) == (0.5 / 1.5, 2.0, False)
