"""Least squares and ridge for very many targets: b of any number of dimensions, values missing per target, answers where they are made."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from math import prod
from time import perf_counter
from typing import Any, ClassVar, NoReturn

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.gaps import open_with_gaps
from dsketch.matrix.labels import COLUMN, name_dimensions
from dsketch.matrix.offsets import offsets
from dsketch.matrix.open import open_matrix
from dsketch.matrix.open_targets import open_targets
from dsketch.matrix.rows import Rows
from dsketch.matrix.tiles import TileMatrix
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.fit_tiles import NO_TALLY, GatherTiles, Tally, Tiles
from dsketch.planning.choice import Choice, describe_machines
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_flag, jsonable_numbers, read_numbers
from dsketch.problems.base import Problem
from dsketch.problems.choose import choose_method
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.method import Method
from dsketch.problems.outcome import ArrayOf, ArraysLook, Certificate, Outcome
from dsketch.problems.status import status_of
from dsketch.problems.targets.batch import Batch
from dsketch.problems.targets.certificate import target_certificate, target_notes
from dsketch.problems.targets.chain import Chain
from dsketch.problems.targets.design import Design, read_design
from dsketch.problems.targets.fields import FIELDS, fields_of
from dsketch.problems.targets.method import METHODS, TargetCase, require_room, sizes_text
from dsketch.settings import Settings

_REMEDY = "Give a number, one for each column of A, or one for each target."
_LARGEST = 1e300


class TargetRegression(Problem):
    """min Σᵢ wᵢ (aᵢᵀx − bᵢⱼ)² + Σ p x² for every target j, over the rows i that target j has.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
        Its rows come into the memory of every worker.
    b : path, URL, zarr.Array or array_like, shape (n, ...)
        The first dimension is n, all others are targets.
    alpha : number or array_like
        Penalty alpha ‖x‖², ≥ 0: a number, one for each column of A (shape (d,)), or one for each target (the shape of the targets).
    weights : likewise, shape (n,), optional
    intercept : bool
        Append a column of ones to A, which is not penalized.
    missing : {"drop", "error", "fill"}
        ``"drop"``: a NaN, a masked cell or one that the CF conventions mark leaves its row out for that target alone, a NaN in A leaves
        the row out for all; nothing is filled in.  ``"error"``, ``"fill"``: they are refused, and what an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        If alpha is negative, not finite, or fits neither columns nor targets.
    DataError
        If shapes do not fit, n < d, or the data are not real numbers.

    Notes
    -----
    b is read once; twice where tiles with missing values do not fit in memory (the plan tells).  Equal to a regression of each target by
    itself on the rows that it has, up to rounding.

    Examples
    --------
    >>> import numpy as np, dsketch as ds
    >>> b = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 6.0]])
    >>> ds.solve(TargetRegression(np.ones((3, 1)), b, missing="drop")).x.round(12)
    array([[2., 4.]])
    """

    name = "targets"
    title = "Least squares or ridge for very many targets, values missing per target."
    methods: ClassVar[Mapping[str, Method[Any, Any, Any]]] = METHODS

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        alpha: Any = 0.0,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        absent = "error" if missing == "drop" else missing
        intercept = as_flag("intercept", intercept)
        self.targets = b.targets if isinstance(b, TileMatrix) else open_targets(b, missing=missing)
        self.rows = Rows(b if isinstance(b, TileMatrix) else TileMatrix(self.targets), names=("b", "b"))
        opened = None if weights is None else open_matrix(weights, missing=absent, what="weights")
        rows = open_with_gaps(A, "A") if missing == "drop" else open_matrix(A, missing=absent, what="A")
        self.regressors = Rows(rows, None, opened, intercept)
        self.missing = missing
        self._require_shapes()
        self.penalty, self.factors = self._penalty(alpha)
        self.parameters = {
            "problem": self.name,
            "alpha": jsonable_numbers("alpha", alpha, _REMEDY),
            "intercept": intercept,
            "missing": missing,
        }

    def _require_shapes(self) -> None:
        (n, d), found = self.regressors.shape, self.targets.shape[0]
        if found != n:
            raise DataError(
                f"b must have one row for each of the {n} rows of A; its shape is {self.targets.shape}. Check that both come from the "
                "same data, and that the first dimension of b is that of A."
            )
        require_same_rows(A=self.regressors.A, b=self.targets)
        if self.regressors.A.nonzeros is not None:
            raise DataError(
                f"A must be dense for answers by tiles of targets; it is {self.regressors.A.describe()}. Pass A.toarray(), or leave "
                "out_dir and missing='drop' out."
            )
        if n < d:
            raise DataError(
                f"A must be tall: at least as many rows as columns; it has {n} × {d}. Transpose it if they were exchanged."
            )

    def _penalty(self, alpha: Any) -> tuple[Floats, Floats | None]:
        """Return p of each column, shape (d,), and what it is multiplied by for each target, or None."""
        trailing, columns = self.targets.trailing, self.regressors.A.shape[1]
        values, k = read_numbers("alpha", alpha, _REMEDY), prod(trailing)
        if not (np.isfinite(values) & (values >= 0) & (values <= _LARGEST)).all():
            raise SpecError(f"alpha must be ≥ 0 and at most {_LARGEST:g}; got {values.min():g} to {values.max():g}. {_REMEDY}")
        penalty = np.zeros(columns + self.regressors.intercept)
        is_own = k > 1 and values.shape in ((k,), (1, k), trailing, (1, *trailing))
        is_of_columns = values.size == 1 or values.shape in ((columns,), (columns, 1))
        if is_own and is_of_columns and values.size > 1:
            raise SpecError(
                f"alpha of shape {values.shape} could be one for each of the {k} targets or of the {columns} columns of A. Give it the "
                f"shape (1, {k}) for the first, ({columns}, 1) for the second."
            )
        if not (is_own or is_of_columns):
            raise SpecError(
                f"alpha must be one number, one for each of the {columns} columns of A, or one for each target, of shape {trailing}; its "
                f"shape is {values.shape}. {_REMEDY}"
            )
        penalty[:columns] = 1.0 if is_own else values.ravel()
        return penalty, values.reshape(trailing) if is_own else None

    # ---- what a problem has ---------------------------------------------------------------------------------------

    def data(self) -> dict[str, Matrix | None]:
        """Return A, b as a matrix of targets, and the weights."""
        return {"A": self.regressors.A, "b": self.rows.A, "weights": self.regressors.weights}

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d) of [A 1]."""
        return self.regressors.shape

    @property
    def sides(self) -> int:
        """Number of targets k."""
        return self.rows.A.shape[0]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimensions of targets: b's own, or target, or target_0 and so on."""
        known, count = self.targets.dimensions, len(self.targets.trailing)
        if known is not None and len(set(known[1:])) == count:
            return name_dimensions(known[1:])
        return ("target",) if count == 1 else tuple(f"target_{number}" for number in range(count))

    @property
    def arrays(self) -> tuple[ArrayOf, ...]:
        """x and what is written beside it: of shape (d, targets…) or (targets…), a chunk for a piece of a tile."""
        matrix: Any = self.rows.A
        d, shape, found = self.shape[1], self.targets.trailing, []
        piece = tuple(min(size, whole) for size, whole in zip(matrix.grid.piece, shape, strict=True))
        for field in fields_of(is_penalized=bool(self.penalty.any())):
            each, names = ((d,), (COLUMN,)) if field.has_columns else ((), ())
            dtype = np.dtype(field.dtype).name
            found.append(ArrayOf(field.name, (*each, *shape), (*each, *piece), dtype, (*names, *self.dimensions), field.help))
        return tuple(found)

    @cached_property
    def design(self) -> Design:
        """What all targets share; reads A.

        Raises
        ------
        DataError
            If a row cannot be read, or holds what no row may.
        """
        rows = self.regressors
        shift = offsets(rows.A, rows.weights) if rows.intercept else None
        typical = 1.0 if self.factors is None else float(np.median(self.factors))
        shifted = Rows(rows.A, None, rows.weights, rows.intercept, shift=shift)
        return read_design(shifted, self.penalty, typical or 1.0, may_lack=self.missing == "drop")

    @cached_property
    def fit(self) -> Chain | Batch:
        """What answers tiles."""
        matrix: Any = self.rows.A
        is_shared = self.factors is None and not self.targets.may_lack
        return Chain(self.design, matrix.grid) if is_shared else Batch(self.design, matrix.grid, self.factors)

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Read A and a part of one tile, and price.

        Raises
        ------
        PlanError
            If the rows of A do not fit in a task, before they are read; if a tile does not.
        """
        require_room(self.shape, machines.memory_bytes)
        case = self._case(settings, machines)
        verdict = choose_method(METHODS, method, case)
        shift = self.design.shift
        return Choice(
            method=verdict.name,
            settings=settings,
            estimate=verdict.estimate,
            rejected=verdict.rejected,
            matrix=sizes_text(case, self.targets.describe()),
            machines_text=describe_machines(machines),
            why=verdict.why,
            read_bytes=verdict.estimate.passes * self.rows.nbytes,
            condition_hint=self.design.factor.scaled_condition,
            memory_limit_bytes=machines.memory_bytes,
            details=(*METHODS[verdict.name].details(case), *shift_notes(shift)),
        )

    def _case(self, settings: Settings, machines: Machines) -> TargetCase:
        return TargetCase(
            settings=settings,
            fit=self.fit,
            targets=self.sides,
            item_bytes=self.targets.dtype.itemsize,
            chunk_bytes=0 if self.targets.is_divisible else prod(self.targets.chunks) * self.targets.dtype.itemsize,
            is_local=self.targets.is_local,
            read_bytes_per_second=self._probe(),
            threads=machines.threads,
            memory_bytes=machines.memory_bytes,
            tasks=machines.tasks(self.rows),
        )

    def _probe(self) -> float:
        """Return how many bytes a second the first rows of the first part of the first tile are read with."""
        matrix: Any = self.rows.A
        _, part = next(matrix.tile(*map(int, matrix.cuts[:2])).strips())
        began = perf_counter()
        read = part.read(*next(part.spans())).nbytes
        return 8e9 if self.targets.is_local else read / max(perf_counter() - began, 1e-6)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Tell how the tiles are answered; nothing is looked at before but A."""
        yield from ()
        names = tuple(array.name for array in self.arrays)
        source = Tiles(self.fit, names, self.design.rows, self.design.rank)
        look = ArraysLook(source, self.rows, lambda: self._gather(source), partial(self.conclude, choice))
        return replace(self.conclude(choice, NO_TALLY), rows=look)

    def _gather(self, source: Tiles) -> Flow[tuple[dict[str, Any], Tally]]:
        tally, found = yield Look(GatherTiles(source), self.rows)
        return self.arrange(found), tally

    def arrange(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return what was handed back, tile after tile, as arrays of shape (d, targets…) or (targets…)."""
        matrix: Any = self.rows.A
        trailing, arrays = self.targets.trailing, {}
        for field in FIELDS:
            if field.name not in found:
                continue
            values = np.ascontiguousarray(found[field.name]).view(field.dtype)
            whole = np.empty((len(values), *trailing), field.dtype)
            for number, (low, high) in enumerate(zip(matrix.cuts[:-1], matrix.cuts[1:], strict=True)):
                for box, columns in self._columns(number, int(low), int(high)):
                    shape = tuple(one.stop - one.start for one in box)
                    whole[(slice(None), *box)] = values[:, columns].reshape(-1, *shape)
            arrays[field.name] = whole if field.has_columns else whole[0]
        return arrays

    def _columns(self, number: int, low: int, high: int) -> Any:
        """Yield the pieces of a tile, and where each stands among the numbers of all tiles."""
        grid = self.fit.grid
        start = low
        for box in grid.pieces_of(grid.box_of(number)):
            stop = start + prod(one.stop - one.start for one in box)
            yield box, slice(start, stop)
            start = stop
        assert start == high  # noqa: S101 - pieces are the tile

    def conclude(self, choice: Choice, tally: Tally) -> Outcome:
        """Return what the answer comes to."""
        certificate = target_certificate(self.design, tally)
        status = status_of(certificate.backward_error, choice.settings.accepted, is_deficient=self.design.factor.is_deficient)
        notes = (*target_notes(self.design, tally), *shift_notes(self.design.shift))
        return Outcome(np.zeros((0, self.sides)), status, choice.method, certificate, notes)

    def judge(self, x: Floats) -> Flow[Certificate]:
        """Refuse: each target has its certificate, measured from its own rows.

        Raises
        ------
        SpecError
        """
        del x
        yield from ()
        self.refuse_judging()

    def refuse_judging(self) -> NoReturn:
        """Say what tells of the answers of targets instead of one certificate of x.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError(
            "a problem whose x is judged as a whole was expected; of targets each has its own backward_error, beside x. Read that "
            "(dsketch info tells the worst), or check some targets as LeastSquares(A, b[:, some])."
        )
