"""Some blocks of rows, read to see what they are like before a pass reads all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from dsketch.matrix.hands import HANDS
from dsketch.matrix.rows import Block, Buffers, Rows, find_nonfinite
from dsketch.matrix.window import WINDOW_BYTES, Window

T = TypeVar("T")


def sample_blocks(
    rows: Rows,
    spans: Sequence[tuple[int, int]],
    take: Callable[[Block], T],
    later: Sequence[tuple[int, int, int]] = (),
    window_bytes: int = WINDOW_BYTES,
) -> list[tuple[T, float]]:
    """Return what is taken of each of some blocks, and the seconds of reading and taking it.

    Parameters
    ----------
    rows : Rows
    spans : sequence of (int, int)
        First row and row behind the last of each block.
    take : callable
    later : sequence of (int, int, int)
        Blocks that a pass reads next, and the row where their task ends: their bytes are asked for and left on their way.
    window_bytes : int
        That may be on their way beyond the block that is read.

    Raises
    ------
    DataError
        If a block cannot be read, or holds a NaN or an infinity.
    """
    buffers, found = Buffers(), []
    with Window(rows, list(spans), window_bytes, later) as window, HANDS.alone():  # a worker's threads are all at work
        if not spans and later:
            window.advance(later[0][0], later[0][0])
        for span in spans:
            began = time.perf_counter()
            window.advance(*span)
            block = rows.block(*span, buffers)
            found.append((take(block), time.perf_counter() - began))
            find_nonfinite(
                replace(block, b=None) if block.sides > block.columns else block
            )  # a wide b is looked at by the passes
    return found
