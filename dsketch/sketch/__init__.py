"""Sketches: one family a file, one line in the table.

>>> sorted(SKETCHES)
['block_srht', 'count_sketch', 'gaussian', 'sparse_sign']
"""

from dsketch._registry import Registry
from dsketch.sketch.base import Sketch
from dsketch.sketch.block_srht import BlockSRHT
from dsketch.sketch.count import CountSketch
from dsketch.sketch.gaussian import Gaussian
from dsketch.sketch.sparse_sign import SparseSign

SKETCHES: Registry[type[Sketch]] = Registry(
    "sketch", {kind.name: kind for kind in (BlockSRHT, CountSketch, Gaussian, SparseSign)}
)

__all__ = ["SKETCHES", "BlockSRHT", "CountSketch", "Gaussian", "Sketch", "SparseSign"]
