"""What smooth problems of many classes are said to cost."""

import numpy as np

import dsketch as ds
from dsketch.planning.price import Workload, rate
from dsketch.planning.work import LINKED, LINKED_LIGHT, NORMAL, TRIANGLE

N, D = 10_000, 6


def workload(outputs: int) -> Workload:
    """Return one of n rows with d columns and an output each."""
    return Workload(
        n=N,
        d=D * outputs,
        k=1,
        total_bytes=8 * N * D,
        block_bytes=8 * N * D,
        float_bytes=8 * N * D * outputs,
        threads=1,
        memory_bytes=10**10,
        cold_bytes_per_second=1e9,
        stays_warm=True,
        tasks=1,
        outputs=outputs,
    )


def seconds(kind: object, outputs: int) -> float:
    """Return those of one pass."""
    work = workload(outputs)
    return rate(kind, work) * work.float_bytes / 1e9  # type: ignore[arg-type]


def test_a_hessian_of_classes_grows_with_their_square() -> None:
    """Twice the outputs, four times the work; tangent rows cost more than the Hessian's quarter, a light look less than either."""
    for kind in (LINKED, NORMAL, TRIANGLE):
        assert 3.9 <= seconds(kind, 48) / seconds(kind, 24) <= 4.1
    assert seconds(LINKED_LIGHT, 48) < seconds(LINKED, 48) < seconds(TRIANGLE, 48)


def test_a_plan_for_fifty_classes_takes_newton() -> None:
    """Few columns and many classes: Gram matrices, and not tangent rows, of which there are 49 for each row."""
    random = np.random.default_rng(0)
    problem = ds.Multinomial(random.standard_normal((4000, 5)), random.integers(0, 50, 4000), classes=50, intercept=True)

    plan = ds.plan(problem, cluster="serial")

    assert plan.method == "newton"
