"""The verbs: open, plan, solve, resume, check."""

from collections.abc import Callable

import dask.array as da
import numpy as np
import pytest

import dsketch as ds
from dsketch.events import Event, Note, PassFinished, PassStarted
from dsketch.testing.judge import estimated_backward_error
from dsketch.testing.known import tall

EPS = np.finfo(float).eps


def test_lstsq_equals_lapack() -> None:
    """The one-line shortcut gives LAPACK's answer."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((500, 7)), rng.standard_normal(500)

    solution = ds.lstsq(A, b)

    assert np.allclose(solution.x, np.linalg.lstsq(A, b)[0], rtol=1e-12)
    assert solution.status is ds.Status.SOLVED


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return a small problem."""
    known = tall(300, 5, condition=100.0)
    return known.A, known.b


def test_shortcuts_are_the_long_way() -> None:
    """``lstsq`` and ``ridge`` are ``solve`` of the problem, ``solve`` is carrying out its plan: the same bits."""
    A, b = data()

    assert np.array_equal(ds.lstsq(A, b, method="gram").x, ds.solve(ds.LeastSquares(A, b), method="gram").x)
    assert np.array_equal(ds.ridge(A, b, 2.0, method="gram").x, ds.solve(ds.Ridge(A, b, alpha=2.0), method="gram").x)
    assert np.array_equal(ds.solve(ds.plan(ds.LeastSquares(A, b), method="gram")).x, ds.lstsq(A, b, method="gram").x)


def test_shape_of_x_is_that_of_b() -> None:
    """A vector b gives a vector x, a column a column, k columns k columns; the intercept is one more row."""
    A, b = data()

    assert ds.lstsq(A, b).x.shape == (5,)
    assert ds.lstsq(A, b[:, None]).x.shape == (5, 1)
    assert ds.lstsq(A, np.stack([b, b, b], axis=1)).x.shape == (5, 3)
    assert ds.lstsq(A, b, intercept=True).x.shape == (6,)


def test_plan_s_choices_are_kept() -> None:
    """What a plan was made with is what is done; anything besides a cluster is refused."""
    A, b = data()
    made = ds.plan(ds.LeastSquares(A, b), method="whitened", sketch="gaussian", seed=5, tol=1e-8)

    solution = ds.solve(made, cluster="serial")

    assert solution.plan.to_dict() == made.to_dict()
    assert (solution.method, solution.plan.settings.sketch, solution.plan.settings.seed) == ("whitened", "gaussian", 5)
    with pytest.raises(ds.SpecError, match="got method, tol besides"):
        ds.solve(made, method="gram", tol=1e-3)


def test_unknown_words_are_refused_with_the_known_ones() -> None:
    """A misspelt keyword is not swallowed."""
    A, b = data()

    with pytest.raises(ds.SpecError, match=r"the keyword arguments are .*tol.*; got toll"):
        ds.lstsq(A, b, toll=1e-3)
    with pytest.raises(ds.SpecError, match=r"options of a cluster are .*; got worker"):
        ds.check(ds.LeastSquares(A, b), np.zeros(5), worker=2)


@pytest.mark.parametrize("error", [0.0, 1e-12, 1e-3, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 5.0])
def test_check_judges_any_x(error: float, alpha: float) -> None:
    """Backward error, residual and gradient of any x, the penalty counted, are those recomputed from the data."""
    A, b = data()
    M, z = np.concatenate([A, np.sqrt(alpha) * np.eye(5)]), np.concatenate([b, np.zeros(5)])
    x = np.linalg.lstsq(M, z)[0] * (1 + error)

    found = ds.check(ds.Ridge(A, b, alpha=alpha), x)

    r = z - M @ x
    expected = estimated_backward_error(M, z, x)[0]
    assert abs(found.backward_error[0] - expected) <= 1e-6 * expected + 4 * EPS
    assert np.isclose(found.residual_norm[0], np.linalg.norm(r), rtol=1e-12)
    # Aᵀr is known to eps times its terms.
    M = M / np.linalg.norm(M, axis=0)
    size = np.linalg.norm(M) * np.linalg.norm(r)
    assert abs(found.gradient_norm[0] - np.linalg.norm(M.T @ r) / size) <= 300 * EPS * (1 + np.linalg.norm(z) / np.linalg.norm(r))
    assert found.rank == 5
    assert found.is_exact


def test_check_refuses_another_shape() -> None:
    """x must have d rows and b's columns."""
    A, b = data()

    with pytest.raises(ds.DataError, match=r"x must have shape \(5, 1\)"):
        ds.check(ds.LeastSquares(A, b), np.zeros(4))


def test_progress_is_told_in_order() -> None:
    """A callable is handed every event: a start, progress to the end, a finish for each pass; notes afterwards."""
    A, b = data()
    events: list[Event] = []

    solution = ds.lstsq(A * np.geomspace(1, 1e-9, 5) @ np.ones((5, 5)) + A, b, method="gram", progress=events.append)
    again = ds.lstsq(np.tile(A[:, :1], 2), b, method="gram", progress=events.append)

    starts = [event for event in events if isinstance(event, PassStarted)]
    finishes = [event for event in events if isinstance(event, PassFinished)]
    assert [event.kind for event in starts] == [record.kind for record in (*solution.passes, *again.passes)]
    assert [event.number for event in finishes] == [event.number for event in starts]
    assert tuple(event.text for event in events if isinstance(event, Note))[-len(again.notes) :] == again.notes
    assert again.status is ds.Status.MINIMUM_NORM


def test_solution_is_text_for_people() -> None:
    """Status, method, errors, condition and notes, a line each."""
    A, b = data()
    lines = str(ds.lstsq(A, b, method="gram")).splitlines()

    assert [line.split()[0] for line in lines] == ["status", "method", "backward", "residual", "condition"]
    assert "gram, 2 passes" in lines[1]


def test_singular_values_are_those_of_A() -> None:
    """From a decomposition of R: to d eps of the largest, also far below √eps where a Gram matrix sees nothing."""
    known = tall(300, 5, condition=1e12)

    found = ds.lstsq(known.A, known.b, method="tsqr").singular_values

    assert np.abs(found - np.geomspace(1, 1e-12, 5)).max() <= 5 * EPS


def test_status_says_what_to_try() -> None:
    """Each status is a sentence; x that is not the answer is no success."""
    failures = {ds.Status.NOT_SOLVED, ds.Status.SEPARATED, ds.Status.UNDETERMINED}
    assert {status for status in ds.Status if not status.is_success} == failures
    assert all(len(status.value.split()) > 4 for status in ds.Status)


def test_stored_and_in_memory_are_the_same(stored: Callable[..., str]) -> None:
    """Zarr, NumPy and dask arrays of one grid give the same bits."""
    A, b = data()

    inside = ds.lstsq(A, b, method="gram").x

    assert np.array_equal(ds.lstsq(stored("A", A, 100), stored("b", b, 77), method="gram").x, inside)
    assert np.array_equal(ds.lstsq(da.from_array(A, chunks=(300, 2)), b, method="gram").x, inside)
