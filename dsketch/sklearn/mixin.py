"""What all estimators do with what is not a value: the cluster is shared by copies, the solution stays with its data."""

import copy
import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from dsketch._results.solution import Solution
from dsketch.engine.cluster import Cluster


class SharedCluster:
    """A mixin for estimators with a ``cluster``, a ``memory_limit``, ``replicas`` and a ``solution_``."""

    cluster: Any
    memory_limit: str | int | None
    replicas: int
    solution_: Solution | None

    def _keep(self, solution: Solution) -> None:
        """Set ``solution_``; warn the way scikit-learn does where x is not what was asked for."""
        self.solution_ = solution
        if not solution.status.is_success:
            warnings.warn(solution.status.value, ConvergenceWarning, stacklevel=4)

    def _machines(self) -> Cluster:
        """Return where passes beside the solve run: where it ran."""
        return Cluster(self.cluster, self.memory_limit, replicas=self.replicas)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the solution behind: it is tied to the data."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]  # scikit-learn's BaseEstimator stands behind
        return {**state, "solution_": None} if "solution_" in state else state

    def __sklearn_clone__(self) -> Any:
        """Share the cluster: a client is no value to be copied."""
        blank = copy.copy(self)
        blank.cluster = None
        clone = super(SharedCluster, blank).__sklearn_clone__()  # type: ignore[misc]  # likewise
        clone.cluster = self.cluster
        return clone

    def __sklearn_tags__(self) -> Any:
        """Say that sparse rows are welcome."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # likewise
        tags.input_tags.sparse = True
        return tags
