"""Causal attention by a convolution basis: logits of few profiles, found, verified, and multiplied by FFT, in time n log n.

Passes: the lengths of the rows of K and of Q; where profiles change; rows of K there, and to probe; the profiles; the basis held against
probed columns, and what FFT carries of it; rows of Q to probe; the basis held against them; the rows.

References
----------
Y. Liang, H. Liu, Z. Shi, Z. Song, Z. Xu, J. Yin, "Conv-Basis: a new paradigm for efficient attention inference and gradient computation in
transformers", arXiv 2405.05219.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import below, draw
from dsketch._linalg.streams import ATTENTION_SAMPLE
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.basis import Basis, Indices, bound_weights
from dsketch.passes.conv_probes import Compared, ComparedRows, ProbedColumns
from dsketch.passes.convolution import Carried, ConvGuard, ConvRows, Tiling, conv_height, conv_rows
from dsketch.passes.polynomial import power_of_two
from dsketch.passes.profiles import ENTRIES, ProfileScan, settle_starts
from dsketch.passes.rowwise import Picked, Rowwise
from dsketch.passes.spans import Spans
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.attention.conv_rounding import DOUBT, basis_error, profile_tolerance
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod, BasisFacts
from dsketch.problems.attention.rounding import mean_condition
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.problems.method import Breakdown
from dsketch.problems.outcome import format_number
from dsketch.problems.persisted import copy_persisted
from dsketch.settings import Settings

_PASSES = 9
_PROBES = 64  # rows, and columns, over which the basis is held against the logits
_FEW = 8  # so many profiles of a head are taken whatever n
_PROFILE_BYTES = 256_000_000  # every worker holds all profiles
_WORST = 1e-6  # of the largest |v|: where no tolerance is given, what more may be off is left to the sweep


class Conv(AttentionMethod):
    """The profiles of the logits, once."""

    name = "conv"
    successor = "sweep"
    reason = "kind='conv' asks for it; the sweep takes over where there is no basis of few profiles"

    def unfit(self, case: AttentionCase) -> str | None:
        """Say for which weights there is a basis."""
        return None if case.system.is_conv else "a convolution basis is for kind='conv'"

    def require(self, case: AttentionCase) -> None:
        """Refuse logits that are not said to have a basis.

        Raises
        ------
        SpecError
        """
        if reason := self.unfit(case):
            raise SpecError(f"method={self.name!r} is for kind='conv' with causal=True: {reason}. Use method='sweep'.")

    def price(self, case: AttentionCase) -> Estimate:
        """Return light passes, and transforms of V for each block of rows, by a few profiles."""
        system, machines = case.system, case.machines
        height = _height(system)
        n, columns = system.Q.shape[0], case.sides + system.heads
        blocks = -(-n // height)
        tiles = blocks * (blocks + 1) / 2 + _FEW * blocks / 2
        work = tiles * columns * case.transform_seconds(height) / min(machines.threads, blocks)
        part = 8 * min(height, n) * case.sides
        own = 8 * height * (3 * system.Q.shape[1] + 12 * columns)  # blocks read; transforms, their sums and quotients
        memory = own + 8 * n * system.heads * _most_profiles(n, system.heads) + 4 * part
        tasks = machines.tasks(conv_rows(system.Q, None, height, ("Q", "b")))
        return Estimate(_PASSES, work + _PASSES * (PASS_SECONDS + TASK_SECONDS * tasks), memory, part)

    def details(self, case: AttentionCase) -> tuple[str, ...]:
        """Tell how many profiles it takes."""
        n, heads = case.system.Q.shape[0], case.system.heads
        return (f"at most {_most_profiles(n, heads):,} profiles a head, else the sweep",)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Find the basis, verify it, and tell how the answer's rows are made.

        Raises
        ------
        Breakdown
            If the logits have no basis of few profiles.
        """
        del start
        measured = yield from system.measure()
        Q = yield from copy_persisted(system.Q)
        measured = replace(measured, system=replace(measured.system, Q=Q))
        tol = profile_tolerance(system.width, measured.logit, settings.tol)
        basis, keys, columns = yield from _find_basis(measured, tol, settings.seed)
        worst = max(_WORST, settings.tol or 0.0)
        return (yield from _answer_by(basis, (keys, columns), measured, (tol, worst), settings.seed))


def _height(system: AttentionSystem) -> int:
    return conv_height(system.Q.shape[0], system.Q.shape[1] + system.V.shape[1])


def _most_profiles(n: int, heads: int) -> int:
    """Return how many profiles a head may have: n/(8 log₂ n) still pay, and they must fit into every worker."""
    paying = max(int(n / (8 * np.log2(n))) if n > 1 else 1, _FEW)
    return max(min(paying, _PROFILE_BYTES // (8 * n * heads)), 1)


def _pick(seed: int, place: int, n: int) -> Indices:
    """Return the numbers of at most 64 rows, drawn evenly, and the last, in order."""
    if n <= _PROBES:
        return np.arange(n)
    words = draw(seed, ATTENTION_SAMPLE, place * _PROBES, (place + 1) * _PROBES, 1)
    return np.unique(np.append(below(words, n)[1:, 0], n - 1))


def _find_basis(measured: Measured, tol: float, seed: int) -> Flow[tuple[Basis, Floats, Indices]]:
    """Return the profiles, and rows of K by which they can be verified, with their numbers.  Three passes.

    Raises
    ------
    Breakdown
        If there are too many.
    """
    system = measured.system
    n, heads = system.Q.shape[0], system.heads
    most, columns, height = _most_profiles(n, heads), _pick(seed, 0, n), _height(system)
    scan = ProfileScan(Spans.of(system.Q), heads, system.scale, tol, most)
    table: Floats = yield Look(scan, conv_rows(system.K, None, height, ("K", "V")))
    starts = settle_starts(table, heads, tol)
    if (found := max(map(len, starts))) > most:
        raise Breakdown(
            f"the first {ENTRIES} entries of columns change at least {found - 1:,} times by more than {format_number(tol)}, and at most "
            f"{most:,} profiles pay for {n:,} rows"
        )
    firsts = np.unique(np.concatenate([*starts, columns])).astype(np.int64)
    rows: Floats = yield Look(Picked(firsts), system.keys)
    keys = system.scale * rows
    logits: Floats = yield Look(Rowwise(_by_heads(keys, firsts, starts)), conv_rows(system.Q, None, height, ("Q", "b")))
    return Basis(starts, np.ascontiguousarray(logits.T)), keys[np.searchsorted(firsts, columns)], columns


def _by_heads(keys: Floats, numbers: Indices, starts: tuple[tuple[int, ...], ...]) -> Floats:
    """Return the rows of K at which profiles begin, as columns that hold their own head alone, shape (heads · d, profiles)."""
    heads = len(starts)
    d = keys.shape[1] // heads
    columns = []
    for head, mine in enumerate(starts):
        rows = np.zeros((len(mine), keys.shape[1]))
        own = slice(head * d, (head + 1) * d)
        rows[:, own] = keys[np.searchsorted(numbers, mine), own]
        columns.append(rows.T)
    return np.concatenate(columns, axis=1)


def _answer_by(
    basis: Basis, probes: tuple[Floats, Indices], measured: Measured, limits: tuple[float, float], seed: int
) -> Flow[AttentionAnswer]:
    """Verify the basis, and return how the rows are made.  Three passes.

    Parameters
    ----------
    probes : tuple of ndarray
        Rows of K, times s, and their numbers.
    limits : tuple of float
        What two logits of one profile may differ by; what numbers may be off by.

    Raises
    ------
    Breakdown
        If logits deviate from it.
    """
    system, (tol, worst) = measured.system, limits
    height = _height(system)
    tiling, rows = Tiling(basis, height), conv_rows(system.Q, None, height, ("Q", "b"))
    deviation: float
    carried: Carried
    deviation, carried = yield Look(ProbedColumns(basis, *probes) & ConvGuard(tiling), rows)
    compared, count = yield from _compare(basis, measured, rows, seed)
    deviation = max(deviation, compared.deviation)
    if deviation > DOUBT * tol:
        raise Breakdown(
            f"{sum(map(len, basis.starts)):,} profiles were found, but logits of probed rows and columns are up to "
            f"{format_number(deviation)} off: more than their first {ENTRIES} entries tell"
        )
    error = basis_error(measured, tiling, max(deviation, DOUBT * tol), carried.error)
    if not (error <= worst).all():
        raise Breakdown(f"the basis may be off by {format_number(float(error.max()))} of the largest |v|, more than {worst:g}")
    gap = np.where(measured.values > 0, compared.gap / np.where(measured.values > 0, measured.values, 1.0), 0.0)
    facts = BasisFacts(
        sum(map(len, basis.starts)), carried.refused / (system.heads * system.Q.shape[0]), deviation, float(gap.max())
    )
    pass_ = ConvRows(tiling, Spans.of(system.V), power_of_two(measured.values))
    return AttentionAnswer(
        measured, pass_, np.maximum(error, gap), mean_condition(measured.logit), compared=count, basis=facts, blocks=rows
    )


def _compare(basis: Basis, measured: Measured, rows: Rows, seed: int) -> Flow[tuple[Compared, int]]:
    """Hold attention by the basis against the exact one, both weight by weight, on some rows of Q.  Two passes."""
    system = measured.system
    numbers = _pick(seed, 1, system.Q.shape[0])
    queries: Floats = yield Look(Picked(numbers), rows)
    tops = np.array(
        [[bound_weights(basis.segments(head), int(row), int(row) + 1).top[0] for row in numbers] for head in range(system.heads)]
    )
    found: Compared = yield Look(ComparedRows(basis, system.scale * queries, numbers, tops), system.keys)
    return found, len(numbers)
