"""Flows side by side: each round's passes over the same A are one reading of it.

Attention has many heads: column ranges or projections of one matrix, or several right-hand sides and powers with the same one.  Their
flows advance in lockstep; what they look for in a round is collected, what is asked twice is asked once, and one pass over A answers
all.  So H heads cost the passes of the slowest one, and a flow sees what it would see alone: no method knows of the others.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from dsketch.errors import SpecError
from dsketch.events import Converged
from dsketch.matrix.base import Matrix
from dsketch.matrix.head import Head, Selection
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow, contents
from dsketch.passes.many import Many, Projected, many

T = TypeVar("T")


def advance_together(flows: Sequence[Flow[T]]) -> Flow[list[T]]:
    """Return what the flows return, in order; passes: those of the slowest.

    Raises
    ------
    SpecError
        If two of them look at different matrices.
    """
    results: dict[int, T] = {}
    waiting: dict[int, Look] = {}
    for number, flow in enumerate(flows):
        yield from _advance(number, flow, None, results, waiting)
    while waiting:
        looks = dict(waiting)
        passes, places = _drop_repeats([_project(look) for look in looks.values()])
        found = yield Look(many(passes), _share([look.rows for look in looks.values()]))
        for number, place in zip(looks, places, strict=True):
            yield from _advance(number, flows[number], found[place], results, waiting)
    return [results[number] for number in range(len(flows))]


def advance_beside(flows: Sequence[Flow[T]]) -> Flow[list[T]]:
    """Return what flows that look at the very same rows return, in order; each round's passes are one reading.

    One flow alone looks as it would without company.
    """
    if len(flows) == 1:
        return [(yield from flows[0])]
    results: dict[int, T] = {}
    waiting: dict[int, Look] = {}
    for number, flow in enumerate(flows):
        yield from _advance(number, flow, None, results, waiting)
    while waiting:
        looks = dict(waiting)
        found = yield Look(Many(tuple(look.pass_ for look in looks.values())), next(iter(looks.values())).rows)
        for number, answer in zip(looks, found, strict=True):
            yield from _advance(number, flows[number], answer, results, waiting)
    return [results[number] for number in range(len(flows))]


def _advance(number: int, flow: Flow[T], answer: Any, results: dict[int, T], waiting: dict[int, Look]) -> Flow[None]:
    """Send a flow its answer, pass its words on to listeners, and note what it looks for next, or what it returns."""
    try:
        asked = flow.send(answer)
        while isinstance(asked, Converged):
            yield asked
            asked = flow.send(None)
        waiting[number] = asked
    except StopIteration as end:
        waiting.pop(number, None)
        results[number] = end.value


def base_of(A: Matrix) -> Matrix:
    """Return the stored matrix of a head, or the matrix itself."""
    return A.base if isinstance(A, Head) else A


def _project(look: Look) -> Projected:
    rows = look.rows
    selection = rows.A.selection if isinstance(rows.A, Head) else Selection(0, rows.A.shape[1])
    return Projected(look.pass_, selection, rows.b, rows.weights, rows.intercept, rows.shift)


def _share(rows: list[Rows]) -> Rows:
    """Return the rows of A alone, from which all heads are taken."""
    base = base_of(rows[0].A)
    require_one_base([each.A for each in rows])
    return Rows(base, pieces=max(each.pieces for each in rows))


def require_one_base(matrices: Sequence[Matrix]) -> None:
    """Go on only with heads of one matrix.

    Raises
    ------
    SpecError
        Naming the first that is of another.
    """
    base = base_of(matrices[0])
    for number, A in enumerate(matrices):
        other = base_of(A)
        if other is not base and (other.source is None or other.source != base.source):
            raise SpecError(
                f"heads must be of one matrix; head 0 is of {base.describe()}, head {number} of {other.describe()}. Open A once, with "
                "open_matrix, and make every head from it."
            )


def _drop_repeats(passes: list[Projected]) -> tuple[list[Projected], list[int]]:
    """Return the passes without repetitions, and for each of the given ones its place among them."""
    kept: list[Projected] = []
    places = []
    for pass_ in passes:
        place = next((place for place, other in enumerate(kept) if _are_alike(pass_, other)), len(kept))
        if place == len(kept):
            kept.append(pass_)
        places.append(place)
    return kept, places


def _are_alike(left: Projected, right: Projected) -> bool:
    mine, other = contents(left), contents(right)
    return len(mine) == len(other) and all(_equal(a, b) for a, b in zip(mine, other, strict=True))


def _equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.shape == right.shape and np.array_equal(left, right)
    if isinstance(left, Selection) and isinstance(right, Selection):
        return (left.start, left.stop) == (right.start, right.stop) and _equal(left.W, right.W)
    plain = (str, int, float, bool)
    return isinstance(left, plain) and type(left) is type(right) and left == right
