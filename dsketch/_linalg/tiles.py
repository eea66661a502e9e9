"""Columns of a slice in tiles that stay in the processor's cache while several products are made of them."""

from collections.abc import Iterator

TILE_BYTES = (
    1_000_000  # a tile of b and what is made of it, beside few columns of A, fit a second-level cache (measured, 3,000 sides)
)
_LEAST_COLUMNS = 64  # narrower, a product is all overhead


def column_tiles(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of columns whose float64 numbers in so many rows take at most ``TILE_BYTES``, but 64 columns at least.

    >>> [tile.stop - tile.start for tile in column_tiles(1000, 300)]
    [125, 125, 50]
    """
    width = max(TILE_BYTES // (8 * max(rows, 1)), _LEAST_COLUMNS)
    for low in range(0, columns, width):
        yield slice(low, min(low + width, columns))
