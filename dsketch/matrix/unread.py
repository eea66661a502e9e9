"""A matrix of which only what a journal's header says is known: it stands in for data when a run is replayed without them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, Cuts, Matrix


class UnreadError(DataError):
    """Rows were asked of a matrix that is not there."""


class UnreadMatrix(Matrix):
    """Shape, type and fingerprint of a matrix, and no rows but those that a header has kept.

    Parameters
    ----------
    name : str
        What errors call it.
    said : str
        Its line in the header: ``"{n}x{d} {dtype} {fingerprint}"``.
    storage : mapping
        What else the header says of it: ``is_vector``, ``nonzeros``, ``trailing``.
    names : tuple of str, optional
        Of its columns.
    values : bytes, optional
        Of its numbers in C order, where the header has kept them.
    """

    is_local = True

    def __init__(
        self,
        name: str,
        said: str,
        storage: Mapping[str, Any],
        names: tuple[str, ...] | None = None,
        values: bytes | None = None,
    ) -> None:
        shape, dtype, self._fingerprint = said.split(" ", 2)
        rows, columns = map(int, shape.split("x"))
        self.shape, self.dtype, self.names = (rows, columns), np.dtype(dtype), names
        self.is_vector, self.nonzeros = bool(storage.get("is_vector", False)), storage.get("nonzeros")
        self.trailing = tuple(storage.get("trailing", ()))
        self._name = name
        self._values = None if values is None else np.frombuffer(values, self.dtype).reshape(self.shape)

    @property
    def cuts(self) -> Cuts:
        """One block: nobody will read it."""
        return np.array([0, self.shape[0]], np.int64)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows that were kept.

        Raises
        ------
        UnreadError
            If they were not.
        """
        del out
        if self._values is not None:
            return self._values[start:stop]
        raise UnreadError(
            f"rows {start}:{stop} of {self._name} were asked for; only what the journal says of it is there. Give the data."
        )

    def fingerprint(self) -> str:
        """Return the one that the header says."""
        return self._fingerprint
