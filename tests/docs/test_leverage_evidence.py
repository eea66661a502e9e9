"""The script behind the claims on leverage runs at tiny size, and its judge is itself judged."""

from pathlib import Path

import numpy as np
import pytest

from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")

EPS = float(np.finfo(float).eps)


def test_scores_and_regressions_are_measured(tmp_path: Path) -> None:
    """At tiny size: every kind of scores, every regression by both methods, every ε; errors are within what is claimed."""
    from leverage import EPSILONS, METHODS, WIDTHS

    cases, printed = run_here("leverage", tmp_path)
    parts = {part: [case for case in cases if case["part"] == part] for part in {case["part"] for case in cases}}

    assert len(parts["scores"]) == 5
    for case in parts["scores"]:
        assert case["error"] <= case["claimed"]
        assert case["passes"] == 2
    assert {case["width"] for case in parts["spread"]} == {*WIDTHS, "all"}
    assert {case["method"] for case in parts["regressions"]} == set(METHODS)
    for case in parts["regressions"]:
        assert case["kept"] == case["in_bar"] == 1
        assert case["told_off"] <= (1e-9 if case["method"] == "exact" else 1)
    assert {case["epsilon"] for case in parts["epsilon"]} == set(EPSILONS)
    assert max(case["failed"] for case in parts["epsilon"] if case["how"] in METHODS) == 0
    assert min(case["failed"] for case in parts["epsilon"] if case["how"] == "evenly") > 0
    assert len(parts["coreset"]) == 2
    for part in parts:
        assert f"leverage-{part}" in printed


def test_the_judge_of_scores_has_more_digits_than_float64() -> None:
    """In 80 bits the scores of an orthonormal basis times a triangle are those of the basis, far below eps kappa."""
    from leverage import true_scores

    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((60, 4)))[0]
    A = Q * [1.0, 2.0**-10, 2.0**-20, 2.0**-30]  # exactly Q times a diagonal

    truth = np.sum(Q.astype(np.longdouble) @ np.linalg.inv(Q.T @ Q) * Q, axis=1)
    np.testing.assert_allclose(true_scores(A, 0.0).astype(float), truth.astype(float), rtol=8 * EPS)


def test_the_judge_of_regressions_knows_the_least_residual() -> None:
    """The minimizer is 0 above it, a step by δ in A's norm is δ² above it, for every side."""
    from leverage import Judge

    rng = np.random.default_rng(1)
    A, b = rng.standard_normal((50, 3)), rng.standard_normal((50, 2))
    judge = Judge(A, b, 0.5)
    step = np.array([[0.1, 0.0], [0.0, 0.0], [0.0, 0.3]])

    both, worst = judge(judge.best + step)

    above = np.sum((A @ step) ** 2, axis=0) + 0.5 * np.sum(step**2, axis=0)
    assert judge(judge.best) == (0.0, 0.0)
    assert both == pytest.approx(above.sum() / judge.least.sum())
    assert worst == pytest.approx((above / judge.least).max())
