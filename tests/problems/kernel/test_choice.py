"""The choice of a preconditioner, by a forecast from some of the rows."""

import numpy as np
import pytest
import scipy.linalg as sl

from dsketch.errors import PlanError
from dsketch.features.taylor import Taylor, monomials
from dsketch.problems.kernel import refinement
from dsketch.problems.kernel.candidates import (
    Candidate,
    candidate_named,
    choose_candidate,
    forecast_candidates,
    steps_for,
)
from dsketch.problems.kernel.forecast import Sample, draw_sample
from dsketch.problems.kernel.refinement import Goal
from tests.problems.kernel.dense import answered, data, dense, iterations, kernel, system


@pytest.mark.parametrize("family", ["sphere", "gaussian", "clusters", "wide"])
def test_forecast_tells_good_from_bad(family: str) -> None:
    """From a quarter of the rows the condition number is forecast to a factor 6 of that of the whole pencil."""
    A, b = data(family, 512)
    given = system(A, b, 1e-2)
    look = answered(draw_sample(given, 0))
    whole = Sample(given, A, given.shift[:, 0], 512)

    for features in (None, Taylor(given.mean, 1.0, 1), Taylor(given.mean, 1.0, 2)):
        exact = whole.condition(features)
        assert exact / 6 <= look.condition(features) <= exact * 6


def test_forecast_of_all_rows_is_the_condition() -> None:
    """With every row in the sample nothing is forecast: the value is that of the pencil."""
    A, b = data("gaussian", 150)
    given = system(A, b, 1e-2)
    features = Taylor(given.mean, 1.0, 2)
    F = features.apply(A)
    P = F @ F.T + np.diag(given.shift[:, 0] + np.maximum(1 - np.sum(F * F, axis=1), 0))
    values = sl.eigh(dense(given), P, eigvals_only=True)

    found = Sample(given, A, given.shift[:, 0], 150).condition(features)

    assert found == pytest.approx(values[-1] / values[0], rel=1e-6)


@pytest.mark.parametrize("family", ["sphere", "gaussian", "clusters", "wide"])
def test_choice_is_near_the_best(family: str) -> None:
    """The chosen preconditioner takes at most half as many steps again as the best candidate."""
    A, b = data(family, 300)
    given = system(A, b[:, :1], 1e-3)
    found = forecast_candidates(answered(draw_sample(given, 0)), 150)
    chosen = choose_candidate(found, *given.dimensions, 1e-6)
    steps = {candidate: iterations(given, answered(candidate.make(given, 0)), 1e-6, 150) for candidate in found}

    assert steps[chosen] <= 1.5 * min(steps.values()) + 2


def test_a_forecast_that_fails_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a preconditioner does not do what was forecast, the next best takes over from the y that there is, and the note says so."""
    A, b = data("sphere")
    given = system(A, b, 1e-2)
    lie = [Candidate("none", 0, 0, 1.5), Candidate("taylor", monomials(6, 3), 3, 30.0)]
    monkeypatch.setattr(refinement, "forecast_candidates", lambda *_: lie)

    found = answered(refinement.refine(given, None, Goal()))

    K = kernel(A) + given.alpha * np.eye(600)
    assert found.preconditioner.name == "taylor"
    assert any("after 10 iterations taylor" in note for note in found.notes)
    residual = np.linalg.norm(b - K @ (found.y / given.growth), axis=0)
    assert (residual <= 1.1e-10 * np.linalg.norm(b, axis=0)).all()


def test_steps_of_the_bound_are_enough() -> None:
    """Conjugate gradients never take more steps to an error in the energy norm than the bound, which the choice counts with."""
    for condition in (1.1, 10.0, 1000.0):
        rate = (np.sqrt(condition) - 1) / (np.sqrt(condition) + 1)
        steps = steps_for(condition, 1e-8)
        assert 2 * rate**steps <= 1e-8 < 2 * rate ** (steps - 1) * (1 + 1e-9)


def test_taylor_that_does_not_fit_is_refused() -> None:
    """If not even degree 1 fits the columns allowed, the message says how many it needs and what to choose."""
    A, b = data("wide", 60)

    with pytest.raises(PlanError, match=r"degree 1 need 41 columns; 30 were allowed. Choose features='pivoted_cholesky'"):
        candidate_named(system(A, b, 1.0), "taylor", 30, 30, 60)
