"""What tells passes apart in a journal: every field says it, or the pass is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from dsketch._linalg.arrays import State
from dsketch._linalg.whitener import Whitener
from dsketch.engine.journal import digest
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.head import Selection
from dsketch.passes import Gradient, Gram, Normal, Pass, Sketching, Triangle, WhitenedGram
from dsketch.passes.base import Both, Look
from dsketch.passes.kernel_tiles import KernelRows
from dsketch.passes.many import Many, Projected
from dsketch.passes.rowwise import Picked, RowSquares
from dsketch.passes.sandwich import Sandwich
from dsketch.sketch import Gaussian, SparseSign

X = np.arange(6.0).reshape(3, 2)
R = np.triu(np.ones((3, 3))) + 3 * np.eye(3)
MATRIX, WHITENER = ArrayMatrix(X), Whitener(R, (R,))

FIRST = Projected(Gradient(X), Selection(0, 2), MATRIX, None, True, None)
SECOND = Projected(Gram(), Selection(0, 2, X), None, MATRIX, False, X[0])

# Digests of version 0.1's first journals: one that changes ends every journal that holds such a pass.
RECORDED: dict[str, Pass[Any]] = {
    "f6446369594ce8d2bc3b2635": Gram(),
    "e11aa1bd2d76e0fb2c902164": Triangle(1),
    "231a27dd55f708a142363cfd": Gradient(X),
    "20c043c01f21aad5cd5c68de": Gradient(X.T),
    "75a0fe05d1ed9d3670788149": Sketching(SparseSign(16, 1)),
    "7ce610c439862b64842e1258": Sketching(Gaussian(16, 1)),
    "c652282a307a8b07ee61ba32": WhitenedGram(WHITENER),
    "662efeb3242b5478c2085501": Both(Gram(), Both(Triangle(), Normal(X))),
    "6184d0e72807ebd14343cac0": KernelRows(MATRIX, X[0], 0.5, X),
    "0b36eea1e0a3cb23d0a702d1": KernelRows(MATRIX, X[0], np.float64(0.5), X),
    "609ceb402f402338b4c010d7": Sandwich(X, WHITENER, power=1.0),
    "eb4e33144b7cdb2a7fcc9fa6": RowSquares(),
    "4834f3ba20001b6964a33755": RowSquares(X),
    "e937bd8eba37cb415be49110": Picked(np.array([1, 2])),
    "acfc580e624f8a3f7cef3464": Many(
        (
            Projected(Gradient(X), Selection(0, 2), MATRIX, None, True, None),
            Projected(Gram(), Selection(0, 2, X), None, MATRIX, False, X[0]),
        )
    ),
}


@dataclass(frozen=True)
class Holding(Gram):
    """A pass with a field of any type."""

    held: Any = None
    kind: ClassVar[str] = "holding"


class Named:
    """A value that says what tells it apart."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> Iterator[State]:
        """Yield the name."""
        yield self.name


def of(pass_: Pass[Any]) -> str:
    """Return the digest; rows are no part of it."""
    return digest(Look(pass_, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", RECORDED)
def test_digests_are_those_of_recorded_runs(wanted: str) -> None:
    """A journal of an older version goes on, so each kind of field keeps its part in the digest."""
    assert of(RECORDED[wanted]) == wanted


@pytest.mark.parametrize("held", [{"tol": 1.0}, [1, 2], {1, 2}, object(), (np.ones(2),), ({},), len])
def test_a_field_without_a_state_is_refused(held: Any) -> None:
    """Its text may be cut, differ from process to process or hide what it holds; the fault names field and type."""
    with pytest.raises(TypeError, match=rf"Holding.held is of type {type(held).__name__}\."):
        of(Holding(held))


def test_a_value_may_say_its_own_state() -> None:
    """Then it counts by that, wherever it lies in memory."""
    assert of(Holding(Named("a"))) == of(Holding(Named("a"))) != of(Holding(Named("b")))


def test_plain_fields_count_by_all_they_are() -> None:
    """Numbers of two types are told apart, and so are tuples from their items."""
    found = {
        of(Holding(held)) for held in (None, True, 1, 1.0, np.float64(1), "1", b"1", (1,), (1, 1), np.ones(1), np.ones((1, 1)))
    }

    assert len(found) == 11
