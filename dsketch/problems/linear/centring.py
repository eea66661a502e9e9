"""What a linear problem with an intercept does beside its methods: put x right after them, whose columns were shifted before.

Methods, factor, certificate and statistics are those of [A − 1 sᵀ, 1]: there the rank is judged and a slope is as exact as its column
varies.  x has the intercept of A as it is stored.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import rounding_of_intercept, shortest, uncentre_answer
from dsketch.passes import Slope
from dsketch.problems.linear.certificate import LinearCertificate
from dsketch.problems.linear.method import LinearAnswer
from dsketch.problems.linear.stored_errors import stored_errors, stored_forward_error


def restore_intercept(answer: LinearAnswer, shift: AnyArray | None) -> tuple[LinearAnswer, Floats]:
    """Return the answer for shifted columns, the shortest once put back, and x itself."""
    if shift is not None and answer.factor.is_deficient:
        x = shortest(answer.x, answer.triangle, shift)
        move = x - answer.x + (0.0 if answer.move is None else answer.move)
        answer = replace(answer, x=x, move=move)
    return answer, uncentre_answer(answer.x, shift)


def refine_intercept(
    x: Floats, factor: Factor, slope: Slope, shift: AnyArray | None, given: Floats
) -> tuple[Floats, Slope, Floats | None]:
    """Return, of all answers for shifted columns that rounding ``given`` to float64 allows, the best one, the slope there and the move.

    The intercept of A as it is stored is c = c′ − s·w.  Rounding it, and w, leaves c′ open by u (|c| + |s|·|w|): for an x that is
    right but for its rounding that may be far more than c′ is worth.  So the intercept is moved as far as the slope says, but not
    farther; the new slope follows from R.

    Parameters
    ----------
    x : ndarray, shape (d + 1, k)
        ``given`` for shifted columns.
    factor : Factor
        Of A itself.
    """
    if shift is None:
        return x, slope, None
    ones = factor.R[:, -1:]
    weight = float(np.sum(ones * ones))
    room = rounding_of_intercept(given, shift)
    move = np.clip(slope.g[-1] / weight, -room, room)[None]
    rr = np.maximum(slope.rr - 2 * move[0] * slope.g[-1] + move[0] ** 2 * weight, 0.0)
    slope = slope._replace(g=slope.g - factor.R.T @ (ones * move), rr=rr)
    return np.concatenate([x[:-1], x[-1:] + move]), slope, np.concatenate([np.zeros_like(x[:-1]), move])


def restate_certificate(
    certificate: LinearCertificate, answer: LinearAnswer, rows: int, shift: AnyArray | None
) -> LinearCertificate:
    """Return the certificate of an answer for shifted columns with errors that hold for x; condition and rank say whose they are."""
    if shift is None:
        return certificate
    count = int(np.count_nonzero(shift))
    certificate = replace(certificate, rank_reason=f"{certificate.rank_reason}; {count} column{'s' * (count != 1)} shifted")
    if answer.slope is None:
        return certificate
    by_column = None if certificate.coefficient_errors is None else stored_errors(answer, rows, shift)
    return replace(certificate, forward_error=stored_forward_error(answer, rows, shift), coefficient_errors=by_column)


class Centre(NamedTuple):
    """A shift, shape (d,), and the answer for it: x with the intercept of shifted columns."""

    shift: AnyArray
    x: Floats


def read_centre(attributes: dict[str, Any], x: Floats) -> Centre | None:
    """Return what :func:`dsketch._results.output.centre_of` kept with a stored x, of shape (d + 1,) or (d + 1, k), if it did."""
    kept = attributes.get("centred")
    if not isinstance(kept, dict):
        return None
    values = kept["shift"]
    is_whole = all(isinstance(value, int) for value in values)
    shift = np.array(values, dtype=(np.uint64 if min(values) >= 0 else np.int64) if is_whole else np.float64)
    return Centre(shift, np.concatenate([x[:-1], np.reshape(kept["intercept"], x[-1:].shape)]))


def shift_notes(shift: AnyArray | None) -> tuple[str, ...]:
    """Return the sentence for plans and notes, if anything was shifted."""
    if shift is None:
        return ()
    count = int(np.count_nonzero(shift))
    columns = f"{count} column{' is' if count == 1 else 's are'}"
    return (f"{columns} shifted by a stored value on the way (large against how much they vary); the intercept is put right",)
