"""What the dimensions of the targets of an answer are called."""

from dsketch.matrix.labels import Labels, label_targets
from dsketch.problems import Problem, TargetRegression


def targets_of(problem: Problem) -> Labels:
    """Return the labels of the targets of b: its dimensions but the rows', or the names of its columns."""
    if isinstance(problem, TargetRegression):
        return problem.targets.labels or Labels(problem.dimensions, problem.targets.trailing)
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
