"""Minimizers of smooth problems in extended precision, by formulas that share no code with the library.

A problem is rows, a family by name, offsets, weights and penalties.  Slopes and curvatures are computed in 80-bit arithmetic (normal
probabilities in 30 digits), the minimizer by Newton's method with halved steps: Hessian solved in double, gradient in 80 bits, so that
each step corrects what the one before it left.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

Long = np.longdouble
Longs = NDArray[Any]
Rates = Callable[[Longs, Longs, float], tuple[Longs, Longs, Longs]]
_STEPS = 300


def _logit(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    up, down = 1 / (1 + np.exp(-eta)), 1 / (1 + np.exp(eta))
    value = np.log1p(np.exp(-np.abs(eta))) + np.maximum(eta, 0) - y * eta
    return value, (1 - y) * up - y * down, up * down


def _normal(eta: Longs) -> tuple[Longs, Longs]:
    """Return log Φ(η) and Φ′(η)/Φ(η)."""
    with mpmath.workdps(30):
        logs, ratios = [], []
        for value in eta:
            at = mpmath.mpf(float(value)) + mpmath.mpf(float(value - Long(float(value))))
            share = mpmath.erfc(-at / mpmath.sqrt(2)) / 2
            logs.append(Long(mpmath.nstr(mpmath.log(share), 25)))
            ratios.append(Long(mpmath.nstr(mpmath.npdf(at) / share, 25)))
    return np.array(logs, dtype=Long), np.array(ratios, dtype=Long)


def _probit(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    (log_up, up), (log_down, down) = _normal(eta), _normal(-eta)
    value = -y * log_up - (1 - y) * log_down
    return value, (1 - y) * down - y * up, y * up * (up + eta) + (1 - y) * down * (down - eta)


def _cloglog(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    rate = np.exp(eta)
    share = rate / np.expm1(rate)
    value = (1 - y) * rate - y * np.log(-np.expm1(-rate))
    return value, (1 - y) * rate - y * share, y * share * (rate + share - 1) + (1 - y) * rate


def _poisson(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    mean = np.exp(eta)
    return mean - y * eta, mean - y, mean


def _gamma(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    ratio = y * np.exp(-eta)
    return ratio + eta, 1 - ratio, ratio


def _gaussian(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    return (eta - y) ** 2 / 2, eta - y, np.ones_like(eta)


def _tweedie(eta: Longs, y: Longs, power: float) -> tuple[Longs, Longs, Longs]:
    p = Long(power)
    low, high = y * np.exp((1 - p) * eta), np.exp((2 - p) * eta)
    return low / (p - 1) + high / (2 - p), high - low, (p - 1) * low + (2 - p) * high


def _negative_binomial(eta: Longs, y: Longs, theta: float) -> tuple[Longs, Longs, Longs]:
    s = eta - np.log(Long(theta))
    up, down = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s))
    value = (y + theta) * (np.log1p(np.exp(-np.abs(s))) + np.maximum(s, 0)) - y * s
    return value, theta * up - y * down, (y + theta) * up * down


def _huber(eta: Longs, y: Longs, delta: float) -> tuple[Longs, Longs, Longs]:
    t = (eta - y) / Long(delta)
    root = np.sqrt(1 + t * t)
    return Long(delta) ** 2 * (root - 1), Long(delta) * t / root, 1 / root**3


def _softmax(eta: Longs, y: Longs, _: float) -> tuple[Longs, Longs, Longs]:
    full = np.concatenate((np.zeros((len(eta), 1), dtype=Long), eta), axis=1)
    top = full.max(axis=1, keepdims=True)
    powers = np.exp(full - top)
    p = powers / powers.sum(axis=1, keepdims=True)
    own = y.astype(int)[:, None]
    value = np.log(powers.sum(axis=1)) + (top - np.take_along_axis(full, own, axis=1))[:, 0]
    slope = p - (np.arange(full.shape[1]) == own)
    q = p[:, 1:]
    return value, slope[:, 1:], q[:, :, None] * np.eye(q.shape[1]) - q[:, :, None] * q[:, None, :]


RATES: dict[str, Rates] = {
    "logit": _logit,
    "probit": _probit,
    "cloglog": _cloglog,
    "poisson": _poisson,
    "gamma": _gamma,
    "gaussian": _gaussian,
    "tweedie": _tweedie,
    "negative_binomial": _negative_binomial,
    "huber": _huber,
    "multinomial": _softmax,
}


@dataclass(frozen=True)
class Smooth:
    """Σ w φ(aᵀx + offset; y) + ½ Σ p x², in extended precision.

    Attributes
    ----------
    rates : str
        A name of ``RATES``.
    A : ndarray, shape (n, d)
        With a column of ones where there is an intercept.
    y, offset, weights : ndarray, shape (n,)
    penalty : ndarray, shape (d, d) or (d · outputs, d · outputs)
    parameter : float
        theta, power or delta.
    outputs : int
    """

    rates: str
    A: Longs
    y: Longs
    offset: Longs
    weights: Longs
    penalty: Longs
    parameter: float = 0.0
    outputs: int = 1

    def sums(self, x: Longs) -> tuple[Long, Longs, NDArray[np.float64]]:
        """Return value, gradient (80 bits) and Hessian (double) at x, which is flat: output by output."""
        with np.errstate(all="ignore"):  # of a step that overshot
            return self._sums(x)

    def _sums(self, x: Longs) -> tuple[Long, Longs, NDArray[np.float64]]:
        d, q = self.A.shape[1], self.outputs
        eta = self.A @ x.reshape(q, d).T + self.offset[:, None]
        value, slope, curvature = RATES[self.rates](eta if q > 1 else eta[:, 0], self.y, self.parameter)
        slope = slope.reshape(-1, q) * self.weights[:, None]
        curvature = curvature.reshape(-1, q, q) * self.weights[:, None, None]
        hessian = np.einsum("nkl,ni,nj->kilj", curvature, self.A, self.A).reshape(d * q, d * q) + self.penalty
        total = np.sum(self.weights * value) + x @ (self.penalty @ x) / 2
        return total, (slope.T @ self.A).ravel() + self.penalty @ x, hessian.astype(np.float64)

    def _longest(self, hessian: NDArray[np.float64]) -> float:
        """Return max ‖H^(−½)(e ⊗ aᵢ)‖ over rows and outputs: a decrement far below its inverse is that of a minimizer nearby."""
        scale = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
        values, vectors = sl.eigh(hessian * scale[:, None] * scale)
        kept = values > 1e-14 * max(values[-1], 1e-300)
        white = scale[:, None] * vectors[:, kept] / np.sqrt(values[kept])
        d, rows = self.A.shape[1], self.A[self.weights > 0].astype(np.float64)
        return float(max(np.linalg.norm(rows @ white[k * d : (k + 1) * d], axis=1).max(initial=0.0) for k in range(self.outputs)))

    def minimizer(self, start: NDArray[np.float64] | None = None) -> Longs | None:
        """Return the minimizer, None where steps do not end.

        Where there is none, curvatures vanish on the way: the Hessian loses rank, or rows grow long in its metric.
        """
        wide = self.A.shape[1] * self.outputs
        x = np.zeros(wide, dtype=Long) if start is None else start.astype(Long)
        value, gradient, hessian = self.sums(x)
        before, rank = np.inf, rank_of(self.sums(np.zeros_like(x))[2])
        for _ in range(_STEPS):
            step, decrement = newton_step(hessian, gradient)
            if decrement < 1e-9 and decrement >= before / 2 and decrement * self._longest(hessian) < 1e-6:
                return x if rank_of(hessian) >= rank else None
            before = decrement
            size = Long(1)
            while size > 1e-12:
                tried = self.sums(x + size * step)
                if (
                    np.isfinite(tried[0])
                    and np.isfinite(tried[2]).all()
                    and (tried[0] <= value + size * 1e-4 * (gradient @ step) or decrement < 1e-5)
                ):
                    break
                size /= 2
            x = x + size * step
            value, gradient, hessian = tried
            if not np.isfinite(hessian).all():
                return None
        return None

    def at(self, **changes: Any) -> "Smooth":
        """Return the same problem with other parts."""
        return replace(self, **changes)


def newton_step(hessian: NDArray[np.float64], gradient: Longs) -> tuple[Longs, float]:
    """Return −H⁻¹g and √(gᵀH⁻¹g), columns scaled, with small eigenvalues left out."""
    scale = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    g = (gradient * scale.astype(Long)).astype(np.float64)
    values, vectors = sl.eigh(hessian * scale[:, None] * scale)
    kept = values > 1e-14 * max(values[-1], 1e-300)
    inner = vectors[:, kept].T @ g
    step = -vectors[:, kept] @ (inner / values[kept])
    return (step * scale).astype(Long), float(np.sqrt(np.sum(inner**2 / values[kept])))


def rank_of(hessian: NDArray[np.float64]) -> int:
    """Return the number of eigenvalues that :func:`newton_step` keeps."""
    scale = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    values = sl.eigvalsh(hessian * scale[:, None] * scale)
    return int(np.sum(values > 1e-14 * max(values[-1], 1e-300))) if values[-1] > 1e-3 else 0


def distance(hessian: NDArray[np.float64], difference: Longs) -> float:
    """Return √(vᵀHv)."""
    with np.errstate(all="ignore"):
        v = difference.astype(np.float64)
        square = float(v @ hessian @ v)
    return float(np.sqrt(max(square, 0.0))) if np.isfinite(square) else np.inf
