"""dsketch: certified least squares and ridge regression on Zarr matrices too tall for memory, in few passes.

>>> import numpy as np, dsketch
>>> A = np.random.default_rng(0).standard_normal((1000, 3))
>>> solution = dsketch.lstsq(A, A @ [1.0, 2.0, 3.0])
>>> solution.x.round(10), solution.status.name
(array([1., 2., 3.]), 'SOLVED')
"""

from dsketch.api import check, lstsq, plan, resume, ridge, solve
from dsketch.errors import (
    DataError,
    DsketchError,
    EngineError,
    JobError,
    JournalError,
    MissingDataError,
    PlanError,
    SpecError,
)
from dsketch.matrix.opening import open_matrix
from dsketch.plan import Plan
from dsketch.problems import LeastSquares, Ridge
from dsketch.solution import Certificate, Solution, Status
from dsketch.statistics import Summary
from dsketch.version import __version__

__all__ = [
    "Certificate",
    "DataError",
    "DsketchError",
    "EngineError",
    "JobError",
    "JournalError",
    "LeastSquares",
    "MissingDataError",
    "Plan",
    "PlanError",
    "Ridge",
    "Solution",
    "SpecError",
    "Status",
    "Summary",
    "__version__",
    "check",
    "lstsq",
    "open_matrix",
    "plan",
    "resume",
    "ridge",
    "solve",
]
