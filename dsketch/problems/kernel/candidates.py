"""Which preconditioner: the cheapest by forecast, and another one if the first iterations say otherwise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsketch.errors import PlanError
from dsketch.features.taylor import estimate_tail, monomials
from dsketch.passes.base import Flow
from dsketch.problems.kernel.forecast import Sample
from dsketch.problems.kernel.pivoted_cholesky import ROUNDS, pivoted_cholesky
from dsketch.problems.kernel.preconditioners import Preconditioner, no_features, taylor, tensor, typical_radius
from dsketch.problems.kernel.system import KernelSystem

FEATURES = ("none", "pivoted_cholesky", "taylor", "tensor_sketch", "tensor_srht")

# Nanoseconds of one core: an entry of a sweep, a feature in a pass of one vector, a multiplication of a Gram matrix.  Measured for
# d = 8 … 128 on one machine; only their ratios decide, and a factor two changes no verdict by more than that.
ENTRY_NS, ENTRY_COLUMN_NS, ENTRY_SIDE_NS = 0.75, 0.018, 0.06
_FEATURE_NS, _GRAM_NS = 2.5, 0.023
_PASS_ENTRIES = 2e7  # the fixed part of a pass is worth so many entries of a sweep
_ENOUGH = 1.5  # no more columns can better this condition number by much
_ENOUGH_LEFT = 0.5  # likewise, if the monomials leave this share of the ridge
_WORST = 1e40  # no larger condition number is told from another
_DEFAULT_RANK = 1024  # columns of a family that was asked for without a number
_NEAR = 1.5  # among candidates within this factor of the cheapest the one with the fewest iterations is taken


@dataclass(frozen=True)
class Candidate:
    """A preconditioner that could be made.

    Attributes
    ----------
    name : str
    columns : int
    parameter : int
        Degree of Taylor's, rank of the others.
    condition : float
        Forecast.
    """

    name: str
    columns: int
    parameter: int
    condition: float

    def iterations(self, tol: float) -> int:
        """Return the iterations that conjugate gradients need at most at the forecast condition."""
        return steps_for(self.condition, tol)

    def setup(self, n: int) -> float:
        """Return nanoseconds to make it."""
        r = self.columns
        gram = n * r * (2 * _FEATURE_NS + _GRAM_NS * r)
        if self.name == "pivoted_cholesky":
            return 2 * gram + n * r * 10 * _FEATURE_NS + 20 * _PASS_ENTRIES
        return gram + 2 * _PASS_ENTRIES if r else 0.0

    def step(self, n: int, d: int, k: int) -> float:
        """Return nanoseconds of one iteration."""
        sweep = n * n * (ENTRY_NS + ENTRY_COLUMN_NS * d + ENTRY_SIDE_NS * (k - 1)) + _PASS_ENTRIES
        return sweep + (2 * (n * self.columns * _FEATURE_NS + _PASS_ENTRIES) if self.columns else 0.0)

    def cost(self, n: int, d: int, k: int, tol: float) -> float:
        """Return nanoseconds in all."""
        return self.setup(n) + self.iterations(tol) * self.step(n, d, k)

    @property
    def looks(self) -> tuple[int, int]:
        """Passes to make it, and of one iteration."""
        return {"none": (0, 1), "pivoted_cholesky": (2 * ROUNDS + 3, 3)}.get(self.name, (2, 3))

    def make(self, system: KernelSystem, seed: int) -> Flow[Preconditioner]:
        """Make it."""
        return (yield from _MAKERS[self.name](system, self, seed))


def steps_for(condition: float, tol: float) -> int:
    """Return the steps after which the error bound 2 ((√κ − 1)/(√κ + 1))ⁿ of conjugate gradients is below ``tol``.

    Examples
    --------
    >>> steps_for(1.2, 1e-10), steps_for(100.0, 1e-10)
    (8, 119)
    """
    root = math.sqrt(min(max(condition, 1.0 + 1e-6), _WORST))
    return max(math.ceil(math.log(2 / tol) / (2 * math.atanh(1 / root))), 1)


def forecast_candidates(seen: Sample, most: int) -> list[Candidate]:
    """Return what is worth trying with at most ``most`` columns, each with its forecast.

    Sketched features are not among them: their error is of the order 1/√m of the whole, where a preconditioner needs that of the ridge.
    """
    d = seen.system.A.shape[1]
    found = [Candidate("none", 0, 0, seen.condition(None))]
    degree = 1
    while monomials(d, degree) <= most:
        condition = seen.taylor(degree)
        found.append(Candidate("taylor", monomials(d, degree), degree, condition))
        if condition < _ENOUGH:
            break
        degree += 1
    rank = 128
    while rank <= min(most, seen.rows // 2):
        condition = seen.condition_after(rank)
        found.append(Candidate("pivoted_cholesky", rank, rank, condition))
        if condition < _ENOUGH:
            break
        rank *= 2
    return found


def choose_candidate(found: list[Candidate], n: int, d: int, k: int, tol: float) -> Candidate:
    """Return the candidate to take for n rows, d columns, k sides: near the cheapest, the one with the fewest iterations."""
    costs = {candidate: candidate.cost(n, d, k, tol) for candidate in found}
    cheapest = min(costs.values())
    near = [candidate for candidate in found if costs[candidate] <= _NEAR * cheapest]
    return min(near, key=lambda candidate: (candidate.iterations(tol), costs[candidate]))


def candidate_named(system: KernelSystem, name: str, rank: int | None, most: int, n: int) -> Candidate:
    """Return the candidate of a family for n rows, with ``rank`` columns or as many as are worth it and fit.

    Raises
    ------
    PlanError
        If not even Taylor's first degree fits.
    """
    d = system.A.shape[1]
    if name == "none":
        return Candidate(name, 0, 0, math.inf)
    columns = min(rank or min(most, _DEFAULT_RANK), n)
    if name != "taylor":
        return Candidate(name, columns, columns, math.inf)
    degree, radius, ridge = 0, typical_radius(system), float(np.median(system.shift))
    while monomials(d, degree + 1) <= (rank or most):
        degree += 1
        if rank is None and estimate_tail(n, d, radius, degree) * math.exp(-radius) < _ENOUGH_LEFT * ridge:
            break
    if not degree:
        raise PlanError(
            f"Taylor's features of degree 1 need {d + 1} columns; {rank or most} were allowed. Choose features='pivoted_cholesky', "
            "a larger rank, or workers with more memory."
        )
    return Candidate(name, monomials(d, degree), degree, math.inf)


Maker = Callable[[KernelSystem, Candidate, int], Flow[Preconditioner]]


def _make_none(system: KernelSystem, candidate: Candidate, seed: int) -> Flow[Preconditioner]:
    del candidate, seed
    return (yield from no_features(system))


def _make_taylor(system: KernelSystem, candidate: Candidate, seed: int) -> Flow[Preconditioner]:
    del seed
    return (yield from taylor(system, candidate.parameter))


def _make_pivoted(system: KernelSystem, candidate: Candidate, seed: int) -> Flow[Preconditioner]:
    return (yield from pivoted_cholesky(system, candidate.parameter, seed))


def _make_tensor(system: KernelSystem, candidate: Candidate, seed: int) -> Flow[Preconditioner]:
    return (yield from tensor(system, candidate.name, candidate.parameter, seed))


_MAKERS: dict[str, Maker] = {
    "none": _make_none,
    "pivoted_cholesky": _make_pivoted,
    "taylor": _make_taylor,
    "tensor_sketch": _make_tensor,
    "tensor_srht": _make_tensor,
}
