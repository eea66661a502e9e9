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
    """e^{η_k − top} of all K classes, shape (rows, K), their sum without the largest, the largest η, and the row's class."""

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
        """Return φ, φ′ of shape (rows, K − 1), and φ″ of shape (rows, K − 1, K − 1)."""
        eta = self.compare(eta)
        shares = self._shares(eta, y)
        p = shares.powers / (1.0 + shares.rest)[:, None]
        slope = p.copy()
        own = shares.label[:, None]
        np.put_along_axis(slope, own, 0.0, axis=1)
        np.put_along_axis(slope, own, -slope.sum(axis=1, keepdims=True), axis=1)
        return Terms(_value(shares, eta), self.compare(slope[:, 1:]), self._turn(_curvature(p)))

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        eta = self.compare(eta)
        return _value(self._shares(eta, y), eta)

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
        """Return (I + c 11ᵀ) C (I + c 11ᵀ) where the coordinates are symmetric."""
        if not self.is_symmetric:
            return curvature
        half = curvature + self._share * curvature.sum(axis=1, keepdims=True)
        return np.asarray(half + self._share * half.sum(axis=2, keepdims=True))

    def _shares(self, eta: Floats, y: Floats) -> _Shares:
        powers, top, rest = _powers(eta)
        label = np.clip(np.nan_to_num(y), 0, self.classes - 1).astype(np.intp)
        return _Shares(powers, rest, top, label)

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return diag p − ppᵀ: φ″ does not depend on y."""
        return self._turn(_curvature(self.mean(eta)))

    def mean(self, eta: Floats) -> Floats:
        """Return the probabilities of all K classes, shape (rows, K)."""
        powers, _, rest = _powers(self.compare(eta))
        return powers / (1.0 + rest)[:, None]

    def concordance(self, low: float, high: float) -> float:
        """Return √2."""
        del low, high
        return float(np.sqrt(2.0))

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is not the number of a class."""
        expected = f"the class of each row, 0, 1, …, {self.classes - 1},"
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
        return mean * _others(mean)


def _powers(eta: Floats) -> tuple[Floats, Floats, Floats]:
    """Return e^{η_k − top} of all classes, the top, and the sum of all but the largest, which is 1."""
    full = np.concatenate((np.zeros((len(eta), 1)), eta), axis=1)
    largest = full.argmax(axis=1)[:, None]
    top = np.take_along_axis(full, largest, axis=1)
    powers = np.exp(full - top)
    rest = powers.copy()
    np.put_along_axis(rest, largest, 0.0, axis=1)
    return powers, top[:, 0], rest.sum(axis=1)


def _value(shares: _Shares, eta: Floats) -> Floats:
    """Return (top − η_y) + log(1 + rest): two terms that are not negative."""
    own = np.take_along_axis(eta, np.maximum(shares.label - 1, 0)[:, None], axis=1)[:, 0]
    return np.asarray(shares.top - np.where(shares.label > 0, own, 0.0) + np.log1p(shares.rest))


def _others(p: Floats) -> Floats:
    """Return 1 − p_k as the sum over the other classes."""
    return p @ (1.0 - np.eye(p.shape[1]))


def _curvature(p: Floats) -> Floats:
    """Return diag p − ppᵀ of the classes from 1 on."""
    some = p[:, 1:]
    curvature = -some[:, :, None] * some[:, None, :]
    diagonal = np.arange(some.shape[1])
    curvature[:, diagonal, diagonal] = some * _others(p)[:, 1:]
    return curvature
