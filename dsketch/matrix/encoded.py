"""The bytes of a stored object, to be decoded: in memory, or read from a file as far as they are wanted."""

import os
from typing import Protocol

import numpy as np

from dsketch._linalg.scratch import scratch
from dsketch.matrix.filling import Doubt, require


class Stored(Protocol):
    """What holds the bytes of an object."""

    @property
    def nbytes(self) -> int:
        """How many there are."""

    def read(self, start: int, stop: int) -> memoryview:
        """Return some of them, in memory that this thread's next call may overwrite."""


class InMemory:
    """Bytes that a store has sent."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.nbytes = data.nbytes

    def read(self, start: int, stop: int) -> memoryview:
        """Return a view."""
        return self._data[start:stop]


class InFile:
    """Bytes of an open file on a local disk."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.nbytes = os.fstat(descriptor).st_size

    def read(self, start: int, stop: int) -> memoryview:
        """Return bytes in memory that is used again.

        Raises
        ------
        Doubt
            If they cannot be read, or end early.
        """
        data = memoryview(scratch("encoded", (1, stop - start), np.uint8)[0])
        place = 0
        while start + place < stop:
            try:
                count = os.preadv(self._descriptor, [data[place:]], start + place)
            except OSError as error:
                raise Doubt from error
            require(count > 0)
            place += count
        return data
