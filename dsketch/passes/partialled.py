"""Targets and covariates as a pass over columns needs them: an orthonormal basis of [1 C], and what it leaves of the targets.

Targets that miss the same rows are one group, with those rows left out.  Workers read targets and covariates where they lie and make the
groups themselves, each the same bits; nothing with n rows moves.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.columns import powers_near_norms
from dsketch._linalg.factor import RANK_TOLERANCE
from dsketch.errors import DataError
from dsketch.matrix.base import Matrix
from dsketch.matrix.gaps import read_all
from dsketch.matrix.offsets import far_values

EPS = float(np.finfo(np.float64).eps)
LONG_ROWS = 512  # of extended precision at once
_PROJECTED_ROWS = 1024
KEPT_BYTES = 400_000_000  # groups of a run that a process keeps together; of more they are made again for each block


class Basis(NamedTuple):
    """An orthonormal basis Q of covariates, shape (n, rank), and how well they determine it."""

    Q: Floats
    condition: float


@dataclass(frozen=True)
class Group:
    """Targets over the rows that none of them misses.

    Attributes
    ----------
    rows : ndarray of int, or None
        Numbers of these rows; None: all.
    targets : ndarray of int
        Their places among all targets.
    sides : ndarray, shape (n, k + rank)
        [ỹ Q] in C order, what columns are multiplied with.
    Y : ndarray, shape (n, k)
        What the covariates leave of the targets, ỹ = (I − Q Qᵀ) y: a view.
    basis : Basis
    squares : ndarray, shape (k,)
        ‖ỹ‖²; NaN where nothing but rounding is left.
    whole : ndarray, shape (k,)
        ‖y‖².
    """

    rows: "np.ndarray[Any, Any] | None"
    targets: "np.ndarray[Any, Any]"
    sides: Floats
    Y: Floats
    basis: Basis
    squares: Floats
    whole: Floats

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.sides)

    @property
    def turn(self) -> float:
        """How far Q may be from what the covariates span: of a QR every column is exact but for eps of its length, times κ."""
        return EPS * self.basis.condition * float(np.sqrt(self.rank))

    @property
    def rank(self) -> int:
        """Of the covariates."""
        return int(self.basis.Q.shape[1])

    @cached_property
    def long_squares(self) -> "np.ndarray[Any, Any]":
        """‖ỹ‖² summed in extended precision, shape (k,)."""
        return long_squares(self.Y)


@dataclass(frozen=True)
class Sides:
    """Targets and covariates where they lie.

    Attributes
    ----------
    Y : Matrix, shape (n, k)
    C : Matrix, shape (n, q), or None
    intercept : bool
        Whether a column of ones is a covariate.
    may_lack : bool
        Whether a missing value leaves a row out (of a target: for that target; of a covariate: for all); False: it is refused.
    token : str
        Under which a process keeps what it made of them; not part of what decides the answer.
    """

    Y: Matrix
    C: Matrix | None
    intercept: bool
    may_lack: bool
    token: str = field(default="", compare=False)

    def state(self) -> Iterator[State]:
        """Yield what decides the groups."""
        yield from self.Y.state()
        yield from () if self.C is None else self.C.state()
        yield repr((self.intercept, self.may_lack))

    def prepare(self) -> "Prepared":
        """Return the groups, from this process's memory where it has made them before."""
        with _LOCK:
            if _KEPT.get("token") != self.token or not self.token:
                _KEPT.clear()
                _KEPT.update(token=self.token, prepared=Prepared.of(self))
            kept: Prepared = _KEPT["prepared"]
            return kept

    def forget(self) -> None:
        """Give the memory back."""
        with _LOCK:
            if _KEPT.get("token") == self.token:
                _KEPT.clear()


_KEPT: dict[str, Any] = {}  # of the last run alone
_LOCK = threading.Lock()


class Prepared:
    """Groups of targets that miss the same rows.

    Parameters
    ----------
    Y : ndarray, shape (n, k)
    Z : ndarray, shape (n, q)
        [1 C], columns of C that lie far from 0 shifted by a stored value.
    patterns : list of (rows, targets)
        Of each group.

    Attributes
    ----------
    facts : ndarray or None
        What the pass tells of the targets, once it has been made.
    is_kept : bool
        Whether groups, once made, stay in memory.
    """

    def __init__(self, Y: Floats, Z: Floats, patterns: "list[tuple[Any, Any]]") -> None:
        self.Y, self.Z, self.patterns = Y, Z, patterns
        self.facts: Floats | None = None
        self._groups: dict[int, Group] = {}
        self.is_kept = groups_bytes(len(Y), Y.shape[1], Z.shape[1], len(patterns)) <= KEPT_BYTES

    @classmethod
    def of(cls, sides: Sides) -> "Prepared":
        """Read targets and covariates, and sort targets by the rows that they miss.

        Raises
        ------
        DataError
            If a value is infinite, or missing and that is not allowed.
        """
        Y = read_all(sides.Y, "Y")
        n = len(Y)
        C = np.empty((n, 0)) if sides.C is None else read_all(sides.C, "covariates")
        lacks_y, lacks_c = np.isnan(Y), np.isnan(C)
        if not sides.may_lack:
            _refuse_missing("Y", lacks_y)
            _refuse_missing("covariates", lacks_c)
        if sides.intercept:  # beside a constant what varies spans the same, and loses no digits to what does not
            C -= far_values(C)
        Z = np.concatenate([np.ones((n, int(sides.intercept))), C], axis=1)
        is_whole = not (lacks_y.any() or lacks_c.any())
        return cls(Y, Z, [(None, np.arange(Y.shape[1]))] if is_whole else _patterns(lacks_y, lacks_c.any(axis=1)))

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.patterns)

    def group(self, number: int) -> Group:
        """Return a group."""
        if number in self._groups:
            return self._groups[number]
        rows, targets = self.patterns[number]
        Y = self.Y if len(targets) == self.Y.shape[1] else self.Y[:, targets]
        Z, Y = (self.Z, Y) if rows is None else (self.Z[rows], Y[rows])
        made = _group(rows, targets, Z, Y)
        if self.is_kept:
            self._groups[number] = made
        return made


def groups_bytes(n: int, targets: int, covariates: int, groups: int) -> int:
    """Return the bytes of all groups together: ỹ, and for each group a basis, once alone and once beside it."""
    return 8 * n * 2 * (targets + groups * covariates)


def basis_of(Z: Floats) -> Basis:
    """Return an orthonormal basis of the columns of Z, those that others determine left out.

    Householder QR of columns scaled by powers of two; where singular values of R are at most 4 eps of the largest, by its left singular
    vectors.
    """
    n, q = Z.shape
    if q == 0 or n == 0:
        return Basis(np.empty((n, 0)), 1.0)
    norms = powers_near_norms(Z)
    Q, R = sl.qr(Z / norms, mode="economic", check_finite=False)
    U, s, _ = sl.svd(R, check_finite=False)
    rank = int(np.count_nonzero(s > RANK_TOLERANCE * max(s[0], np.finfo(float).tiny)))
    condition = float(s[0] / s[rank - 1]) if rank else 1.0
    return Basis(Q if rank == q else Q @ U[:, :rank], condition)


def project(X: Floats, Q: Floats, out: Floats | None = None) -> Floats:
    """Return (I − Q Qᵀ) X, done twice: what is left is orthogonal to Q to rounding of itself.

    Some rows at a time: memory as large as X is written once.
    """
    left = np.empty(X.shape) if out is None else out
    for taken in (X, left):
        shares = Q.T @ taken
        for low in range(0, len(X), _PROJECTED_ROWS):
            rows = slice(low, low + _PROJECTED_ROWS)
            np.subtract(taken[rows], Q[rows] @ shares, out=left[rows])
    return left


def long_squares(Y: Floats) -> "np.ndarray[Any, Any]":
    """Return the squares of the columns of Y, summed in extended precision."""
    squares = np.zeros(Y.shape[1], np.longdouble)
    for low in range(0, len(Y), LONG_ROWS):
        rows = Y[low : low + LONG_ROWS].astype(np.longdouble)
        squares += np.einsum("ij,ij->j", rows, rows)
    return squares


def _group(rows: Any, targets: Any, Z: Floats, Y: Floats) -> Group:
    basis = basis_of(Z)
    sides = np.empty((len(Y), Y.shape[1] + basis.Q.shape[1]))
    sides[:, Y.shape[1] :] = basis.Q
    left = project(Y, basis.Q, sides[:, : Y.shape[1]])
    squares = np.einsum("ij,ij->j", left, left)
    whole = np.einsum("ij,ij->j", Y, Y)
    squares[squares <= (max(len(Y), 1) * EPS) ** 2 * whole] = np.nan
    return Group(rows, targets, sides, left, basis, squares, whole)


def _refuse_missing(what: str, lacks: Any) -> None:
    if (wrong := np.argwhere(lacks)).size:
        row, column = wrong[0].tolist()
        raise DataError(
            f"{what} must have no missing values with missing='error'; row {row}, column {column} has none. Leave such rows out with "
            "missing='drop', or missing='mean'."
        )


def _patterns(lacks_y: Any, lacks_z: Any) -> "list[tuple[Any, Any]]":
    """Return the rows and the targets of each group, in the order of their first targets."""
    found: dict[bytes, list[int]] = {}
    lacks = lacks_y | lacks_z[:, None]
    for target in range(lacks.shape[1]):
        found.setdefault(np.packbits(lacks[:, target]).tobytes(), []).append(target)
    return [
        (np.flatnonzero(~lacks[:, targets[0]]) if lacks[:, targets[0]].any() else None, np.array(targets))
        for targets in found.values()
    ]
