"""Methods of powers and their plans; what gives way says so."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.passes.base import heavy_rows
from dsketch.planning.price import Workload
from dsketch.planning.probe import Probe
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.powers.method import PowerCase
from dsketch.problems.powers.methods import METHODS
from dsketch.problems.powers.sequence import FAILURE, rows_for_stages
from dsketch.settings import Settings
from dsketch.testing.known import tall
from tests.problems.powers.digits import WANTED, D, N, error, matrix, reference, side, solve

EPS = float(np.finfo(float).eps)
U = EPS / 2


@pytest.mark.parametrize("method", ["factored_whitened", "alternating"])
def test_a_sketch_too_weak_costs_passes_and_not_accuracy(method: str) -> None:
    """One sign a row loses coherent rows: the QR takes over and says why, and x is right."""
    A, b = tall(N, D, condition=1e6, rows="coherent").A, side(D)

    solution = solve(GramPower(A, b, power=2), method=method, sketch="count_sketch", sketch_rows=D)

    assert solution.method == "factored"
    assert any(note.startswith(f"{method} gave way to factored") for note in solution.notes)
    assert error(solution.x, reference(A, b, 2)) <= WANTED * 4 * 1e6 * U


def test_a_sketch_that_promises_too_much_is_left_behind() -> None:
    """With m = d rows of full rank the spectrum lies far outside the promised interval: the stages stall or diverge, and say so."""
    A, b = matrix(1e3, 400), side(D)

    solution = solve(GramPower(A, b, power=2), method="alternating", sketch="gaussian", sketch_rows=D)

    assert solution.status.is_success
    assert error(solution.x, reference(A, b, 2)) <= WANTED * 4 * 1e3 * U
    assert solution.method == "factored"


def test_sketch_rows_follow_the_failure_split_over_stages() -> None:
    """With m rows √(d/m) + √(2 log(2j/δ)/m) ≤ 1/√12, and j stages cost only a logarithm."""
    for d in (3, 50, 1000):
        for stages in (1, 4, 16, 256):
            m = rows_for_stages(d, stages)

            assert np.sqrt(d / m) + np.sqrt(2 * np.log(2 * stages / FAILURE) / m) <= 1 / np.sqrt(12)
        assert rows_for_stages(d, 256) <= 4 * rows_for_stages(d, 1)


def test_plan_names_the_passes_of_every_method() -> None:
    """Factored, with the alternation's passes beside, which grow with the power."""
    plans = [ds.plan(GramPower(matrix(10.0, 400), side(D), power=power), cluster="serial") for power in (2, 8)]

    assert [made.method for made in plans] == ["factored", "factored"]
    passes = [int(made.rejected["alternating"].split(" passes")[0].rsplit(" ", 1)[1]) for made in plans]
    assert passes[1] > 3 * passes[0]
    assert "2 passes" in str(plans[1])


def test_price_turns_to_the_alternation_only_for_very_wide_matrices() -> None:
    """At d = 100 the QR is cheapest by far; at d = 40,000 and j = 1 its n d² flops cost more than forty light passes."""
    problem, found = GramPower(matrix(10.0), side(D)), Probe(10.0, False, 1e9, 10**7)
    for d, best in ((100, False), (40_000, True)):
        n = 10**6
        means = Workload(n, d, 1, 8 * n * d, 10**7, 8 * n * d, 8, 10**12, 1e9, True, 16)
        case = PowerCase(Settings(), means, found, problem.stages, problem.checked)
        prices = {name: method.price(case).seconds for name, method in METHODS.items()}

        assert (min(prices, key=lambda name: prices[name]).startswith("alternating")) is best
        assert heavy_rows(d) >= 2048


def test_where_the_probed_rows_lack_rank_that_decides_for_a_factor_of_a() -> None:
    """One sentence speaks against every method that relies on a sketch, and is the reason for the one that does not."""
    A = matrix(10.0, 400)
    A[:, 2] = A[:, 1]
    sentence = "the probed rows lack rank, which only a factor of A itself can confirm"

    for problem in (GramPower(A, side(D), power=2), OddGramPower(A, side(400)), GramExponential(A, side(D))):
        plan = ds.plan(problem, cluster="serial")

        assert (plan.method, plan.why) == ("factored", sentence)
        assert plan.rejected == {name: sentence for name in problem.methods if name != "factored"}


def test_what_gives_way_says_so_for_the_exponential_too() -> None:
    """The fallback is that of all families: the note is there, and x is that of the QR."""
    A, b = tall(N, D, condition=1e6, rows="coherent").A, side(D)
    problem = GramExponential(A, b)

    solution = solve(problem, method="factored_whitened", sketch="count_sketch", sketch_rows=D)

    assert solution.method == "factored"
    assert solution.notes[0].startswith("factored_whitened gave way to factored: the sketch ")
    assert np.array_equal(solution.x, solve(problem, method="factored").x)


@pytest.mark.parametrize("power", [0, -1, 1.5, True, "2"])
def test_a_power_below_one_is_refused_with_a_remedy(power: Any) -> None:
    """The message has the value and what to use instead."""
    with pytest.raises(SpecError, match=r"power must be an integer ≥ 1; got .* LeastSquares"):
        OddGramPower(matrix(2.0), side(N), power=power)
    with pytest.raises(SpecError, match="power must be an integer ≥ 1"):
        GramPower(matrix(2.0), side(D), power=power)
    with pytest.raises(SpecError, match="terms must be an integer ≥ 1"):
        GramExponential(matrix(2.0), side(D), terms=power)


def test_a_side_of_the_wrong_length_is_refused() -> None:
    """Even powers take d rows, odd ones n; a NaN of b is named; a wide A is refused; exp has no alternation."""
    A = matrix(2.0)
    with pytest.raises(DataError, match=r"each of the 6 columns .* OddGramPower"):
        GramPower(A, side(N))
    with pytest.raises(DataError, match=r"each of the 60 rows"):
        OddGramPower(A, side(D))
    with pytest.raises(DataError, match=r"row 1, column 0 has nan"):
        solve(GramPower(A, [1.0, np.nan, 0, 0, 0, 0]))
    with pytest.raises(DataError, match="A must be tall"):
        GramPower(A.T, side(N))
    with pytest.raises(SpecError, match="method must be one of auto, factored, factored_whitened"):
        solve(GramExponential(A, side(D)), method="alternating")
    with pytest.raises(DataError, match=r"‖A‖ must be below 6\.7e\+07"):
        solve(GramExponential(1e9 * A, side(D)))
