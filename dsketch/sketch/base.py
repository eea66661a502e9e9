"""What every sketch is: an m × n random matrix S, a function of (seed, global row number), applied block by block."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats, State


@dataclass(frozen=True)
class Sketch(ABC):
    """An oblivious subspace embedding with ``size`` rows.

    The chunk law: column i of S depends on ``seed`` and the global row number i alone.  So S·A is the sum over blocks of
    ``operator(start, stop)(A[start:stop])``, and re-chunking the data changes nothing but the last bits.

    Attributes
    ----------
    size : int
        Rows m of S.
    seed : int
    """

    size: int
    seed: int = 0

    name: ClassVar[str]
    slice_rows: ClassVar[int] = 16384  # rows sketched at once: large against m, small against memory

    def state(self) -> Iterator[State]:
        """Yield the family and its numbers, of which S is a function."""
        yield repr(self)

    @abstractmethod
    def operator(self, start: int, stop: int) -> Callable[[Floats], Floats]:
        """Return the map X ↦ S[:, start:stop] X for X of shape (stop - start, c): drawn once, applied to A and b."""

    def adder(self, start: int, stop: int) -> Callable[[Floats, Any], None]:
        """Return the map that adds S[:, start:stop] X to an array (m, c), in place, for X dense or CSR; drawn once."""
        apply = self.operator(start, stop)

        def add(target: Floats, X: Any) -> None:
            target += apply(X)

        return add

    def columns(self, start: int, stop: int) -> Floats:
        """Return S[:, start:stop] as a dense array, shape (m, stop - start): for tests and for reading."""
        return self.operator(start, stop)(np.eye(stop - start))
