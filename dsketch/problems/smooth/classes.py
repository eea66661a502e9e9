"""How many classes y holds: one read of y, before there is a plan."""

import itertools

import numpy as np

from dsketch.errors import DataError
from dsketch.losses.domain import refuse_rows
from dsketch.matrix.base import Matrix

_MOST = 1000  # a Hessian has ((K − 1) d)² numbers; a y with more "classes" is hardly one of classes


def count_classes(beside: Matrix) -> int:
    """Return the largest number in y and one more.

    Parameters
    ----------
    beside : Matrix
        With y in its first column; read block by block.

    Raises
    ------
    DataError
        If y holds what is no class, with its row, all rows are of one class, or there are more than a thousand.
    """
    largest = 0.0
    for start, stop in itertools.pairwise(beside.cuts.tolist()):
        y = np.asarray(beside.read(start, stop)[:, 0], dtype=np.float64)
        is_wrong = (y < 0) | ((y != np.floor(y)) & ~np.isnan(y))
        refuse_rows(y, is_wrong, start, "the class of each row, one of 0, 1, 2, …", "Number the classes from 0.")
        largest = max(largest, float(np.max(y, initial=0.0)))
    if not 1 <= largest < _MOST:
        raise DataError(
            f"y must hold classes 0 … K − 1 with K from 2 to {_MOST}; the largest number is {largest:g}. Number the classes from 0, "
            "or give classes."
        )
    return int(largest) + 1
