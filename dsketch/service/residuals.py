"""Pictures of residuals: a bounded, seeded sample of the rows of a solved job, against the fitted values and against a column of A.

The rows are read by who reads those of jobs: the process itself for small data, else the service's workers.  Nothing is kept: the
same seed draws the same rows again.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._jsonable import plain
from dsketch.engine import Engine
from dsketch.errors import DataError, SpecError
from dsketch.losses.base import Loss
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Block, Rows, bytes_of_row
from dsketch.matrix.targets import Targets
from dsketch.passes import Look
from dsketch.passes.base import Pass
from dsketch.passes.mean_response import MeanResponse
from dsketch.problems import Problem, TargetRegression
from dsketch.problems.affine import linear_look
from dsketch.problems.smooth.problem import SmoothProblem
from dsketch.service.coefficients import Coefficients
from dsketch.service.folder import Folder
from dsketch.service.hexagons import COLUMNS, LINES, count_hexagons, ends_of, place_of

_BLOCKS = 64  # that the sample is drawn from, at most
_SPAN_BYTES = 32_000_000  # decoded, of the rows of A that are taken of one block
_LEAST_SPAN = 256  # rows of a block, however wide they are
_READ_BYTES = 512_000_000  # decoded, of all blocks; of one block more only if it is larger by itself
_BANDS = 24  # of a picture, of each of which the mean is told

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ResidualWish:
    """Which picture is asked for.

    Attributes
    ----------
    answer : Path
        The folder of the solved job.
    target : int
        Column of b, from 0.
    column : str or None
        Name of a column of A.
    rows : int
        At most so many are drawn.
    seed : int
    """

    answer: Path
    target: int
    column: str | None
    rows: int
    seed: int


def draw_residuals(wish: ResidualWish, problem: Problem, engine: Engine) -> dict[str, Any]:
    """Return a sample of residuals as counts of hexagons, as JSON can hold it.

    Parameters
    ----------
    problem : Problem
        That the job solved, opened again.
    engine : Engine

    Returns
    -------
    dict
        ``kind`` (response or deviance), ``rows`` drawn ``of`` how many, and ``pictures``, each as :func:`count_cells` has it.

    Raises
    ------
    SpecError
        If the problem has no residuals of one number a row, or there is no such column or target.
    DataError
        If rows cannot be read.
    """
    known = Coefficients.of(Folder(wish.answer))
    if known is None:
        raise SpecError("coefficients by name were expected; this answer has none. Solve it again for residuals.")
    x = np.array(known.of_target(wish.target)["columns"]["value"], np.float64)
    if not np.isfinite(x).all():
        raise SpecError(f"a target with an answer was expected; target {wish.target} has none. Choose another.")
    look, loss = _look_of(problem, x[:, None])
    response = _response_of(problem, wish.target)
    spans = draw_spans(look.rows, wish.rows, wish.seed, response.row_bytes)
    place = _place_of(known.names[: look.rows.A.shape[1]], wish.column)
    take = partial(_take, look.pass_, response, loss, place, -(-wish.rows // len(spans)), wish.seed)
    drawn = np.concatenate([taken for taken, _ in engine.sample(look.rows, spans, take)])[: wish.rows]
    drawn = drawn[np.isfinite(drawn[:, :2]).all(axis=1)]
    if not len(drawn):
        raise DataError("rows with a value of this target were expected in the sample; none has one. Take another seed.")
    across = [("fitted value", drawn[:, 0]), *([] if place is None else [(str(wish.column), drawn[:, 2])])]
    found: dict[str, Any] = plain(
        {
            "kind": "response" if loss is None else "deviance",
            "target": wish.target,
            "rows": len(drawn),
            "of": problem.shape[0],
            "seed": wish.seed,
            "read_bytes": sum(stop - start for start, stop in spans) * (bytes_of_row(look.rows.A) + response.row_bytes),
            "pictures": [count_cells(name, values, drawn[:, 1]) for name, values in across],
        }
    )
    return found


def draw_spans(rows: Rows, wanted: int, seed: int, beside_bytes: int = 0) -> list[tuple[int, int]]:
    """Return runs of rows to read, each of another block, in order: what they take to decode is bounded, whatever is wanted.

    Parameters
    ----------
    beside_bytes : int
        Of a row of b, which is read with them.
    """
    row_bytes = bytes_of_row(rows.A) + beside_bytes
    cuts = np.asarray(rows.cuts)
    heights = np.diff(cuts)
    block_bytes = int(heights.max()) * row_bytes
    rng = np.random.default_rng([seed, len(heights)])
    count = min(len(heights), _BLOCKS, max(_READ_BYTES // max(block_bytes, 1), 1), max(wanted, 1))
    chosen = np.sort(rng.choice(len(heights), count, replace=False))
    most = max(_SPAN_BYTES // row_bytes, min(-(-wanted // count), _LEAST_SPAN))
    spans = []
    for block in chosen:
        height = int(min(heights[block], most))
        start = int(cuts[block] + rng.integers(heights[block] - height + 1))
        spans.append((start, start + height))
    return spans


def count_cells(name: str, across: Floats, residuals: Floats) -> dict[str, Any]:
    """Return how many rows lie in each hexagon of a picture, and the means of bands of it; axes reach from the least to the largest.

    Returns
    -------
    dict
        ``x``, ``rows`` with a value of it, ``ends`` of both axes; ``columns``, ``lines`` and ``hexagons`` as
        :func:`~dsketch.service.hexagons.count_hexagons` has them; ``means`` of the residuals, NaN where there are none, and ``mean_rows``
        of bands of the same width across.
    """
    known = np.isfinite(across) & np.isfinite(residuals)
    across, residuals = across[known], residuals[known]
    ends = (ends_of(across), ends_of(residuals))
    places = place_of(across, ends[0])
    band = np.minimum((places * _BANDS).astype(np.int64), _BANDS - 1)
    rows = np.bincount(band, minlength=_BANDS)
    unit = max(abs(end) for end in ends[1])  # the sum of large residuals may be beyond floats, their mean is not
    with np.errstate(invalid="ignore"):
        means = unit * (np.bincount(band, residuals / unit, _BANDS) / rows)
    return {
        "x": name,
        "rows": len(across),
        "ends": ends,
        "columns": COLUMNS,
        "lines": LINES,
        "hexagons": count_hexagons(places, place_of(residuals, ends[1])),
        "means": means,
        "mean_rows": rows,
    }


def _look_of(problem: Problem, x: Floats) -> tuple[Look, Loss | None]:
    """Return the look that fits rows, and the loss by which residuals are measured; None: plain differences.

    Raises
    ------
    SpecError
        If the problem has no residuals of one number a row.
    """
    if isinstance(problem, TargetRegression):
        return linear_look(x, problem.regressors.A, intercept=problem.regressors.intercept), None
    if isinstance(problem, SmoothProblem) and problem.loss.outputs == 1:
        look, offset = problem.predictor(x, problem.rows.A), problem.data()["offset"]
        if offset is not None and isinstance(look.pass_, MeanResponse):
            look = Look(replace(look.pass_, has_offset=True), replace(look.rows, b=offset))
        return look, problem.loss
    if problem.predicts_linearly and problem.data().get("b") is not None:
        return linear_look(x, problem.rows.A, intercept=problem.rows.intercept), None
    raise SpecError(
        "a problem with a residual for each row was expected (least squares, penalties, generalised linear models); this is "
        f"{problem.name}. Look at its certificate."
    )


def _response_of(problem: Problem, target: int) -> "_Response":
    if isinstance(problem, TargetRegression):
        shape = problem.targets.shape[1:]
        return _Response(problem.targets, tuple(int(place) for place in np.unravel_index(target, shape)) if shape else ())
    matrix = problem.data()["y" if isinstance(problem, SmoothProblem) else "b"]
    assert matrix is not None  # noqa: S101 - asked before
    return _Response(matrix, (target if target < matrix.shape[1] else 0,))  # the points of a path share a b


@dataclass(frozen=True)
class _Response:
    """A target of b."""

    source: Matrix | Targets
    place: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes that are read for a row."""
        return bytes_of_row(self.source) if isinstance(self.source, Matrix) else self.source.dtype.itemsize

    def read(self, start: int, stop: int) -> Floats:
        """Return its numbers for some rows."""
        if isinstance(self.source, Matrix):
            return np.array(self.source.read(start, stop)[:, self.place[0]], np.float64)
        box = tuple(slice(at, at + 1) for at in self.place)
        stored = np.empty((stop - start, *(1 for _ in box)), self.source.dtype)
        stored = self.source.read(start, stop, box, stored)
        return self.source.widen(stored, np.empty(stored.shape)).reshape(stop - start)


def _place_of(names: list[str], column: str | None) -> int | None:
    """Return which column of A has a name.

    Raises
    ------
    SpecError
    """
    if column is None:
        return None
    if column not in names:
        raise SpecError(f"the name of a column of A was expected; got {column!r:.100}. Take one of its coefficients' names.")
    return names.index(column)


def _take(
    pass_: Pass[Any], response: _Response, loss: Loss | None, place: int | None, most: int, seed: int, block: Block
) -> Floats:
    """Return fitted value, residual and the column of some rows of a block, shape (rows, 3)."""
    fitted = np.array(pass_.map(block, None)[0], np.float64)[:, 0]
    y = response.read(block.start, block.stop)
    residual = y - fitted
    if loss is not None:
        residual = np.sign(residual) * np.sqrt(np.maximum(loss.deviance(y, fitted), 0.0))
    column = np.full(len(y), np.nan) if place is None else _column_of(block, place)
    height = len(y)
    rows = (
        slice(None) if height <= most else np.sort(np.random.default_rng([seed, block.start]).choice(height, most, replace=False))
    )
    return np.column_stack([fitted, residual, column])[rows]


def _column_of(block: Block, place: int) -> Floats:
    """Return a column of A as it is stored."""
    if block.is_sparse:
        A: Any = block.A
        return np.asarray(A[:, [place]].toarray(), np.float64).ravel()
    step = max(block.stop - block.start, 1)
    return np.concatenate([np.array(stored[:, place], np.float64) for _, stored in block.stored_slices(step)])
