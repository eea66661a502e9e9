"""Taylor's monomials of degree ≤ q as a preconditioner, with the diagonal that they leave.

The monomials are exact and carry no variance, so that what is left of G is positive semidefinite and starts at degree q + 1.  For few
columns of A a high degree fits; for many the remainder is nearly diagonal, and D has it.  The rule for q: what the degrees ≤ q
leave has a largest eigenvalue of about n ρ^(q+1) / ((q+1)! C(d+q, q+1)) for rows spread in all directions, ρ = s ‖c‖².

References
----------
A. Cotter, J. Keshet, N. Srebro, "Explicit approximations of the Gaussian kernel", arXiv 1109.4603, 2011.
"""

from dsketch.features.taylor import Taylor
from dsketch.passes.base import Flow
from dsketch.problems.kernel.preconditioner import Woodbury, woodbury
from dsketch.problems.kernel.system import KernelSystem


def taylor(system: KernelSystem, degree: int) -> Flow[Woodbury]:
    """Return the preconditioner of all monomials of degree ≤ ``degree``.  Two passes over them."""
    return (yield from woodbury(system, Taylor(system.mean, system.scale, degree), "taylor", residual=True))
