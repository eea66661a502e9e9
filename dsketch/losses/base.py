"""What every row function is: a loss of the linear predictor η = aᵀx + offset, its derivatives in η, and the domain of y.

A loss is a small frozen value that travels to the workers inside a pass; plain NumPy on the rows of a slice.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats, State


class Terms(NamedTuple):
    """A loss and its derivatives in η, row by row, without weights.

    ``value`` = φ, shape (rows,); ``slope`` = φ′, shape (rows, outputs); ``curvature`` = φ″, shape (rows,), or for several outputs (rows,
    outputs, outputs).
    """

    value: Floats
    slope: Floats
    curvature: Floats


@dataclass(frozen=True)
class Loss(ABC):
    """φ(η; y): half the deviance, or minus the log-likelihood, of a row, but for what does not depend on η.

    Guarantees: finite for every finite η and every y of the domain (exponentials saturate: a trial step that overshoots is a bad step
    and no error of the data); no cancellation in either tail.

    Attributes
    ----------
    family, link : str
        Its words.
    is_convex : bool
        Whether φ″ ≥ 0 for every η and every y of the domain.
    has_dispersion : bool
        Whether a scale is estimated from the data (gamma, gaussian, …) and not known to be 1 (binomial, Poisson).
    """

    family: ClassVar[str]
    link: ClassVar[str]
    is_convex: ClassVar[bool] = True
    has_dispersion: ClassVar[bool] = False

    @property
    def outputs(self) -> int:
        """Columns of η: 1, or K − 1 for K classes."""
        return 1

    @abstractmethod
    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and the observed φ″.

        Parameters
        ----------
        eta : ndarray, shape (rows, outputs)
        y : ndarray, shape (rows,)
        """

    @abstractmethod
    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ alone, shape (rows,): for trial steps."""

    @abstractmethod
    def expected_curvature(self, eta: Floats) -> Floats:
        """Return the mean of φ″ over y given η, as curvature is: the weights of Fisher's information."""

    @abstractmethod
    def mean(self, eta: Floats) -> Floats:
        """Return the mean μ of y, shape of ``eta``: what a prediction is."""

    @abstractmethod
    def concordance(self, low: float, high: float) -> float:
        """Return a c with abs φ‴ ≤ c φ″ for every η between ``low`` and ``high`` and every y of the domain; ∞ where there is none."""

    @abstractmethod
    def require(self, y: Floats, start: int) -> None:
        """Refuse what is not in the domain.

        Parameters
        ----------
        start : int
            Global number of the first row.

        Raises
        ------
        DataError
            Naming the row, the value and a remedy.
        """

    @abstractmethod
    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return the unit deviance of each row, shape (rows,): 0 where the mean is y."""

    @abstractmethod
    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return the whole log-likelihood of each row, all constants included, shape (rows,); NaN where the family has none.

        Parameters
        ----------
        weight : ndarray, shape (rows,)
            Prior weights: the variance of a row is dispersion/weight times the variance function; for proportions the number of trials.
        """

    @abstractmethod
    def variance(self, mean: Floats) -> Floats:
        """Return the variance function V(μ), so that Pearson's residual is (y − μ)/√V(μ)."""

    def deviance_at(self, eta: Floats, y: Floats) -> Floats:
        """Return the unit deviance at η, shape (rows,): also where the mean has rounded to the end of its range."""
        mean = self.mean(eta)
        return self.deviance(y, mean[:, 0] if mean.shape[1] == 1 else mean)

    def log_likelihood_at(self, eta: Floats, y: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return :meth:`log_likelihood` at η, of a loss whose mean is one number: also where that has rounded."""
        return self.log_likelihood(y, self.mean(eta)[:, 0], weight, dispersion)

    def pearson_at(self, eta: Floats, y: Floats) -> Floats:
        """Return (y − μ)²/V(μ) at η, shape (rows,): 0 where nothing is left of y, whatever V(μ) is, and of several means."""
        mean = self.mean(eta)
        if mean.shape[1] > 1:
            return np.zeros(len(y))
        left = (y - mean[:, 0]) ** 2
        return np.divide(left, self.variance(mean[:, 0]), out=np.zeros_like(left), where=left > 0)

    def held(self, step: Floats, y: Floats, level: float) -> Floats:
        """Return weights shaped as curvatures, 1 where a step of η is flat, else 0: Σ weight ⊗ aaᵀ is 0 for what moves no such row.

        Parameters
        ----------
        step : ndarray, shape (rows, outputs)
        y : ndarray, shape (rows,)
        level : float
            Steps up to this count as flat.
        """
        del y
        return np.asarray(np.abs(step[:, 0]) <= level, dtype=np.float64)

    @property
    def majorizing(self) -> "Loss | None":
        """The same loss with curvatures of parabolas that touch φ at η and lie above it everywhere; None where nobody needs them.

        For losses whose own curvature vanishes afar, where Newton's steps are many powers of ten too long.
        """
        return None

    def start(self, y: Floats) -> Floats:
        """Return a predictor to begin with where there is no better one, shape (rows,): 0."""
        return 0.0 * y

    def state(self) -> Iterator[State]:
        """Yield what tells losses apart."""
        yield repr((self.family, self.link, *astuple(self)))
