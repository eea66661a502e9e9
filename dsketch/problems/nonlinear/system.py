"""What methods of this wing answer: a loss ½‖f(x) − b‖² + ½ alpha ‖x‖² that looks at rows, and which looks give what is known of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Pass
from dsketch.passes.base import Flow
from dsketch.problems.levenberg import Local
from dsketch.settings import EPS

U = EPS / 2  # the relative error of one rounding
# A sum of d products is off by about u times the sum of their sizes over √d, and x as it is stored by as much: twice u times that sum
# is a bound with room (N. J. Higham, T. Mary, 2019).
DOUBTED = 2.0
LARGEST = 1e150  # of an entry of x, as of one of the data: their products are finite


class Curvature(Enum):
    """Which matrix a look at a point sums besides loss and gradient."""

    NONE = "none"
    SQUARED = "JᵀJ"
    EXACT = "the Hessian, or JᵀJ where that is not positive definite"


@dataclass(frozen=True)
class Examination:
    """What is known of the loss at an x, from a QR of its Jacobian.

    Attributes
    ----------
    x, gradient : ndarray, shape (d,)
    factor : Factor
        R of [J; √alpha I].
    value : float
        The loss.
    misfit : float
        ‖f(x) − b‖.
    doubt : float
        How far rounding may have moved f(x) − b, in norm: of f, of b as it is stored, and of x.
    target : float
        ‖b‖.
    hessian : ndarray, shape (d, d)
        Exact but for rounding.
    remarks : tuple of str
        What else the looks told, for the notes.
    is_open : bool
        Whether the look itself says that x is not determined: fewer active units than columns.
    """

    x: Floats
    gradient: Floats
    factor: Factor
    value: float
    misfit: float
    doubt: float
    target: float
    hessian: Floats
    remarks: tuple[str, ...] = ()
    is_open: bool = False


@dataclass(frozen=True)
class NonlinearSystem(ABC):
    """½‖f(x) − b‖² + ½ alpha ‖x‖².

    Attributes
    ----------
    rows : Rows
    alpha : float
    """

    rows: Rows
    alpha: float

    sampled_curvature: ClassVar[Curvature] = Curvature.NONE  # what evaluate sums where :meth:`sample` gives the matrix

    @property
    def reach(self) -> float:
        """How far A x spreads about its mean at a drawn start."""
        return 1.0

    @property
    def columns(self) -> int:
        """Coefficients d."""
        return self.rows.shape[1]

    @abstractmethod
    def evaluate(self, x: Floats, curvature: Curvature, near: Local | None) -> Flow[Local]:
        """Return what is known of the loss near x; its value is infinite where f does not exist.

        One look; another for the Hessian of units, and where the digits of JᵀJ do not suffice.

        Parameters
        ----------
        x : ndarray, shape (d,)
        near : Local or None
            Of a point looked at before, whose centre this look takes.
        """

    @abstractmethod
    def examine(self, x: Floats, near: Local) -> Flow[Examination]:
        """Examine x by a QR; ``near`` is what :meth:`evaluate` found there.  One look, or none."""

    @abstractmethod
    def sample(self, x: Floats, near: Local, plan: "SamplePlan") -> Flow["SamplePlan"]:
        """Return the plan with a sampled Hessian at x; ``near`` is what :meth:`evaluate` found there.  One look, at the start two."""

    def shortest(self, x: Floats, found: Examination) -> Flow[Floats | None]:
        """Return an x of least norm that means the same, None if directions of no effect are no symmetry.  One look, or none."""
        del x, found
        yield from ()
        return None

    def explain_absence(self, near: Local) -> str:
        """Return why the loss does not exist at a start."""
        del near
        return "it overflows"

    def look(self, pass_: Pass[Any]) -> Flow[Any]:
        """Return what a pass over the rows finds."""
        return (yield Look(pass_, self.rows))

    def penalize(self, local: Local, x: Floats) -> Local:
        """Add ½ alpha ‖x‖²."""
        if not self.alpha:
            return local
        penalty = 0.5 * self.alpha * float(x @ x)
        root = None if local.root is None else self.stack(local.root)
        return replace(
            local,
            value=local.value + penalty,
            gradient=local.gradient + self.alpha * x,
            matrix=local.matrix + self.alpha * np.eye(len(local.matrix)),
            size=local.size + penalty,
            root=root,
        )

    def stack(self, R: Floats) -> Floats:
        """Return the R of [J; √alpha I], square, from that of J."""
        d = self.columns
        if self.alpha:
            R = householder(np.concatenate([R, np.sqrt(self.alpha) * np.eye(d)]))
        return np.concatenate([R, np.zeros((d - len(R), d))]) if len(R) < d else R


@dataclass(frozen=True)
class SamplePlan:
    """A sampled Hessian, and by what the next one is sampled.

    Attributes
    ----------
    size : int
        Rows wanted.
    seed, place : int
        Of the random words: each step has its own.
    matrix : ndarray, shape (d, d), or None
        The last one.
    total : float
        The sum of all leverages when it was sampled, as the last factor saw them; 0 before the first.
    count : int
        Rows kept.
    """

    size: int
    seed: int
    place: int = 0
    matrix: Floats | None = None
    total: float = 0.0
    count: int = 0


@dataclass
class Evaluation:
    """A system as a :class:`~dsketch.problems.levenberg.Model`: each look is centred by what the last one found.

    Attributes
    ----------
    system : NonlinearSystem
    curvature : Curvature
    near : Local or None
    """

    system: NonlinearSystem
    curvature: Curvature
    near: Local | None = None

    def evaluate(self, x: Floats) -> Flow[Local]:
        """Return what is known of the loss near x; nothing where x is so large that products with it overflow."""
        if np.abs(x).max(initial=0.0) > LARGEST:
            return absent(x)
        found = yield from self.system.evaluate(x, self.curvature, self.near)
        if np.isfinite(found.value):
            self.near = found
        return found


def is_definite(matrix: Floats, limit: float) -> bool:
    """Whether the least eigenvalue, columns scaled to 1, is above a share of their number; columns that are 0 do not count."""
    size = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    held = size > 0
    if not held.any():
        return True
    scaled = matrix[np.ix_(held, held)] / np.outer(size[held], size[held])
    return bool(np.linalg.eigvalsh(scaled)[0] > limit * len(scaled))


def absent(x: Floats) -> Local:
    """Return what is known where f does not exist."""
    return Local(float("inf"), np.zeros_like(x), np.zeros((len(x), len(x))), float("inf"))
