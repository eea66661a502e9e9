"""A start from a sample of rows: where a small model of the same kind has its minimizer.

A few runs of rows, evenly spread, are read and brought to the driver, and Newton's method is run on them there, held by a slight penalty in
each column's own unit so that a sample without a minimizer of its own does no harm.  From there two or three passes fewer are needed than
from where the loss begins.  The same rows are taken whatever the chunks, and no random word is drawn.
"""

from dataclasses import replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.events import Converged
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.beside import Beside
from dsketch.matrix.excerpt import Excerpt
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.gather import Gather
from dsketch.problems.method import Breakdown
from dsketch.problems.smooth.method import Carry, SmoothAnswer
from dsketch.problems.smooth.newton_qr import NewtonQr
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings

_ROWS, _ROWS_PER_COLUMN = 8000, 40  # more rows saved no further pass (measured, 40,000 against 8,000)
_RUNS = 16
_WORTH = 16  # times the sample: of fewer rows a pass costs hardly more than the sample
_MOST_NUMBERS = 2_000_000  # of the sample: 16 MB
_HELD = 1e-3  # of the squares of a column: the penalty that holds a sample
_ROUGH = Settings(tol=1e-3)


def start_from_sample(model: Model) -> Flow[Carry | None]:
    """Return where to begin; None where a sample is not worth its reading.  One look at a small part of the rows."""
    n, d = model.rows.shape
    height = max(_ROWS, _ROWS_PER_COLUMN * d) // _RUNS
    if n < _WORTH * _RUNS * height or _RUNS * height * d > _MOST_NUMBERS or model.shape[1] > 1 or model.rows.b is None:
        return None
    starts = tuple((2 * run + 1) * n // (2 * _RUNS) - height // 2 for run in range(_RUNS))
    rows = replace(model.rows, A=Excerpt(model.rows.A, starts, height), b=Excerpt(model.rows.b, starts, height), run="")
    numbers: Floats = yield Look(Gather(), rows)
    return _fit(model, numbers, n)


def _fit(model: Model, numbers: Floats, n: int) -> Carry | None:
    """Return the minimizer of the sampled rows, or None if they have none that can be had."""
    d, count = model.shape[0], len(numbers)
    parts = {name: ArrayMatrix(np.ascontiguousarray(numbers[:, d + place])) for place, name in enumerate(model.places.names)}
    held = _HELD * np.square(numbers[:, :d]).sum(axis=0)[:, None]
    if model.rows.intercept:
        held[-1] = 0.0
    rows = Rows(ArrayMatrix(np.ascontiguousarray(numbers[:, :d])), Beside(**parts))
    try:
        found = _run(NewtonQr().solve(replace(model, rows=rows, penalty=model.penalty * (count / n) + held), _ROUGH), count)
    except (Breakdown, DataError):  # what is wrong with a row is said by the look at all of them, with its number
        return None
    return Carry(found.x) if found.separation is None and np.isfinite(found.x).all() else None


def _run(flow: Flow[SmoothAnswer], count: int) -> SmoothAnswer:
    """Return what a flow finds that looks at a few rows in memory."""
    try:
        look = next(flow)
        while True:
            asked = None if isinstance(look, Converged) else look.pass_.finish(look.pass_.map(look.rows.block(0, count), None))
            look = flow.send(asked)
    except StopIteration as end:
        answer: SmoothAnswer = end.value
        return answer
