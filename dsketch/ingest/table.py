"""Record batches → blocks of floats; the second pass of a table, and the first if one is needed."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.events import Note, Progress, Tell
from dsketch.ingest import remedy
from dsketch.ingest.choice import ColumnChoice
from dsketch.ingest.columns import ColumnKind, Table
from dsketch.ingest.encode import Encoder, Numeric, OneHot
from dsketch.ingest.heading import is_index
from dsketch.ingest.rows import RowSource, narrowest_dtype, rows_per_block
from dsketch.ingest.screen import keep_finite, refuse_nonfinite
from dsketch.ingest.survey import Survey, missing_mask, survey
from dsketch.ingest.tally import Tally


def settle_table(table: Table, choice: ColumnChoice, tell: Tell) -> RowSource:
    """Return the rows of ``table`` as floats.

    The first pass is left out if nothing depends on it: all columns are numbers by their type, the file knows its
    rows, and none of them can be dropped.
    """
    used = choice.used(list(table.columns))
    for name in used:
        table.columns[name].check()
    for side in choice.sides:
        if table.columns[side].kind is ColumnKind.CATEGORY:
            raise DataError(
                f"a target of numbers was expected; {side!r} holds {table.columns[side].type}. Encode it as numbers first."
            )
    _tell_notes(table, used, choice, tell)
    if table.rows is not None and _is_plain(table, used, choice):
        tally = Tally(used)
        tally.add_whole(table.rows)
        found = Survey([Numeric(name) for name in used], tally)
        passes = 1
    else:
        passes = 2
        found = survey(table, used, choice, lambda done: tell(Progress(done, 2 * table.size_bytes)), tell)
    return _rows(table, used, choice, found, passes, tell)


def _is_plain(table: Table, used: Sequence[str], choice: ColumnChoice) -> bool:
    has_levels = {*choice.categories, *(choice.like.levels if choice.like else ())}
    numbers = all(table.columns[name].kind is ColumnKind.NUMBER and name not in has_levels for name in used)
    return numbers and choice.nulls == "error" and not choice.base


def _tell_notes(table: Table, used: Sequence[str], choice: ColumnChoice, tell: Tell) -> None:
    for note in table.notes:
        tell(note)
    for name in used:
        if is_index(name):
            finding = f"column {name!r} looks like the labels of the rows (an index) and is in A"
            tell(remedy.note_on(finding, remedy.drop_column(name)))
    ignored = choice.ignored(list(table.columns))
    if ignored and choice.like is not None:
        shown = ", ".join(map(repr, ignored[:12])) + (f" … ({len(ignored):,} in all)" if len(ignored) > 12 else "")
        tell(Note(f"not in {choice.like.path}, and left out: {shown}"))


def _rows(table: Table, used: Sequence[str], choice: ColumnChoice, found: Survey, passes: int, tell: Tell) -> RowSource:
    of_matrix = found.encoders[: len(used) - len(choice.sides)]
    one_hot = [encoder for encoder in of_matrix if isinstance(encoder, OneHot)]
    return RowSource(
        names=tuple(label for encoder in of_matrix for label in encoder.labels),
        dtype=narrowest_dtype([dtype for encoder in of_matrix for dtype in _exact(table, encoder)]),
        tally=found.tally,
        targets=choice.targets,
        has_weights=choice.weights is not None,
        is_vector=False,
        blocks=lambda: _blocks(table, used, choice, found.encoders, passes, tell),
        levels={encoder.name: encoder.levels for encoder in one_hot},
        base={encoder.name: encoder.base for encoder in one_hot if encoder.base is not None},
    )


def _exact(table: Table, encoder: Encoder) -> tuple[str, ...]:
    column = table.columns[encoder.name]
    if isinstance(encoder, OneHot):
        return ()
    # A number in text has no type; take the widest.
    return ("f8",) if column.kind is ColumnKind.CELL and isinstance(encoder, Numeric) else column.dtypes


def _blocks(
    table: Table, used: Sequence[str], choice: ColumnChoice, encoders: list[Encoder], passes: int, tell: Tell
) -> Iterator[Floats]:
    labels = [label for encoder in encoders for label in encoder.labels]
    owners = [encoder.name for encoder in encoders for _ in encoder.labels]
    step = rows_per_block(max(len(labels), 1))
    first_row = 0
    before = (passes - 1) * table.size_bytes
    for batch, done_bytes in table.batches(used):
        for start in range(0, batch.num_rows, step):
            piece = batch.slice(start, step)
            yield _block(piece, choice, encoders, owners, first_row + start)
        first_row += batch.num_rows
        tell(Progress(before + done_bytes, passes * table.size_bytes))


def _block(piece: pa.RecordBatch, choice: ColumnChoice, encoders: list[Encoder], owners: list[str], first_row: int) -> Floats:
    keep = keep_finite(missing_mask(piece), choice.nulls, piece.schema.names, first_row, choice.needed)
    whole = piece if keep.all() else piece.filter(pa.array(keep))
    block: Floats = np.empty((whole.num_rows, len(owners)))
    stop = 0
    for encoder, column in zip(encoders, whole.columns, strict=True):
        start, stop = stop, stop + len(encoder.labels)
        encoder.fill(column, block[:, start:stop])
    refuse_nonfinite(block, owners, first_row + np.flatnonzero(keep))
    return block
