"""exp(AᵀA)x = b and its truncated series, exactly from the factor: every function of AᵀA is one of its singular values.

With R = U Σ Vᵀ: exp(AᵀA)⁻¹b = V exp(−Σ²) Vᵀb, and the series Σ_{p ≤ m} (AᵀA)^p/p! — the paper's reason to solve for powers — has the
inverse V (Σ_p Σ^(2p)/p!)⁻¹ Vᵀb.  Solving for a sum is not a sum of solves, so nothing in a chain of power solves gives this; the
singular value decomposition of one factor does.  All terms are positive: nothing cancels.  Sizes are kept as logarithms, since
exp(‖A‖²) overflows from ‖A‖ = 27 on.

The certificate is the backward error in AᵀA: x is exact for V Σ² Vᵀ, whose distance to AᵀA is measured by one pass.  Prefer it over any
iteration: passes 1 + 1 for every number of terms.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304 (the
series as motivation of the powers).
N. J. Higham, "Functions of matrices: theory and computation", SIAM, 2008, Section 4.5 (functions of symmetric matrices) and Theorem
10.4 (conditioning of exp).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.errors import DataError
from dsketch.passes import Look, Normal
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.wide_range import WideColumns, power_of_two
from dsketch.settings import EPS


@dataclass(frozen=True)
class ExponentialAnswer:
    """What a flow found.

    Attributes
    ----------
    x : ndarray, shape (d, k)
    core : Core
        Of A.
    backward_error : ndarray, shape (k,)
        Of a solve: the change of AᵀA, relative to ‖A‖², for which x is exact; of a judgement: ‖r‖/(‖f(AᵀA)‖‖x‖ + ‖b‖).
    residual_norm : ndarray, shape (k,)
        ‖b − f(AᵀA)x‖.
    relative : ndarray, shape (k,)
        The residual over ‖b‖.
    forward_error : ndarray, shape (k,)
        First-order bound, see :func:`error_bound`.
    condition : float
        Of f(AᵀA); ∞ beyond float64.
    measured : str
    notes : tuple of str
    """

    x: Floats
    core: Core
    backward_error: Floats
    residual_norm: Floats
    relative: Floats
    forward_error: Floats
    condition: float
    measured: str
    notes: tuple[str, ...] = ()

    @property
    def factor(self) -> Factor:
        """R of A."""
        return self.core.factor

    @property
    def size(self) -> float:
        """‖AᵀA‖."""
        return float(self.core.factor.singular[0][0]) ** 2


def log_series(t: Floats, terms: int | None) -> Floats:
    """Return log Σ_{p ≤ terms} t^p/p! for t ≥ 0; t itself for the whole series."""
    if terms is None:
        return t
    p = np.arange(terms + 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(p[:, None] > 0, p[:, None] * np.log(t), 0.0) - gammaln(p + 1)[:, None]
    return np.asarray(logsumexp(logs, axis=0))


def decompose_gram(core: Core) -> tuple[Floats, Floats]:
    """Return the eigenvalues of AᵀA and its eigenvectors as rows, null space included, shapes (d,) and (d, d).

    Raises
    ------
    DataError
        If float64 data do not determine exp(AᵀA).
    """
    s, Vt = core.factor.singular
    if not s[0] < 1 / math.sqrt(EPS):
        raise DataError(
            f"‖A‖ must be below {1 / math.sqrt(EPS):.1e} for exp(AᵀA): an error of the last bit in A changes its exponents by u‖A‖²; it is "
            f"{s[0]:.1e}. Rescale A (units!): the exponential is of ‖A‖² itself."
        )
    return s * s, Vt


def apply_logs(Vt: Floats, logs: Floats, b: WideColumns) -> WideColumns:
    """Return V exp(logs) Vᵀb; sizes add up as exponents."""
    whole = np.floor(logs / math.log(2.0))
    pieces = (Vt @ b.mantissas) * np.exp(logs - whole * math.log(2.0))[:, None]
    top = float(whole.max())
    return WideColumns.of(
        Vt.T @ np.ldexp(pieces, np.maximum(whole - top, -4000).astype(np.int32)[:, None]), b.exponents + int(top)
    )


def factored_exponential(system: LinearSystem, b: Floats, terms: int | None, factor: Factor) -> Flow[ExponentialAnswer]:
    """Answer exp(AᵀA)x = b, or its series up to the power ``terms``, by the factor R of A.  One pass."""
    core, right = Core(factor), WideColumns.of(b)
    t, Vt = decompose_gram(core)
    logs = log_series(t, terms)
    x = apply_logs(Vt, -logs, right)
    e = core.exponent
    G = np.ldexp((yield Look(Normal(np.ldexp(np.eye(len(t)), -e)), system.rows)), -e)
    s = np.ldexp(np.sqrt(t), -e)
    change = float(np.linalg.norm(G - (Vt.T * s**2) @ Vt, 2)) / float(s[0] ** 2) if t[0] else 0.0
    left = right.plus(apply_logs(Vt, logs, x), -1.0).norms
    backward = np.where(np.isfinite(x.norms), change, 0.0)
    return ExponentialAnswer(
        x=x.values("x"),
        core=core,
        backward_error=backward,
        residual_norm=power_of_two(left),
        relative=power_of_two(left - np.where(np.isfinite(right.norms), right.norms, 0.0)),
        forward_error=error_bound(t, terms, right, x, backward, system.shape[0]),
        condition=condition_of(logs),
        measured="AᵀA − VΣ²Vᵀ in the data; the residual by the factor",
    )


def error_bound(t: Floats, terms: int | None, b: WideColumns, x: WideColumns, backward: Floats, rows: int) -> Floats:
    """Return a first-order bound on ‖x − x*‖/‖x‖ for a change of AᵀA by ``backward`` ‖A‖², shape (k,).

    f⁻¹ changes by at most its steepest slope, f'/f² at the smallest eigenvalue: f' is f itself for exp, and the series with one term
    less for a truncated one.  ``backward`` is measured by a Gram matrix whose sums are off by u √L of ‖A‖² for a chain of L = 2√n
    additions; squares of singular values, twice rounded, and two products that take powers of two out of an exponent t, each by u t.
    The products with V and Vᵀ add about √d eps each.

    Parameters
    ----------
    rows : int
        n.
    """
    logs = log_series(t, terms)
    slope = 1.0 if terms is None else math.exp(float((log_series(t, terms - 1) - logs)[-1]))
    with np.errstate(over="ignore", invalid="ignore"):
        amplified = power_of_two(-float(logs.min()) / math.log(2.0) + b.norms - x.norms)
    own, hidden = 2 * math.sqrt(len(t)) * EPS, EPS * (2 + math.sqrt(2 * math.sqrt(rows)) / 2)
    return np.where(np.isfinite(x.norms), (slope * float(t[0]) * (backward + hidden) + own) * amplified, 0.0)


def condition_of(logs: Floats) -> float:
    """Return the condition number of f(AᵀA) from the logarithms of its eigenvalues; ∞ beyond float64."""
    return float(power_of_two(np.array((logs.max() - logs.min()) / math.log(2.0))))
