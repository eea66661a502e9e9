"""Tables and arrays of other libraries in memory as a Matrix: pandas, polars, Arrow, and what converts to an array.

None of these libraries is imported for a table of its own: each brings its methods.  A table that is known only by a protocol
(``__arrow_c_stream__``, ``__arrow_c_array__``, ``__dataframe__``) is read by pyarrow.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.errors import DataError, DsketchError, SpecError
from dsketch.matrix.alignment import DEFAULT, INDEX, SHUFFLED
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.csr import csr_in_memory
from dsketch.matrix.masked import array_of_list
from dsketch.matrix.numbers import Column, from_objects, join_columns, names_in, numbers_in
from dsketch.matrix.opener import Opener, has, known_by

_ARROW_NUMBERS = ("int", "uint", "float", "double", "halffloat", "bool", "decimal")


def _lazy(source: Any, what: str) -> Matrix:
    raise SpecError(f"{what} must be rows that are there; {_title(source)} is lazy. Pass its .collect().")


def _title(source: Any) -> str:
    home = type(source).__module__.split(".")[0]
    return f"this {'' if home == 'builtins' else f'{home}.'}{type(source).__name__}"


def _matrix(values: NDArray[Any], names: tuple[str, ...] | None, what: str, rows_digest: str | None = None) -> Matrix:
    matrix = ArrayMatrix(values, what=what)
    matrix.names, matrix.rows_digest = names, rows_digest
    return matrix


def _table(columns: Sequence[Column], rows: int, labels: Sequence[Any], what: str, rows_digest: str | None = None) -> Matrix:
    return _matrix(join_columns(columns, rows, what), names_in(labels), what, rows_digest)


# ---- pandas and what behaves like it -----------------------------------------------------------------------------------


def _of_pandas(source: Any, what: str) -> Matrix:
    digest = digest_of_labels(source.index)
    if not has(source, "columns"):
        values = numbers_in(_pandas_column(source, None if source.name is None else str(source.name)), 0, what)
        return _matrix(values, names_in([source.name]), what, digest)
    labels = list(source.columns)
    if labels and all(has(dtype, "subtype", "fill_value") for dtype in source.dtypes):
        return _of_sparse(source, what, digest)
    names = names_in(labels) or [None] * len(labels)
    columns = [_pandas_column(source.iloc[:, place], name) for place, name in enumerate(names)]
    return _table(columns, len(source), labels, what, digest)


def _pandas_column(series: Any, name: str | None) -> Column:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        values = series.to_numpy()
        absent = np.asarray(series.isna()) if dtype.kind in "OMm" else None
        return Column(name, _kind(str(dtype)), values, absent, dtype.kind not in "MmSUV")
    absent = np.asarray(series.isna())
    kind = getattr(dtype, "kind", "O")
    if absent.any() or (kind not in "biuf" and not str(dtype).startswith("decimal")):
        return Column(name, _kind(str(dtype)), np.asarray(series, dtype=object), absent, is_quantity=False)
    plain = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None)) if kind in "biuf" else np.dtype(object)
    return Column(name, str(dtype), np.asarray(series.to_numpy(dtype=plain)))


def _of_sparse(source: Any, what: str, digest: str | None) -> Matrix:
    """Return a frame of sparse columns as CSR, which it must be at 0."""
    try:
        X = source.sparse.to_coo().tocsr()
    except ValueError as error:
        raise DataError(f"{what} must be sparse at 0; {error}. Pass its .sparse.to_dense().") from error
    matrix = csr_in_memory(X, what=what)
    matrix.names, matrix.rows_digest = names_in(list(source.columns)), digest
    return matrix


def digest_of_labels(index: Any) -> str | None:
    """Return what tells the labels of rows apart, those 0, 1, 2 … as such; None where there are none to compare."""
    labels = np.asarray(index)
    if labels.ndim != 1 or not labels.size:
        return None
    if labels.dtype.kind in "iu":
        counts = np.arange(labels.size)
        if np.array_equal(labels, counts):
            return f"{INDEX}{DEFAULT}"
        kind = SHUFFLED if np.array_equal(np.sort(labels), counts) else ""
        return f"{INDEX}{kind}{_hash(labels.astype(np.int64).tobytes())}"
    if labels.dtype.kind in "Mm":
        labels = _in_microseconds(labels)
    return f"{INDEX}{_hash(labels.tobytes() if labels.dtype.kind in 'fMmb' else repr(labels.tolist()).encode())}"


def _in_microseconds(dates: NDArray[Any]) -> NDArray[Any]:
    """Return dates in one unit where that loses nothing: pandas, xarray and NumPy keep the same dates in different ones."""
    told = dates.astype(f"{dates.dtype.kind}8[us]")
    return told if bool((told == dates).all()) else dates


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


# ---- polars ------------------------------------------------------------------------------------------------------------


def _of_polars(source: Any, what: str) -> Matrix:
    if not has(source, "get_columns"):
        return _matrix(numbers_in(_polars_column(source), 0, what), (source.name,) if source.name else None, what)
    found = source.get_columns()
    return _table([_polars_column(series) for series in found], source.height, [series.name for series in found], what)


def _polars_column(series: Any) -> Column:
    kind = str(series.dtype)
    absent = series.is_null().to_numpy() if series.null_count() else None
    is_quantity = bool(series.dtype.is_numeric()) or kind == "Boolean"
    is_plain = is_quantity and absent is None and not kind.startswith(("Decimal", "Int128", "UInt128"))
    values = np.asarray(series.to_numpy()) if is_plain else _objects(series.to_list())
    return Column(series.name or None, _kind(kind), values, absent, is_quantity)


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# ---- Arrow, and tables that are known by a protocol --------------------------------------------------------------------


def _of_arrow(source: Any, what: str) -> Matrix:
    found = _arrow(source, what)
    if not hasattr(found, "column_names"):
        return _matrix(numbers_in(_arrow_column(found, None), 0, what), None, what)
    return _table(arrow_columns(found), found.num_rows, found.column_names, what)


def arrow_columns(table: Any) -> list[Column]:
    """Return the columns of a pyarrow table."""
    return [_arrow_column(table.column(place), name) for place, name in enumerate(table.column_names)]


def _arrow(source: Any, what: str) -> Any:
    """Return a pyarrow table or chunked array."""
    try:
        import pyarrow as pa
        import pyarrow.interchange
    except ImportError as error:
        raise SpecError(f"{what} as {_title(source)} is read by pyarrow, which is not installed. pip install pyarrow.") from error
    try:
        if not (has(source, "__arrow_c_stream__") or has(source, "__arrow_c_array__")):
            return pyarrow.interchange.from_dataframe(source)
        if has(source, "column_names") or has(source, "columns"):
            return pa.table(source)
        return _arrow_by_trial(source, pa)
    except Exception as error:
        raise DataError(
            f"{what} must be a table or a column of numbers; {_title(source)} gave: {type(error).__name__}: {error}. Convert it first."
        ) from error


def _arrow_by_trial(source: Any, pa: Any) -> Any:
    if isinstance(source, pa.Array | pa.ChunkedArray):
        return pa.table(source) if pa.types.is_struct(source.type) else source
    try:
        return pa.table(source)
    except (TypeError, ValueError):
        return pa.chunked_array(source) if has(source, "__arrow_c_stream__") else pa.array(source)


def _arrow_column(column: Any, name: str | None) -> Column:
    kind = str(column.type)
    is_quantity = kind.startswith(_ARROW_NUMBERS)
    absent = np.asarray(column.is_null().to_pylist(), dtype=bool) if column.null_count else None
    is_plain = is_quantity and absent is None and not kind.startswith("decimal")
    values = column.to_numpy(**_COPIED.get(type(column).__name__, {"zero_copy_only": False})) if is_plain else None
    return Column(name, _kind(kind), _objects(column.to_pylist()) if values is None else values, absent, is_quantity)


_COPIED: dict[str, dict[str, bool]] = {"ChunkedArray": {}}  # ChunkedArray always copies, and has had no such word for long


def with_holes(source: Any, what: str) -> Matrix | None:
    """Return a table or column of polars or Arrow that lacks values, all numbers else, NaN where one has none; None: it is none such."""
    is_polars = TABLES["polars"].takes(source)
    if not is_polars and not (_speaks_arrow(source) and not has(source, "iloc")):
        return None
    if is_polars:
        is_table = has(source, "get_columns")
        columns = [_polars_column(series) for series in (source.get_columns() if is_table else [source])]
    else:
        found = _arrow(source, what)
        is_table = hasattr(found, "column_names")
        columns = arrow_columns(found) if is_table else [_arrow_column(found, None)]
    if not all(column.is_quantity for column in columns) or all(column.absent is None for column in columns):
        return None
    values = join_with_gaps(columns)
    names = names_in([column.name for column in columns]) if is_table or columns[0].name else None
    return _matrix(values if is_table else values[:, 0], names, what)


def join_with_gaps(columns: Sequence[Column]) -> NDArray[np.float64]:
    """Return columns of numbers side by side, NaN where a value is missing."""
    return np.stack([_with_nan(column) for column in columns], axis=1)


def _with_nan(column: Column) -> NDArray[np.float64]:
    if column.absent is None:
        return column.values.astype(np.float64)
    return np.array(
        [np.nan if is_absent else float(value) for value, is_absent in zip(column.values, column.absent, strict=True)]
    )


def _kind(word: str) -> str:
    """Return the word for a type that people know."""
    lower = word.lower()
    if lower.startswith(("category", "categorical", "enum", "dictionary")):
        return "categories"
    return "strings" if lower.startswith(("str", "string", "large_string", "string_view", "utf8", "<u", "|s")) else lower


# ---- what converts to an array -----------------------------------------------------------------------------------------


def _speaks_arrow(source: Any) -> bool:
    return any(has(source, name) for name in ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__"))


def is_foreign(source: Any) -> bool:
    """Whether it is a table or a column of Arrow, or known by its protocols alone: no array can be made of it without its words."""
    return _speaks_arrow(source) and not has(source, "__array__")


def _is_array_like(source: Any) -> bool:
    if isinstance(source, bytes | str | np.generic):
        return False
    if isinstance(getattr(source, "__array_interface__", None), dict):  # often an attribute of the instance, not of its class
        return True
    return isinstance(source, Sequence) or any(has(source, name) for name in ("__array__", "__buffer__"))


def _of_array(source: Any, what: str) -> Matrix:
    try:
        # np.asanyarray keeps a mask.
        values: Any = array_of_list(source, what) if isinstance(source, list | tuple) else np.asanyarray(source)
    except DsketchError:
        raise
    except Exception as error:
        raise DataError(
            f"{what} must be rows of numbers; {_title(source)} is no such array ({error}). Convert it to a NumPy array first."
        ) from error
    if values.dtype.kind == "O" and values.ndim in (1, 2):
        values = from_objects(np.asarray(values), what)
    return ArrayMatrix(values, what=what)


# Tables, columns, and whatever converts to an array.  What comes first is known better: by methods of its own, then by a protocol.
TABLES: dict[str, Opener] = {
    "lazy table": Opener(known_by("collect", "collect_schema"), _lazy),
    "pandas": Opener(known_by("iloc", "to_numpy"), _of_pandas),
    "polars": Opener(known_by("null_count", "to_numpy", "to_arrow"), _of_polars),
    "Arrow": Opener(_speaks_arrow, _of_arrow),
    "array": Opener(_is_array_like, _of_array),
}
