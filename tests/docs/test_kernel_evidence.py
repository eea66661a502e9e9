"""The script behind the claims on the attention kernel runs at tiny size, and what it computes is itself judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scripts import run_here, run_script

pytestmark = pytest.mark.usefixtures("importable_scripts")

EPS = float(np.finfo(float).eps)


# ---- the script --------------------------------------------------------------------------------------------------------


Measured = tuple[Path, list[dict[str, Any]], str]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """A folder with what a run of all parts left there, its cases, and what it printed."""
    folder = tmp_path_factory.mktemp("kernel")
    return folder, *run_script("kernel", folder)


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_every_part_measures_everybody(measured: Measured) -> None:
    """No preconditioner is left out; answers meet their tolerance with the dense kernel; two workers stay within their limit."""
    from kernel_tables import PARTS, SKETCHED

    from dsketch.problems.kernel.candidates import FEATURES

    _, cases, printed = measured
    by = {part: [case for case in cases if case["part"] == part] for part in PARTS}
    assert all(by.values())
    for case in by["families"]:
        assert {name.split()[0] for name in case["found"]} == {*FEATURES, "auto"}
        for name, found in case["found"].items():
            assert found["status"] == "solved" or name in SKETCHED
            assert found["status"] is None or found["iterations"][0] <= found["iterations"][1] <= found["taken"]
    for case in by["accuracy"]:
        # The dense residual has a rounding of its own: n u of ‖K + λ I‖‖x‖ + ‖b‖, at most.
        assert case["residual"] <= case["tol"] or case["status"] == "rounded"
        assert case["backward"] <= case["claimed"] + case["n"] * EPS
        assert case["apart"] <= case["bound"] + case["condition"] * case["n"] * EPS
    (large,) = by["large"]
    assert large["status"] == "solved"
    assert large["sampled_residual"] <= 1e-9  # 1e-10 over all rows; a fifth of them may hold more than their share
    assert max(large["memory"].values()) < 512 * 2**20
    for case in by["features"]:
        assert case["status"] == "approximate"
        assert case["claimed"] == pytest.approx(case["residual"], rel=0.02)  # both were rounded to three digits
        assert case["stable_rank"] >= 1
    assert {case["model"].split(",")[0] for case in by["flights"]} == {"ridge", "exact kernel", "20 centres"}
    assert all(case["r_squared"] > 0.5 for case in by["flights"])
    assert "wanted: 1.5" in printed


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_a_part_leaves_the_others_as_they_were(measured: Measured) -> None:
    """--parts measures one again and keeps the lines of the rest."""
    folder, first, _ = measured
    second, printed = run_here("kernel", folder, "--parts", "features")
    rest = [case for case in first if case["part"] != "features"]
    assert second[: len(rest)] == rest
    assert len(second) == len(first)
    assert {case["part"] for case in second[len(rest) :]} == {"features"}
    assert "kernel-features" in printed
    assert "kernel-accuracy" in printed


# ---- the judges --------------------------------------------------------------------------------------------------------


def test_families_are_what_their_names_say() -> None:
    """Rows on a sphere have the length asked for, others on average; clusters have as many centres as they should."""
    from kernel_rows import CENTRES, STUDY, TIGHTNESS

    for family in {family for family, *_ in STUDY}:
        A, b = family.rows(2000)
        squares = np.sum(A * A, axis=1)
        assert A.shape == (2000, family.d)
        if family.kind == "sphere":
            np.testing.assert_allclose(squares, family.size, rtol=1e-12)
        # Five standard errors of a mean of 2,000, ‖a‖² spread at most as a Gaussian's, √(2/d) of its size; centres are shared.
        np.testing.assert_allclose(squares.mean(), family.size, rtol=5 * np.sqrt(2 / family.d / 2000) + 0.02)
        assert 1.0 <= np.std(b) <= 1.02
        if family.kind == "clusters":
            near = np.sum((A[:, None] - A[None, :200]) ** 2, axis=2) < family.size * 6 * (1 - TIGHTNESS)
            assert abs(near.mean() - 1 / CENTRES) <= 0.3 / CENTRES


def test_ears_count_until_small_enough_and_stop() -> None:
    """Iterations are counted to each tolerance; a run that goes on too long is stopped, one that has arrived is not."""
    from kernel import Ears, EnoughError

    from dsketch.events import Converged

    ears = Ears(np.array([3.0, 4.0]), most=3)
    for residual in (1.0, 4e-6, 4e-10):
        ears(Converged(0.0, residual))
    assert [ears.iterations(tol) for tol in (1e-6, 1e-10)] == [2, 3]
    slow = Ears(np.ones(1), most=2)
    slow(Converged(0.0, 1.0))
    with pytest.raises(EnoughError):
        slow(Converged(0.0, 0.5))


def test_auto_is_compared_with_those_that_ended() -> None:
    """What was stopped is no rival; where rounding ends a run, its length counts; auto is not its own rival."""
    from kernel_tables import compared, pair

    def found(first: int | None, last: int | None, taken: int, status: str | None, processor: float) -> dict[str, Any]:
        return {"iterations": [first, last], "taken": taken, "status": status, "processor": processor, "reached": 1e-3}

    case = {
        "found": {
            "auto": found(10, 15, 16, "solved", 3.0),
            "none": found(1, None, 2, None, 0.1),
            "taylor 5": found(20, None, 30, "rounded", 1.0),
            "taylor 9": found(5, 10, 11, "solved", 2.0),
        }
    }
    facts = compared(case)
    assert (facts["fewest"], facts["more"]) == ("taylor 9", 1.5)
    assert (facts["fastest"], facts["slower"]) == ("taylor 5", 3.0)
    assert [pair(case["found"][name]) for name in ("none", "taylor 5", "taylor 9")] == ["1/> 2 (1e-03)", "20/r30", "5/10"]


def test_monomials_are_counted() -> None:
    """Of two variables up to degree 2: 1, x, y, x², xy, y²."""
    from kernel import monomials

    assert monomials(2, 2) == 6
    assert monomials(8, 5) == 1287
