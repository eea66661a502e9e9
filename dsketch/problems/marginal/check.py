"""Judge any coefficients of marginal regressions by a pass of their own."""

from dsketch._linalg.arrays import Floats
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.marginal_gap import MarginalGap
from dsketch.problems.marginal.certificate import MarginalCertificate, marginal_certificate
from dsketch.problems.marginal.system import MarginalSystem


def check_marginal(system: MarginalSystem, x: Floats) -> Flow[MarginalCertificate]:
    """Judge coefficients: both errors are the largest distance of any, as a share of ‖ỹ‖/‖g̃‖.

    Parameters
    ----------
    x : ndarray, shape (m, k)
    """
    tally = yield Look(MarginalGap(system.marginal(), x), system.rows)
    system.kept_sides.forget()
    return marginal_certificate(tally, system.covariates, x.shape[1])
