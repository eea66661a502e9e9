"""Targets whose own rows are too ill-conditioned for a batch: a QR of these rows, one for all targets that share a pattern.

A target that has fewer rows than A's rank, or whose rows lost rank with those that are missing, has many minimizers; the shortest of
them would depend on which rows are missing, so that neighbours on a map were not comparable.  Its answer is NaN, and its count tells.
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.backward import backward_error
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.problems.targets.design import Design, told_of
from dsketch.problems.targets.fields import Found


def answer_alone(design: Design, B: Floats, factors: Floats | None) -> Found:
    """Return what is found of targets by QR.

    Parameters
    ----------
    design : Design
    B : ndarray, shape (n, w)
        √w b, NaN where a value is missing.
    factors : ndarray, shape (w,), or None
        What the penalty of each target is multiplied by.
    """
    present = ~np.isnan(B) & design.counting[:, None]
    found = Found.nothing(design.columns, present.sum(axis=0), is_penalized=design.is_penalized)
    keys = [
        np.packbits(column).tobytes() + (b"" if factors is None else factors[at].tobytes()) for at, column in enumerate(present.T)
    ]
    groups: dict[bytes, list[int]] = {}
    for at, key in enumerate(keys):
        groups.setdefault(key, []).append(at)
    for members in groups.values():
        rows, factor = present[:, members[0]], 1.0 if factors is None else float(factors[members[0]])
        answer = _answer(design, rows, B[rows][:, members], design.penalty * factor)
        if answer is not None:
            found.put(np.array(members), answer)
    return found


def _answer(design: Design, rows: np.ndarray, B: Floats, penalty: Floats) -> Found | None:
    """Return what is found of targets with these rows, b of shape (m, w); None where they do not have the rank of A."""
    X, below = design.X[rows], np.diag(np.sqrt(penalty))[penalty > 0]
    if len(X) + len(below) < design.rank:
        return None
    Q, R = np.linalg.qr(np.concatenate([X, below]))
    d = design.columns
    factor = Factor(np.concatenate([R, np.zeros((d - len(R), d))]))
    if factor.rank < design.rank or not len(X):
        return None
    padded = np.concatenate([Q[: len(X)].T @ B, np.zeros((d - len(R), B.shape[1]))])
    x = factor.least_squares(padded)
    E = B - X @ x
    rr, penalized = np.einsum("ij,ij->j", E, E), penalty @ x**2
    g = X.T @ E - penalty[:, None] * x
    s, Vt = factor.scaled_decomposition
    told = told_of(factor, design.shift, len(X))
    return Found(
        x=told.restate(x),
        size=norms(norms(factor.R)[:, None] * x),
        rr=rr,
        explained=_explain(design, X, x) + 2 * penalized,
        whole=np.einsum("ij,ij->j", B, B),
        spread=None if design.is_penalized else np.repeat(norms(told.spread.T)[:, None], B.shape[1], axis=1),
        counts=np.full(B.shape[1], len(X), np.int64),
        backward_error=backward_error(s, Vt, factor.scale, x, g, rr + penalized),
    )


def _explain(design: Design, X: Floats, x: Floats) -> Floats:
    """Return ‖A x‖² over some rows, about their mean where the model holds a constant."""
    fitted = X @ x
    if design.constant is not None:
        ones = X @ design.constant
        fitted = fitted - np.outer(ones, (ones @ fitted) / (ones @ ones))
    return np.asarray(np.einsum("ij,ij->j", fitted, fitted))
