"""The points of a path: penalties from the largest that any column feels downwards, for one share of ‖x‖₁ or several."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.problems.arguments import as_penalty, numbers_of_text

_ALPHAS = "Give how many, such as 60, or the values, such as [1.0, 0.1]."
_RATIOS = "Give numbers from 0 (ridge) to 1 (lasso)."
_MOST = 10_000  # points of a path: as many columns of x


@dataclass(frozen=True)
class Grid:
    """Which penalties a path has.

    Attributes
    ----------
    alphas : int or tuple of float
        How many, equally spaced in their logarithms, or the values, falling.
    ratios : tuple of float
        Values of l1_ratio, each with alphas of its own.
    eps : float
        The smallest alpha over the largest, where they are counted.
    """

    alphas: int | tuple[float, ...]
    ratios: tuple[float, ...]
    eps: float

    @classmethod
    def of(cls, alphas: Any, l1_ratio: Any, eps: Any) -> "Grid":
        """Return the grid that a user asks for.

        Raises
        ------
        SpecError
            If a number is out of range, or alphas are to be counted for a ridge, where no alpha makes all coefficients 0.
        """
        ratios = tuple(np.atleast_1d(_numbers("l1_ratio", l1_ratio, _RATIOS)).tolist())
        if not ratios or not all(0 <= ratio <= 1 for ratio in ratios):
            raise SpecError(f"l1_ratio must be numbers from 0 to 1; got {l1_ratio!r:.80}. {_RATIOS}")
        if not (isinstance(eps, int | float) and 0 < eps < 1):
            raise SpecError(
                f"eps must lie between 0 and 1: the smallest alpha over the largest; got {eps!r}. Leave it out for 1e-3."
            )
        found = _numbers("alphas", alphas, _ALPHAS)
        values: int | tuple[float, ...]
        if found.ndim == 0 and float(found).is_integer():
            values = int(found)
            if not 1 <= values <= _MOST:
                raise SpecError(f"alphas must be from 1 to {_MOST} in number; got {alphas!r}. {_ALPHAS}")
            if 0 in ratios:
                raise SpecError(
                    "alphas must be given as values where l1_ratio is 0: no ridge makes all coefficients 0, so that there is no largest. "
                    "Give a list."
                )
        else:
            values = tuple(
                sorted((as_penalty(value, _ALPHAS, "each of alphas") for value in np.ravel(found).tolist()), reverse=True)
            )
            if not 1 <= len(values) <= _MOST:
                raise SpecError(f"alphas must be from 1 to {_MOST} in number; got {len(values)}. {_ALPHAS}")
        return cls(values, ratios, float(eps))

    @property
    def parameters(self) -> dict[str, Any]:
        """What makes the grid again, as JSON can hold it."""
        alphas = self.alphas if isinstance(self.alphas, int) else [*self.alphas]
        return {"alphas": alphas, "l1_ratio": self.ratios[0] if len(self.ratios) == 1 else [*self.ratios], "eps": self.eps}

    @property
    def length(self) -> int:
        """Alphas for each ratio."""
        return self.alphas if isinstance(self.alphas, int) else len(self.alphas)

    @property
    def points(self) -> int:
        """Alphas of all ratios."""
        return self.length * len(self.ratios)

    @property
    def by_point(self) -> Floats:
        """The l1_ratio of each point, shape (m,)."""
        return np.repeat(self.ratios, self.length)

    def values(self, pull: Floats, weight: float) -> Floats:
        """Return the alpha of each point, shape (m,).

        Parameters
        ----------
        pull : ndarray, shape (d,)
            Aᵀr of the penalized columns where nothing but an intercept is fitted.
        weight : float
            Σ w.
        """
        if not isinstance(self.alphas, int):
            return np.tile(self.alphas, len(self.ratios))
        largest = float(np.abs(pull).max(initial=0.0)) / weight or 1.0
        return np.concatenate([np.geomspace(largest / ratio, largest / ratio * self.eps, self.alphas) for ratio in self.ratios])


def _numbers(name: str, value: Any, remedy: str) -> Floats:
    found = numbers_of_text(name, os.fspath(value), remedy) if isinstance(value, str | os.PathLike) else value
    try:
        numbers = np.array(found, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{name} must be numbers; got {value!r:.80}. {remedy}") from error
    if numbers.ndim > 1 or not np.isfinite(numbers).all():
        raise SpecError(f"{name} must be finite numbers in a row; got {value!r:.80}. {remedy}")
    return numbers
