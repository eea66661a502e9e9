"""A convolution basis of causal logits: found by the first entries of every column, held against logits of some rows and columns."""

import math
from dataclasses import dataclass, replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import below, draw
from dsketch._linalg.streams import ATTENTION_SAMPLE
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.basis import Basis, Indices, bound_weights
from dsketch.passes.conv_probes import Compared, ComparedRows, ProbedColumns
from dsketch.passes.convolution import Carried, ConvGuard, Tiling, conv_height, conv_rows
from dsketch.passes.profiles import ENTRIES, ProfileScan, settle_starts
from dsketch.passes.rowwise import Picked, Rowwise
from dsketch.passes.spans import Spans
from dsketch.problems.attention.conv_rounding import DOUBT, basis_eta, profile_tolerance
from dsketch.problems.attention.method import BasisFacts
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.problems.method import Breakdown
from dsketch.problems.outcome import format_number
from dsketch.problems.persisted import copy_persisted
from dsketch.settings import Settings

FEW = 8  # so many profiles of a head are taken whatever n
_PROBES = 64  # rows, and columns, over which the basis is held against the logits
_PROFILE_BYTES = 256_000_000  # every worker holds all profiles


@dataclass(frozen=True)
class Verified:
    """A basis that agrees with the logits wherever they were looked at.

    Attributes
    ----------
    measured : Measured
        The system, with a Q that a pass can carry.
    tiling : Tiling
    rows : Rows
        Q in the blocks of the tiling.
    facts : BasisFacts
    compared : int
        Rows over which attention was compared.
    gap : ndarray, shape (k,)
        How far it was off there, relative to the largest |v| of a column.
    eta : float
        A weight, and a sum of weights, is right up to a factor within e^±η, but for FFT, if no other logit deviates by more.
    carried : float
        What FFT may round off of numerators and denominators, relative to the sum of weights times the largest value.
    """

    measured: Measured
    tiling: Tiling
    rows: Rows
    facts: BasisFacts
    compared: int
    gap: Floats
    eta: float
    carried: float


def height_of(system: AttentionSystem) -> int:
    """Return the rows of a block."""
    return conv_height(system.Q.shape[0], system.Q.shape[1] + system.V.shape[1])


def most_profiles(n: int, heads: int) -> int:
    """Return how many profiles a head may have: n/(8 log₂ n) still pay, and they must fit into every worker."""
    paying = max(int(n / (8 * math.log2(n))) if n > 1 else 1, FEW)
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
    most, columns, height = most_profiles(n, heads), _pick(seed, 0, n), height_of(system)
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


def find_verified(measured: Measured, settings: Settings) -> Flow[Verified]:
    """Find a basis and hold it against the logits.  Five passes.

    Raises
    ------
    Breakdown
        If the logits have no basis of few profiles.
    """
    Q = yield from copy_persisted(measured.system.Q)
    measured = replace(measured, system=replace(measured.system, Q=Q))
    tol = profile_tolerance(measured.system.width, measured.logit, settings.tol)
    basis, keys, columns = yield from _find_basis(measured, tol, settings.seed)
    system, height = measured.system, height_of(measured.system)
    tiling, rows = Tiling(basis, height), conv_rows(system.Q, None, height, ("Q", "b"))
    numbers = _pick(settings.seed, 1, system.Q.shape[0])
    deviation: float
    carried: Carried
    queries: Floats
    (deviation, carried), queries = yield Look(ProbedColumns(basis, keys, columns) & ConvGuard(tiling) & Picked(numbers), rows)
    compared: Compared = yield _compare(basis, measured, queries, numbers)
    deviation = max(deviation, compared.deviation)
    profiles = sum(map(len, basis.starts))
    if deviation > DOUBT * tol:
        raise Breakdown(
            f"{profiles:,} profiles were found, but logits of probed rows and columns are up to {format_number(deviation)} off: more than "
            f"their first {ENTRIES} entries tell"
        )
    gap = np.where(measured.values > 0, compared.gap / np.where(measured.values > 0, measured.values, 1.0), 0.0)
    facts = BasisFacts(profiles, carried.refused / (system.heads * system.Q.shape[0]), deviation, float(gap.max()))
    eta = basis_eta(measured, tiling, max(deviation, DOUBT * tol))
    return Verified(measured, tiling, rows, facts, len(numbers), gap, eta, carried.error)


def _compare(basis: Basis, measured: Measured, queries: Floats, numbers: Indices) -> Look:
    """Return the look that holds attention by the basis against the exact one, both weight by weight, on some rows of Q."""
    system = measured.system
    tops = np.array(
        [[bound_weights(basis.segments(head), int(row), int(row) + 1).top[0] for row in numbers] for head in range(system.heads)]
    )
    return Look(ComparedRows(basis, system.scale * queries, numbers, tops), system.keys)
