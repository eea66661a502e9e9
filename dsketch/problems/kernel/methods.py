"""An answer for the exponential kernel in the user's rows, with what is known about it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.columns import norms, ratio
from dsketch.features.centres import Centres
from dsketch.passes.base import Flow
from dsketch.problems.kernel.candidates import Candidate, asked
from dsketch.problems.kernel.conjugate_gradient import Norm
from dsketch.problems.kernel.feature_space import Featured, feature_space
from dsketch.problems.kernel.low_rank import LowRank, low_rank
from dsketch.problems.kernel.preconditioner import woodbury
from dsketch.problems.kernel.refinement import Goal, Solved, observed, refined
from dsketch.problems.kernel.system import KernelSystem
from dsketch.settings import Settings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KernelAnswer:
    """What a method found.

    Attributes
    ----------
    x : ndarray, shape (n, k)
    method : str
    residual_norm : ndarray, shape (k,)
        ‖b − (K + λ I) x‖, in the rows of the frame.
    reducible : ndarray, shape (k,)
        The part of it that a better x could remove: all of it but for least squares.
    x_norm, b_norm : ndarray, shape (k,)
        In the rows of the frame.
    norm : float
        ‖K + λ I‖, from below.
    condition : float
        Of K + λ I, an upper bound where there is a ridge; infinite where it is not known.
    rank : int
    rank_reason : str
    preconditioned : float
        Condition number that the preconditioner left, from Ritz values; NaN without conjugate gradients.
    iterations, columns : int
        Of conjugate gradients; features in use.
    distance : float
        ‖(K − F Fᵀ) v‖/‖K v‖ where features stand for the kernel; 0 where the kernel is exact.
    is_scaled : bool
        Whether norms are taken in rows scaled by exp(−s‖a‖²/2).
    notes : tuple of str
    """

    x: Floats
    method: str
    residual_norm: Floats
    reducible: Floats
    x_norm: Floats
    b_norm: Floats
    norm: float
    condition: float
    rank: int
    rank_reason: str
    preconditioned: float = float("nan")
    iterations: int = 0
    columns: int = 0
    distance: float = 0.0
    is_scaled: bool = False
    notes: tuple[str, ...] = ()

    @property
    def relative_residual(self) -> Floats:
        """‖residual‖/‖b‖, the reducible part."""
        return ratio(self.reducible, self.b_norm)

    @property
    def backward_error(self) -> Floats:
        """‖residual‖/(‖K + λ I‖‖x‖ + ‖b‖), the reducible part."""
        return ratio(self.reducible, self.norm * self.x_norm + self.b_norm)


def conjugate_gradient(system: KernelSystem, settings: Settings, goal: Goal) -> Flow[KernelAnswer]:
    """Solve with the exact kernel by preconditioned conjugate gradients."""
    first = None if settings.features == "auto" else asked(system, settings.features, settings.rank, goal.columns, system.rows)
    return of_solved(system, (yield from refined(system, first, goal)))


def of_solved(system: KernelSystem, solved: Solved) -> KernelAnswer:
    """Return the answer of conjugate gradients."""
    left, frame = observed(solved.ritz), system.frame
    size = norms(frame * solved.residual)
    notes = (
        f"{solved.iterations} iterations with {solved.preconditioner.name}, {solved.preconditioner.columns} columns; "
        f"Ritz values show a preconditioned condition number of {left:.1e}",
    )
    return KernelAnswer(
        x=solved.y / system.growth,
        method="conjugate_gradient",
        residual_norm=size,
        reducible=size,
        x_norm=norms(solved.y / frame),
        b_norm=norms(frame * system.beta),
        norm=solved.norm,
        condition=bound(system, solved.norm),
        rank=system.rows,
        rank_reason=full_rank(system),
        preconditioned=left,
        iterations=solved.iterations,
        columns=solved.preconditioner.columns,
        is_scaled=not system.is_representable,
        notes=(*system.notes, *solved.notes, *notes),
    )


def by_low_rank(system: KernelSystem, settings: Settings, goal: Goal) -> Flow[KernelAnswer]:
    """Return the least-squares, minimum-norm answer without a ridge; where the rank does not fit, conjugate gradients."""
    found = yield from low_rank(system, settings.rank or goal.columns, settings.seed)
    if isinstance(found, LowRank):
        return of_low_rank(system, found)
    note = (
        f"low_rank gave way to conjugate_gradient: {found.reason}; b is taken to lie in the range, and x need not be the shortest",
    )
    if found.chosen is None:
        answer = yield from conjugate_gradient(system, settings, goal)
    else:
        features: Centres = found.chosen.features(system)
        made = yield from woodbury(system, features, "pivoted_cholesky+diagonal", residual=True)
        given = Candidate("pivoted_cholesky", made.columns, made.columns, float("inf"))
        answer = of_solved(system, (yield from refined(system, given, goal, made)))
    return replace(answer, notes=(*note, *answer.notes))


def of_low_rank(system: KernelSystem, found: LowRank) -> KernelAnswer:
    """Return the answer of the truncated decomposition."""
    b_norm = norms(system.b)
    notes: tuple[str, ...] = (
        f"{found.columns} pivots reproduce the kernel to rounding; norm of b outside its range: {np.max(found.outside / b_norm):.1e} of b",
    )
    return KernelAnswer(
        x=found.x,
        method="low_rank",
        residual_norm=norms(found.residual),
        reducible=found.inside,
        x_norm=norms(found.x),
        b_norm=b_norm,
        norm=found.norm,
        condition=found.condition,
        rank=found.rank,
        rank_reason=found.rank_reason,
        columns=found.columns,
        notes=(*system.notes, *notes),
    )


def by_features(system: KernelSystem, settings: Settings, goal: Goal) -> Flow[KernelAnswer]:
    """Answer with features in place of the kernel (approximate)."""
    family = "tensor_srht" if settings.features == "auto" else settings.features
    wanted = asked(system, family, settings.rank, goal.columns, system.rows)
    found: Featured = yield from feature_space(system, wanted, settings)
    size = norms(found.residual)
    notes = (
        f"{found.columns} {family} features stand for the kernel, solved by {found.method}; their stable rank ‖F‖_F²/‖F‖² is "
        f"{found.stable_rank:.2f}, their numerical rank {found.rank}",
        f"distance to the exact kernel: ‖(K − F Fᵀ)v‖/‖K v‖ = {found.distance:.1e} over random v, and the residual with the exact "
        f"kernel is {np.max(ratio(size, norms(system.b))):.1e} of b",
    )
    return KernelAnswer(
        x=found.x,
        method="feature_space",
        residual_norm=size,
        reducible=size,
        x_norm=norms(found.x),
        b_norm=norms(system.b),
        norm=found.norm,
        condition=bound(system, found.norm),
        rank=system.rows if system.alpha else found.rank,
        rank_reason=full_rank(system) if system.alpha else f"numerical rank {found.rank} of the features",
        columns=found.columns,
        distance=found.distance,
        notes=(*system.notes, *found.notes, *notes),
    )


def judged(system: KernelSystem, x: Floats) -> Flow[KernelAnswer]:
    """Judge any x with products of its own: three sweeps, of which two are for ‖K + λ I‖ and for what is reducible."""
    frame, norm = system.frame, Norm(system)
    y = system.growth * x
    r = system.beta - (yield from norm.product(y))
    size, b_norm, x_norm = norms(frame * r), norms(frame * system.beta), norms(y / frame)
    # In least squares the residual need not vanish, but (K + λ I) r must.
    Kr = yield from norm.product(frame**2 * r)
    yield from norm.product(frame**2 * r)
    reducible = size if system.alpha else np.minimum(size, norms(frame * Kr) / norm.value)
    return KernelAnswer(
        x=x,
        method="check",
        residual_norm=size,
        reducible=reducible,
        x_norm=x_norm,
        b_norm=b_norm,
        norm=norm.value,
        condition=bound(system, norm.value),
        rank=system.rows,
        rank_reason=full_rank(system),
        is_scaled=not system.is_representable,
        notes=system.notes,
    )


def bound(system: KernelSystem, norm: float) -> float:
    """Return an upper bound of the condition number of K + λ I: K is positive semidefinite."""
    return norm / system.alpha if system.alpha else float("inf")


def full_rank(system: KernelSystem) -> str:
    """Say why the rank is what it is."""
    if system.alpha:
        return f"full rank {system.rows}: no eigenvalue is below the ridge {system.alpha:.3g}"
    return "rank not determined"
