"""What arrays are called in signatures, and what a value is told apart by."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
State = bytes | str | NDArray[Any]


@runtime_checkable
class Stated(Protocol):
    """A value that knows what tells it apart from others of its kind, the same in every process and at any time."""

    def state(self) -> Iterator[State]:
        """Yield it: text, bytes, and arrays, of which type, shape and every bit count."""
