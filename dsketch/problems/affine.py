"""Problems whose columns far from 0 are shifted on the way beside an intercept, and those of them that predict A x plus the intercept."""

from abc import abstractmethod
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.centring import centre_answer, recentre_answer
from dsketch.matrix.offsets import offsets
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.affine import affine
from dsketch.problems.base import Problem, require_columns


class ShiftedProblem(Problem):
    """A problem that asks A x, or A x plus an intercept: beside one its columns may be shifted."""

    @property
    def counts(self) -> tuple[Matrix | None, ...]:
        """What a row counts for, shape (n, 1) each: where one is 0, it says nothing about the columns."""
        return (self.rows.weights,)

    @cached_property
    def shifted(self) -> Self:
        """The problem that is solved: with an intercept, columns far from 0 are shifted (:mod:`dsketch.matrix.offsets`).

        The problem itself where that helps none.  Reads a few rows.

        Raises
        ------
        DataError
            If they cannot be read.
        """
        rows = self.rows
        shift = offsets(rows.A, *self.counts) if rows.intercept and rows.shift is None else None
        if shift is None:
            return self
        shifted = copy(self)
        shifted.__dict__["rows"] = replace(rows, shift=shift)
        return shifted

    def settle_shift(self, shift: AnyArray | None) -> Self:
        """Return the problem with the shift that a run of it had, so that no row need be read to find it."""
        settled = copy(self)
        settled.__dict__["rows"] = replace(self.rows, shift=shift)
        settled.__dict__["shifted"] = settled
        return settled

    @property
    def as_solved(self) -> Self:
        """The problem with columns shifted where that keeps digits."""
        return self.shifted

    def told_for_shifted(self, answer: Any) -> Floats:
        """Return the x of an answer for shifted columns in the shape in which x is told, its intercept the one of shifted columns."""
        told: Floats = answer.x
        return told

    @abstractmethod
    def centred_predictor(self, x: Floats, A: Matrix) -> Look:
        """Return what :meth:`predictor` does, for an x whose intercept is that of the shifted columns."""


class AffineProblem(ShiftedProblem):
    """A problem about A x, or A x plus an intercept."""

    predicts_linearly = True

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to A x, plus the intercept."""
        if self.rows.shift is None:
            return linear_look(x, A, intercept=self.rows.intercept)
        return centred_look(centre_answer(x, self.rows.shift), A, self.rows.shift)

    def centred_predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to (A − 1 sᵀ) w + c′."""
        assert self.rows.shift is not None  # noqa: S101 - for type checkers
        return centred_look(x, A, self.rows.shift)


def linear_look(x: Floats, A: Matrix, *, intercept: bool, hint: str = "") -> Look:
    """Return the look that finishes to A x, plus the last row of x if that is an intercept.

    Raises
    ------
    DataError
        If A has other columns than x has rows.
    """
    require_columns(A, len(x) - intercept, hint)
    return Look(affine(x, intercept=intercept), Rows(A))


def centred_look(x: Floats, A: Matrix, shift: AnyArray) -> Look:
    """Return the look that finishes to (A − 1 sᵀ) w + c′, for the answer x = (w, c′) of shifted columns.

    It keeps the digits that A w + c loses where A w and c cancel, and the digits of integers beyond 2⁵³.

    Raises
    ------
    DataError
        If A has other columns than x has slopes.
    """
    require_columns(A, len(x) - 1)
    x, shift = recentre_answer(x, shift, A.dtype)
    return Look(affine(x, intercept=True), Rows(A, shift=shift))
