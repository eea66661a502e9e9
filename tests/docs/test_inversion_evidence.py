"""The script behind the claims on x from leverage scores runs at tiny size; its judges are judged; what it recorded holds what is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsketch.problems.inversion.distribution_methods import METHODS as SCORES
from dsketch.problems.inversion.methods import METHODS
from tests.problems.inversion.known import Known, differences, known
from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")

EPS = float(np.finfo(float).eps)
Cases = dict[str, list[dict[str, Any]]]


def parts(cases: list[dict[str, Any]]) -> Cases:
    """Return the cases of each experiment."""
    return {part: [case for case in cases if case["part"] == part] for part in {case["part"] for case in cases}}


@pytest.fixture(scope="module")
def recorded() -> Cases:
    """Return what the last real run wrote."""
    from record import RESULTS, load

    return parts(load(RESULTS, "inversion"))


# ---- at tiny size ----------------------------------------------------------------------------------------------------


def test_the_benchmark_measures_all_experiments(tmp_path: Path) -> None:
    """Every x found and judged by NumPy, every method rated, no x called solved that is none, what is open named."""
    cases, printed = run_here("inversion", tmp_path)
    by = parts(cases)

    for case in by["recovery"]:
        assert case["steps"] <= 9
        assert case["passes"] <= 2 * (case["steps"] + 1) + 4 or case["kind"] == "scores"
        assert case["error"] <= min(1e-12, case["claimed"])
        assert case["judged"] <= 1e-13
    assert {case["method"] for case in by["rates"]} == {*METHODS, *SCORES}
    for case in by["rates"]:
        assert case["error"] <= 1e-8
        if case["method"] in ("newton", "levenberg"):
            assert case["rate"] <= 1e-2
        if case["method"] == "newton_sampled" and case["samples"] == 40:
            assert case["rate"] <= 0.5
        assert case["falls"] is not False
    evenly = [case["factor"] for case in by["contraction"] if case["how"] == "evenly" and case["heavy"]]
    assert (
        min(evenly) > 1 > max(case["factor"] for case in by["contraction"] if case["samples"] == 100 and case["how"] != "evenly")
    )
    for case in by["bias"]:
        if case["kind"] == "w":
            assert np.isclose(case["bias"], case["told"], rtol=0.2)  # the one by columns, the other by their norms in S⁻¹A
            assert case["slope"] <= 1e-8
    assert all(case["solved wrongly"] == 0 for case in by["cells"])
    for case in by["named"]:
        assert (case["status"] == "SOLVED") == case["kind"].startswith("b in it")
        assert case["noted"] == (0 if case["status"] == "SOLVED" else case["seeds"])
    assert {f"inversion-{part}" for part in by} <= set(printed.split())


# ---- the judges ------------------------------------------------------------------------------------------------------


def as_data(case: Known) -> Any:
    """Return a known problem as the benchmark has it."""
    from inversion_data import Data

    return Data(case.A, case.b, case.x)


def test_the_judges_are_the_formulas_in_more_digits() -> None:
    """σ and g to rounding, their Jacobians as differences in extended precision have them."""
    from inversion_data import gradient, hessian_of_volume, jacobian, scores

    case = known(60, 3, mixed=True)
    data = as_data(case)

    np.testing.assert_allclose(scores(case.A, case.b, case.x), case.sigma(case.x).astype(float), rtol=200 * EPS)
    np.testing.assert_allclose(gradient(case.A, case.b, case.x), case.g(case.x).astype(float), rtol=1e-12)
    for mine, other in (
        (jacobian(data, case.x), differences(case.sigma, case.x)),
        (hessian_of_volume(data, case.x), case.hessian(case.x)),
    ):
        assert np.abs(mine - other.astype(float)).max() <= 1e-9 * np.abs(mine).max()


def test_the_judge_of_penalties_finds_where_the_hessian_turns_definite() -> None:
    """With a little more than that w the Hessian of the loss, by differences, has no eigenvalue below 0; with less it has."""
    from inversion_data import weight_for_definite

    case = known(40, 2, 0.95, 3)
    start, c = 0.01 * case.x, case.g(case.x)
    w = weight_for_definite(as_data(case), start)

    def least(weight: float) -> float:
        def loss(x: Any) -> Any:
            misfit, z = case.g(x) - c, case.A @ x
            return (misfit @ misfit + weight**2 * z @ z) / 2

        return float(np.linalg.eigvalsh(differences(lambda x: differences(loss, x), start).astype(float))[0])

    assert w > 0
    assert least(0.99 * w) < 0 < least(1.01 * w)


# ---- what was recorded -----------------------------------------------------------------------------------------------


def test_a_million_rows_were_inverted_as_claimed(recorded: Cases) -> None:
    """At 90 % of the way to the boundary: 9 steps, 20 passes, 1e-12 from the gradient; 10 steps and 1e-9 from scores; as NumPy has it."""
    for case in recorded["recovery"]:
        assert case["n"] == 1_000_000
        assert case["status"] == "SOLVED"
        assert case["judged"] <= 1e-12
        if case["kind"] == "scores":
            assert case["steps"] <= 10
            assert case["error"] <= 1e-9
        elif case["share"] <= 0.9:
            assert case["steps"] <= 9
            assert case["passes"] <= 20
            assert case["error"] <= 1e-12
    assert {0.3, 0.6, 0.9} <= {case["share"] for case in recorded["recovery"]}


def test_nothing_recorded_was_solved_wrongly(recorded: Cases) -> None:
    """No status says solved where NumPy's g or σ differ; what data leave open is not solved, and named."""
    assert all(case["solved wrongly"] == 0 for case in recorded["cells"])
    for case in recorded["named"]:
        assert (case["status"] == "SOLVED") == case["kind"].startswith("b in it")
        assert case["noted"] == (0 if case["status"] == "SOLVED" else case["seeds"])


def test_the_papers_rates_and_biases_are_what_the_guide_says(recorded: Cases) -> None:
    """0.4 a step from 16 d rows on without a penalty, from 40 d on with it; undamped 4 d and 8 d diverge; w moves x."""
    held = {(case["form"], case["samples"]): case["rate"] <= 0.4 for case in recorded["rates"] if case["samples"]}
    assert [held["convex", size] for size in (4, 8, 16, 40, 100)] == [False, False, True, True, True]
    assert [held["penalized, w = 0.01", size] for size in (4, 8, 16, 40, 100)] == [False, False, False, True, True]
    factors = {(case["heavy"], case["how"], case["samples"]): case["factor"] for case in recorded["contraction"]}
    assert min(factors[0, "by leverage", 4], factors[0, "by leverage", 8]) > 1 > factors[0, "by leverage", 16]
    assert min(value for (heavy, how, _), value in factors.items() if heavy and how == "evenly") > 1
    needed = [case for case in recorded["bias"] if case["kind"] == "definite"]
    assert [case["w"] > 0 for case in needed] == [False, False, True]
    assert needed[-1]["bias"] > 0.2
    outside = [case for case in recorded["cells"] if not case["in cell"]]
    assert {case["kind"]: case["another exact x"] for case in outside} == {"gradient": 10, "scores": 0}
