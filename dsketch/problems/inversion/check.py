"""Judge any x by the data: looks that know nothing of how x was found."""

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.passes.base import Flow
from dsketch.problems.inversion.certificate import GradientCertificate, certify
from dsketch.problems.inversion.method import MOST_CUBED
from dsketch.problems.inversion.system import GradientSystem, explain_slack


def check_gradient(system: GradientSystem, x: Floats) -> Flow[GradientCertificate]:
    """Judge x, shape (d,), by g(x) − c and the Hessian of V there, or Q in its place for many columns.  Two looks.

    Raises
    ------
    DataError
        If a slack is 0 there.
    """
    edge = yield from system.approach(x)
    if not edge.facts.is_inside:
        raise DataError(f"an x with no slack of 0 was expected; {explain_slack(edge.facts)}. Look where x comes from.")
    place = yield from system.measure(edge, has_cube=len(x) <= MOST_CUBED)
    return certify(place)
