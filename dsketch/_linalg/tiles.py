"""Rows beside many right-hand sides in tiles that stay in the processor's cache while several products are made of them.

A tile is as wide as it may be: of whole rows products are twice as fast as of parts of them (measured, 3,000 sides).
"""

from collections.abc import Iterator

TILE_BYTES = 800_000  # a tile of b; what is made of it stays in the cache too
_LEAST_COLUMNS = 64  # narrower, a product is all overhead
_LEAST_ROWS = 32  # lower, a product is all overhead


def column_tiles(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of columns whose float64 numbers in so many rows take at most ``TILE_BYTES``, but 64 columns at least.

    >>> [tile.stop - tile.start for tile in column_tiles(1000, 250)]
    [100, 100, 50]
    """
    width = max(TILE_BYTES // (8 * max(rows, 1)), _LEAST_COLUMNS)
    for low in range(0, columns, width):
        yield slice(low, min(low + width, columns))


def rows_of_tile(columns: int) -> int:
    """Return the rows of a tile as wide as b, as far as 32 rows fit.

    >>> rows_of_tile(1000), rows_of_tile(10**6)
    (100, 32)
    """
    return max(TILE_BYTES // (8 * max(columns, 1)), _LEAST_ROWS)
