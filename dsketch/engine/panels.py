"""How rows become panels, panels become tasks, and parts become one: all fixed by block numbers, never by arrival.

A panel is a run of consecutive blocks, folded in order into one part.  There are 2^p panels, a function of the data alone; parts of
panels merge along the binary tree over panel numbers.  A task is an aligned run of 2^q panels, hence exactly one node of that
tree: how many tasks there are (that is, how many workers) changes who adds, not what is added to what.  So the bits are the same
for 1, 2 or 200 workers and for the serial engine.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from dsketch.matrix.base import Cuts
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Part, Pass

PANEL_BYTES = 64_000_000  # a few blocks: in a smaller panel a task's overhead (some ms) would show
MOST_PANELS = 4096  # so many are enough for 1000 workers, and keep the graph of any pass small
TASK_BYTES = 500_000_000  # a task reads about this at most: progress moves, a lost worker costs a second


@dataclass(frozen=True)
class Task:
    """An aligned run of panels: one node of the merge tree.

    Attributes
    ----------
    number : int
    panels : tuple of ndarray
        Row cuts of the blocks of each panel.
    """

    number: int
    panels: tuple[Cuts, ...]

    @property
    def start(self) -> int:
        """First row."""
        return int(self.panels[0][0])

    @property
    def stop(self) -> int:
        """Row after the last."""
        return int(self.panels[-1][-1])


def panels_of(rows: Rows) -> list[Cuts]:
    """Return the row cuts of every panel: a power of two of panels, blocks shared out evenly."""
    cuts = rows.cuts
    blocks = len(cuts) - 1
    wanted = min(max(rows.nbytes // PANEL_BYTES, rows.pieces, rows.panels, 1), blocks, MOST_PANELS)
    count = 1 << (int(wanted).bit_length() - 1)
    edges = [number * blocks // count for number in range(count + 1)]
    return [cuts[low : high + 1] for low, high in itertools.pairwise(edges)]


def rows_in(rows: Rows, nbytes: int) -> int:
    """Return how many rows have about so many decoded bytes."""
    return -(-nbytes * rows.shape[0] // max(rows.nbytes, 1))


def refine_panels(rows: Rows, least: int) -> Rows:
    """Return the rows in ``least`` panels or more, as far as their storage has so many pieces; blocks are cut where they are larger.

    Blocks are even, and end where a piece of the storage does that is read by itself; of a storage without such pieces they stay.
    """
    count = 1 << max(min(least, MOST_PANELS, rows.shape[0]) - 1, 0).bit_length()
    if count <= len(panels_of(rows)):
        return rows
    unit = rows.A.unit_rows
    if unit is None:
        return replace(rows, panels=count)
    n, tallest = rows.shape[0], int(np.max(np.diff(rows.cuts)))
    edges = np.linspace(0.0, -(-n // unit), count * -(-n // (count * tallest)) + 1)
    cuts = np.unique(np.minimum(np.round(edges).astype(np.int64) * unit, n))
    return replace(rows, A=Recut(rows.A, cuts), panels=count)


def tasks_of(rows: Rows, threads: int) -> list[Task]:
    """Return the tasks of a pass: at least two for each thread, none much larger than half a gigabyte where panels allow."""
    panels = panels_of(rows)
    wanted = max(2 * threads, rows.nbytes // TASK_BYTES, rows.pieces, 1)
    run = 1
    while run < len(panels) and len(panels) // (2 * run) >= wanted:
        run *= 2
    return [Task(number, tuple(panels[low : low + run])) for number, low in enumerate(range(0, len(panels), run))]


def blocks_beside(
    tasks: Iterable[Task], seen: Collection[tuple[int, int]], rows: int | None = None
) -> list[tuple[int, int, int]]:
    """Return rows of the blocks of some tasks but those that were seen, each with the row where its task ends; of about so many rows."""
    found: list[tuple[int, int, int]] = []
    height = 0
    for task in tasks:
        if rows is not None and height >= rows:
            break
        found += [(*span, task.stop) for cuts in task.panels for span in spans(cuts) if span not in seen]
        height += task.stop - task.start
    return found


def merge_parts(pass_: Pass[object], parts: Iterable[Part]) -> Part:
    """Return the root of the binary tree over parts that arrive in order, holding at most log₂ of them at a time."""
    pending: list[tuple[int, Part]] = []
    for part in parts:
        node = (1, part)
        while pending and pending[-1][0] == node[0]:
            size, left = pending.pop()
            node = (2 * size, pass_.merge(left, node[1]))
        pending.append(node)
    total = pending.pop()[1]
    while pending:
        total = pass_.merge(pending.pop()[1], total)
    return total


def spans(cuts: Cuts) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each block."""
    yield from zip(np.asarray(cuts)[:-1].tolist(), np.asarray(cuts)[1:].tolist(), strict=True)
