"""The script behind the claims on smooth problems runs at tiny size, and its judge is itself judged."""

from pathlib import Path

import numpy as np
import pytest

from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")

EPS = float(np.finfo(float).eps)


def test_no_proof_is_exceeded_and_separation_is_named(tmp_path: Path) -> None:
    """At tiny size: two problems of every family, every iterate judged, three data sets of each kind named rightly."""
    from claims_smooth import KINDS
    from smooth_data import FAMILIES

    cases, printed = run_here("claims_smooth", tmp_path)
    families, kinds = ([case for case in cases if word in case] for word in ("judged", "kind"))
    assert {case["family"] for case in families} == set(FAMILIES)
    assert {case["kind"] for case in kinds} == set(KINDS)
    for case in families:
        assert case["exceeded"] == 0
        assert case["right"] == case["answers"] == 2
        assert case["proven"] > 0
    assert sum(case["wrong"] for case in kinds) == 0
    assert sum(case["claimed_far_out"] + case["wrong_far_out"] for case in kinds) == 0
    assert min(case["begun_far_out"] for case in kinds) == 3
    assert "claims-separation" in printed


def test_the_judge_knows_slopes_and_curvatures() -> None:
    """Its slopes are differences of its values, its curvatures of its slopes, to what differences of 80-bit numbers give."""
    from smooth_oracle import RATES, Long

    random = np.random.default_rng(0)
    step = Long(1e-6)
    for name, rates in RATES.items():
        wide = 2 if name == "multinomial" else 1
        eta = random.normal(size=(20, wide)).astype(Long)
        y = random.integers(0, wide + 1, 20).astype(Long) + (name == "gamma")
        for k in range(wide):
            move = np.zeros((20, wide), dtype=Long)
            move[:, k] = step
            low, high, here = (rates(at if wide > 1 else at[:, 0], y, 1.5) for at in (eta - move, eta + move, eta))
            slope = here[1].reshape(20, wide)[:, k]
            curvature = here[2].reshape(20, wide, wide)[:, k]
            assert np.abs((high[0] - low[0]) / (2 * step) - slope).max() < 1e-10, name
            assert np.abs((high[1] - low[1]).reshape(20, wide) / (2 * step) - curvature).max() < 1e-10, name


def test_the_judge_finds_a_minimizer_or_none() -> None:
    """Its gradient is 0 to 80 bits at a minimizer; separable data have none for it."""
    from smooth_data import Drawn
    from smooth_oracle import newton_step

    random = np.random.default_rng(1)
    A = random.standard_normal((50, 2))
    mixed = Drawn("logit", A, (random.random(50) < 0.5).astype(float)).exact()
    best = mixed.minimizer()
    assert best is not None
    _, gradient, hessian = mixed.sums(best)
    assert newton_step(hessian, gradient)[1] < 100 * EPS / 2**10  # 80-bit numbers have 11 bits more than float64
    assert Drawn("logit", A, (A[:, 0] > 0).astype(float)).exact().minimizer() is None


def test_the_judge_of_overlap_is_right_on_plain_cases() -> None:
    """Labels by a plane do not overlap, nor with one more row on it; with one label turned they do."""
    from smooth_data import overlaps

    random = np.random.default_rng(2)
    A = random.standard_normal((60, 2))
    y = (A[:, 0] > 0).astype(float)
    assert not overlaps(A, y)
    assert not overlaps(np.r_[A, [[0.0, 0.0]]], np.r_[y, 1.0])
    y[np.argmax(A[:, 0])] = 0.0
    assert overlaps(A, y)
