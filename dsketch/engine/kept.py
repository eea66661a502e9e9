"""Under which names a run keeps decoded blocks in the processes that read them."""

from dataclasses import replace
from uuid import uuid4

from dsketch.matrix.base import Matrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows


class Kept:
    """The sources of one run, each by a name of its own: what is kept of one serves no other, and no other run.

    Attributes
    ----------
    run_name : str
    """

    def __init__(self) -> None:
        self.run_name = uuid4().hex[:8]
        self._sources: list[Matrix] = []

    def name_of(self, matrix: Matrix) -> str:
        """Return the name under which decoded blocks of a matrix are kept."""
        while isinstance(matrix, Recut):
            matrix = matrix.matrix
        places = [place for place, seen in enumerate(self._sources) if _is_same(seen, matrix)]
        if not places:
            self._sources.append(matrix)
        return f"{self.run_name}-{places[0] if places else len(self._sources) - 1}"

    def name(self, rows: Rows) -> Rows:
        """Return rows whose blocks may be kept: those of A, and of b and weights where they are stored and have to be decoded."""
        beside = [matrix is not None and matrix.source is not None and not matrix.is_raw for matrix in (rows.b, rows.weights)]
        b_run, weights_run = (
            self.name_of(matrix) if is_stored and matrix is not None else ""
            for matrix, is_stored in zip((rows.b, rows.weights), beside, strict=True)
        )
        return replace(rows, run=self.name_of(rows.A), b_run=b_run, weights_run=weights_run)


def _is_same(one: Matrix, other: Matrix) -> bool:
    return one is other or (one.source is not None and one.source == other.source)
