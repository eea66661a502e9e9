"""The methods of a path: those of one point, with a first pass that keeps folds apart and a second that certifies all points."""

from collections.abc import Mapping

from dsketch.planning.work import FOLD_GRAMS, GRADIENT_WIDE, TRIANGLE, Work
from dsketch.problems.method import table_of
from dsketch.problems.penalized.gram import GramPoints
from dsketch.problems.penalized.method import PenalizedCase, PenalizedMethod
from dsketch.problems.penalized.triangle import TrianglePoints


class GramPath(GramPoints):
    """A Gram matrix for each fold, the active sets of all points, a look that certifies them."""

    def works(self, case: PenalizedCase) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        del case
        return Work((FOLD_GRAMS,)), Work((GRADIENT_WIDE,))

    def part_bytes(self, case: PenalizedCase) -> int:
        """Return the bytes of all Gram matrices."""
        return max(case.folds, 1) * super().part_bytes(case)


class TrianglePath(TrianglePoints):
    """A triangle of all rows beside the Gram matrices of the folds, and the same look."""

    def works(self, case: PenalizedCase) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        return Work((TRIANGLE, FOLD_GRAMS) if case.folds else (TRIANGLE,)), Work((GRADIENT_WIDE,))

    def part_bytes(self, case: PenalizedCase) -> int:
        """Return the bytes of the triangle and all Gram matrices."""
        return (1 + case.folds) * super().part_bytes(case)


METHODS: Mapping[str, PenalizedMethod] = table_of((GramPath(), TrianglePath()))
