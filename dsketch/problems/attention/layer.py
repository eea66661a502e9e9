"""min ½‖softmax(A₁XA₂ᵀ)A₃Y − B‖² over X and Y: training of one attention layer, never n × m."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.attention import TILE, attention_rows
from dsketch.passes.base import Flow
from dsketch.passes.layer_rows import LayerRows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_numbers, as_penalty
from dsketch.problems.attention.choose import plan_layer
from dsketch.problems.attention.layer_directions import prepare
from dsketch.problems.attention.layer_examination import LayerExamination
from dsketch.problems.attention.layer_inputs import INPUTS, OPTIONS, as_count, require_shapes
from dsketch.problems.attention.layer_judgement import Judgement, judge_layer, settle
from dsketch.problems.attention.layer_method import LayerMethod, LayerTask
from dsketch.problems.attention.layer_methods import LAYER_METHODS
from dsketch.problems.attention.layer_system import LayerSystem
from dsketch.problems.attention.visible_layer import VisibleLayer
from dsketch.problems.base import Problem, require_columns, require_names, require_settings
from dsketch.problems.heads.lockstep import advance_beside
from dsketch.problems.nonlinear.certificate import NonlinearCertificate, status_at
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.problems.nonlinear.notes import note_blur, note_starts
from dsketch.problems.nonlinear.system import LARGEST, Examination
from dsketch.problems.outcome import Outcome
from dsketch.settings import Option, Settings


@dataclass(frozen=True)
class LayerDetail:
    """What was found besides x.

    Attributes
    ----------
    X : ndarray, shape (d, d')
    Y : ndarray, shape (p, k)
    answers : tuple of NonlinearAnswer
        One for each start.
    best : int
        Which of them this is.
    examination : Examination or LayerExamination
        Of X and Y, in the directions that softmax sees.
    """

    X: Floats
    Y: Floats
    answers: tuple[NonlinearAnswer, ...]
    best: int
    examination: Examination | LayerExamination


class AttentionLayer(Problem):
    """min ½‖softmax(A₁XA₂ᵀ)A₃Y − B‖² + ½ alpha (‖X‖² + ‖Y‖²) over X and Y, softmax by rows; or the sum of several heads.

    x is X and then Y, by rows, as one vector: :meth:`split` gives both, as ``Solution.answer`` has them.

    Parameters
    ----------
    A1 : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
        Of queries.
    A2 : likewise, shape (m, d')
        Of keys.
    A3 : likewise, shape (m, p) or (m,)
        Of values; dense.
    B : likewise, shape (n, k) or (n,)
        What the layer should give; dense.
    heads : int
        So many heads add up, each with an X and a Y of its own: X is then heads × d × d', Y heads × p × k.
    start : array_like, Solution or path, optional
        The X to begin at, by rows; or an x of this problem, whose X is taken.  By default a point drawn by the seed at which
        logits have a spread of about 1: at X = 0 all rows of softmax are the same and no step sees more.
    restarts : int
        Further points to begin at, drawn by the seed; they share every reading.
    alpha : float
        At least 0.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first.

    Raises
    ------
    DataError
        If the rows do not belong together, or the data are not finite real numbers; on solving, if no X and Y change anything.
    SpecError
        If X, Y or the products of a key and a value have more than 65,536 numbers (d to 256), start does not fit, heads is below 1,
        restarts or alpha is negative.

    Notes
    -----
    One sweep of n m weights a step, in tiles that are never stored; Y is found by a small least-squares problem.  Beyond 1,024 numbers of X
    or Y (d of about 30) products of three sweeps take the place of a matrix by X, and the certificate has no QR.  The loss has several
    minima: the status is ``LOCAL`` unless it is 0 to rounding.  Directions that softmax does not see are 0 in x, which is the shortest, and
    the notes tell how many.

    References
    ----------
    Y. Gao, Z. Song, W. Wang, J. Yin, "A fast optimization view: reformulating single layer attention in LLM based on tensor and SVM trick,
    and solving it in matrix multiplication time", arXiv 2309.07418, 2023.

    Examples
    --------
    >>> import dsketch
    >>> rng = np.random.default_rng(0)
    >>> A1, A2, A3 = rng.standard_normal((3, 50, 2))
    >>> X, Y = np.array([[1.0, 0.5], [0.0, -1.0]]), np.array([[1.0], [2.0]])
    >>> S = np.exp(A1 @ X @ A2.T)
    >>> B = S @ A3 @ Y / S.sum(axis=1, keepdims=True)
    >>> solution = dsketch.solve(AttentionLayer(A1, A2, A3, B, start=0.8 * X))
    >>> bool(np.abs(solution.answer.X - X).max() < 1e-10), solution.status.name
    (True, 'SOLVED')
    """

    name = "attention-layer"
    title = "An attention layer, min ½‖softmax(A₁XA₂ᵀ)A₃Y − B‖² over X and Y."
    inputs = INPUTS
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    methods: ClassVar[Mapping[str, LayerMethod]] = LAYER_METHODS
    x_has_columns = False

    def __init__(
        self,
        A1: Any,
        A2: Any,
        A3: Any,
        B: Any,
        *,
        heads: int = 1,
        start: Any = None,
        restarts: int = 0,
        alpha: float = 0.0,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A1, A2, A3, B = along(dim, A1=A1, A2=A2, A3=A3, B=B)
        self.restarts: int = as_count("restarts", restarts, 0, "Leave it out to begin at one point.")
        many = as_count("heads", heads, 1, "Use 1 for a single head.")
        given = {"A1": A1, "A2": A2, "A3": A3, "B": B}
        one, two, three, four = (open_matrix(source, missing=missing, what=name) for name, source in given.items())
        self.system: LayerSystem = LayerSystem(one, two, three, four, as_penalty(alpha, "Use 0 for no penalty."), many)
        require_shapes(self.system)
        self.rows: Rows = self.system.rows
        self.given: Floats | None = None if start is None else self._as_start(start)
        self.prediction_sides: int | None = self.system.B.shape[1]
        self.parameters = {
            "problem": self.name,
            "heads": many,
            "start": None if self.given is None else self.given.reshape(-1).tolist(),
            "restarts": self.restarts,
            "alpha": self.system.alpha,
            "missing": missing,
        }

    def _as_start(self, start: Any) -> Floats:
        d, e, _, _ = self.system.shapes
        count, of_x = self.x_shape[0], self.system.heads * d * e
        shape = (d, e) if self.system.heads == 1 else (self.system.heads, d, e)
        remedy = f"Give one for each of the {' × '.join(map(str, shape))} of X, or an x of this problem."
        found = getattr(start, "x", start)
        if not isinstance(found, str) and np.size(found) == count and np.ndim(found) == 1:
            found = np.asarray(found)[:of_x]
        return as_numbers("start", found, shape, remedy)

    def data(self) -> dict[str, Matrix | None]:
        """Return A1, A2, A3 and B."""
        system = self.system
        return {"A1": system.A1, "A2": system.A2, "A3": system.A3, "B": system.B}

    @property
    def columns(self) -> Columns | None:
        """None: x belongs to pairs of columns."""
        return None

    @property
    def sides(self) -> int:
        """One: X and Y are one vector."""
        return 1

    @property
    def x_shape(self) -> tuple[int, int]:
        """As many as X and Y have numbers."""
        d, e, p, k = self.system.shapes
        return self.system.heads * (d * e + p * k), 1

    @property
    def starts(self) -> int:
        """Points to begin at."""
        return self.restarts + 1

    @property
    def judge_passes(self) -> int:
        """Two light ones, and two sweeps in one."""
        return 3

    def split(self, x: Any) -> tuple[Floats, Floats]:
        """Return X, shape (d, d'), and Y, shape (p, k), of an x; of several heads (heads, d, d') and (heads, p, k)."""
        (d, e, p, k), heads = self.system.shapes, self.system.heads
        numbers = np.asarray(x, dtype=np.float64).reshape(-1)
        X, Y = numbers[: heads * d * e].reshape(heads, d, e), numbers[heads * d * e :].reshape(heads, p, k)
        return (X, Y) if heads > 1 else (X[0], Y[0])

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Time a tile, price the methods, choose."""
        require_names(self, method, settings)
        require_settings(settings, 0)
        return plan_layer(self.system, self.starts, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Begin at every start, keep the best answer, examine it.

        Raises
        ------
        SpecError
            If logits overflow at every start.
        """
        method, settings = self.methods[choice.method], choice.settings
        layer = yield from prepare(self.system)
        first = [] if self.given is None else [layer.narrow(self.given)]
        drawn = [*first, *layer.draw(self.starts - len(first), settings.seed)]
        starts = [np.zeros(layer.numbers[0])] if layer.is_idle else drawn
        answers = yield from advance_beside([method.solve(LayerTask(layer, layer.turn(start)), settings) for start in starts])
        best = int(np.argmin([answer.local.value for answer in answers]))
        if answers[best].end == "outside":
            raise SpecError("a start where logits are float64 numbers was expected; they overflow. Give a smaller start.")
        answers[best], found = yield from settle(layer, method, settings, answers[best])
        return self._conclude(layer, tuple(answers), best, found, choice)

    def _conclude(
        self, layer: VisibleLayer, answers: tuple[NonlinearAnswer, ...], best: int, found: Judgement, choice: Choice
    ) -> Outcome:
        is_deficient = found.lost > 0 or found.is_symmetry
        accepted = self.accepted(choice.settings.tol)
        status = status_at(found.certificate, accepted, is_deficient=is_deficient, is_symmetry=found.is_symmetry)
        x = self._order(layer.widen(layer.turn_back(answers[best].x_vector), answers[best].local.kept.Y))
        said = (*note_starts(answers, best), *answers[best].notes, *note_blur(found.certificate, accepted))
        notes = (*said, *layer.notes, *found.notes)
        detail = LayerDetail(*self.split(x), answers, best, found.examination)
        return Outcome(x, status, choice.method, found.certificate, notes, detail)

    def _order(self, x: Floats) -> Floats:
        """Return an x whose heads are by falling norms of X, where no start says which is which."""
        if self.system.heads == 1 or self.given is not None:
            return x
        X, Y = self.split(x)
        order = np.argsort(-np.linalg.norm(X, axis=(1, 2)), kind="stable")
        return np.concatenate([X[order].reshape(-1), Y[order].reshape(-1)])

    def judge(self, x: Floats) -> Flow[NonlinearCertificate]:
        """Judge X and Y by a QR of the whole Jacobian and the exact Hessian, or by sums where these are too large.

        Raises
        ------
        DataError
            If logits overflow.
        """
        if np.abs(x).max(initial=0.0) > LARGEST:
            raise DataError(
                f"x must have entries of at most {LARGEST:.0e}; one is {np.abs(x).max():.0e}. Look where x comes from."
            )
        X, Y = self.split(x)
        layer = yield from prepare(self.system)
        return (yield from judge_layer(layer, layer.narrow(X), layer.narrow_values(Y))).certificate

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to softmax(A X A₂ᵀ)A₃Y for the rows of a new matrix: a sweep over the problem's A₂ and A₃."""
        require_columns(A, self.system.A1.shape[1])
        X, Y = self.split(x)
        pass_ = LayerRows(self.system.others, 1, None, TILE, 1.0, False, *(M.reshape(-1, *M.shape[-2:]) for M in (X, Y)))
        return Look(pass_, attention_rows(A, None, self.system.A3.shape[1], ("A", "b")))
