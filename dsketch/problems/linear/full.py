"""``accuracy="full"``: x is the exact minimizer of the stored floats, rounded; with a proof.

Two passes more: the largest number of each column, and AᵀWA, AᵀWb, bᵀWb without any rounding (:mod:`dsketch.passes.exact_gram`).  The
rest is arithmetic of d × d integers on the driver (:mod:`~dsketch.problems.linear.minimizer`), in which no condition number and no
residual, however large, costs a digit.  A shift of columns plays no part: the sums are those of A as it is stored.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Known
from dsketch._linalg.factor import Factor
from dsketch._linalg.limbs import BITS
from dsketch._linalg.wholes import Wholes, dyadic, from_floats, multiply, nearest, shift_rounded, to_floats
from dsketch.matrix.base import AnyArray
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.exact_gram import ExactGram, ExactSums, Peaks
from dsketch.planning.choice import Choice
from dsketch.planning.price import price_works
from dsketch.planning.work import EXACT_GRAM, PEAKS, Work
from dsketch.problems.linear.by_target import GroupedAnswer, groups_of, join_answers
from dsketch.problems.linear.full_answer import FullAnswer
from dsketch.problems.linear.method import LinearAnswer, backward_error_of
from dsketch.problems.linear.minimizer import T_BITS, Minimizer, Normal, Verified, minimize, normalize, squares_left, verify
from dsketch.problems.method import Case

_WORKS = (Work((PEAKS,)), Work((EXACT_GRAM,)))
_LEAST = 2.0 ** (BITS - 1022)  # columns whose largest number is below it have a unit, BITS below that, whose inverse overflows


class _Shift(NamedTuple):
    """A shift s in scaled coordinates: row, factor and power of two of each s_j other than 0."""

    terms: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, shift: AnyArray | None, normal: Normal) -> "_Shift":
        values = [] if shift is None else shift.tolist()
        own = [(row, *dyadic(value)) for row, value in enumerate(values) if value]
        units = normal.units.tolist()
        return cls(tuple((row, factor, power + units[-1] - units[row]) for row, factor, power in own))

    def add(self, x: Wholes, sign: int) -> Wholes:
        """Return answers with ± s·w added to the intercept."""
        x = x.copy()
        for row, factor, power in self.terms:
            x[-1] = x[-1] + sign * shift_rounded(x[row] * factor, -power)
        return x

    def apply(self, g: Wholes) -> Wholes:
        """Return slopes for columns less their shift."""
        g = g.copy()
        for row, factor, power in self.terms:
            g[row] = g[row] - shift_rounded(g[-1] * factor, -power)
        return g


def price_full(choice: Choice, case: Case, read_bytes: int) -> Choice:
    """Return the plan with the two passes more."""
    workload, d = case.workload, case.workload.d
    part = ExactGram(np.zeros(0), np.zeros(1), d).part_bytes(d, workload.k)
    more, own = price_works(_WORKS, part, workload), choice.estimate
    estimate = replace(
        own,
        passes=own.passes + more.passes,
        seconds=own.seconds + more.seconds,
        memory_bytes=max(own.memory_bytes, more.memory_bytes),
        part_bytes=max(own.part_bytes, more.part_bytes),
    )
    said = f"accuracy full: {more.passes} passes more, one of them AᵀA without rounding; x is the exact minimizer, rounded"
    return replace(
        choice, estimate=estimate, read_bytes=choice.read_bytes + more.passes * read_bytes, details=(*choice.details, said)
    )


def refine(rows: Rows, penalty: Floats, shift: AnyArray | None, answer: LinearAnswer) -> Flow[LinearAnswer]:
    """Return the exact minimizer in place of an answer; the answer itself, with a note, where there is none of full rank.

    Parameters
    ----------
    rows : Rows
        As they are stored.
    penalty : ndarray, shape (d,) or (d, k)
    shift : ndarray or None
        What was subtracted from columns where the answer was found.
    """
    if answer.slope is None:
        return _keep_standard(answer, "an estimate has no digits to refine; choose another method")
    if answer.factor.is_deficient:
        return _keep_standard(answer, "A is rank-deficient, and its shortest minimizer is not refined")
    peaks, weight = yield Look(Peaks(), rows)
    if ((peaks > 0) & (peaks < _LEAST)).any():
        return _keep_standard(
            answer, f"a column has no number above {peaks[peaks > 0].min():.1e}, whose parts are below what float64 holds"
        )
    sums: ExactSums = yield Look(ExactGram(peaks, weight, rows.shape[1]), rows)
    if not isinstance(answer, GroupedAnswer):
        return _refine_one(sums, penalty, shift, answer)
    groups = groups_of(penalty)
    found = [
        _refine_one(_pick(sums, places), group.penalty, shift, own)
        for group, (places, own) in zip(groups, answer.groups, strict=True)
    ]
    return join_answers(groups, found)


def _keep_standard(answer: LinearAnswer, why: str) -> LinearAnswer:
    return replace(
        answer, notes=(*answer.notes, f"accuracy 'full' was not reached, what is claimed is that of 'standard': {why}")
    )


def _pick(sums: ExactSums, places: NDArray[np.intp]) -> ExactSums:
    return sums._replace(cross=sums.cross[:, places], sizes=sums.sizes[places], units_of_b=sums.units_of_b[places])


def _refine_one(sums: ExactSums, penalty: Floats, shift: AnyArray | None, answer: LinearAnswer) -> LinearAnswer:
    normal = normalize(sums, penalty)
    if normal is None:
        return _keep_standard(answer, "a column is 0")
    moved = _Shift.of(shift, normal)
    verified = verify(normal, moved.add(_inverse(answer.factor, normal), -1))
    if verified is None:
        return _keep_standard(answer, "A lacks rank, or is so near to it that its inverse was not found")
    own = np.ldexp(np.sqrt(to_floats(np.diagonal(sums.squares), -sums.bits)), sums.units)
    sizes = np.stack([own, np.hypot(own, np.sqrt(penalty))])
    return _conclude(normal, verified, minimize(normal, verified), moved, answer, sizes)


def _inverse(factor: Known, normal: Normal) -> Wholes:
    """Return R⁻¹ with rows scaled; of a method that made no factor, that of the Gram matrix: it is verified whoever made it."""
    if isinstance(factor, Factor):
        return from_floats(factor.solve(np.eye(len(factor.R))), T_BITS + normal.units[:, None])
    R = np.linalg.cholesky(to_floats(normal.gram, -normal.bits)).T
    return from_floats(np.linalg.inv(R), T_BITS + np.zeros_like(normal.units)[:, None])


def _conclude(
    normal: Normal, verified: Verified, best: Minimizer, moved: _Shift, answer: LinearAnswer, sizes: Floats
) -> FullAnswer:
    slope = answer.slope
    assert slope is not None  # noqa: S101 - for type checkers: estimates are not refined
    to_x = normal.units_of_b[None, :] - normal.units[:, None]
    known = np.where(np.abs(to_floats(best.x, -best.bits)) > best.errors, best.x, 0)
    stored, errors = _round(known, best, to_x)
    x = stored.copy()
    if moved.terms:
        x[-1] = _round(moved.add(best.x, 1), best, to_x)[0][-1]
    there = moved.add(from_floats(x, best.bits - to_x), -1)
    rho = moved.apply((normal.cross << best.bits) - multiply(normal.gram, there))
    g = np.ldexp(to_floats(rho, -normal.bits - best.bits), normal.units[:, None] + normal.units_of_b)
    least = _squares(normal, best.x, best.bits)
    unit = np.ldexp(1.0, 2 * normal.units_of_b)
    slope = slope._replace(g=g, rr=_squares(normal, there, best.bits) * unit)
    return FullAnswer(
        x,
        answer.factor,
        answer.is_exact,
        slope,
        backward_error_of(answer.factor, x, slope),
        np.sqrt(slope.rr),
        notes=answer.notes,
        stored=stored,
        errors=errors,
        deviations=np.ldexp(np.sqrt(verified.inverse_diagonal()), -normal.units),
        least=np.where(least <= 2 * best.square, 0.0, least) * unit,
        sizes=sizes,
    )


def _squares(normal: Normal, x: Wholes, bits: int) -> Floats:
    return to_floats(squares_left(normal, x, bits), -normal.bits - 2 * bits)


def _round(x: Wholes, best: Minimizer, to_x: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return answers as floats, and by how much they may be off."""
    powers = (to_x - best.bits).ravel().tolist()
    floats = np.array([nearest(value, power) for value, power in zip(x.ravel().tolist(), powers, strict=True)]).reshape(x.shape)
    off = to_floats(abs(from_floats(floats, best.bits - to_x) - best.x), -best.bits)
    errors = np.ldexp((off + best.errors) * (1 + 2.0**-30), to_x)
    return floats, np.where(off + best.errors > 0, np.nextafter(errors, np.inf), 0.0)
