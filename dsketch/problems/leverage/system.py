"""The rows whose leverage is asked for, with the penalty that ridge scores have, and what is read off their factor."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.rows import Rows
from dsketch.problems.linear.system import LinearSystem


@dataclass(frozen=True)
class LeverageSystem(LinearSystem):
    """√W [A 1] with √p below: hᵢ = aᵢᵀ(AᵀA + diag p)⁺aᵢ for each of its n rows.

    Attributes
    ----------
    rows : Rows
        Without b.
    penalty : ndarray, shape (d,)
    """

    def total(self, factor: Factor) -> float:
        """Return Σ h of the data's rows by the factor alone: the rank, less what the penalty takes (the statistical dimension).

        With T the whitener, Σ h = tr Tᵀ AᵀA T = rank − ‖√p T‖²_F.
        """
        if not self.is_penalized:
            return float(factor.rank)
        taken = factor.whitener.apply(np.diag(np.sqrt(self.penalty)))
        return float(factor.rank - np.sum(taken**2))


def leverage_system(rows: Rows, alpha: float) -> LeverageSystem:
    """Return the system for a penalty alpha ‖x‖² that leaves an intercept out."""
    penalty: Floats = np.full(rows.shape[1], alpha)
    if rows.intercept:
        penalty[-1] = 0.0
    return LeverageSystem(rows, penalty)
