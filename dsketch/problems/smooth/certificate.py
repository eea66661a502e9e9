"""From a method's answer to a certificate, a status and the sentences that go with them."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.passes.linked import Local
from dsketch.problems.outcome import Certificate, Status, format_number, show_sides
from dsketch.problems.smooth.method import SmoothAnswer
from dsketch.problems.smooth.metric import MARGIN, Metric
from dsketch.problems.smooth.separation import Separation
from dsketch.problems.smooth.standing import Standing, backward_of
from dsketch.problems.smooth.system import Model, flat
from dsketch.problems.status import status_of
from dsketch.settings import EPS

_STATIONARY = (
    1e-4  # decrement of what may be called a stationary point: of losses that are not convex Newton's steps stall above rounding
)


@dataclass(frozen=True, kw_only=True)
class SmoothCertificate(Certificate):
    """What is known about the x of a smooth problem, F(x) = Σ w φ + ½ Σ p x² with minimizer x*.

    Attributes
    ----------
    backward_error : ndarray, shape (1,)
        Of x as an answer to the tangent least-squares problem, columns scaled: how much √H A must change for x to be exact.
    residual_norm : ndarray, shape (1,)
        F(x), the loss.
    forward_error : ndarray, shape (1,)
        ``reach`` relative to ‖x*‖ in the metric of the Hessian; ∞ where nothing is proven.
    decrement : float
        λ = ‖H^(−½) g‖ as measured: about how far x is from x*, in standard errors.
    reach : float
        Proven: ‖x − x*‖_H is at most this, what rounding may hide counted; so every contrast of x is within so many of its own standard
        errors of that of x*.  ∞ where nothing is proven, not even that there is a minimizer.  Where columns were shifted, what rounding
        the intercept of A as it is stored adds is counted.
    kappa : float
        How much the Hessian may change along a step of one standard error; λκ < 1 is what proves.
    gradient_norm : float
        ‖D⁻¹g‖ with D the norms of the columns of √H A, relative to ‖r/√h‖.
    scaled_condition : float
        Of √H A with columns of norm one.
    is_exact : bool
        Whether the factor is the Hessian's rather than a sketch's.
    is_convex : bool
        Whether the loss is; if it is not, nothing is ever proven.
    is_whole : bool
        Whether rows have no direction that the factor lacks; if they have, curvatures have vanished there and x is no answer.
    obstacle : str
        Why nothing is proven: a separation with its columns and rows, or what else; empty where a minimizer is proven.
    """

    decrement: float
    reach: float
    kappa: float
    gradient_norm: float
    scaled_condition: float
    is_exact: bool = True
    is_convex: bool = True
    is_whole: bool = True
    obstacle: str = ""

    @property
    def loss(self) -> float:
        """F(x)."""
        return float(self.residual_norm[0])

    def is_right(self, accepted: float) -> bool:
        """Return whether x is one: the tangent problem alone says nothing where curvatures vanish or no minimizer is proven."""
        is_known = (
            np.isfinite(self.reach) if self.is_convex else self.rank > 0 and self.is_whole and self.decrement <= _STATIONARY
        )
        return super().is_right(accepted) and bool(is_known)

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        proven = f"≤ {format_number(self.reach)} proven" if np.isfinite(self.reach) else "nothing proven"
        return [
            f"distance    {format_number(self.decrement)} standard errors from the minimizer, {proven}",
            f"backward    {show_sides(self.backward_error)} of the tangent problem, columns scaled",
            f"loss        {self.loss:.10g}   gradient {format_number(self.gradient_norm)}",
            f"condition   {format_number(self.condition)} (columns scaled {format_number(self.scaled_condition)}); {self.rank_reason}",
        ]


def answer_at(
    x: Floats,
    local: Local,
    metric: Metric,
    at: Standing,
    separation: Separation | None = None,
    notes: tuple[str, ...] = (),
) -> SmoothAnswer:
    """Return x as an answer, with what was seen there by an exact factor."""
    backward, loss = backward_of(local, metric.factor, x), np.array([local.loss])
    return SmoothAnswer(x, local, metric, True, backward, loss, at.decrement, at.proof, separation, notes)


def smooth_certificate(model: Model, answer: SmoothAnswer, names: tuple[str, ...] | None, off: float = 0.0) -> SmoothCertificate:
    """Return what is known about an answer.

    Parameters
    ----------
    names : tuple of str or None
        Of A's columns.
    off : float
        How far x as it is told may be from the answer, in the metric of the Hessian.
    """
    factor, x = answer.factor, flat(answer.x)
    reach = np.inf if answer.separation else answer.proof.reach + off
    sizes, length = norms(factor.R)[:, None], float(np.linalg.norm(factor.R @ x))
    scaled = norms(ratio(np.abs(flat(answer.local.gradient)), sizes))
    far = reach / (length - reach) if reach < length else np.inf if reach else 0.0
    return SmoothCertificate(
        backward_error=np.maximum(answer.backward_error, EPS / 2),
        residual_norm=answer.residual_norm,
        forward_error=np.array([far]),
        condition=factor.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        decrement=answer.decrement,
        reach=float(reach),
        kappa=float(answer.proof.kappa),
        gradient_norm=float(ratio(scaled, np.sqrt([answer.local.ratio]))[0]),
        scaled_condition=factor.scaled_condition,
        is_exact=answer.is_exact,
        is_convex=model.loss.is_convex,
        is_whole=_is_whole(answer),
        obstacle=explain_obstacle(model, answer, names),
    )


def smooth_status(model: Model, answer: SmoothAnswer, accepted: float) -> Status:
    """Return how the solve ended: SOLVED only with a proof that a minimizer is within reach."""
    if answer.separation is not None:
        return Status.SEPARATED
    is_proven = bool(np.isfinite(answer.proof.reach))
    status = status_of(answer.backward_error, accepted, is_deficient=answer.factor.is_deficient)
    if not status.is_success or is_proven:
        return status
    return Status.LOCAL if _is_whole(answer) and not model.loss.is_convex else Status.NOT_SOLVED


def _is_whole(answer: SmoothAnswer) -> bool:
    """Whether no row is known to have a direction that the factor lacks."""
    return answer.metric.is_whole is not False


def smooth_notes(model: Model, answer: SmoothAnswer, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what was decided on the way, and what the answer does not say."""
    obstacle = explain_obstacle(model, answer, names)
    return (*answer.notes, obstacle) if obstacle else answer.notes


def explain_obstacle(model: Model, answer: SmoothAnswer, names: tuple[str, ...] | None) -> str:
    """Return why nothing is proven, in a sentence that names columns and rows where these are to blame; empty where something is."""
    if answer.separation is not None:
        return answer.separation.explain(names, model.shape[0])
    if np.isfinite(answer.proof.reach):
        return ""
    if not _is_whole(answer):
        why = "curvatures have vanished along directions in which rows move, where x may be far from a minimizer or there is none"
    elif not model.loss.is_convex:
        why = "the loss is not convex"
    elif not np.isfinite(answer.proof.kappa):
        why = "curvatures are unknown, or have vanished where slopes have not"
    elif answer.decrement * answer.proof.kappa < MARGIN:
        why = "rounding of slopes, at this condition, hides whether λκ is below 0.9"
    else:
        why = f"λκ = {answer.decrement * answer.proof.kappa:.1e} is not below 0.9"
    return f"no distance to a minimizer is proven: {why}"
