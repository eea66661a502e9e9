"""What an answer comes to: x, a status sentence, a certificate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.arrays import Source
from dsketch.passes.base import Flow
from dsketch.passes.writing import Written


class Status(Enum):
    """How a solve ended; the value is the sentence for people."""

    SOLVED = "solved: the backward error meets the tolerance"
    MINIMUM_NORM = (
        "solved: A is rank-deficient, x is the shortest of the minimizers; drop or merge dependent columns to make it unique"
    )
    ESTIMATED = "estimated from a sketch or a sample: x carries an error bar, no certificate; choose another method for a certified answer"
    LEAST_SQUARES = (
        "solved in the least-squares sense: b lies partly outside the range, x is the shortest of the minimizers of the residual"
    )
    ROUNDED = (
        "solved: the normwise backward error meets the tolerance; a small residual relative to b is out of reach of double "
        "precision at this condition number"
    )
    APPROXIMATE = (
        "approximate: solved with features in place of the kernel; the certificate has the distance to the exact kernel; choose "
        "method='conjugate_gradient' for the exact one"
    )
    LOCAL = "a stationary point: no step in any direction makes the loss smaller, but a better answer may lie elsewhere; try other starts"
    UNDETERMINED = (
        "not determined: the data leave directions of x open, which the notes name; give more rows, a penalty, or another start"
    )
    SEPARATED = "no minimizer: along a direction the loss falls for ever; drop the columns that the notes name, or give alpha"
    NOT_SOLVED = (
        "not solved: the backward error stayed above the tolerance; try another method (for least squares tsqr, for powers factored), "
        "for kernels other features, where there is a start another start, or a larger tol"
    )

    @property
    def is_success(self) -> bool:
        """Whether x is what was asked for."""
        return self not in (Status.NOT_SOLVED, Status.SEPARATED, Status.UNDETERMINED)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What is known about x, computed from the data; each family of problems adds its own.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        How much the data must change, relatively, for x to be exact.
    residual_norm : ndarray, shape (k,)
        Of what the problem minimizes.
    forward_error : ndarray, shape (k,)
        First-order bound on ‖x − x*‖/‖x‖; above 1 the data do not determine x.
    condition : float
        Of what is inverted, over the directions kept.
    rank : int
    rank_reason : str
        What decided the rank.
    """

    backward_error: Floats
    residual_norm: Floats
    forward_error: Floats
    condition: float
    rank: int
    rank_reason: str

    @property
    def obstacle(self) -> str:
        """Why nothing is proven of x, where a problem has more to say than numbers; empty otherwise."""
        return ""

    def is_right(self, accepted: float) -> bool:
        """Return whether x may be called an answer: its backward errors are at most ``accepted``."""
        return bool((self.backward_error <= accepted).all())

    def lines(self) -> list[str]:
        """Return the certificate as lines for people, each with its word in front."""
        return [
            f"backward    {show_sides(self.backward_error)}",
            f"residual    {show_sides(self.residual_norm)}   forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)}; {self.rank_reason}",
        ]


class RowsRoot(NamedTuple):
    """What holds for every byte of an x with as many rows as data: the Merkle root over digests of each ``height`` rows."""

    height: int
    root: str


class ArraysRoot(NamedTuple):
    """What holds for every byte of an answer of several arrays: the Merkle root over digests of their chunks."""

    names: list[str]
    dtypes: list[str]
    chunk: list[int]
    root: str


class RowsLook(NamedTuple):
    """How an answer with a number for each row of A is made: by the workers, where the rows are.

    Attributes
    ----------
    look : Look
        Its pass is a :class:`~dsketch.passes.rowwise.RowPass`: it finishes to x, shape (n, k).
    conclude : callable
        Returns what the answer comes to, from how much was made (:class:`~dsketch.passes.writing.Written`).
    """

    look: Look
    conclude: Callable[[Written], "Outcome"]


class ArrayOf(NamedTuple):
    """An array of an answer that has several: as it stands in the Zarr group that holds them."""

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    dimensions: tuple[str, ...]
    help: str


class ArraysLook(NamedTuple):
    """How an answer of several arrays is made: gathered, or written by the workers as a Zarr group.

    Attributes
    ----------
    source : Source
        Whose blocks are written.
    rows : Rows
    gather : callable
        Returns a flow that comes to the arrays by name, the first of which is x, and to the tally.
    conclude : callable
        Returns what the answer comes to, from the tally.
    """

    source: Source
    rows: Rows
    gather: Callable[[], Flow[tuple[dict[str, Any], Any]]]
    conclude: Callable[[Any], "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What an answer comes to: a Solution but for its ledger.

    Attributes
    ----------
    x : ndarray
    status : Status
    method : str
        That gave x (the last one, if others gave way).
    certificate : Certificate
    notes : tuple of str
        What was decided on the way.
    detail : object
        What later questions to the Solution need (``Solution.answer``).
    rows : RowsLook, ArraysLook or None
        Where x has a number for each row of A, or the answer is several arrays: how it is made, after the passes; until then x is
        empty.
    fields : mapping of str to array
        The arrays of an answer that has several, x first; empty where it is x alone.
    root : RowsRoot, ArraysRoot or None
        Of an x with a number for each row of A; of several arrays.
    """

    x: Floats
    status: Status
    method: str
    certificate: Certificate
    notes: tuple[str, ...] = ()
    detail: Any = None
    rows: RowsLook | ArraysLook | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    root: RowsRoot | ArraysRoot | None = None


def show_sides(values: Floats, most: int = 4) -> str:
    """Return a number for each right-hand side, or the largest where there are many."""
    if values.size > most:
        return f"{format_number(float(np.max(values)))} (largest of {values.size})"
    return " ".join(format_number(value) for value in values)


def format_number(value: float) -> str:
    """Return a number with three digits; in words what was not measured, and ∞ for what float64 cannot hold."""
    return "not measured" if np.isnan(value) else f"{value:.2e}" if np.isfinite(value) else "∞"
