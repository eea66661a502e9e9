"""The attention-regression paper's route: features in place of the kernel, and the tall least-squares core in their space.

With B = E F, n × m, in place of K = exp(s A Aᵀ): for a ridge w = argmin ‖B w − b‖² + λ‖w‖² by the paper's own sketched, preconditioned
gradient descent, and x = (b − B w)/λ, which solves (B Bᵀ + λ I) x = b; without one the shortest minimizer of ‖B Bᵀx − b‖ from the
triangle of B.  K with distinct rows has rank n and B Bᵀ has not, so x is an answer to another question: how far from K is
measured by a sweep of the true kernel.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
T. D. Ahle, M. Kapralov, J. B. T. Knudsen, R. Pagh, A. Velingker, D. P. Woodruff, A. Zandieh, "Oblivious sketching of high-degree
polynomial kernels", SODA 2020, arXiv 1909.01410.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.random_words import draw, signs
from dsketch._linalg.streams import KERNEL_WITNESSES
from dsketch.errors import DataError, SpecError
from dsketch.features.base import RowMap
from dsketch.features.taylor import Taylor
from dsketch.features.view import FeatureView
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Reduced, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.problems.fallback import with_fallback
from dsketch.problems.kernel.answer import KernelAnswer, bound_condition, explain_rank, resolve_entries
from dsketch.problems.kernel.candidates import Candidate, candidate_named
from dsketch.problems.kernel.case import KernelCase
from dsketch.problems.kernel.iteration import Norm
from dsketch.problems.kernel.method import FIXED_PASSES, KernelMethod, KernelWork
from dsketch.problems.kernel.pivoted_cholesky import choose_pivots
from dsketch.problems.kernel.preconditioners import tensor_map
from dsketch.problems.kernel.refinement import Goal
from dsketch.problems.kernel.system import KernelSystem
from dsketch.problems.linear.gradient_descent import GradientDescent
from dsketch.problems.linear.methods import METHODS as LINEAR
from dsketch.problems.linear.system import LinearSystem
from dsketch.settings import EPS, Settings

_FAMILIES = ("pivoted_cholesky", "taylor", "tensor_sketch", "tensor_srht")
_TAIL = 1e-6  # a share of the series in a typical row that sketched features of no affordable size resolve
_GRADIENT_PASSES = 45  # the linear core takes about so many
_WITNESSES = 4  # random vectors measure K − B Bᵀ


@dataclass(frozen=True)
class Featured:
    """An answer in feature space and its distance from the kernel.

    Attributes
    ----------
    x : ndarray, shape (n, k)
    residual : ndarray, shape (n, k)
        b − (K + λ I) x with the exact K.
    distance : float
        The largest ‖(K − B Bᵀ) v‖/‖K v‖ of a few random v.
    norm : float
        ‖K + λ I‖, from below.
    columns, rank : int
        m, and the numerical rank of B.
    singular : ndarray, shape (m,)
        Of B.
    notes : tuple of str
    """

    x: Floats
    residual: Floats
    distance: float
    norm: float
    columns: int
    rank: int
    singular: Floats
    method: str
    notes: tuple[str, ...]

    @property
    def stable_rank(self) -> float:
        """‖B‖_F²/‖B‖², the paper's parameter β."""
        return float(np.sum((self.singular / self.singular[0]) ** 2))


class FeatureSpace(KernelMethod):
    """Features in place of the kernel: approximate, with the measured distance."""

    name = "feature_space"
    takes = ("features", "rank", "sketch")  # sketch: with a ridge, of the tall system in the features' space
    is_offered = False
    aside = "is approximate: ask for it by name"

    def require(self, case: KernelCase) -> None:
        """Refuse features that cannot stand for the kernel.

        Raises
        ------
        SpecError
            With the choices.
        """
        if case.settings.features not in ("auto", *_FAMILIES):
            raise SpecError(
                f"features must be one of {', '.join(_FAMILIES)} to stand for the kernel; got {case.settings.features!r}."
            )

    def work(self, case: KernelCase) -> KernelWork:
        """Count with the family that was asked for, or tensor_srht."""
        system, settings = case.sample.system, case.settings
        taken = candidate_named(system, _family_of(settings), settings.rank, case.most, case.dimensions[0])
        return KernelWork(taken, 1, FIXED_PASSES + _GRADIENT_PASSES, taken.columns)

    def details(self, case: KernelCase) -> tuple[str, ...]:
        """Say which features."""
        taken = self.work(case).taken
        return (f"{taken.columns} {taken.name} features, made chunk by chunk and never stored",)

    def solve(self, system: KernelSystem, settings: Settings, start: Any = None) -> Flow[KernelAnswer]:
        """Answer with features in place of the kernel.

        Raises
        ------
        DataError
            If exp(s‖a‖²) of a row cannot be represented.
        """
        del start
        family = _family_of(settings)
        wanted = candidate_named(system, family, settings.rank, Goal.of(settings).columns, system.rows)
        return _answer_from(system, (yield from solve_by_features(system, wanted, settings)), family)


def _family_of(settings: Settings) -> str:
    """Return the family of features that stands for the kernel."""
    return "tensor_srht" if settings.features == "auto" else settings.features


def _answer_from(system: KernelSystem, found: Featured, family: str) -> KernelAnswer:
    """Return the answer with what is said of the features."""
    size = norms(found.residual)
    notes = (
        f"{found.columns} {family} features stand for the kernel, solved by {found.method}; their stable rank ‖F‖_F²/‖F‖² is "
        f"{found.stable_rank:.2f}, their numerical rank {found.rank}",
        f"distance to the exact kernel: ‖(K − F Fᵀ)v‖/‖K v‖ = {found.distance:.1e} over random v, and the residual with the exact "
        f"kernel is {np.max(ratio(size, norms(system.b))):.1e} of b",
    )
    return KernelAnswer(
        x=found.x,
        residual_norm=size,
        reducible=size,
        x_norm=norms(found.x),
        b_norm=norms(system.b),
        norm=found.norm,
        condition=bound_condition(system, found.norm),
        rank=system.rows if system.alpha else found.rank,
        rank_reason=explain_rank(system) if system.alpha else f"numerical rank {found.rank} of the features",
        columns=found.columns,
        distance=found.distance,
        is_approximate=True,
        resolution=resolve_entries(system),
        notes=(*system.notes, *found.notes, *notes),
    )


def solve_by_features(
    system: KernelSystem, wanted: Candidate, settings: Settings, inner: str = GradientDescent.name
) -> Flow[Featured]:
    """Answer with features in place of the kernel.

    Raises
    ------
    DataError
        If exp(s‖a‖²) of a row cannot be represented.
    """
    if not system.is_representable:
        raise DataError(
            f"feature space needs exp(s‖a‖²) of every row as a number; the largest s‖a‖² is {2 * system.half.max():.0f}. Use a smaller "
            "scale=, normalise the rows, or method='conjugate_gradient'."
        )
    features = yield from _make_features(system, wanted, settings.seed)
    view = FeatureView(system.A, features)
    rows = Rows(view, ArrayMatrix(system.beta), ArrayMatrix(system.growth**2))
    if system.alpha:
        w, singular, rank, method, notes = yield from _solve_ridge(system, rows, settings, inner)
        Fw: Floats = yield Look(Rowwise(w), Rows(view))
        x = (system.b - system.growth * Fw) / system.alpha
    else:
        w, singular, rank, method, notes = yield from _solve_shortest(system, rows, settings.seed)
        Fw = yield Look(Rowwise(w), Rows(view))
        x = system.growth * Fw
    residual, distance, norm = yield from _measure(system, view, x, settings.seed)
    return Featured(x, residual, distance, norm, view.shape[1], rank, singular, method, notes)


def _make_features(system: KernelSystem, wanted: Candidate, seed: int) -> Flow[RowMap]:
    """Return the features of a family."""
    if wanted.name == "taylor":
        return Taylor(system.mean, system.scale, wanted.parameter)
    if wanted.name == "pivoted_cholesky":
        return (yield from choose_pivots(system, wanted.parameter, seed, 0.0)).features(system)
    return tensor_map(system, wanted.name, wanted.parameter, seed, _TAIL)


def _solve_ridge(
    system: KernelSystem, rows: Rows, settings: Settings, inner: str
) -> Flow[tuple[Floats, Floats, int, str, tuple[str, ...]]]:
    linear = LinearSystem(rows, np.full(rows.shape[1], system.alpha))
    answer, method = yield from with_fallback(LINEAR, inner, linear, Settings(sketch=settings.sketch, seed=settings.seed))
    # The factor is of [B; √λ I]: its squared singular values are λ above those of B.
    squares = np.maximum(answer.factor.singular[0] ** 2 - system.alpha, 0.0)
    rank = int(np.count_nonzero(squares > EPS * system.rows * squares[0]))
    return answer.x, np.sqrt(squares), rank, method, answer.notes


def _solve_shortest(system: KernelSystem, rows: Rows, seed: int) -> Flow[tuple[Floats, Floats, int, str, tuple[str, ...]]]:
    found: Reduced = yield Look(Triangle(seed), rows)
    U, s, Vt = sl.svd(found.R)
    rank = int(np.count_nonzero(s**2 > EPS * system.rows * s[0] ** 2))
    z = U[:, :rank].T @ found.z
    return Vt[:rank].T @ (z / s[:rank, None] ** 3), s, rank, "tsqr", ()


def _measure(system: KernelSystem, view: FeatureView, x: Floats, seed: int) -> Flow[tuple[Floats, float, float]]:
    """Return b − (K + λ I) x, the distance of B Bᵀ from K, and ‖K + λ I‖.  One sweep and two passes over the features."""
    n, growth = system.rows, system.growth
    V = signs(draw(seed, KERNEL_WITNESSES, 0, n, _WITNESSES)) / np.sqrt(n)
    norm = Norm(system)
    both = yield from norm.product(growth * np.column_stack([x, V]))
    k = x.shape[1]
    KV = growth * both[:, k:] - system.alpha * V
    BtV: Floats = yield Look(Transposed(growth * V), Rows(view))
    BBtV: Floats = yield Look(Rowwise(BtV), Rows(view))
    distance = float(np.max(ratio(norms(KV - growth * BBtV), norms(KV))))
    return system.b - growth * both[:, :k], distance, norm.value
