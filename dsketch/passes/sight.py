"""Which rows of two sides see each other, and the tiles in which they meet."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hidden = NDArray[np.bool_] | None  # which entries of a tile are not seen; None: all are


@dataclass(frozen=True)
class Sight:
    """Which rows of the other side a row sees.

    Attributes
    ----------
    offset : int or None
        Row i of Q sees rows 0 … i + offset of K; None: all.
    is_turned : bool
        Whether the rows are K's and the other side is Q's.
    """

    offset: int | None = None
    is_turned: bool = False

    def reach(self, start: int, stop: int, others: int) -> tuple[int, int]:
        """Return the first row of the other side, and the one after the last, that any of the rows ``start:stop`` sees."""
        if self.offset is None:
            return 0, others
        if self.is_turned:
            return min(max(start - self.offset, 0), others), others
        return 0, min(max(stop + self.offset, 0), others)

    def hidden(self, top: int, height: int, left: int, width: int) -> Hidden:
        """Return which entries of a tile are not seen."""
        if self.offset is None:
            return None
        rows, columns = np.arange(top, top + height)[:, None], np.arange(left, left + width)[None, :]
        queries, keys = (columns, rows) if self.is_turned else (rows, columns)
        if keys.max() <= queries.min() + self.offset:
            return None
        return np.asarray(keys > queries + self.offset)


def tiles(sight: Sight, rows: tuple[int, int], others: tuple[int, int], tile: int) -> Iterator[tuple[slice, slice, Hidden]]:
    """Yield the tiles in which rows meet those of the other side that they see: places in both, and what is hidden.

    Parameters
    ----------
    rows, others : (int, int)
        First row and number of rows of each side.
    tile : int
        Rows and columns of a tile.
    """
    (start, height), (left, width) = rows, others
    for low in range(0, height, tile):
        high = min(low + tile, height)
        first, end = sight.reach(start + low, start + high, left + width)
        for near in range(max(first - left, 0) // tile * tile, end - left, tile):
            far = min(near + tile, width)
            yield slice(low, high), slice(near, far), sight.hidden(start + low, high - low, left + near, far - near)
