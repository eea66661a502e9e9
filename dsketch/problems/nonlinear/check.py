"""Judge any x by the data: looks that know nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.passes.base import Flow
from dsketch.problems.nonlinear.certificate import NonlinearCertificate, certify
from dsketch.problems.nonlinear.system import LARGEST, Curvature, NonlinearSystem


def check_nonlinear(system: NonlinearSystem, x: Floats) -> Flow[NonlinearCertificate]:
    """Judge x, shape (d,).

    Raises
    ------
    DataError
        If the loss does not exist there, or products with x overflow.
    """
    if np.abs(x).max(initial=0.0) > LARGEST:
        raise DataError(f"x must have entries of at most {LARGEST:.0e}; one is {np.abs(x).max():.0e}. Look where x comes from.")
    near = yield from system.evaluate(x, Curvature.NONE, None)
    if not np.isfinite(near.value):
        raise DataError(f"an x where the loss exists was expected; {system.explain_absence(near)}. Look where x comes from.")
    return certify((yield from system.examine(x, near)))
