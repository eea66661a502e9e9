"""On what methods for functions of AᵀA are priced, and what speaks against all that rely on a sketch."""

from dataclasses import dataclass, replace

from dsketch.planning.price import Workload, rate
from dsketch.planning.work import GRAM, NORMAL
from dsketch.problems.method import Case

DIRECT_DETAILS = ("passes do not depend on the power",)  # a plan says this of a method that has A's own factor


@dataclass(frozen=True)
class PowerCase(Case):
    """What a method for functions of AᵀA is priced on.

    Attributes
    ----------
    stages : int
        Solves with AᵀA, the least-squares solve of an odd power counted.
    checked : int
        Columns that the certificate of a direct method multiplies by AᵀA.
    """

    stages: int
    checked: int


def rate_product(columns: int, workload: Workload) -> float:
    """Return the seconds that a product of AᵀA with so many columns takes, as :func:`~dsketch.planning.price.rate` does.

    A wide one costs what a Gram matrix does, for each of its columns.
    """
    one = replace(workload, k=1)
    if workload.nonzeros is not None:
        return rate(NORMAL, replace(workload, k=columns))
    return rate(NORMAL, one) + rate(GRAM, one) * 4 * (columns - 1) / workload.d


def explain_lack_of_rank(case: PowerCase) -> str | None:
    """Return why a method that relies on a sketch should not be taken: where A may lack rank only its own factor tells."""
    return "the probed rows lack rank, which only a factor of A itself can confirm" if case.found.is_deficient else None
