"""Success or failure, or a share of successes: logit, probit and complementary log-log; y between 0 and 1.

All three are convex in η, and exact in both tails: a probability of 1e-300 keeps its digits, and so does what is left to 1.

References
----------
P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed., Chapman & Hall, 1989, Chapter 4.
F. Bach, "Self-concordant analysis for logistic regression", Electronic Journal of Statistics 4, 2010 (abs φ‴ ≤ φ″).
"""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, erfcx, log_ndtr, ndtr, xlog1py, xlogy

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.losses.base import Loss, Terms

_TAIL = -10.0  # below, λ(η) + η is a continued fraction: the difference would lose η² u
_LEVELS = 30  # of it: converged to the last bit from 10 on
_CERTAIN = 6.6  # η of the complementary log-log link beyond which a success is certain: exp(e^η) overflows from 6.565 on
_LARGEST = 300.0  # e^300 squared is far from the end of float64


class Binomial(Loss):
    """What the three links share: domain, variance, deviance, likelihood."""

    family = "binomial"

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is not between 0 and 1.

        Raises
        ------
        DataError
            Naming the row and the value.
        """
        if y.size and not (y.min() >= 0 and y.max() <= 1):
            row = int(np.flatnonzero(~((y >= 0) & (y <= 1)))[0])
            raise DataError(
                f"y must lie between 0 and 1 (a failure, a success, or a share of successes); row {start + row} is {y[row]:g}. Code the "
                "two classes as 0 and 1, give shares with weights= for their numbers of trials, or name another family."
            )

    def variance(self, mean: Floats) -> Floats:
        """Return μ(1 − μ)."""
        return mean * (1.0 - mean)

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return 2(y log(y/μ) + (1 − y) log((1 − y)/(1 − μ))), with 0 log 0 = 0."""
        of_ones = xlogy(y, y) - xlogy(y, mean)
        return np.asarray(2.0 * (of_ones + xlog1py(1.0 - y, -y) - xlog1py(1.0 - y, -mean)))

    def deviance_at(self, eta: Floats, y: Floats) -> Floats:
        """Return 2(φ − φ of μ = y): of a failure at η = 40 it is 80, though μ is 1 in float64."""
        return np.asarray(np.maximum(2.0 * (self.values(eta, y) + xlogy(y, y) + xlog1py(1.0 - y, -y)), 0.0))

    def log_likelihood_at(self, eta: Floats, y: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return that of a share of 1 or 0 where μ is 1 or 0 in float64, too: that of μ = y, less half the deviance."""
        return self.log_likelihood(y, y, weight, dispersion) - weight * self.deviance_at(eta, y) / 2.0

    @abstractmethod
    def odds(self, eta: Floats) -> Floats:
        """Return μ/(1 − μ), shape of ``eta``: right to the last digits where μ is all but 0 or 1."""

    def pearson_at(self, eta: Floats, y: Floats) -> Floats:
        """Return (y − μ)²/(μ(1 − μ)) = (y q − (1 − y) p)²/(p q) by the odds p/q of 1e±200 at most."""
        odds = np.clip(self.odds(eta)[:, 0], 1e-200, 1e200)
        return np.asarray((y / np.sqrt(odds) - (1.0 - y) * np.sqrt(odds)) ** 2)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return that of ``weight`` trials of which a share y succeeded."""
        del dispersion
        hits, misses = weight * y, weight * (1.0 - y)
        ways = -betaln(hits + 1.0, misses + 1.0) - np.log1p(weight)
        return np.asarray(ways + xlogy(hits, mean) + xlog1py(misses, -mean))


@dataclass(frozen=True)
class Logit(Binomial):
    """μ = 1/(1 + e^−η): logistic regression."""

    link = "logit"

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return log(1 + e^η) − yη, σ(η) − y and σ(η) σ(−η), all from e^−abs η."""
        eta = eta[:, 0]
        tail = np.exp(-np.abs(eta))
        major = 1.0 / (1.0 + tail)
        minor = tail * major
        is_above = eta > 0
        up, down = np.where(is_above, major, minor), np.where(is_above, minor, major)
        up *= 1.0 - y
        up -= y * down
        major *= minor
        return Terms(self._value(eta, y, tail), up[:, None], major)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return log(1 + e^η) − yη."""
        eta = eta[:, 0]
        return self._value(eta, y, np.exp(-np.abs(eta)))

    def _value(self, eta: Floats, y: Floats, tail: Floats) -> Floats:
        value = np.log1p(tail)
        value += (np.where(eta > 0, 1.0, 0.0) - y) * eta  # η or 0, less yη: nothing cancels
        return value

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return σ(η) σ(−η): it does not depend on y."""
        tail = np.exp(-np.abs(eta[:, 0]))
        return np.asarray(tail / (1.0 + tail) ** 2)

    def mean(self, eta: Floats) -> Floats:
        """Return σ(η)."""
        tail = np.exp(-np.abs(eta))
        return np.asarray(np.where(eta > 0, 1.0, tail) / (1.0 + tail))

    def odds(self, eta: Floats) -> Floats:
        """Return e^η."""
        return np.asarray(np.exp(np.minimum(eta, 2.0 * _LARGEST)))

    def concordance(self, low: float, high: float) -> float:
        """Return 1: φ‴/φ″ = σ(−η) − σ(η)."""
        del low, high
        return 1.0


@dataclass(frozen=True)
class Probit(Binomial):
    """μ = Φ(η), the normal distribution function.

    With λ(η) = Φ′(η)/Φ(η) and c = λ(λ + η) the terms are −y log Φ(η) − (1 − y) log Φ(−η), −y λ(η) + (1 − y) λ(−η), and y c(η) + (1 − y)
    c(−η).
    """

    link = "probit"

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return the terms."""
        t = eta[:, 0]
        up, over = _mills(t)
        down, under = _mills(-t)
        slope = (1.0 - y) * down - y * up
        return Terms(self.values(eta, y), slope[:, None], y * (up * over) + (1.0 - y) * (down * under))

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return −y log Φ(η) − (1 − y) log Φ(−η)."""
        t = np.clip(eta[:, 0], -1e150, 1e150)  # its square is finite
        return np.asarray(-(y * log_ndtr(t)) - (1.0 - y) * log_ndtr(-t))

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return Φ′(η)²/(Φ(η) Φ(−η)) = λ(η) λ(−η)."""
        return _mills(eta[:, 0])[0] * _mills(-eta[:, 0])[0]

    def mean(self, eta: Floats) -> Floats:
        """Return Φ(η)."""
        return np.asarray(ndtr(eta))

    def odds(self, eta: Floats) -> Floats:
        """Return Φ(η)/Φ(−η)."""
        eta = np.clip(eta, -1e3, 1e3)
        return np.asarray(np.exp(np.minimum(log_ndtr(eta) - log_ndtr(-eta), 2.0 * _LARGEST)))

    def concordance(self, low: float, high: float) -> float:
        """Return the larger of q(high) and q(−low), where q(η) = 2λ + η − 1/(λ + η) is −φ‴/φ″ of y = 1, positive and rising."""
        up, over = _mills(np.array([high, -low]))
        return float(np.max(2.0 * up + np.array([high, -low]) - 1.0 / over)) * (1.0 + 1e-12)


def _mills(eta: Floats) -> tuple[Floats, Floats]:
    """Return λ(η) = Φ′(η)/Φ(η), and λ(η) + η, each to its own last digits.

    For z = −η: λ = z + 1/(z + 2/(z + 3/(z + …))) (Laplace), so that the difference is a fraction by itself.
    """
    eta = np.clip(eta, -1e150, 1e150)
    with np.errstate(over="ignore"):
        ratio = np.sqrt(2.0 / np.pi) / erfcx(-eta / np.sqrt(2.0))
    over = ratio + eta
    far = np.flatnonzero(eta < _TAIL)
    if far.size:
        z = -eta[far]
        rest = z.copy()
        for level in range(_LEVELS, 1, -1):
            rest = z + level / rest
        over[far] = 1.0 / rest
        ratio[far] = z + over[far]
    return ratio, over


@dataclass(frozen=True)
class Cloglog(Binomial):
    """μ = 1 − exp(−e^η), the complementary log-log link: whether anything happened, where events come at the rate e^η.

    With e = e^η and w = e/(exp(e) − 1): φ = −y log(1 − exp(−e)) + (1 − y) e, φ′ = −yw + (1 − y) e, φ″ = y w (e + w − 1) + (1 − y) e.
    """

    link = "cloglog"

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return the terms."""
        rate = np.exp(np.minimum(eta[:, 0], _LARGEST))
        share, over = _share(rate)
        slope = (1.0 - y) * rate - y * share
        return Terms(self.values(eta, y), slope[:, None], y * (share * over) + (1.0 - y) * rate)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return −y log(1 − exp(−e)) + (1 − y) e."""
        t = np.minimum(eta[:, 0], _LARGEST)
        rate = np.exp(t)
        with np.errstate(divide="ignore", invalid="ignore"):
            hit = np.where(rate < 1e-8, rate / 2 - t, -np.log(-np.expm1(-rate)))
            hit = np.where(rate > 0.6, -np.log1p(-np.exp(-rate)), hit)
        return np.asarray(y * hit + (1.0 - y) * rate)

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return e w: μ′²/(μ(1 − μ)) with μ′ = e exp(−e)."""
        rate = np.exp(np.minimum(eta[:, 0], _LARGEST))
        return rate * _share(rate)[0]

    def mean(self, eta: Floats) -> Floats:
        """Return 1 − exp(−e^η)."""
        return np.asarray(-np.expm1(-np.exp(np.minimum(eta, _LARGEST))))

    def odds(self, eta: Floats) -> Floats:
        """Return exp(e^η) − 1."""
        return np.asarray(np.expm1(np.minimum(np.exp(np.minimum(eta, _CERTAIN)), 2.0 * _LARGEST)))

    def concordance(self, low: float, high: float) -> float:
        """Return max(1, e^high − 1), and no more than e^6.7.

        Of y = 0 abs φ‴ = φ″, of y = 1 abs φ‴/φ″ ≤ max(1, e − 1).  A row with y = 1 and η above 6.6 has a curvature of 0 here: it is
        left out of the Hessian that a proof goes by, as it may, since its loss, being convex, does not fall below its tangent; and 0.1
        is more than 2.3/c, by which η moves within a reach.
        """
        del low
        return max(1.0, float(np.exp(min(high, _CERTAIN + 0.1))) - 1.0)


def _share(rate: Floats) -> tuple[Floats, Floats]:
    """Return w = e/(exp(e) − 1), and e + w − 1, which near 0 is its own power series (Bernoulli's numbers)."""
    small = rate < 0.1
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        square = np.where(small, rate, 0.0) ** 2
        share = np.where(rate > 1e-300, rate / np.expm1(rate), 1.0)
    series = 1 / 2 + rate / 12 - np.where(small, rate, 0.0) * square * (1 / 720 - square * (1 / 30240 - square / 1209600))
    return share, np.where(small, rate * series, rate + share - 1.0)
