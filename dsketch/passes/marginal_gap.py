"""The pass that judges coefficients which somebody gives, each column beside its covariates."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.marginal import MarginalFields, Tally, merge_tallies, tally_of


@dataclass(frozen=True)
class MarginalGap(Pass[Tally]):
    """Finish to the tally of a :class:`~dsketch.passes.marginal.MarginalFields` whose distances are those of given coefficients.

    Parameters
    ----------
    inner : MarginalFields
    given : ndarray, shape (m, k)
        The coefficients.
    """

    inner: MarginalFields
    given: Floats

    kind: ClassVar[str] = "marginal gap"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Compare the block's columns; what covariates determine has no coefficient, and is passed over."""
        made = self.inner.make(block)
        counts, facts, groups, off = made.tally
        errors, freedom = made.values["standard_errors"], made.values["counts"] - facts[1] - 1
        distance = np.abs(self.given[block.start : block.stop] - made.values["beta"])
        with np.errstate(all="ignore"):  # errors are ‖r‖/(√freedom ‖g̃‖), and ‖ỹ‖² = ‖r‖² (1 + t²/freedom)
            size = errors * np.sqrt(freedom + made.values["t"] ** 2)
            share = distance / np.where(np.isnan(size), np.abs(made.values["beta"]), size)  # without a residual ‖ỹ‖ = |β| ‖g̃‖
        found = np.nan_to_num(share, nan=0.0, posinf=np.finfo(float).max).max(axis=0)
        own = (counts, facts, groups, np.concatenate([np.maximum(off[:2], found), off[2:]]))
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Add counts; keep the larger distances."""
        return merge_tallies(left, right)

    def finish(self, part: Part) -> Tally:
        """Return the tally."""
        return tally_of(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of a tally."""
        del columns, sides
        return 8 * (9 + 7 * self.inner.sides.Y.shape[1])

    def state(self) -> Iterator[State]:
        """Yield what is judged, and how."""
        yield repr(self.kind)
        yield from self.inner.state()
        yield self.given

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone."""
        return {"inner": self.inner, "given": self.given}
