"""What the dimensions of an array with labels are called, kept beside its numbers so that an answer can be told by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

COLUMN = "column"  # the dimension of x that belongs to the columns of A
_ARRAYS = "x standard_errors t p test is_estimable r_squared residual_variance counts degrees_of_freedom"
_CERTIFIED = "backward_error residual_norm forward_error gradient_norm"
# What answers have by these names: a dimension or coordinate of targets that is called so (x of a map!) gets another.
TAKEN = frozenset({COLUMN, *_ARRAYS.split(), *_CERTIFIED.split()})


@dataclass(frozen=True)
class Labels:
    """The dimensions of a labelled array but that of its rows.

    Attributes
    ----------
    dims : tuple of str
        Their names, in the array's order.
    shape : tuple of int
        How long they are.
    coords : mapping
        What xarray calls coordinates: whatever does not lie along the rows, labels of dimensions among them.  Not read here.
    name : str or None
        Of the array.
    attributes : mapping
        Of the array: its units, its long name.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coords: Mapping[Any, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)
    name: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)


def labels_of(source: Any) -> Labels:
    """Return those of an ``xarray.DataArray`` or ``Variable`` whose first dimension is the rows."""
    rows, *rest = map(str, source.dims) if source.dims else ("",)
    known: Mapping[Any, Any] = getattr(source, "coords", {})
    if along := [name for name, coordinate in known.items() if rows in coordinate.dims]:
        known = source.drop_vars(along).coords
    name = getattr(source, "name", None)
    return Labels(tuple(rest), tuple(map(int, source.shape[1:])), known, None if name is None else str(name), dict(source.attrs))


def row_labels_of(source: Any) -> Labels:
    """Return those of the rows of the same, and what lies along them alone."""
    rows = str(source.dims[0])
    known: Mapping[Any, Any] = getattr(source, "coords", {})
    if others := [name for name, coordinate in known.items() if coordinate.dims != (source.dims[0],)]:
        known = source.drop_vars(others).coords
    return Labels((rows,), (int(source.shape[0]),), known)


def label_targets(names: Sequence[str] | None, sides: int) -> Labels:
    """Return the labels of k targets that have names, or nothing but places.

    >>> label_targets(("u", "v"), 2).coords
    {'target': ['u', 'v']}
    """
    return Labels(("target",), (sides,), {} if names is None else {"target": list(names)})


def dimensions_in(array: Any) -> tuple[str, ...] | None:
    """Return the names of all dimensions of a Zarr array, of format 3 or as xarray keeps them in format 2; None where one lacks."""
    found: Any = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    is_whole = isinstance(found, list | tuple) and len(found) == len(array.shape) and all(isinstance(name, str) for name in found)
    return tuple(found) if is_whole and len(set(found)) == len(found) else None


def stored_labels(array: Any) -> Labels | None:
    """Return the labels of a Zarr array with several dimensions of targets, where it names them; coordinates lie in arrays beside it."""
    named = dimensions_in(array) if len(array.shape) > 2 else None
    return None if named is None else Labels(named[1:], tuple(map(int, array.shape[1:])))


def name_dimensions(dims: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of dimensions of targets as they stand beside that of the columns.

    >>> name_dimensions(("column", "y", "x"))
    ('target_column', 'y', 'target_x')
    """
    return tuple(f"target_{dim}" if dim in TAKEN else dim for dim in dims)


def coordinates_of(labels: Labels) -> Any:
    """Return the coordinates of targets under names that answers leave free."""
    coords: Any = labels.coords
    if hasattr(coords, "to_dataset"):  # of an array they know its other dimensions too, however long these are there
        coords = coords.to_dataset().coords
    taken = [name for name in {*coords, *labels.dims} if name in TAKEN]
    if not taken:
        return coords
    if not hasattr(coords, "to_dataset"):
        return {f"target_{name}" if name in TAKEN else name: values for name, values in coords.items()}
    made = coords.to_dataset()
    return made.rename({name: f"target_{name}" for name in taken if name in made.variables or name in made.dims}).coords
