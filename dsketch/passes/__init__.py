"""Passes: one kind of look at all rows a file."""

from dsketch.passes.base import Both, BothAsTree, Look, Pass
from dsketch.passes.counted import CountedGram, GramDepth, TriangleDepth
from dsketch.passes.gradient import BareGradient, Gradient, Moments, Slope
from dsketch.passes.gram import Gram
from dsketch.passes.normal import Normal
from dsketch.passes.sandwich import Sandwich
from dsketch.passes.sketching import Sketching
from dsketch.passes.squares import ColumnSums, Squares
from dsketch.passes.touch import Touch
from dsketch.passes.triangle import JointTriangle, Reduced, Triangle
from dsketch.passes.whitened import WhitenedGram

__all__ = [
    "BareGradient",
    "Both",
    "BothAsTree",
    "ColumnSums",
    "CountedGram",
    "Gradient",
    "Gram",
    "GramDepth",
    "JointTriangle",
    "Look",
    "Moments",
    "Normal",
    "Pass",
    "Reduced",
    "Sandwich",
    "Sketching",
    "Slope",
    "Squares",
    "Touch",
    "Triangle",
    "TriangleDepth",
    "WhitenedGram",
]
