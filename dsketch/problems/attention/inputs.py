"""What problems of attention are given, said once."""

from numbers import Integral
from typing import Any

import numpy as np

from dsketch.errors import DataError, SpecError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.problems.arguments import as_flag, as_scale
from dsketch.problems.attention.system import AttentionSystem
from dsketch.settings import Option

QUERIES = Option("Q", Matrix, None, "Zarr matrix of queries, n × (heads · d)", label="Queries")
KEYS = Option("K", Matrix, None, "Zarr matrix of keys, m × (heads · d)", label="Keys")
VALUES = Option("V", Matrix, None, "Zarr matrix of values, m × (heads · p)", label="Values")
HEADS = Option("heads", int, 1, "Into so many heads the columns are cut; they share every reading.", least=1, label="Heads")
CAUSAL = Option("causal", bool, False, "Row i of Q sees rows 0 … i + m − n of K and V alone.", label="Causal")
SCALE = Option("scale", float, None, "s > 0 in exp(s⟨q, k⟩). [default: 1/√d]", label="Scale of the kernel")
KINDS = ("softmax", "polynomial", "conv")
KIND = Option(
    "kind",
    str,
    "softmax",
    "Weights: exp(s⟨q, k⟩); ⟨q, k⟩^degree, which no s changes; conv: exp(s⟨q, k⟩), causal, by a convolution basis if there is one.",
    choices=KINDS,
    label="Kind of weights",
)
DEGREE = Option("degree", int, None, "Even power of kind polynomial. [default: 4]", least=2, label="Degree")
_DEGREE, _MOST = 4, 64  # powers of products of rows in [½, 1) are float64 numbers up to it for d up to 10⁹


def open_system(Q: Any, K: Any, V: Any, *, heads: int, causal: bool, scale: float | None, missing: str) -> AttentionSystem:
    """Open Q, K and V, and hold them against each other.

    Raises
    ------
    DataError
        If their shapes do not fit.
    SpecError
        If there are no such heads, or scale is not positive.
    """
    queries, keys, values = (open_matrix(source, missing=missing, what=name) for name, source in (("Q", Q), ("K", K), ("V", V)))
    if not (isinstance(heads, Integral) and not isinstance(heads, bool) and heads >= 1):
        raise SpecError(f"heads must be an integer ≥ 1; got {heads!r}. Use 1 for a single head.")
    is_causal = as_flag("causal", causal)
    _require_shapes(queries, keys, values, int(heads), is_causal)
    require_same_rows(K=keys, V=values)
    width = queries.shape[1] // int(heads)
    s = 1 / float(np.sqrt(width)) if scale is None else as_scale(scale)
    return AttentionSystem(queries, keys, values, int(heads), s, is_causal)


def as_degree(kind: str, degree: Any) -> int | None:
    """Return the power of the weights, None where they are exponentials.

    Raises
    ------
    SpecError
        If there is no such kind or power, or a power of exponentials.
    """
    if kind not in KINDS:
        raise SpecError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}.")
    if kind != "polynomial":
        if degree is not None:
            raise SpecError(f"degree is for kind='polynomial'; got degree={degree!r} with {kind}. Leave it out.")
        return None
    if degree is None:
        return _DEGREE
    is_integer = isinstance(degree, Integral) and not isinstance(degree, bool)
    if not (is_integer and 2 <= degree <= _MOST and degree % 2 == 0):
        raise SpecError(f"degree must be an even integer from 2 to {_MOST}, so that no weight is below 0; got {degree!r}.")
    return int(degree)


def as_conv(kind: str, system: AttentionSystem) -> bool:
    """Return whether the logits are said to have a convolution basis.

    Raises
    ------
    SpecError
        If that needs causal rows.
    DataError
        If there are not as many rows of Q as of K.
    """
    if kind != "conv":
        return False
    if not system.is_causal:
        raise SpecError("kind='conv' is for rows that see their own past; got causal=False. Give causal=True, or kind='softmax'.")
    if system.offset:
        raise DataError(
            f"kind='conv' needs as many rows of Q as of K; Q has {system.Q.shape[0]} rows, K {system.K.shape[0]}. Use kind='softmax'."
        )
    return True


def _require_shapes(Q: Matrix, K: Matrix, V: Matrix, heads: int, is_causal: bool) -> None:
    for name, matrix in (("Q", Q), ("K", K), ("V", V)):
        if 0 in matrix.shape:
            raise DataError(
                f"{name} must have at least one row and one column; its shape is {matrix.shape}. Check the source of the data."
            )
    if Q.shape[1] != K.shape[1]:
        raise DataError(f"Q and K must have the same columns; they have {Q.shape[1]} and {K.shape[1]}. Transpose one?")
    if K.shape[0] != V.shape[0]:
        raise DataError(f"V must have one row for each of the {K.shape[0]} of K; it has {V.shape[0]}. Check their source.")
    for name, matrix in (("Q", Q), ("V", V)):
        if matrix.shape[1] % heads:
            raise DataError(
                f"the columns of {name} must be cut into {heads} heads of one width; it has {matrix.shape[1]}. Change heads."
            )
    if is_causal and Q.shape[0] > K.shape[0]:
        raise DataError(
            f"with causal=True there must be a row of K for each of Q, so that each sees one; Q has {Q.shape[0]} rows, K {K.shape[0]}. "
            "Leave causal out, or give the rows of K that belong to those of Q."
        )
