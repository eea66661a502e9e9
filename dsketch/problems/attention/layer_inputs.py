"""What a layer is given, said once, and held against each other."""

from numbers import Integral
from typing import Any

from dsketch.errors import DataError, SpecError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.base import Matrix
from dsketch.problems.attention.layer_system import MOST_NUMBERS, LayerSystem
from dsketch.problems.inputs import RESTARTS
from dsketch.settings import Numbers, Option

INPUTS = (
    Option("A1", Matrix, None, "Zarr matrix of queries, n × d", label="First matrix"),
    Option("A2", Matrix, None, "Zarr matrix of keys, m × d'", label="Second matrix"),
    Option("A3", Matrix, None, "Zarr matrix of values, m × p", label="Third matrix"),
    Option("B", Matrix, None, "Zarr matrix of what the layer should give, n × k", label="Wanted output"),
)
OPTIONS = (
    Option("heads", int, 1, "So many heads, each with an X and a Y of its own, add up.", least=1, most=64, label="Heads"),
    Option(
        "start",
        Numbers,
        None,
        "The X to begin at, by rows, an earlier answer or its path. [default: drawn]",
        label="Starting point",
    ),
    RESTARTS,
    Option("alpha", float, 0.0, "Penalty ½ alpha (‖X‖² + ‖Y‖²), not divided by n.", label="Penalty"),
)


def as_count(name: str, value: Any, least: int, remedy: str) -> int:
    """Return a number of heads or points.

    Raises
    ------
    SpecError
        If it is none.
    """
    if isinstance(value, bool) or not (isinstance(value, Integral) and int(value) >= least):
        raise SpecError(f"{name} must be an integer ≥ {least}; got {value!r}. {remedy}")
    return int(value)


def require_shapes(system: LayerSystem) -> None:
    """Refuse matrices that do not belong together, and layers with too many numbers.

    Raises
    ------
    DataError, SpecError
        With both numbers.
    """
    for name, matrix in (("A1", system.A1), ("A2", system.A2), ("A3", system.A3), ("B", system.B)):
        if 0 in matrix.shape:
            raise DataError(
                f"{name} must have at least one row and one column; its shape is {matrix.shape}. Check the source of the data."
            )
    for (first, one), (second, other) in ((("A1", system.A1), ("B", system.B)), (("A2", system.A2), ("A3", system.A3))):
        if one.shape[0] != other.shape[0]:
            raise DataError(
                f"{second} must have one row for each of the {one.shape[0]} of {first}; it has {other.shape[0]}. Check their source."
            )
        if other.nonzeros is not None:
            raise DataError(
                f"{second} must be dense; it is {other.describe()}. Pass {second}.toarray(), or store it as an array."
            )
    require_same_rows(A1=system.A1, B=system.B)
    require_same_rows(A2=system.A2, A3=system.A3)
    d, e, p, k = system.shapes
    if max(system.heads * d * e, system.heads * p * k, e * p) > MOST_NUMBERS:
        raise SpecError(
            f"a layer whose X, Y and products of a key and a value have at most {MOST_NUMBERS:,} numbers each was expected (d to 256 of "
            f"one head); they have {d} × {e}, {p} × {k} and {e} × {p}, X and Y {system.heads} time(s). Take fewer columns, for example "
            "principal components."
        )
