"""What the dimensions of answers are called: that of A's columns, and those of the targets."""

from typing import Any

from dsketch.matrix.labels import Labels, label_targets
from dsketch.problems import Problem
from dsketch.problems.targets.fields import FIELDS
from dsketch.problems.targets.problem import TargetRegression

COLUMN = "column"  # the dimension of x that belongs to the columns of A
# What answers have by these names: a dimension or coordinate of targets that is called so (x of a map!) gets another.
TAKEN = frozenset(
    {COLUMN, "test", "is_estimable", "residual_norm", "forward_error", "gradient_norm", *(field.name for field in FIELDS)}
)


def dimensions_of(problem: TargetRegression) -> tuple[str, ...]:
    """Return names of the dimensions of targets: b's own, or target, or target_0 and so on."""
    known, count = problem.targets.dimensions, len(problem.targets.trailing)
    if known is not None and len(set(known[1:])) == count:
        return name_dimensions(known[1:])
    return ("target",) if count == 1 else tuple(f"target_{number}" for number in range(count))


def name_dimensions(dims: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of dimensions of targets as they stand beside that of the columns.

    >>> name_dimensions(("column", "y", "x"))
    ('target_column', 'y', 'target_x')
    """
    return tuple(f"target_{dim}" if dim in TAKEN else dim for dim in dims)


def coordinates_of(labels: Labels) -> Any:
    """Return the coordinates of targets under names that answers leave free."""
    coords = labels.coords
    taken = [name for name in {*coords, *labels.dims} if name in TAKEN]
    if not taken:
        return coords
    if not hasattr(coords, "to_dataset"):
        return {f"target_{name}" if name in TAKEN else name: values for name, values in coords.items()}
    made = coords.to_dataset()
    return made.rename({name: f"target_{name}" for name in taken if name in made.variables or name in made.dims}).coords


def targets_of(problem: Problem) -> Labels:
    """Return the labels of the targets of b: its dimensions but the rows', or the names of its columns."""
    if isinstance(problem, TargetRegression):
        return problem.targets.labels or Labels(dimensions_of(problem), problem.targets.trailing)
    data = problem.data()
    b = next((data[name] for name in ("b", "y") if data.get(name) is not None), None)
    if b is None or b.is_vector:
        own = None if b is None else b.labels.name if b.labels is not None else b.names[0] if b.names else None
        return Labels((), (), name=own)
    if b.labels is not None:
        return b.labels
    if b.trailing:
        return Labels(tuple(f"target_{number}" for number in range(len(b.trailing))), b.trailing)
    return label_targets(b.names, b.shape[1])
