"""Limbs and whole numbers: sums of products without an error, in a normal form that knows no order."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsketch._linalg.limbs import LARGEST, ROWS, Limb, Sum, all_limbs, first_limbs, join, whole_matrix
from dsketch._linalg.wholes import dyadic, from_floats, multiply, nearest, shift_rounded, to_floats


def value_of(limbs: list[Limb], where: tuple[int, int]) -> Fraction:
    """Return the number that limbs stand for."""
    return sum((Fraction(limb.values[where]) * Fraction(2) ** (23 * (limb.raised - limb.place)) for limb in limbs), Fraction(0))


@given(st.lists(st.floats(-LARGEST, LARGEST, allow_subnormal=False), min_size=1, max_size=8))
def test_limbs_add_up_to_the_number(numbers: list[float]) -> None:
    """All limbs together are the number; each is a whole number of 22 bits and a sign."""
    Z = np.array(numbers)[:, None]

    limbs = all_limbs([Z])

    for row, number in enumerate(numbers):
        assert value_of(limbs, (row, 0)) == Fraction(number) or abs(number) < 1e-290
    assert all((limb.values == np.rint(limb.values)).all() and np.abs(limb.values).max() <= LARGEST for limb in limbs)


def test_rows_that_need_more_limbs_are_told() -> None:
    """The first limbs are the whole of each row but of those that are told: whole numbers take one, those with 20 binary places two."""
    rng = np.random.default_rng(0)
    whole = np.rint(1000 * rng.standard_normal((200, 3)))
    kinds = {
        1: whole,
        2: whole + np.rint(2.0**20 * rng.standard_normal((200, 3))) / 2.0**20,
        3: 2e5 * rng.standard_normal((200, 3)),
    }
    for count, Z in kinds.items():
        Z[7, 1] = 2.0**-200
        limbs, left = first_limbs(Z, np.empty((4, *Z.shape)))

        assert len(limbs) == count
        assert left[7]
        assert left.mean() < 1 / 8
        rows = np.flatnonzero(~left)
        assert all(value_of(limbs, where) == Fraction(Z[where]) for where in itertools.product(rows[:20].tolist(), range(3)))


def test_sums_are_exact_and_know_no_order() -> None:
    """A sum of products of the largest limbs is exact, and has the same normal form however it is cut."""
    rng = np.random.default_rng(1)
    Z = LARGEST * (1 - rng.random((4 * ROWS, 2)) ** 8)
    exact = [[_dot(Z[:, i].tolist(), Z[:, j].tolist()) for j in (0, 1)] for i in (0, 1)]
    found = []
    for rows, order in ((ROWS, 1), (37, 1), (100, -1)):
        total = Sum().close((2, 2))
        for low in list(range(0, len(Z), rows))[::order]:
            limbs, own = all_limbs([Z[low : low + rows]]), Sum()
            for left, right in itertools.product(limbs, limbs):
                own.put(left.values.T @ right.values, left, right)
            total = join(total, own.close((2, 2)))
        found.append(total)

    assert all(np.array_equal(mine, other) for total in found for mine, other in zip(total, found[0], strict=True))
    wholes, bits = whole_matrix(found[0])
    assert all(Fraction(wholes[i, j]) / Fraction(2) ** bits == exact[i][j] for i in (0, 1) for j in (0, 1))


def _dot(left: list[float], right: list[float]) -> Fraction:
    return sum((Fraction(x) * Fraction(y) for x, y in zip(left, right, strict=True)), Fraction(0))


def test_what_is_no_number_is_refused() -> None:
    """A NaN or an infinity has no limbs."""
    for number in (np.nan, np.inf):
        with pytest.raises(FloatingPointError):
            all_limbs([np.array([[1.0, number]])])


wholes = st.integers(-(2**300), 2**300)


@given(st.data())
def test_products_of_whole_numbers(data: Any) -> None:
    """A product by limbs is Python's own."""
    rng, bits = np.random.default_rng(data.draw(st.integers(0, 99))), data.draw(st.sampled_from([1, 60, 63, 64, 65, 200]))

    def draw(shape: tuple[int, int]) -> Any:
        words = rng.integers(-(2**62), 2**62, shape).astype(object)
        return (words << max(bits - 62, 0)) + rng.integers(-9, 9, shape) if bits > 62 else words >> (62 - bits)

    left, right = draw((40, 30)), draw((30, 30))
    left[0, 0] = data.draw(wholes)

    assert (multiply(left, right) == left @ right).all()


@given(wholes, st.integers(-900, 600))
def test_floats_of_whole_numbers(value: int, exponent: int) -> None:
    """The nearest float is within half a unit in the last place, the quick one within one; powers of two come back."""
    truth = Fraction(value) * Fraction(2) ** exponent
    near, quick = nearest(value, exponent), float(to_floats(np.array([[value]], dtype=object), exponent)[0, 0])
    if np.isfinite(near):
        assert abs(Fraction(near) - truth) <= Fraction(float(np.spacing(abs(near)))) / 2
        assert abs(Fraction(quick) - truth) <= Fraction(float(np.spacing(abs(near))))
        factor, power = dyadic(near)
        assert Fraction(factor) * Fraction(2) ** power == Fraction(near)


def test_shifts_round() -> None:
    """Division by a power of two rounds to the nearest; floats times one become whole numbers."""
    assert shift_rounded(np.array([5, -5, 6, 7], dtype=object), 2).tolist() == [1, -1, 2, 2]
    assert shift_rounded(np.array([5], dtype=object), -2).tolist() == [20]
    assert from_floats(np.array([0.75, -1e300]), 2).tolist() == [3, 4 * int(-1e300)]
