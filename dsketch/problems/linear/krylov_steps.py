"""How many steps conjugate gradients with scaled columns take, and how many a factor of A is worth."""

import math

from dsketch.planning.work import GRAM, NORMAL
from dsketch.problems.linear.method import CUBE_SECONDS
from dsketch.settings import Settings

ROUND = 1e-8  # a round aims at this: two of them reach rounding
_LEAST_LIMIT = 100  # steps that are taken in any case: about as many as are foretold where there is nothing to compare with
_BLAS_SECONDS = 0.04e-9  # a product of AᵀA by BLAS, one thread


def rounds_to(settings: Settings) -> int:
    """Return how many rounds reach the goal."""
    return max(1, math.ceil(math.log(settings.goal) / math.log(ROUND)))


def steps_to(settings: Settings, condition: float) -> int:
    """Return the steps that reach the goal at a condition number, columns scaled: each gains (κ − 1)/(κ + 1)."""
    rate = (condition - 1) / (condition + 1)
    digits = math.log(2 / min(settings.goal, 1e-14))  # the proof asks for so many in any case
    return math.ceil(digits / max(-math.log(max(rate, 1e-2)), 1e-9))


def steps_worth(n: int, d: int, k: int, nonzeros: int | None) -> int:
    """Return how many steps are as much work as AᵀA and a factor of it."""
    if nonzeros is None or not nonzeros:
        return max(_LEAST_LIMIT, d // 2)
    assert GRAM.sparse_seconds is not None and NORMAL.sparse_seconds is not None  # noqa: S101, PT018 - for type checkers
    pairs = nonzeros * min(GRAM.sparse_seconds(k, nonzeros / n, d), _BLAS_SECONDS * n * d**2 / nonzeros)
    light = nonzeros * NORMAL.sparse_seconds(k + 1, nonzeros / n, d)
    return max(_LEAST_LIMIT, int((pairs + CUBE_SECONDS * d**3) / light))
