"""Q, K and V, what is asked of them, and what is known of their rows before they meet."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.alignment import Alignment, KeyMoments, LeastAlignment, Moments
from dsketch.passes.attention import TAME_LOGIT, TAME_VALUE, TILE, AttentionRows, SoftmaxRows, attention_rows, no_weight
from dsketch.passes.base import Flow
from dsketch.passes.causal import BEYOND, CausalAlignment, CausalLeast, Course, Piecewise, piece_rows, sums_before
from dsketch.passes.lengths import Lengths, Sizes
from dsketch.passes.polynomial import PolynomialRows, Powers, power_of_two
from dsketch.passes.spans import Spans
from dsketch.problems.attention.polynomial_rounding import Amplification, amplification, causal_amplification
from dsketch.problems.attention.rounding import U, gamma, tiles_of
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
    degree : int or None
        p of the weights ⟨q, k⟩^p; None: exponentials.
    is_conv : bool
        Whether the logits are said to have a convolution basis.
    """

    Q: Matrix
    K: Matrix
    V: Matrix
    heads: int
    scale: float
    is_causal: bool
    degree: int | None = None
    is_conv: bool = False

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
    def keys(self) -> Rows:
        """K, with V beside it."""
        return attention_rows(self.K, self.V, 0, ("K", "V"))

    @property
    def powers(self) -> Powers:
        """The features whose products are the weights, where these are powers."""
        return Powers(self.degree or 0, self.heads)

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
        keys: Sizes = yield Look(Lengths(self.heads, dY is not None), system.keys)
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

    @property
    def products(self) -> Floats:
        """What no ⟨dy, v⟩ is larger than by columns, Σ max|dy_c| max|v_c|, shape (heads,); sharper than by lengths where these differ."""
        by_column = (self.queries.largest * self.keys.largest).reshape(self.system.heads, -1)
        return np.asarray(by_column.sum(axis=1) * (1 + gamma(by_column.shape[1] + 1)) + np.finfo(float).tiny)

    @cached_property
    def is_tame(self) -> bool:
        """Whether exponentials and what is summed of them are float64 numbers as they are."""
        sizes = self.values[self.values > 0]
        return self.logit <= TAME_LOGIT and bool(((sizes <= TAME_VALUE) & (sizes >= 1 / TAME_VALUE)).all())

    @property
    def factors(self) -> Floats:
        """Powers of two that bring the longest row of K of each head to a length below 1."""
        return power_of_two(self.keys.longest)

    def amplify(self) -> Flow[Amplification]:
        """Return by how much the sizes of products exceed the sum of their powers.  Two light passes.

        Raises
        ------
        DataError
            If a row of Q has no weights.
        """
        system = self.system
        degree = system.powers.degree
        if system.offset is not None:
            return (yield from self._amplify_causal(system.offset))
        moments: Moments = yield Look(KeyMoments(degree, self.factors), system.keys)
        alignment: Alignment = yield Look(LeastAlignment(moments.gram), system.rows)
        none = alignment.row[alignment.least == 0]
        if none.size:
            raise no_weight(int(none[0]))
        return amplification(moments, alignment, system.K.shape[0], degree)

    def _amplify_causal(self, offset: int) -> Flow[Amplification]:
        system, queries = self.system, self.system.rows
        keys = piece_rows(queries, system.keys, offset)
        gram, lengths = yield Look(Piecewise(KeyMoments(system.powers.degree, self.factors)), keys)
        gram, lengths = (sums_before(pieces, keys, queries, offset) for pieces in (gram, lengths))
        course = Course(Spans.of(system.K), offset, self.factors)
        found: CausalAlignment = yield Look(
            CausalLeast(system.powers.degree, course, queries.cuts[:-1], gram, lengths, U), queries
        )
        if found.none[0] < BEYOND:
            raise no_weight(int(found.none[0]))
        return causal_amplification(found, system.powers.degree)

    @property
    def sweep(self) -> AttentionRows:
        """The pass that gives the rows by tiles."""
        system = self.system
        if system.degree is not None:
            return PolynomialRows(system.others, system.heads, system.offset, TILE, system.degree, self.factors)
        return SoftmaxRows(system.others, system.heads, system.offset, TILE, system.scale, self.is_tame)
