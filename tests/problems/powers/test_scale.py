"""At any scale: powers far beyond float64 on the way to an x within it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.planning.price import Workload
from dsketch.planning.probe import Probe
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.outcome import Status
from dsketch.problems.powers import staged
from dsketch.problems.powers.method import PowerCase
from dsketch.problems.powers.wide_range import WideColumns
from dsketch.settings import ACCEPTED
from tests.problems.powers.digits import WANTED, D, N, matrix, side, solve

EPS = float(np.finfo(float).eps)
U = EPS / 2


@given(shift=st.integers(-60, 60), power=st.integers(1, 5), lift=st.integers(-200, 200))
def test_powers_of_two_pass_through_exactly(shift: int, power: int, lift: int) -> None:
    """(2ˢA, 2ᵗb) has the answer 2^(t − 2js)·x, bit for bit: nothing over- or underflows on the way."""
    A, b = matrix(1e4), side(D)
    plain = solve(GramPower(A, b, power=power)).x

    found = solve(GramPower(np.ldexp(A, shift), np.ldexp(b, lift), power=power)).x

    assert np.array_equal(found, np.ldexp(plain, lift - 2 * power * shift))


@pytest.mark.parametrize("exponent", [-500, 500])
@pytest.mark.parametrize("method", ["factored", "factored_whitened", "alternating"])
def test_an_extreme_matrix_has_its_answer_where_that_exists(exponent: int, method: str) -> None:
    """‖A‖^(2j) = 1e±301 with b to match: the answer is that of the plain problem times a power of two."""
    A, b = matrix(100.0), side(D)
    plain = solve(GramPower(A, b)).x

    solution = solve(GramPower(np.ldexp(A, exponent), np.ldexp(b, exponent)), method=method)

    assert solution.status.is_success
    assert np.linalg.norm(np.ldexp(solution.x, exponent) - plain) <= WANTED * 2 * 100 * U * np.linalg.norm(plain)


@pytest.mark.parametrize(("scale", "word"), [(1e-30, "overflow"), (1e30, "underflow")])
def test_an_answer_beyond_float64_is_refused_with_its_size(scale: float, word: str) -> None:
    """(1e±30)^(−2·6) = 1e∓360."""
    with pytest.raises(DataError, match=rf"1e[+-]36\d, an {word}"):
        solve(GramPower(scale * matrix(1.0), side(D), power=6))


def test_kappa_to_the_2j_beyond_float64_does_no_harm() -> None:
    """kappa = 1e14, j = 16: kappa^(2j) = 1e448; with b scaled down x exists and its backward error is that of rounding."""
    A, b = matrix(1e14), 1e-200 * side(D)

    solution = solve(GramPower(A, b, power=16))

    assert solution.status is Status.ROUNDED
    assert float(ds.check(solution.problem, solution.x).backward_error[0]) <= 16 * ACCEPTED


@pytest.mark.parametrize("problem", [GramPower, OddGramPower])
def test_planning_costs_the_same_for_every_power(problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stage takes is looked up where it changes, not level by level, and the price is that of the sum over all levels."""
    n, power = 200, 10_000
    made = problem(matrix(1e3, n=n), side(n if problem is OddGramPower else D), power=power)
    asked: list[int] = []
    passes_of_stage = staged.passes_of_stage

    def counted(level: int, case: PowerCase) -> int:
        asked.append(level)
        return passes_of_stage(level, case)

    monkeypatch.setattr(staged, "passes_of_stage", counted)
    plan = ds.plan(made, cluster="serial")

    assert len(asked) < 5_000, "10,000 levels for each of two methods would be 20,000"
    means = Workload(n, D, 1, 8 * n * D, 10**7, 8 * n * D, 8, 10**12, 1e9, True, 16)
    case = PowerCase(plan.settings, means, Probe(1e3, False, 1e9, 10**7), made.stages, made.checked)
    assert staged.passes_of_stages(case) == sum(passes_of_stage(level, case) for level in range(made.stages))


@pytest.mark.parametrize("power", [10_001, 10**9, 10**400])
def test_powers_without_end_are_refused(power: int) -> None:
    """A power with which x of no matrix but an orthogonal one is a number is refused before anything is read."""
    for make in (
        lambda: GramPower(matrix(1.0), side(D), power=power),
        lambda: OddGramPower(matrix(1.0), side(N), power=power),
        lambda: GramExponential(matrix(1.0), side(D), terms=power),
    ):
        with pytest.raises(SpecError, match=f"at most 10,000; got {f'{power:,}' if power < 10**30 else 'one of hundreds'}"):
            make()


@given(
    left=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3),
    right=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3),
    shift=st.integers(-40, 40),
)
def test_scaled_vectors_add_like_plain_ones(left: list[float], right: list[float], shift: int) -> None:
    """Sums and differences of scaled columns are those of float64 up to one rounding."""
    a, b = np.array(left)[:, None], np.ldexp(np.array(right)[:, None], shift)

    for sign in (1.0, -1.0):
        total = WideColumns.of(a).plus(WideColumns.of(b), sign).over(np.zeros(1, dtype=np.int64))

        assert (np.abs(total - (a + sign * b)) <= 2 * EPS * max(np.abs(a).max(), np.abs(b).max()) + 1e-300).all()
