"""All runs of ``bits.py`` that one process can do, in their order."""

from collections.abc import Iterator

from bits_faces import check_runs, command_runs, estimator_runs, faulty_runs, journal_runs, predict_runs, summary_runs
from bits_problems import (
    auto_runs,
    class_runs,
    exponential_runs,
    heads_runs,
    kernel_runs,
    linear_runs,
    nonlinear_runs,
    power_runs,
    restricted_runs,
    sketch_runs,
    smooth_runs,
)
from bits_run import Run


def all_runs() -> Iterator[Run]:
    """Yield every run that one process can do."""
    yield from linear_runs()
    yield from sketch_runs()
    yield from smooth_runs()
    yield from power_runs()
    yield from exponential_runs()
    yield from kernel_runs()
    yield from restricted_runs()
    yield from nonlinear_runs()
    yield from class_runs()
    yield from heads_runs()
    yield from auto_runs()
    yield from check_runs()
    yield from journal_runs()
    yield from predict_runs()
    yield from summary_runs()
    yield from command_runs()
    yield from estimator_runs()
    yield from faulty_runs()
