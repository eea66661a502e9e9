"""The pass that regresses each target on each column beside common covariates: coefficients, standard errors, t, p, a row a column.

Its rows are the columns of a wide store (:class:`~dsketch.matrix.transposed.Transposed`).  What it makes is several numbers for each
column and target; they are gathered, or written where they are made, a chunk a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.tails import two_tails
from dsketch.matrix.alleles import NO_ALLELE
from dsketch.matrix.base import AnyArray
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.column_tiles import Columns, require_no_gaps
from dsketch.passes.marginal_sums import EXPLAINED, Sums, sums_of, whole_column
from dsketch.passes.partialled import EPS, LONG_ROWS, Group, Prepared, Sides, long_squares
from dsketch.passes.writing import Box

FIELDS = ("beta", "standard_errors", "t", "p", "neg_log10_p", "counts")
_COLUMNS = 1024  # of a block at once
_COUNTS = ("columns", "undetermined", "lacking", "missing", "short", "exact", "compared", "unmarked")


class Facts(NamedTuple):
    """What is known of the targets, shape (k,) each: rows, rank of the covariates, ‖ỹ‖, condition of the covariates; and the groups."""

    rows: Floats
    rank: Floats
    norms: Floats
    condition: Floats
    groups: int


class Tally(NamedTuple):
    """What a pass over columns counted.

    Attributes
    ----------
    counts : dict of str to int
        ``columns``; those that the covariates determine (``undetermined``), that lack entries (``lacking``), and how many entries are
        ``missing``; those with too few rows for errors (``short``); those that explain a target but for rounding (``exact``); those
        ``compared`` with sums in extended precision; how many entries
        are −1 or −2 where nothing says what that means (``unmarked``).
    facts : Facts
    off : ndarray, shape (3, k)
        Largest distance of a compared coefficient, as a share of ‖ỹ‖/‖g̃‖, and of a compared t, as a share of max(1, |t|); how much of the
        first is what rounding leaves open of the covariates' span.
    """

    counts: dict[str, int]
    facts: Facts
    off: Floats


class Made(NamedTuple):
    """What a block came to: each field, shape (columns, k), and the parts of its tally."""

    values: dict[str, Floats]
    tally: Part


@dataclass(frozen=True)
class MarginalFields(Pass[tuple[dict[str, Floats], Tally]]):
    """Finish to the fields by name, shape (m, k) each, and the tally.

    Parameters
    ----------
    sides : Sides
        Targets and covariates.
    missing : {"mean", "drop", "error"}
        What stands for a missing entry of a column.
    marks : tuple of int
        Integers that stand for one.
    probes : tuple of int
        Numbers of columns that are made again in extended precision.

    Notes
    -----
    2 n (k + q) flops a column in matrix products, for k targets and q covariates; as many again, without k, for each further group of
    targets that miss other rows.  A part is 6 k numbers a column, as integers of the same bits: a NaN is an answer here.
    """

    sides: Sides
    missing: str
    marks: tuple[int, ...] = ()
    probes: tuple[int, ...] = ()

    kind: ClassVar[str] = "marginal"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's columns."""
        made = self.make(block)
        own = (np.stack([made.values[name] for name in FIELDS], axis=1).view(np.int64), made.tally)
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Put one under the other."""
        return np.concatenate([left[0], right[0]]), merge_tallies(left[1], right[1])

    def finish(self, part: Part) -> tuple[dict[str, Floats], Tally]:
        """Return all columns."""
        values = part[0].view(np.float64)
        return {name: np.ascontiguousarray(values[:, place]) for place, name in enumerate(FIELDS)}, tally_of(part[1])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 6 k numbers a column of a large block, at least."""
        del columns, sides
        return 8 * len(FIELDS) * self.sides.Y.shape[1] * 4096

    # ---- as what is written (dsketch.passes.arrays.Source) ---------------------------------------------------------------

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return FIELDS

    @property
    def tally_bytes(self) -> int:
        """Counts, facts and distances."""
        return 8 * (9 + 7 * self.sides.Y.shape[1])

    def make_pieces(self, block: Block) -> Iterator[tuple[Box, dict[str, Floats], Part]]:
        """Yield the block, a chunk of each array."""
        made = self.make(block)
        yield self._box(block), made.values, made.tally

    def kept_pieces(self, block: Block) -> tuple[Box, ...] | None:
        """Return the block; None where columns are to be compared."""
        return None if any(block.start <= number < block.stop for number in self.probes) else (self._box(block),)

    def count_kept(self, answers: dict[str, Any]) -> Part:
        """Return the tally of columns that were written before."""
        facts = facts_of(self.prepared, self.sides.Y.shape[1])
        counts = np.append(count_columns(answers, facts), [0.0, 0.0])
        return counts, facts, np.array([float(len(self.prepared))]), np.zeros((3, facts.shape[1]))

    def add_tallies(self, left: Part, right: Part) -> Part:
        """Add counts; keep the larger distances."""
        return merge_tallies(left, right)

    def tell(self, tally: Part) -> Tally:
        """Return the tally under its names."""
        return tally_of(tally)

    def _box(self, block: Block) -> Box:
        return slice(block.start, block.stop), slice(0, self.sides.Y.shape[1])

    # ---- the numbers -----------------------------------------------------------------------------------------------------

    def make(self, block: Block) -> Made:
        """Return the fields of the columns of a block.

        Raises
        ------
        DataError
            If a number is infinite, or missing with ``missing="error"``.
        """
        prepared, stored = self.prepared, np.asarray(block.A)
        k, drops = self.sides.Y.shape[1], self.missing == "drop"
        require_no_gaps(Columns(stored, None, self.marks), block.start, block.names[0], may_lack=self.missing != "error")
        values = {name: np.empty((len(stored), k)) for name in FIELDS}
        counts, off, facts = np.zeros(len(_COUNTS)), np.zeros((3, k)), facts_of(prepared, k)
        for number in range(len(prepared)):
            group = prepared.group(number)
            for low in range(0, len(stored), _COLUMNS):
                columns = Columns(stored[low : low + _COLUMNS], group.rows, self.marks)
                columns = columns.shifted() if self.sides.intercept else columns
                sums = sums_of(columns, group, drops=drops)
                for name, found in estimates(sums).items():
                    values[name][low : low + _COLUMNS, group.targets] = found
                self._compare(columns, group, sums, block.start + low, off)
        counts[_COUNTS.index("compared")] = sum(block.start <= probe < block.stop for probe in self.probes)
        counts[_COUNTS.index("unmarked")] = 0 if self.marks else unmarked_calls(stored)
        counts[:6] = count_columns(values, facts)
        return Made(values, (counts, facts, np.array([float(len(prepared))]), off))

    @cached_property
    def prepared(self) -> Prepared:
        """Targets and covariates, made ready once a process."""
        return self.sides.prepare()

    def __getstate__(self) -> dict[str, Any]:
        """Leave what was made ready behind."""
        return {name: value for name, value in self.__dict__.items() if name != "prepared"}

    def state(self) -> Iterator[State]:
        """Yield what decides the fields."""
        yield repr(self.kind)
        yield from self.sides.state()
        yield repr((self.missing, self.marks, self.probes))

    def _compare(self, columns: Columns, group: Group, sums: Sums, start: int, off: Floats) -> None:
        """Raise ``off`` to the distance of probed columns from sums in extended precision."""
        for number in self.probes:
            if start <= number < start + columns.count:
                found = compare(columns, number - start, group, sums, drops=self.missing == "drop")
                off[:, group.targets] = np.maximum(off[:, group.targets], found)


def estimates(sums: Sums) -> dict[str, Floats]:
    """Return coefficients, standard errors, t, p, −log₁₀ p and counts of the sums."""
    freedom = np.broadcast_to(sums.freedom[:, None], sums.products.shape)
    with np.errstate(all="ignore"):
        beta = np.where(np.isnan(sums.targets), np.nan, sums.products / sums.squares[:, None])
        variance = np.where(freedom >= 1, np.maximum(sums.residuals, 0.0) / freedom, np.nan)
        errors = np.sqrt(variance / sums.squares[:, None])
        t = beta / errors
    p, decades = two_tails(t, freedom)
    counts = np.broadcast_to(sums.counts[:, None], beta.shape)
    return dict(zip(FIELDS, (beta, errors, t, p, decades, counts), strict=True))


def compare(columns: Columns, number: int, group: Group, sums: Sums, *, drops: bool) -> Floats:
    """Return how far coefficient and t of one column may be from those in extended precision, and what of it is bounded, shape (3, k).

    Sums are made again in extended precision; that what covariates span is known to ``turn`` moves g̃ᵀỹ by so much of ‖g̃‖‖P y‖ and of
    ‖ỹ‖‖P g‖ besides, as P is what is left out of both.  Of t = β ‖g̃‖ √ν/‖r‖ that is felt by β, and by r as much.
    """
    gaps = columns.of(np.array([number])).gaps()
    fill = None if drops else float(gaps.means[0])
    g, Y = whole_column(columns, number, group, fill)
    square, products = long_products(g, Y)
    squares = group.long_squares if Y is group.Y else long_squares(Y)
    with np.errstate(all="ignore"):
        residuals = np.where(products**2 < (1 - EXPLAINED) * square * squares, squares - products**2 / square, 0.0)
        formed = np.flatnonzero(residuals == 0)
        left = Y[:, formed].astype(np.longdouble) - np.multiply.outer(g.astype(np.longdouble), products[formed] / square)
        residuals[formed] = np.einsum("ij,ij->j", left, left)
        t = products / np.sqrt(square * residuals / sums.freedom[number])
        beta = sums.products[number] / sums.squares[number]
        found = beta * np.sqrt(sums.squares[number] * sums.freedom[number] / sums.residuals[number])
        turned = group.turn * (np.sqrt(group.whole / squares) + columns.length(number, fill) / np.sqrt(square))
        share = np.abs(beta - products / square) * np.sqrt(square / sums.targets[number]) + turned
        bent = turned * np.sqrt(squares / residuals) * (np.sqrt(sums.freedom[number]) + 2 * np.abs(t))
        distance = (np.abs(found - t) + np.where(np.isfinite(t), bent, 0.0)) / np.maximum(np.abs(t), 1)
    return np.nan_to_num(np.array([share, distance, turned], np.float64), nan=0.0, posinf=0.0)


def long_products(g: Floats, Y: Floats) -> "tuple[np.longdouble, np.ndarray[Any, Any]]":
    """Return gᵀg and gᵀY, summed in extended precision."""
    wide, products = g.astype(np.longdouble), np.zeros(Y.shape[1], np.longdouble)
    for low in range(0, len(g), LONG_ROWS):
        products += np.einsum("i,ij->j", wide[low : low + LONG_ROWS], Y[low : low + LONG_ROWS].astype(np.longdouble))
    return np.longdouble((wide * wide).sum()), products


def merge_tallies(left: Part, right: Part) -> Part:
    """Add counts; keep the larger distances, and the facts, which are the same."""
    return left[0] + right[0], left[1], left[2], np.maximum(left[3], right[3])


def tally_of(part: Part) -> Tally:
    """Return the tally that its arrays hold."""
    counts, facts, groups, off = part
    named = {name: int(value) for name, value in zip(_COUNTS, counts, strict=True)}
    return Tally(named, Facts(facts[0], facts[1], facts[2], facts[3], int(groups[0])), off)


def facts_of(prepared: Prepared, targets: int) -> Floats:
    """Return rows, rank, ‖ỹ‖ and condition of each target, shape (4, k)."""
    if prepared.facts is not None:
        return prepared.facts
    facts = np.zeros((4, targets))
    for group in map(prepared.group, range(len(prepared))):
        k = len(group.targets)
        norms = np.sqrt(np.nan_to_num(group.squares))
        facts[:, group.targets] = [
            np.full(k, group.count),
            np.full(k, group.rank),
            norms,
            np.full(k, group.basis.condition),
        ]
    prepared.facts = facts  # whole: other threads ask for it at the same time
    return facts


def count_columns(values: dict[str, Floats], facts: Floats) -> Floats:
    """Return the counts of a block but for those compared.

    Parameters
    ----------
    facts : ndarray, shape (4, k)
        As :func:`facts_of` gives them.
    """
    rows, rank = facts[:2]
    missing = (rows - values["counts"]).max(axis=1)
    undetermined = np.isnan(values["beta"]).all(axis=1)
    no_error = np.isnan(values["standard_errors"]) & ~np.isnan(values["beta"])
    short, exact = no_error, np.zeros((1, 1), np.bool_)
    if no_error.any():
        has_rows = values["counts"] - rank >= 2
        short, exact = no_error & ~has_rows, no_error & has_rows
    found = (undetermined, missing > 0, missing, short.any(axis=1), exact.any(axis=1))
    return np.array([len(missing), *(each.sum() for each in found)], dtype=np.float64)


def unmarked_calls(stored: AnyArray) -> int:
    """Return how many entries of int8 look like missing calls: −1 or −2, where nothing is below.

    >>> unmarked_calls(np.array([[0, 2, -1]], np.int8)), unmarked_calls(np.array([[0, 5, -5, -1]], np.int8))
    (1, 0)
    """
    if stored.dtype != np.int8:
        return 0
    calls = stored.astype(np.int8, copy=False)
    return int(np.count_nonzero(calls < 0)) if NO_ALLELE <= int(calls.min(initial=0)) < 0 else 0


def rounding_level(rows: int) -> float:
    """Return what rounding may do to a coefficient, as a share of ‖ỹ‖/‖g̃‖.

    Of a g̃ that kept 1/10 of g, and is not formed, sums of n products are off by 10 √n eps of ‖g̃‖ ‖ỹ‖, its square by 100 √n eps.
    """
    return 200 * EPS * float(np.sqrt(rows))
