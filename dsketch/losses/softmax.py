"""Softmax: K classes, class 0 the one that the others are compared with."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.losses.base import Loss, Terms
from dsketch.losses.domain import refuse_rows


class _Shares(NamedTuple):
    """η of all K classes, e^{η − top}, its sum but for the largest, the top, and the row's class; classes go down: shape (K, rows)."""

    full: Floats
    powers: Floats
    rest: Floats
    top: Floats
    label: NDArray[np.intp]


@dataclass(frozen=True)
class Softmax(Loss):
    """φ = log Σ_k e^{η_k} − η_y with η_0 = 0; φ′ = p_k − 1[y = k], φ″ = diag p − ppᵀ, for k = 1, …, K − 1.

    1 − p_k is summed from the other classes, so that slopes and curvatures keep their digits where a class is all but certain.

    Parameters
    ----------
    classes : int
        K ≥ 2; y holds 0, …, K − 1.
    is_symmetric : bool
        Whether η is given in coordinates whose squares add to those of all K predictors about their mean: η_k there stands for η_k + c Σ η,
        c = (√K − 1)/(K − 1), as (I + c 11ᵀ)² = I + 11ᵀ.  A ridge in these coordinates is one on the coefficients of all classes, and does
        not depend on which of them is class 0.

    Notes
    -----
    Concordance √2, for η of K − 1 numbers in their Euclidean norm.  Along η + sv, with v_0 = 0, φ is the cumulant function of the number
    v_k of a class drawn by p: φ″ is its variance and φ‴ its third central moment E(v − m)³.  As abs(v − m) ≤ max v − min v, abs φ‴ ≤
    (max v − min v) φ″; and v_j − v_k ≤ √2‖v‖, v_j − 0 ≤ ‖v‖.  In symmetric coordinates ‖v‖ is the norm of all K numbers about their mean,
    and max − min is at most √2 of it again.

    References
    ----------
    F. Bach, "Self-concordant analysis for logistic regression", Electronic Journal of Statistics 4, 2010.
    D. Böhning, "Multinomial logistic regression algorithm", Annals of the Institute of Statistical Mathematics 44, 1992.
    """

    classes: int
    is_symmetric: bool = False
    family: ClassVar[str] = "multinomial"
    link: ClassVar[str] = "logit"

    def __post_init__(self) -> None:
        if not (isinstance(self.classes, int) and self.classes >= 2):
            raise SpecError(f"classes must be a whole number ≥ 2; got {self.classes!r}. y holds 0, …, classes − 1.")

    @property
    def outputs(self) -> int:
        """K − 1."""
        return self.classes - 1

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ of shape (rows, K − 1), and φ″ of shape (rows, K − 1, K − 1), or (rows,) for K = 2."""
        shares = _shares(self.compare(eta), y)
        p = shares.powers / (1.0 + shares.rest)
        slope, rows = p.copy(), np.arange(len(y))
        slope[shares.label, rows] = 0.0
        slope[shares.label, rows] = -slope.sum(axis=0)
        return Terms(_value(shares), self.compare(slope[1:].T), self._turn(_curvature(p)))

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        return _value(_shares(self.compare(eta), y))

    def held(self, step: Floats, y: Floats, level: float) -> Floats:
        """Return Σ (e_y − e_k)(e_y − e_k)ᵀ over the classes k whose predictor goes with that of the row's own class.

        The loss of a row falls for ever along a step in which η_y − η_k rises for some k and stays for the others; these must stay exactly.
        """
        full, rows = np.zeros((self.classes, len(y))), np.arange(len(y))
        full[1:] = self.compare(step).T
        own = np.clip(np.nan_to_num(y), 0, self.classes - 1).astype(np.intp)
        flat = np.asarray(np.abs(full[own, rows] - full) <= level, dtype=np.float64)
        flat[own, rows] = 0.0
        label = np.zeros_like(full)
        label[own, rows] = 1.0
        between = -(label[:, None] * flat + flat[:, None] * label)
        between[np.arange(self.classes), np.arange(self.classes)] += flat + label * flat.sum(axis=0)
        return self._turn(between[1:, 1:].transpose(2, 0, 1))

    def compare(self, eta: Floats) -> Floats:
        """Return predictors, or coefficients of shape (d, K − 1), as differences from class 0."""
        if not self.is_symmetric:
            return eta
        return np.asarray(eta + self._share * eta.sum(axis=1, keepdims=True))

    def centre(self, x: Floats) -> Floats:
        """Return what :meth:`compare` makes x of."""
        if not self.is_symmetric:
            return x
        return np.asarray(x - self._share / np.sqrt(self.classes) * x.sum(axis=1, keepdims=True))

    @property
    def _share(self) -> float:
        return float((np.sqrt(self.classes) - 1.0) / (self.classes - 1.0))

    def _turn(self, curvature: Floats) -> Floats:
        """Return (I + c 11ᵀ) C (I + c 11ᵀ) where the coordinates are symmetric; of one predictor a number a row."""
        if self.is_symmetric:
            curvature = curvature + self._share * curvature.sum(axis=1, keepdims=True)
            curvature = curvature + self._share * curvature.sum(axis=2, keepdims=True)
        return curvature[:, 0, 0] if self.outputs == 1 else curvature

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return diag p − ppᵀ: φ″ does not depend on y."""
        return self._turn(_curvature(_probabilities(self.compare(eta))))

    def mean(self, eta: Floats) -> Floats:
        """Return the probabilities of all K classes, shape (rows, K)."""
        return np.ascontiguousarray(_probabilities(self.compare(eta)).T)

    def concordance(self, low: float, high: float) -> float:
        """Return √2."""
        del low, high
        return float(np.sqrt(2.0))

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is not the number of a class."""
        expected = f"the class of each row, a whole number from 0 to {self.classes - 1}"
        is_wrong = (y < 0) | (y > self.classes - 1) | ((y != np.floor(y)) & ~np.isnan(y))
        refuse_rows(y, is_wrong, start, expected, "Number the classes from 0, or give more classes.")

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return −2 log p_y."""
        return -2.0 * np.log(np.take_along_axis(mean, y.astype(np.intp)[:, None], axis=1)[:, 0])

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return (w/φ) log p_y."""
        return np.asarray(-0.5 * weight / dispersion * self.deviance(y, mean))

    def variance(self, mean: Floats) -> Floats:
        """Return p(1 − p) of each class."""
        return mean * _others(mean.T).T


def _shares(eta: Floats, y: Floats) -> _Shares:
    """Return what is computed from η, shape (rows, K − 1), before anything else."""
    full = np.zeros((eta.shape[1] + 1, len(eta)))
    full[1:] = eta.T
    largest, rows = full.argmax(axis=0), np.arange(len(eta))
    top = full[largest, rows]
    powers = np.exp(full - top)
    rest = powers.copy()
    rest[largest, rows] = 0.0
    label = np.clip(np.nan_to_num(y), 0, eta.shape[1]).astype(np.intp)
    return _Shares(full, powers, rest.sum(axis=0), top, label)


def _probabilities(eta: Floats) -> Floats:
    """Return the probabilities of all classes, shape (K, rows)."""
    shares = _shares(eta, np.zeros(len(eta)))
    return shares.powers / (1.0 + shares.rest)


def _value(shares: _Shares) -> Floats:
    """Return (top − η_y) + log(1 + rest): two terms that are not negative."""
    own = shares.full[shares.label, np.arange(len(shares.label))]
    return np.asarray(shares.top - own + np.log1p(shares.rest))


def _others(p: Floats) -> Floats:
    """Return 1 − p_k as the sum over the other classes, shape (K, rows)."""
    return (1.0 - np.eye(len(p))) @ p


def _curvature(p: Floats) -> Floats:
    """Return diag p − ppᵀ of the classes from 1 on, shape (rows, K − 1, K − 1); each of its entries lies together in memory."""
    some = p[1:]
    curvature = -some[:, None] * some
    diagonal = np.arange(len(some))
    curvature[diagonal, diagonal] = some * _others(p)[1:]
    return curvature.transpose(2, 0, 1)
