"""What one thread does with one task: stream its blocks through a pass in bounded memory, reading one block ahead."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import numpy as np

from dsketch._linalg.threads import one_blas_thread
from dsketch.engine.panels import Task, merge_parts, spans
from dsketch.matrix.base import Cuts
from dsketch.matrix.rows import Block, Buffers, Rows, find_nonfinite
from dsketch.matrix.window import WINDOW_BYTES, Window
from dsketch.passes.base import Part, Pass, leaves

Read = Callable[[int], None]


def _nobody(count: int) -> None:
    """Listen to nothing."""
    del count


def run_task(pass_: Pass[object], rows: Rows, task: Task, tell_read: Read = _nobody, window_bytes: int = WINDOW_BYTES) -> Part:
    """Return the part of a task.

    Parameters
    ----------
    tell_read : callable
        Is told the number of bytes of each block once it is done.
    window_bytes : int
        That may be on their way from a store beyond the block that is read.

    Raises
    ------
    DataError
        If a block cannot be read, or holds a NaN or an infinity.
    """
    todo = [span for cuts in task.panels for span in spans(cuts)]
    with one_blas_thread(), Window(rows, todo, window_bytes) as window, closing(blocks_ahead(rows, todo, window)) as blocks:
        return pass_.end_task(merge_parts(pass_, (_panel(pass_, rows, cuts, blocks, tell_read) for cuts in task.panels)))


def _panel(pass_: Pass[object], rows: Rows, cuts: Cuts, blocks: Iterator[Block], tell_read: Read) -> Part:
    """Return the part of one panel; a part that is not finite sends us back to find the row that is to blame."""
    own = islice(blocks, len(cuts) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        part = (
            _fold(pass_, rows, own, tell_read)
            if pass_.accumulates
            else merge_parts(pass_, _map_block(pass_, rows, own, tell_read))
        )
    if not all(np.isfinite(array).all() for array in leaves(part)):
        for start, stop in spans(cuts):
            find_nonfinite(rows.block(start, stop))
    return pass_.end_panel(part)


def _fold(pass_: Pass[object], rows: Rows, blocks: Iterator[Block], tell_read: Read) -> Part:
    part = None
    for block in blocks:
        part = pass_.map(block, part)
        tell_read(_bytes(rows, block))
    return part


def _map_block(pass_: Pass[object], rows: Rows, blocks: Iterator[Block], tell_read: Read) -> Iterator[Part]:
    for block in blocks:
        yield pass_.map(block, None)
        tell_read(_bytes(rows, block))


def _bytes(rows: Rows, block: Block) -> int:
    return rows.nbytes * (block.stop - block.start) // rows.shape[0]


def blocks_ahead(rows: Rows, todo: list[tuple[int, int]], window: Window) -> Generator[Block, None, None]:
    """Yield the blocks in order; the next one is read (or asked of the disk) while the caller computes.

    Two sets of buffers take turns, so at most two decoded blocks are in memory; what a store on another machine is asked for is announced
    further ahead.
    """
    buffers = (Buffers(), Buffers())
    if all(matrix.is_raw for matrix in rows.matrices()):
        block = rows.block(*todo[0], buffers[0])
        for number, span in enumerate(todo[1:], start=1):
            ahead = rows.block(*span, buffers[number % 2])  # opens it and starts the disk's read-ahead
            yield block
            block = ahead
        yield block
        return

    def read(start: int, stop: int, into: Buffers) -> Block:
        window.advance(start, stop)
        return rows.block(start, stop, into)

    with ThreadPoolExecutor(1, thread_name_prefix="dsketch-read") as reader:
        coming = reader.submit(read, *todo[0], buffers[0])
        for number in range(1, len(todo) + 1):
            block = coming.result()
            if number < len(todo):
                coming = reader.submit(read, *todo[number], buffers[number % 2])
            yield block
