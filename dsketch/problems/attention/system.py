"""Q, K and V, what is asked of them, and what is known of their rows before they meet."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.attention import TAME_LOGIT, TAME_VALUE, TILE, AttentionRows, SoftmaxRows, attention_rows
from dsketch.passes.base import Flow
from dsketch.passes.lengths import Lengths, Sizes
from dsketch.passes.spans import Spans
from dsketch.problems.attention.rounding import tiles_of
from dsketch.problems.persisted import copy_persisted


@dataclass(frozen=True)
class AttentionSystem:
    """Rows of Q that look at rows of K and V.

    Attributes
    ----------
    Q : Matrix, shape (n, heads · d)
    K : Matrix, shape (m, heads · d)
    V : Matrix, shape (m, heads · p)
    heads : int
    scale : float
        s.
    is_causal : bool
        Whether row i sees rows 0 … i + m − n alone.
    """

    Q: Matrix
    K: Matrix
    V: Matrix
    heads: int
    scale: float
    is_causal: bool

    @property
    def width(self) -> int:
        """Columns d of one head."""
        return self.Q.shape[1] // self.heads

    @property
    def offset(self) -> int | None:
        """How many rows a row of Q sees beyond its own number; None: all."""
        return self.K.shape[0] - self.Q.shape[0] if self.is_causal else None

    @property
    def rows(self) -> Rows:
        """Q in the blocks of a sweep."""
        return self.beside(None)

    def beside(self, other: Matrix | None) -> Rows:
        """Return Q in the blocks of a sweep with rows of another matrix."""
        return attention_rows(self.Q, other, self.V.shape[1], ("Q", "b"))

    @property
    def others(self) -> Spans:
        """K and V, as they are swept over."""
        return Spans.of(self.K, self.V)

    @property
    def tiles(self) -> int:
        """Of one row of them."""
        others = self.others
        return tiles_of(others.rows, others.height)

    def carried(self) -> Flow["AttentionSystem"]:
        """Return the system with a K and a V that a pass can carry."""
        K = yield from copy_persisted(self.K)
        V = yield from copy_persisted(self.V)
        return replace(self, K=K, V=V)

    def measure(self, dY: Matrix | None = None) -> Flow["Measured"]:
        """Return the system with what is known of its rows.  Two light passes, which name what is not finite.

        Parameters
        ----------
        dY : Matrix, shape (n, heads · p), optional
            What is to be read beside Q.

        Raises
        ------
        DataError
            If rows are so long that a logit overflows.
        """
        system = yield from self.carried()
        keys: Sizes = yield Look(Lengths(self.heads, dY is not None), attention_rows(system.K, system.V, 0, ("K", "V")))
        queries: Sizes = yield Look(
            Lengths(self.heads, dY is not None), attention_rows(system.Q, dY, system.V.shape[1], ("Q", "dY"))
        )
        logit = self.scale * float(np.max(queries.longest * keys.longest))
        if not np.isfinite(logit):
            raise DataError(
                f"rows of Q and K whose products are float64 numbers were expected; the longest have {queries.longest.max():.3g} and "
                f"{keys.longest.max():.3g}, with scale={self.scale:g}. Scale them down."
            )
        return Measured(system, logit, queries, keys)


@dataclass(frozen=True)
class Measured:
    """A system whose rows have been looked at.

    Attributes
    ----------
    system : AttentionSystem
    logit : float
        L ≥ s‖q‖‖k‖ for all rows of every head.
    queries, keys : Sizes
        Of Q; of K, with those of V beside it.
    """

    system: AttentionSystem
    logit: float
    queries: Sizes
    keys: Sizes

    @property
    def values(self) -> Floats:
        """The largest |v| of each column of V."""
        return self.keys.largest

    @cached_property
    def is_tame(self) -> bool:
        """Whether exponentials and what is summed of them are float64 numbers as they are."""
        sizes = self.values[self.values > 0]
        return self.logit <= TAME_LOGIT and bool(((sizes <= TAME_VALUE) & (sizes >= 1 / TAME_VALUE)).all())

    @property
    def softmax(self) -> AttentionRows:
        """The pass that gives the rows of softmax attention."""
        system = self.system
        return SoftmaxRows(system.others, system.heads, system.offset, TILE, system.scale, self.is_tame)
