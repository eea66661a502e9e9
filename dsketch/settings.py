"""What users may choose: how a method works, and the options by which problems and settings are told to every face."""

from dataclasses import dataclass
from typing import Any

import numpy as np

EPS = float(np.finfo(float).eps)
# Householder QR leaves a backward error of 0.2 to 1 eps on the matrices measured (benchmarks/accuracy.py).
QR_LEVEL = 2 * EPS  # what tol=None aims at: no further pass below it
ROUNDING = EPS / 2  # below it a correction that costs nothing is not worth its own rounding either
ACCEPTED = 16 * EPS  # what tol=None still calls solved: the certificate itself is uncertain by a few eps at large residuals


@dataclass(frozen=True)
class Settings:
    """What the user may choose about a method.

    Attributes
    ----------
    tol : float or None
        Backward error to reach, columns scaled; None means as accurate as Householder QR.
    sketch : str
        Name of a sketch.
    sketch_rows : int or None
        m; None means the rule of :mod:`dsketch.sketch.size`.
    seed : int
        Of all random words.
    features : str
        Of a kernel: the family of features that preconditions or replaces it.
    rank : int or None
        How many of them; None means the rule of the family.
    """

    tol: float | None = None
    sketch: str = "sparse_sign"
    sketch_rows: int | None = None
    seed: int = 0
    features: str = "auto"
    rank: int | None = None

    @property
    def goal(self) -> float:
        """Backward error at which a method stops."""
        return QR_LEVEL if self.tol is None else max(self.tol, QR_LEVEL)

    @property
    def accepted(self) -> float:
        """Backward error that still counts as solved."""
        return max(ACCEPTED, self.tol or 0.0)


@dataclass(frozen=True)
class Option:
    """One option of a problem: an argument of its constructor, and by the same name an option of the command line.

    Attributes
    ----------
    name : str
    kind : type
        ``float``, ``int``, ``bool``, or ``Matrix`` for data of one row for each of A.
    default : object
    help : str
        A sentence for ``--help``.
    most : int or None
        The largest number that a service takes for it, as the work grows with it.
    """

    name: str
    kind: type
    default: Any
    help: str
    most: int | None = None


MISSING = Option("missing", str, "error", "What an absent Zarr chunk means: lost data (error), or rows of the fill value (fill).")
