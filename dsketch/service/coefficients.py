"""The coefficients of a job's answer by name: values, and errors, tests and intervals where they are known.

::

    jobs/<id>/coefficients.json   names of coefficients and targets, and what is known of the fit as a whole
              coefficients.npz    errors, tests, p and intervals, each of the shape of x
              bounds.npy          how far rounding may have moved each coefficient, where that is proven

Answers by target have the same numbers in the arrays of their group, read tile by tile.
"""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import special

from dsketch._atomic import write_whole
from dsketch._jsonable import plain
from dsketch._results.dimensions import targets_of
from dsketch._results.frames import names_of_rows, target_names
from dsketch._results.solution import Solution
from dsketch.errors import SpecError
from dsketch.problems.linear.system import LinearSystem
from dsketch.service.files import get_json, put_json
from dsketch.service.folder import FIT, Folder

LEVEL = 0.95
_ABOUT, _NUMBERS, _BOUNDS = "coefficients.json", "coefficients.npz", "bounds.npy"
_MOST_NAMES = 100_000  # of targets: of more, places are told
_MOST_CELLS = 60_000  # of a map: more cells than a screen shows
_MOST_LINES = 1_000_000  # of a table to download
_CHUNK_LINES = 20_000
_DEGREES = "degrees"  # of freedom, in groups of answers by target
_IN_GROUPS = {"standard_error": "standard_errors", "t": "t", "p": "p"}  # column of the table → array of the group
_OF_TARGETS = (*_IN_GROUPS.values(), "degrees_of_freedom")
_FIT = ("r_squared", "adjusted_r_squared", "residual_variance", "f_statistic", "f_p_value", "deviance", "null_deviance", "dispersion",
        "log_likelihood", "aic", "bic")  # fmt: skip
_WHOLE = ("rows", "rank", "residual_degrees", "is_centred", "robust", "groups", "family", "link", "test")

Floats = NDArray[np.float64]


def keep_coefficients(folder: Folder, solution: Solution, table: Any | None) -> None:
    """Write what the page and the downloads show of an answer beside x; nothing of answers with a number for each row of A.

    Parameters
    ----------
    folder : Folder
    solution : Solution
    table : Summary, GLMSummary or None
        What is known of errors; None: nothing, or it lies in the answer's own group.
    """
    if solution.problem.answers_rows or not _has_coefficients(solution):
        return
    names = names_of_rows(solution.problem, solution.x.shape[0])
    labels, known = targets_of(solution.problem), target_names(solution.problem)
    about: dict[str, Any] = {
        "names": list(names),
        "dims": list(labels.dims),
        "shape": [int(size) for size in solution.x.shape[1:]],
        "targets": list(known) if known is not None and len(known) <= _MOST_NAMES else None,
        "fit": {},
        "notes": [],
    }
    numbers: dict[str, Any] = {}
    if table is not None:
        numbers = _numbers_of_table(table)
        sides = int(np.prod(solution.x.shape[1:], dtype=np.int64))
        fit = {name: getattr(table, name) for name in _FIT if hasattr(table, name)}
        about |= {
            "test": getattr(table, "test", "t"),
            "level": table.level,
            "is_estimable": np.broadcast_to(table.is_estimable.reshape(len(names), -1)[:, :1], (len(names), 1)).ravel().tolist(),
            "fit": {name: plain(np.ravel(value)[:_MOST_NAMES] if sides > 1 else value) for name, value in fit.items()},
            "whole": {name: plain(getattr(table, name)) for name in _WHOLE if getattr(table, name, None) is not None},
            "notes": list(table.notes),
        }
    if numbers:
        _write_numbers(folder, {name: np.asarray(array, np.float64).reshape(solution.x.shape) for name, array in numbers.items()})
    _keep_bounds(folder, solution)
    put_json(folder.path / _ABOUT, about)


def _keep_bounds(folder: Folder, solution: Solution) -> None:
    """Write how far rounding may have moved each coefficient of a linear system; nothing where nobody knows."""
    if not isinstance(solution.problem, LinearSystem) or solution.x.size > _MOST_LINES:
        return
    buffer = io.BytesIO()
    np.save(buffer, solution.coefficient_errors)
    write_whole(folder.path / _BOUNDS, buffer.getvalue())


def _has_coefficients(solution: Solution) -> bool:
    """Whether x has a number for each column of A, and perhaps an intercept."""
    columns = solution.problem.shape[1]
    return solution.x.ndim >= 1 and solution.x.shape[0] in (columns, columns + 1)


def _numbers_of_table(table: Any) -> dict[str, Any]:
    """Return the columns of a table of coefficients."""
    low, high = np.moveaxis(table.confidence(), -1, 0)
    test = table.t_values if hasattr(table, "t_values") else table.test_values
    return {
        "value": table.coefficients, "standard_error": table.standard_errors, "test": test, "p": table.p_values, "low": low, "high": high,
    }  # fmt: skip


def _interval(x: Floats, errors: Floats, degrees: Any) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of answers by target."""
    freedom = np.asarray(degrees, np.float64)
    reach = special.stdtrit(np.where(freedom > 0, freedom, np.nan), (1 + LEVEL) / 2) * errors
    return x - reach, x + reach


def _write_numbers(folder: Folder, numbers: dict[str, Floats]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **numbers)  # type: ignore[arg-type]  # its stubs take a keyword of its own for one of ours
    write_whole(folder.path / _NUMBERS, buffer.getvalue())


@dataclass(frozen=True)
class Coefficients:
    """The coefficients of one answer.

    Attributes
    ----------
    about : dict
        What :func:`keep_coefficients` wrote of names and fit.
    columns : dict
        By column of the table, arrays of shape (d, …) that are read where they are sliced.
    bounds : Path or None
        Where proven bounds of their rounding errors lie, an array of the same shape.
    """

    about: dict[str, Any]
    columns: dict[str, Any]
    bounds: Path | None = None

    @classmethod
    def of(cls, folder: Folder) -> "Coefficients | None":
        """Return those of a job's folder; None where an answer has none, or another version wrote it."""
        found, bounds = cls._in(folder), folder.path / _BOUNDS
        return replace(found, bounds=bounds) if found is not None and bounds.exists() else found

    @classmethod
    def _in(cls, folder: Folder) -> "Coefficients | None":
        about, group = get_json(folder.path / _ABOUT), folder.path / FIT
        place = group if group.exists() else folder.x()
        if about is None or place is None:
            return None
        if (folder.path / _NUMBERS).exists():
            with np.load(folder.path / _NUMBERS, allow_pickle=False) as kept:
                columns = {name: kept[name] for name in kept.files}
            return cls(about, {_name_column(name, about): array for name, array in columns.items()})
        if place.suffix == ".npy":
            return cls._of_arrays(about, {"x": place, **{name: folder.place_of_field(name) for name in _OF_TARGETS}})
        stored = zarr.open(str(place), mode="r")
        return cls(about, {"value": stored}) if isinstance(stored, zarr.Array) else cls._of_group(about, stored)

    @classmethod
    def _of_arrays(cls, about: dict[str, Any], places: dict[str, Path]) -> "Coefficients":
        """Return those whose arrays are files by themselves, as far as they are there."""
        return cls._of_group(
            about, {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in places.items() if path.exists()}
        )

    @classmethod
    def _of_group(cls, about: dict[str, Any], stored: Any) -> "Coefficients":
        """Return those of arrays by the names of answers by target; of others x alone."""
        columns = {"value": stored["x"]}
        if all(name in stored for name in _OF_TARGETS):
            columns |= {column: stored[name] for column, name in _IN_GROUPS.items()} | {_DEGREES: stored["degrees_of_freedom"]}
            about = {**about, "test": "t", "level": LEVEL}
        return cls(about, columns)

    @property
    def names(self) -> list[str]:
        """Names of the coefficients."""
        return list(self.about["names"])

    @property
    def targets(self) -> int:
        """How many right-hand sides."""
        return math.prod(self.about["shape"])

    @property
    def has_errors(self) -> bool:
        """Whether standard errors are known."""
        return "standard_error" in self.columns

    def bounds_of(self, target: int) -> Floats:
        """Return how far rounding may have moved the coefficients of one target, proven to first order, shape (d,); NaN where unknown."""
        if self.bounds is None:
            return np.full(len(self.names), np.nan)
        kept = np.load(self.bounds, mmap_mode="r", allow_pickle=False)
        return np.array(kept.reshape(len(self.names), -1)[:, target], np.float64)

    def degrees_of(self, target: int) -> float:
        """Return the degrees of freedom of the errors of one target: ∞ of those that are compared with a normal, NaN if unknown."""
        if _DEGREES in self.columns:
            place = np.unravel_index(target, self.about["shape"]) if self.about["shape"] else ()
            return float(self.columns[_DEGREES][tuple(place)])
        if self.about.get("test") == "z":
            return math.inf
        known = self.about.get("whole", {}).get("residual_degrees")
        return float(known) if isinstance(known, int | float) else math.nan

    def of_target(self, target: int) -> dict[str, Any]:
        """Return the table of one target, as JSON.

        Raises
        ------
        SpecError
            If there is no such target.
        """
        if not 0 <= target < self.targets:
            raise SpecError(f"a target from 0 to {self.targets - 1} was expected; got {target}. Count the columns of b from 0.")
        table = self._table(np.unravel_index(target, self.about["shape"]) if self.about["shape"] else ())
        fit = {
            name: value[target] if isinstance(value, list) and target < len(value) else value
            for name, value in self.about["fit"].items()
        }
        return {
            "names": self.names,
            "target": target,
            "targets": {
                "count": self.targets,
                "dims": self.about["dims"],
                "shape": self.about["shape"],
                "names": self.about["targets"],
            },
            "columns": {name: plain(values) for name, values in table.items()},
            "test": self.about.get("test"),
            "level": self.about.get("level"),
            "is_estimable": self.about.get("is_estimable"),
            "fit": {name: value for name, value in fit.items() if not isinstance(value, list)},
            "whole": self.about.get("whole", {}),
            "notes": self.about["notes"],
        }

    def map_of(self, coefficient: int, column: str) -> dict[str, Any]:
        """Return one number of every target, in steps where they are more than a screen shows: ``values`` of shape ``shape``.

        Raises
        ------
        SpecError
            If there is no such coefficient, or column of the table.
        """
        if not 0 <= coefficient < len(self.names):
            raise SpecError(
                f"a coefficient from 0 to {len(self.names) - 1} was expected; got {coefficient}. Take its place among the names."
            )
        if column not in self.columns or column == _DEGREES:
            known = ", ".join(name for name in self.columns if name != _DEGREES)
            raise SpecError(f"one of {known} was expected; got {column!r}. Take one of these.")
        step = max(math.ceil((self.targets / _MOST_CELLS) ** (1 / max(len(self.about["shape"]), 1))), 1)
        cut = tuple(slice(None, None, step) for _ in self.about["shape"])
        values = np.asarray(self.columns[column][(coefficient, *cut)], np.float64)
        return {
            "name": self.names[coefficient], "column": column, "dims": self.about["dims"], "step": step, "shape": list(values.shape),
            "values": plain(values.ravel()), "whole": self.about["shape"],
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Yield the table as CSV, a line for each coefficient of each target.

        Raises
        ------
        SpecError
            Before the first line, if they are too many.
        """
        self._require_few()
        return self._lines()

    def arrays(self) -> dict[str, Floats]:
        """Return the columns of the table of all targets, each of shape (d, …) with the dimensions of b behind the first.

        Raises
        ------
        SpecError
            If they have too many lines.
        """
        self._require_few()
        return self._table(...)

    def to_parquet(self) -> bytes:
        """Return the table as a Parquet file.

        Raises
        ------
        SpecError
            If they are too many lines, or the service has no pyarrow.
        """
        self._require_few()
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise SpecError("Parquet needs pyarrow beside the service, which lacks it. Ask for csv, or npy.") from error
        heads, rows = self._heads(), [line for part in self._parts() for line in part]
        columns = list(zip(*rows, strict=True)) or [()] * len(heads)
        sink = io.BytesIO()
        pq.write_table(pa.table({head: list(column) for head, column in zip(heads, columns, strict=True)}), sink)
        return sink.getvalue()

    def _require_few(self) -> None:
        if (lines := len(self.names) * self.targets) > _MOST_LINES:
            raise SpecError(
                f"a table of at most {_MOST_LINES:,} lines was expected; {len(self.names):,} coefficients of {self.targets:,} targets are "
                f"{lines:,}. Fetch x itself, or read the Zarr group."
            )

    def _heads(self) -> list[str]:
        told = [name for name in ("value", "standard_error", "t", "z", "test", "p", "low", "high") if name in self._shown()]
        return [*(["target"] if self.about["shape"] else []), "coefficient", *told]

    def _shown(self) -> set[str]:
        more = {"low", "high"} if _DEGREES in self.columns else set()
        return (set(self.columns) - {_DEGREES}) | more

    def _lines(self) -> Iterator[str]:
        yield _csv([self._heads()])
        for part in self._parts():
            yield _csv(part)

    def _parts(self) -> Iterator[list[list[Any]]]:
        """Yield lines of the table, some thousands at a time."""
        tall, sides = len(self.names), self.targets
        table = {name: values.reshape(tall, sides) for name, values in self._table(...).items()}
        told = [table[head] for head in self._heads() if head in table]
        width = max(_CHUNK_LINES // tall, 1)
        for low in range(0, sides, width):
            yield [
                [
                    *([self._name_of(target)] if self.about["shape"] else []),
                    name,
                    *(_number(values[row, target]) for values in told),
                ]
                for target in range(low, min(low + width, sides))
                for row, name in enumerate(self.names)
            ]

    def _name_of(self, target: int) -> str:
        if self.about["targets"] is not None:
            return str(self.about["targets"][target])
        return " ".join(map(str, np.unravel_index(target, self.about["shape"])))

    def _table(self, place: Any) -> dict[str, Floats]:
        """Return the columns of the table of one target by its place in the dimensions of b, shape (d,); of ``...``, all of them."""
        cut = place if place is ... else (slice(None), *place)
        table = {name: np.asarray(array[cut], np.float64) for name, array in self.columns.items() if name != _DEGREES}
        if _DEGREES in self.columns and "standard_error" in table:
            degrees = self.columns[_DEGREES][place if place is ... else tuple(place)]
            low, high = _interval(table["value"], table["standard_error"], degrees)
            table |= {"low": low, "high": high}
        return table


def _name_column(name: str, about: dict[str, Any]) -> str:
    """Return the column's name in the table: the test is called t or z."""
    return str(about.get("test", name)) if name == "test" else name


def _number(value: Any) -> float | None:
    """Return a number, None where there is none."""
    return None if np.isnan(value) else float(value)


def _csv(rows: list[list[Any]]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows([["" if value is None else _safe(value) for value in row] for row in rows])
    return sink.getvalue()


def _safe(value: Any) -> Any:
    """Return a cell that a spreadsheet does not take for a formula."""
    return (
        f"'{value}"
        if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
        else repr(value)
        if isinstance(value, float)
        else value
    )
