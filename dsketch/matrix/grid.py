"""The chunks that a box of numbers lies in."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

Box = tuple[slice, ...]


class Piece(NamedTuple):
    """What a chunk has of a box.

    Attributes
    ----------
    place : tuple of int
        Number of the chunk along each dimension.
    local : tuple of slice
        Of the chunk.
    inside : tuple of slice
        Of the box.
    """

    place: tuple[int, ...]
    local: Box
    inside: Box


def pieces_of(whole: Box, chunks: tuple[int, ...]) -> Iterator[Piece]:
    """Yield what each chunk has of a box, in C order.

    >>> [piece.place for piece in pieces_of((slice(1, 5), slice(0, 2)), (2, 2))]
    [(0, 0), (1, 0), (2, 0)]
    """
    numbers = [range(one.start // size, -(-one.stop // size)) for one, size in zip(whole, chunks, strict=True)]
    for place in product(*numbers):
        spans = [
            (max(one.start, number * size), min(one.stop, (number + 1) * size), number * size, one.start)
            for number, size, one in zip(place, chunks, whole, strict=True)
        ]
        local = tuple(slice(low - first, high - first) for low, high, first, _ in spans)
        yield Piece(place, local, tuple(slice(low - first, high - first) for low, high, _, first in spans))
