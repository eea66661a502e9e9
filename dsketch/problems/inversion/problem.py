"""x from the gradient of its leverage scores: g(x) = c, g = ∇V, V(x) = ½ log det AᵀS⁻²A with slacks s = A x − b."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.errors import SpecError
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Triangle
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_numbers, as_penalty
from dsketch.problems.base import Problem, require_names, require_settings
from dsketch.problems.inputs import SIDE, START, TALL
from dsketch.problems.inversion.certificate import certify, status_at
from dsketch.problems.inversion.check import check_gradient
from dsketch.problems.inversion.choose import plan_gradient
from dsketch.problems.inversion.method import GradientAnswer, GradientMethod, GradientTask
from dsketch.problems.inversion.methods import METHODS
from dsketch.problems.inversion.notes import note_bias, note_descent, note_rank
from dsketch.problems.inversion.system import Edge, GradientSystem, explain_slack
from dsketch.problems.inversion.weighted import WeightedSystem
from dsketch.problems.nonlinear import certificate as nonlinear
from dsketch.problems.nonlinear.check import check_nonlinear
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearTask
from dsketch.problems.nonlinear.sides import open_rows
from dsketch.problems.outcome import Certificate, Outcome, Status
from dsketch.problems.start import as_start
from dsketch.settings import Numbers, Option, Settings

# Slacks, their inverses, scaled rows, their factor, whitened rows, scores, the tensor and what is summed: each rounds, one after another.
STAGES = 8


@dataclass(frozen=True)
class WeightedDetail:
    """What was found besides x where the paper's penalty was asked for.

    Attributes
    ----------
    answer : NonlinearAnswer
        With the penalty.
    unweighted : GradientAnswer
        Of g(x) = c itself, begun there.
    bias : float
        ‖D (x − x₀)‖/‖D x₀‖, x₀ that answer, D the norms of the columns of S⁻¹A.
    """

    answer: NonlinearAnswer
    unweighted: GradientAnswer
    bias: float


class LeverageGradient(Problem):
    """x with g(x) = c, where g(x) = −A_xᵀσ(x): A_x = diag(A x − b)⁻¹A, σ(x) the leverage scores of its rows.

    g is the gradient of the volumetric function V(x) = ½ log det A_xᵀA_x, which is strictly convex on every cell of x without a change of
    sign among the slacks A x − b: the answer in the cell of the start is unique, and damped Newton steps find it from any start there.
    Our reading of arXiv 2408.11267, which inverts g by a regularized loss.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
    b : likewise, shape (n,)
        Dense.
    c : array_like, shape (d,)
        Read whole.
    start : array_like, Solution or path, optional
        Where to begin, d numbers: a point in the cell where x is looked for.  By default 0, for which no b may be 0.
    w : float
        0: g(x) = c.  Above: the paper's min ½‖g(x) − c‖² + ½w²‖A x‖², whose x is another one; by how much is found too, and told in the
        notes.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If b has not one number for each row, or the data are not finite real numbers.
    SpecError
        If c or start does not fit, w is negative; on solving, if a slack is 0 at the start, with its row.

    Notes
    -----
    Two looks a step: R of A_x, then gradient and Hessian.  With w = 0 an answer is called solved only where an exact one is proven to lie
    nearby, rounding counted (:mod:`dsketch.problems.inversion.certificate`); a c that no x of the cell has ends unsolved.

    References
    ----------
    C. Li, Z. Song, Z. Xu, J. Yin, "Inverting the leverage score gradient: an efficient approximate Newton method", arXiv 2408.11267, 2024.
    P. M. Vaidya, "A new algorithm for minimizing convex functions over convex sets", Math. Programming 73, 1996.

    Examples
    --------
    >>> import dsketch
    >>> A = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0]])
    >>> b = np.array([1.0, 1.0, 1.0, 1.0, 1.5])
    >>> A_x = A / (A @ [0.5, -0.25] - b)[:, None]
    >>> Q, _ = np.linalg.qr(A_x)
    >>> solution = dsketch.solve(LeverageGradient(A, b, -A_x.T @ np.sum(Q**2, axis=1)))
    >>> solution.x.round(12), solution.status.name
    (array([ 0.5 , -0.25]), 'SOLVED')
    """

    name = "leverage-gradient"
    title = "x from the gradient of leverage scores, g(x) = −A_xᵀσ(x) = c."
    inputs = (
        TALL,
        SIDE,
        Option("c", Numbers, None, "The d numbers of g(x)", label="Target vector"),
    )
    options: ClassVar[tuple[Option, ...]] = (
        START,
        Option(
            "w",
            float,
            0.0,
            "The paper's penalty ½w²‖Ax‖² beside ½‖g(x) − c‖²; 0 for g(x) = c itself.",
            label="Weight of the penalty",
        ),
    )
    methods: ClassVar[Mapping[str, GradientMethod]] = METHODS

    def __init__(
        self,
        A: Any,
        b: Any,
        c: Any,
        *,
        start: Any = None,
        w: float = 0.0,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b = along(dim, A=A, b=b)
        self.rows: Rows = open_rows(A, b, missing)
        d = self.rows.shape[1]
        self.c: Floats = as_numbers("c", c, (d,), f"Give one number for each of the {d} columns.")
        given = as_start(start, (d, 1))
        self.start: Floats = np.zeros(d) if given is None else given[:, 0]
        self.w: float = _as_weight(w)
        self.system = GradientSystem(self.rows, self.c)
        self.parameters = {
            "problem": self.name,
            "c": self.c.tolist(),
            "start": None if given is None else self.start.tolist(),
            "w": self.w,
            "missing": missing,
        }

    def data(self) -> dict[str, Matrix | None]:
        """Return A and b."""
        return {"A": self.rows.A, "b": self.rows.b}

    @property
    def sides(self) -> int:
        """One."""
        return 1

    @property
    def judge_passes(self) -> int:
        """Two; with the penalty three more."""
        return 5 if self.w else 2

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the backward error up to which an x is right: with the penalty that of several stages, one after another."""
        return super().accepted(tol, x) * (STAGES if self.w else 1)

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods."""
        require_names(self, method, settings)
        require_settings(settings, self.shape[1])
        return plan_gradient(self.rows, method, settings, machines, is_weighted=self.w > 0)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Step from the start, and examine the end.

        Raises
        ------
        SpecError
            If a slack is 0 at the start, with its row.
        """
        method, settings = METHODS[choice.method], choice.settings
        start = yield from self.system.approach(self.start)
        if not start.facts.is_inside:
            raise SpecError(
                f"a start at which no slack aᵀx − b is 0 was expected; {explain_slack(start.facts)}. Give start=, a point inside the cell "
                "where x is looked for; remove a row of zeros whose b is 0."
            )
        if self.w:
            return (yield from self._weigh(start, method, settings))
        answer = yield from method.solve(GradientTask(self.system, start), settings)
        place, x = answer.place, answer.place.x
        if place.factor.is_deficient:
            edge = yield from self.system.approach(place.factor.shortest(x[:, None])[:, 0])
            place = yield from self.system.measure(edge, has_cube=method.has_cube)
        certificate = certify(place)
        status = status_at(certificate, settings.accepted, is_deficient=place.factor.is_deficient)
        notes = (*answer.notes, *note_descent(answer.found, place, certificate), *note_rank(place, certificate, self.columns))
        return Outcome(place.x, status, method.name, certificate, notes, answer)

    def _weigh(self, start: Edge, method: GradientMethod, settings: Settings) -> Flow[Outcome]:
        """Answer with the paper's penalty, and find by how much it moves x."""
        if method.weighted is None:
            raise AssertionError(f"a plan refuses {method.name}")
        system = yield from self._weighted_system()
        answer = yield from method.weighted.solve(NonlinearTask(system, start.x), settings)
        found = yield from system.examine(answer.x_vector, answer.local)
        begun = yield from self.system.approach(answer.x_vector)
        unweighted = yield from METHODS["newton"].solve(GradientTask(self.system, begun), replace(settings, tol=None))
        certificate = nonlinear.certify(found)
        status = nonlinear.status_at(
            certificate, self.accepted(settings.tol), is_deficient=found.factor.is_deficient, is_symmetry=False
        )
        D = norms(begun.factor.R)
        size = float(sl.norm(D * unweighted.place.x))
        bias = float(sl.norm(D * (found.x - unweighted.place.x))) / size if size > 0 else float("inf")
        is_found = status is not Status.NOT_SOLVED
        notes = (*answer.notes, *note_bias(self.w, bias, unweighted, certify(unweighted.place), is_found=is_found))
        return Outcome(found.x, status, method.name, certificate, notes, WeightedDetail(answer, unweighted, bias))

    def _weighted_system(self) -> Flow[WeightedSystem]:
        found = yield Look(Triangle(), Rows(self.rows.A))
        return WeightedSystem(self.rows, 0.0, self.c, self.w * Factor.of(found.R).R)

    def judge(self, x: Floats) -> Flow[Certificate]:
        """Judge x by g(x) − c, or with w by the paper's loss: looks that know nothing of how x was found.

        Raises
        ------
        DataError
            If a slack is 0 at x.
        """
        if not self.w:
            return (yield from check_gradient(self.system, x[:, 0]))
        system = yield from self._weighted_system()
        return (yield from check_nonlinear(system, x[:, 0]))


def _as_weight(w: Any) -> float:
    """Return w.

    Raises
    ------
    SpecError
        If it is no finite number that is not negative.
    """
    try:
        return as_penalty(w, "Use 0 for g(x) = c itself.")
    except SpecError as error:
        raise SpecError(f"{error}".replace("alpha", "w")) from error
