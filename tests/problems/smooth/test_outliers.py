"""Robust regression with outliers far away: parabolas above the loss lead to where Newton's steps are short."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.losses.huber import Huber
from dsketch.problems.outcome import Status
from tests.problems.smooth.cases import solve

TRUE = np.array([1.0, -1.0, 0.5, 0.0, 2.0])


def spoilt(share: float, size: float, n: int = 3000) -> tuple[Any, Any]:
    """Return A and y, of which a share is off by about ``size``, mostly to one side."""
    random = np.random.default_rng(1)
    A = random.standard_normal((n, 5))
    y = A @ TRUE + random.standard_normal(n)
    out = random.random(n) < share
    sides = np.where(random.random(out.sum()) < 0.7, 1.0, -1.0)
    y[out] += size * random.standard_exponential(out.sum()) * sides
    return A, y


@pytest.mark.parametrize(("share", "size"), [(0.02, 1e2), (0.02, 1e6), (0.1, 1e4), (0.2, 1e8), (0.3, 1e4)])
@pytest.mark.parametrize("method", ["newton", "newton_qr"])
def test_far_outliers_take_few_passes(method: str, share: float, size: float) -> None:
    """At most 16 passes to a proven minimizer, however far the outliers lie; it is near the coefficients that made the other rows."""
    A, y = spoilt(share, size)

    solution = solve(ds.GLM(A, y, family="huber", delta=1.0, intercept=True), method=method)

    assert solution.status is Status.SOLVED
    assert solution.certificate.reach <= 1e-10
    assert len(solution.passes) <= 16
    assert np.abs(solution.x[:-1] - TRUE).max() <= 0.3


def test_without_outliers_newton_steps_alone_are_made() -> None:
    """The pass count of ordinary data is that of Newton's method."""
    A, y = spoilt(0.0, 0.0)

    assert len(solve(ds.GLM(A, y, family="huber", delta=1.0, intercept=True)).passes) <= 6


def test_dependent_columns_with_outliers() -> None:
    """A triangle serves the parabolas as well: the shortest x of dependent columns."""
    A, y = spoilt(0.1, 1e6)
    one = solve(ds.GLM(A, y, family="huber", delta=1.0)).x

    twins = solve(ds.GLM(A[:, [0, 1, 2, 3, 4, 4]], y, family="huber", delta=1.0))

    assert twins.status is Status.MINIMUM_NORM
    assert len(twins.passes) <= 24
    np.testing.assert_allclose(twins.x, [*one[:4], one[4] / 2, one[4] / 2], rtol=1e-10)


def test_a_run_that_was_cut_short_among_the_parabolas(tmp_path: Path) -> None:
    """A journal tells their passes from Newton's at the same x, and goes on with the same bits."""
    A, y = spoilt(0.1, 1e4)
    problem = ds.GLM(A, y, family="huber", delta=1.0)
    whole = solve(problem, journal=tmp_path / "whole")
    for kept in (2, 4):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for record in sorted(cut.glob("pass-*"))[kept:]:
            record.unlink()
        again = ds.resume(cut, problem=problem, cluster="serial", progress=False)
        assert np.array_equal(again.x, whole.x)
        assert [record.replayed for record in again.passes] == [place < kept for place in range(len(whole.passes))]


def test_the_parabolas_lie_above_the_loss() -> None:
    """φ(v) ≤ φ(η) + φ′(η)(v − η) + ½ w (v − η)² for any η and v, with equality at v = η."""
    random, loss = np.random.default_rng(0), Huber(0.7)
    eta, v, y = (10.0 ** random.uniform(-3, 4, 5000) * random.choice([-1.0, 1.0], 5000) for _ in range(3))
    above = loss.majorizing
    assert above is not None

    terms = above.terms(eta[:, None], y)
    bound = terms.value + terms.slope[:, 0] * (v - eta) + terms.curvature * (v - eta) ** 2 / 2

    size = terms.value + np.abs(terms.slope[:, 0] * (v - eta)) + terms.curvature * (v - eta) ** 2
    assert (loss.values(v[:, None], y) <= bound + 1e-13 * size).all()
    assert list(above.state()) != list(loss.state())
