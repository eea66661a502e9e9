"""Certificates, statuses and notes of answers that are stationary points."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.backward import backward_error
from dsketch._linalg.columns import norms
from dsketch.problems.nonlinear.system import Examination
from dsketch.problems.outcome import Certificate, Status, format_number, show_sides
from dsketch.settings import EPS

# Of the largest eigenvalue: a Hessian whose least one is lower has a direction along which the loss falls.
_SADDLE = float(np.sqrt(EPS))
BLURRED = float(np.sqrt(EPS))  # of ‖b‖: with more doubt f(x) is not known to half its digits, and nothing is claimed
ZERO = 2.0  # so many times what rounding may have moved, ‖f − b‖ is no more than rounding

ESCAPES = 3  # so often a saddle is left along the direction in which the loss falls
_SHORT = 0.1  # the first step off a saddle lowers the loss by about this share of its square


@dataclass(frozen=True, kw_only=True)
class NonlinearCertificate(Certificate):
    """What is known about the x of a nonlinear least-squares problem, from a QR of its Jacobian J at x.

    Attributes
    ----------
    backward_error : ndarray, shape (1,)
        How much J must change, relatively and columns scaled, for x to be stationary (Karlson–Waldén estimate of the tangent
        least-squares problem), or b for f(x) to be b, whichever is less; with what rounding of f may hide.
    residual_norm : ndarray, shape (1,)
        ‖f(x) − b‖; with a penalty √(‖f(x) − b‖² + alpha ‖x‖²).
    forward_error : ndarray, shape (1,)
        First-order bound on ‖D (x − x*)‖/‖D x*‖, D the norms of J's columns, x* the stationary point nearby: the Newton step of the
        exact Hessian (of JᵀJ where that is not positive definite), and what rounding of f may hide.
    condition, scaled_condition : float
        Of J, over the directions kept.
    gradient_norm : float
        ‖Jᵀr‖/(‖J‖_F ‖r‖), columns scaled.
    decrement : float
        √(gᵀ(JᵀJ)⁻¹g): what J could still take from the residual.
    loss : float
        ½‖f(x) − b‖² + ½ alpha ‖x‖².
    least_eigenvalue : float
        Of the exact Hessian, relative to its largest, columns of J scaled, over the directions kept: above 0 the loss has a strict
        minimum nearby.
    doubt : float
        How far rounding may have moved f(x) − b, in norm.
    is_zero : bool
        Whether ‖f(x) − b‖ is no more than that: no x has a smaller loss.
    """

    scaled_condition: float
    gradient_norm: float
    decrement: float
    loss: float
    least_eigenvalue: float
    doubt: float
    is_zero: bool

    @property
    def is_saddle(self) -> bool:
        """Whether the loss falls along some direction, though its gradient is 0."""
        return self.least_eigenvalue < -_SADDLE

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        zero = ", 0 to rounding: no x is better" if self.is_zero else ""
        return [
            f"backward    {show_sides(self.backward_error)} relative to J, columns scaled",
            f"residual    {show_sides(self.residual_norm)}{zero}   gradient {format_number(self.gradient_norm)}   decrement "
            f"{format_number(self.decrement)}   forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)} (columns scaled {format_number(self.scaled_condition)}); {self.rank_reason}",
            f"hessian     least eigenvalue {format_number(self.least_eigenvalue)} of the largest"
            + (": the loss falls along it" if self.is_saddle else ""),
        ]


def certify(found: Examination) -> NonlinearCertificate:
    """Return what is known about the x that was examined."""
    factor, x, g = found.factor, found.x[:, None], found.gradient[:, None]
    s, Vt = factor.scaled_decomposition
    residual = float(np.sqrt(2 * found.value))
    size, length = float(np.linalg.norm(s)), float(norms(factor.scale[:, None] * x)[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        room = max(size * length, residual, found.target)
        hidden = found.doubt / room if room > 0 else 0.0
        stationary = float(backward_error(s, Vt, factor.scale, x, g, np.array([residual**2]))[0])
        exact = found.misfit / found.target if found.target > 0 and residual <= found.misfit else np.inf if residual > 0 else 0.0
    is_zero = bool(residual <= found.misfit <= ZERO * found.doubt <= ZERO * BLURRED * found.target)
    least, forward = _curve(found, length)
    gradient = float(norms(g / factor.scale[:, None])[0])
    return NonlinearCertificate(
        backward_error=np.array([min(stationary, exact) + hidden]),
        residual_norm=np.array([residual]),
        forward_error=np.array([forward]),
        condition=factor.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        scaled_condition=factor.scaled_condition,
        gradient_norm=gradient / (size * residual) if size * residual > 0 else 0.0,
        decrement=float(np.linalg.norm(factor.solve_transposed(g))) if factor.rank else 0.0,
        loss=found.value,
        least_eigenvalue=least,
        doubt=found.doubt,
        is_zero=is_zero,
    )


def _curve(found: Examination, length: float) -> tuple[float, float]:
    """Return the least eigenvalue of the Hessian relative to the largest, and the forward error."""
    factor = found.factor
    if not factor.rank:
        return 0.0, np.nan
    scale, (s, Vt) = factor.scale, factor.scaled_decomposition
    s, V = s[: factor.rank], Vt[: factor.rank].T
    values, W = np.linalg.eigh(V.T @ (found.hessian / np.outer(scale, scale)) @ V)
    # Where the Hessian tells no minimum, the distance is that by JᵀJ.
    inverse = (W / values) @ W.T if values[0] > EPS * len(values) * abs(values).max() else np.diag(s**-2.0)
    step = float(np.linalg.norm(inverse @ (V.T @ (found.gradient / scale))))
    moved = float(np.linalg.norm(inverse * s, 2)) * found.doubt
    return float(values[0] / abs(values).max()), (step + moved) / length if length > 0 else np.inf


def least_direction(found: Examination) -> Floats:
    """Return the direction along which the Hessian is least, of unit length with columns scaled, shape (d,)."""
    factor = found.factor
    V = factor.scaled_decomposition[1][: factor.rank].T
    _, W = np.linalg.eigh(V.T @ (found.hessian / np.outer(factor.scale, factor.scale)) @ V)
    direction: Floats = (V @ W[:, 0]) / factor.scale
    return direction


def leave(found: Examination) -> Floats:
    """Return a point off a saddle, along the direction in which the loss falls, at which it is lower by about a tenth."""
    direction = least_direction(found)
    fall = -float(direction @ found.hessian @ direction)
    length = np.sqrt(2 * _SHORT * found.value / fall) if fall > 0 else 0.0
    return np.asarray(found.x + length * direction)


def status_at(certificate: NonlinearCertificate, accepted: float, *, is_deficient: bool, is_symmetry: bool) -> Status:
    """Return how a solve ended.

    Parameters
    ----------
    accepted : float
        The largest backward error that counts as stationary.
    is_deficient : bool
        Whether J lacks rank, or too few units are active.
    is_symmetry : bool
        Whether f does not depend on what J does not feel, so that the shortest x stands for all.
    """
    if is_deficient and not is_symmetry:
        return Status.UNDETERMINED
    if certificate.is_zero:
        return Status.MINIMUM_NORM if is_deficient else Status.SOLVED
    if certificate.is_saddle or not (certificate.backward_error <= accepted).all():
        return Status.NOT_SOLVED
    return Status.LOCAL
