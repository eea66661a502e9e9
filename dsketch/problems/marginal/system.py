"""Columns, targets and covariates of marginal regressions, and the passes over them."""

import secrets
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from dsketch.matrix.rows import Rows
from dsketch.matrix.transposed import Transposed
from dsketch.passes.marginal import MarginalFields
from dsketch.passes.partialled import Prepared, Sides

PIECES = 64  # a column is so much work that a pass has this many tasks, where there are so many blocks
PROBES = 8  # so many columns, spread over the store, are made again in extended precision
_LONG_PROBE = (
    1_000_000  # products of one such column beyond which there is a probe for so many columns, two at least: below 5 % of all
)
_COLUMNS_A_PROBE = 2_500


@dataclass(frozen=True)
class MarginalSystem:
    """What is regressed on what.

    Attributes
    ----------
    columns : Transposed, shape (m, n)
        G, its columns as rows.
    sides : Sides
        Y and the covariates.
    missing : {"mean", "drop", "error"}
    """

    columns: Transposed
    sides: Sides
    missing: str
    token: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)

    @cached_property
    def rows(self) -> Rows:
        """What the pass reads."""
        return Rows(self.columns, None, pieces=PIECES, names=("G", "Y"))

    @property
    def kept_sides(self) -> Sides:
        """The sides, which a process makes ready once for this run."""
        return replace(self.sides, token=self.token)

    @property
    def prepared(self) -> Prepared:
        """Targets in groups, made ready in this process."""
        return self.kept_sides.prepare()

    @property
    def covariates(self) -> int:
        """Number of covariates, the constant counted."""
        sides = self.sides
        return int(sides.intercept) + (0 if sides.C is None else sides.C.shape[1])

    def marginal(self) -> MarginalFields:
        """Return the pass that answers."""
        m, n = self.columns.shape
        is_long = n * self.sides.Y.shape[1] > _LONG_PROBE
        count = min(PROBES if not is_long else min(max(m // _COLUMNS_A_PROBE, 2), PROBES), m)
        probes = tuple(sorted({int(number) for number in np.linspace(0, m - 1, count)}))
        return MarginalFields(self.kept_sides, self.missing, self.columns.marks, probes)
