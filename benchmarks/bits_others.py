"""The runs of ``bits.py`` for problems that have none of their own in ``bits_problems.py``: every method on every kind of rows.

Made from what a problem asks for, so that a new one is among them from its first day.
"""

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import scipy.sparse
from bits_data import Place
from bits_faces import journalled
from bits_run import Ask, Run, solve

from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS
from dsketch.testing.examples import data_of

KINDS = ("memory", "stored", "csr")
MORE: dict[str, dict[str, Any]] = {
    "leverage-scores": {"alpha": 2.0, "intercept": True},
    "sampled-lstsq": {"epsilon": 0.5, "alpha": 0.1},
    "elastic-net": {"alpha": 0.01, "intercept": True},
    "elastic-net-path": {"alphas": 7, "folds": 3},
    "bounded": {"lower": -0.01, "upper": [0.01, 0.0, 1.0]},
}


def names_without(done: Collection[str]) -> list[str]:
    """Return the problems of the table that are not done."""
    return [name for name in PROBLEMS if name not in done]


def other_runs(done: Collection[str]) -> Iterator[Run]:
    """Yield runs of all problems that are not done: all methods and kinds of rows, other options, a journal."""
    for name in names_without(done):
        methods = list(PROBLEMS[name].methods)
        for kind in KINDS:
            for method in methods:
                go = partial(solve, example(name, kind), method=method)
                yield Run(name, method, kind, go, is_tiny=kind == "stored" and method == methods[0])
        if name in MORE:
            yield Run(name, methods[0], "other options", partial(solve, example(name, "memory", **MORE[name]), method=methods[0]))
        go = partial(journalled, example(name, "stored"), {"method": methods[0]})
        yield Run(name, methods[0], "resumed", go, is_tiny=True)


def other_cluster_runs(done: Collection[str], client: Any) -> Iterator[Run]:
    """Yield a run of each problem that is not done on the workers of a client."""
    for name in names_without(done):
        method = next(iter(PROBLEMS[name].methods))
        yield Run(name, method, "two processes", partial(solve, example(name, "stored"), method=method, cluster=client))


def example(name: str, kind: str, **options: Any) -> Ask:
    """Return what makes a problem of a few rows, of a kind."""

    def ask(place: Place) -> Any:
        problem: Any = PROBLEMS[name]
        matrices = {option.name for option in problem.inputs if option.kind is Matrix}
        data = {
            word: _kept(place, f"{name}-{word}", kind, array) if word in matrices else array for word, array in arrays.items()
        }
        return problem(**data, **options)

    arrays = data_of(PROBLEMS[name])
    return ask


def _kept(place: Place, name: str, kind: str, array: Any) -> Any:
    if kind == "csr" and array.ndim == 2:
        return scipy.sparse.csr_array(array)
    if kind != "stored":
        return array
    path = place.folder / f"{name}.zarr"
    return str(path) if path.exists() else place.store(name, array, max(len(array) // 4, 1))
