"""Methods: every one of the table keeps the contract; what gives way says so."""

import re

import numpy as np
import pytest

import dsketch as ds
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.outcome import Status
from dsketch.settings import ACCEPTED, QR_LEVEL, Settings
from dsketch.sketch import SKETCHES
from dsketch.sketch.size import FOR_ITERATING, FOR_SOLVING, distortion, rows_for
from dsketch.testing.judge import estimated_backward_error, residual
from dsketch.testing.known import KNOWN, scale, tall
from dsketch.testing.methods import MethodTests, solve_known

EPS = np.finfo(float).eps


class TestTable(MethodTests):
    """Every method of the table."""

    @pytest.fixture(params=sorted(METHODS))
    def method(self, request: pytest.FixtureRequest) -> str:
        """Return a name."""
        return str(request.param)


# ---- giving way ------------------------------------------------------------------------------------------------------


def test_every_road_ends_at_tsqr() -> None:
    """Whoever gives way has a successor, and following successors ends at a method that has none and needs none."""
    for name in METHODS:
        seen = [name]
        while (successor := METHODS[name].successor) is not None:
            name = successor
            assert name not in seen
            seen.append(name)
        assert name in ("tsqr", "sketch_and_solve")


def test_gram_gives_way_at_condition_1e10() -> None:
    """The note has the condition number and the limit, and the sketch is not made twice: three passes in all."""
    found = solve_known(KNOWN["condition 1e10"](), "gram")

    assert found.method == "whitened"
    assert found.status is Status.SOLVED
    assert re.match(r"gram gave way to whitened: the condition number is \S+e\+\d\d .* trusted to 1e6", found.notes[0])
    assert [record.kind for record in found.passes] == ["sketch & gram", "whitened", "gradient"]


def test_cholesky_gives_way_at_condition_1e10() -> None:
    """Eigenvalues that rounding could have made prove nothing; the note has both numbers."""
    found = solve_known(KNOWN["condition 1e10"](), "cholesky")

    assert found.method == "whitened"
    assert found.status is Status.SOLVED
    assert re.match(r"cholesky gave way to whitened: rounding moves the eigenvalues of AᵀA by up to \S+e-\d\d", found.notes[0])
    assert [record.kind for record in found.passes] == ["gram", "triangle", "whitened", "gradient"]


def test_gram_gives_way_to_deficiency() -> None:
    """A rank-deficient A is no business of a Gram matrix; the minimum-norm answer comes all the same."""
    found = solve_known(KNOWN["duplicate columns"](), "gram")

    assert found.method == "tsqr"
    assert found.status is Status.MINIMUM_NORM
    assert "rank-deficient" in found.notes[0]


@pytest.mark.parametrize("method", ["whitened", "conjugate_gradient", "gradient_descent", "gram"])
def test_count_sketch_on_coherent_rows_ends_well(method: str) -> None:
    """CountSketch with m = 4d loses rank where d rows carry the columns; the method notices, says so, and the answer is right.

    Conjugate gradients may get there all the same: what was lost is a few eigenvalues far from the others.
    """
    known = tall(3000, 24, condition=1e3, rows="coherent")

    for seed in range(4):
        found = solve_known(known, method, sketch="count_sketch", sketch_rows=96, seed=seed)

        assert found.status is Status.SOLVED
        assert estimated_backward_error(known.A, known.b, found.x).max() <= ACCEPTED
        assert method == "conjugate_gradient" or "gave way" in found.notes[0]


@pytest.mark.parametrize("method", ["whitened", "conjugate_gradient", "gradient_descent", "gram"])
def test_rank_lost_by_the_sketch_alone_is_not_the_rank_of_A(method: str) -> None:
    """Where only d rows are not zero, colliding rows make S A exactly deficient: no wrong x is returned as the shortest one."""
    A = np.zeros((500, 12))
    A[40:52] = tall(12, 12, condition=10.0).A
    b = np.random.default_rng(0).standard_normal(500)

    for seed in range(4):
        found = ds.lstsq(A, b, method=method, sketch="count_sketch", sketch_rows=24, seed=seed, cluster="serial")

        assert found.status is Status.SOLVED
        assert found.certificate.rank == 12
        assert estimated_backward_error(A, b, found.x).max() <= ACCEPTED


@pytest.mark.parametrize("method", ["whitened", "conjugate_gradient", "gradient_descent", "gram"])
def test_sketch_of_too_few_rows_ends_well(method: str) -> None:
    """A square sketch preconditions badly or not at all; it is never taken for a rank-deficient A with a wrong x."""
    known = tall(600, 12, condition=10.0)

    found = solve_known(known, method, sketch_rows=12)

    assert estimated_backward_error(known.A, known.b, found.x).max() <= ACCEPTED
    assert found.status is Status.SOLVED
    assert found.certificate.rank == 12


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"sketch_and_solve"}))
def test_rank_is_not_taken_from_a_sketch(method: str) -> None:
    """Heavy rows that share a bucket of CountSketch cost the sketch its rank, never the answer: A's own factor decides."""
    known = tall(5000, 30, condition=1e8, rows="coherent")

    found = solve_known(known, method, sketch="count_sketch", sketch_rows=128)

    assert found.certificate.rank == 30
    assert found.status is Status.SOLVED
    assert estimated_backward_error(known.A, known.b, found.x).max() <= ACCEPTED


@pytest.mark.parametrize("sketch", sorted(SKETCHES))
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"tsqr", "krylov", "sketch_and_solve"}))
def test_any_sketch_serves_any_method(method: str, sketch: str) -> None:
    """On incoherent rows every family leads there without anyone giving way."""
    known = tall(2000, 10, condition=1e5)

    found = solve_known(known, method, sketch=sketch)

    assert found.method == method
    assert estimated_backward_error(known.A, known.b, found.x).max() <= ACCEPTED


# ---- what each promises ----------------------------------------------------------------------------------------------


def test_direct_methods_take_their_passes() -> None:
    """Passes: gram 2, whitened 3, tsqr 2, sketch_and_solve 1."""
    known = tall(500, 6, condition=1e3)

    kinds = {name: [record.kind for record in solve_known(known, name).passes] for name in sorted(METHODS)}

    assert kinds["gram"] == ["sketch & gram", "gradient"]
    assert kinds["whitened"] == ["sketch", "whitened", "gradient"]
    assert kinds["tsqr"] == ["triangle", "gradient"]
    assert kinds["sketch_and_solve"] == ["sketch"]


@pytest.mark.parametrize("condition", [1e2, 1e9])
def test_iterations_do_not_grow_with_the_condition(condition: float) -> None:
    """Preconditioned, the number of passes is that of the sketch's distortion: conjugate gradients stay below the paper's 40."""
    known = tall(2000, 10, condition=condition, residual=1e-4)

    for method in ("conjugate_gradient", "gradient_descent"):
        assert len(solve_known(known, method).passes) <= 40


def test_sketch_and_solve_keeps_its_residual() -> None:
    """The mean of ‖r‖²/‖r*‖² over seeds is 1/(1 − d/m) up to 6 standard deviations of 60 draws."""
    known = tall(3000, 16, residual=1.0)
    size = rows_for(16, FOR_SOLVING, "sparse_sign")
    best = float(np.linalg.norm(known.b - known.A @ known.x))

    grown = [
        float(
            np.linalg.norm(residual(known.A, known.b, solve_known(known, "sketch_and_solve", seed=seed).x).astype(float)) / best
        )
        ** 2
        for seed in range(60)
    ]

    expected = 1 + 16 / (size - 16)
    spread = (expected - 1) * np.sqrt(2 / 16)  # about a chi-square of d degrees of freedom
    assert abs(np.mean(grown) - expected) <= 6 * spread / np.sqrt(60)


@pytest.mark.parametrize("rows", ["incoherent", "coherent", "heavy_tailed"])
def test_sketch_and_solve_knows_its_error(rows: str) -> None:
    """Over seeds the median ratio of the error bar to ‖A (x − x*)‖ lies between ½ and 2."""
    known = tall(3000, 16, residual=0.5, rows=rows)
    found = [solve_known(known, "sketch_and_solve", seed=seed) for seed in range(25)]

    ratios = [float(one.answer.gap[0] / np.linalg.norm(known.A @ (one.x - known.x))) for one in found]

    assert all(one.status is Status.ESTIMATED for one in found)
    assert 0.5 <= np.median(ratios) <= 2


def test_sketch_and_solve_of_nothing_is_nothing() -> None:
    """A zero matrix gives x = 0 without a warning."""
    assert not solve_known(KNOWN["zero matrix"](), "sketch_and_solve").x.any()


def test_distortion_sets_the_step_of_gradient_descent() -> None:
    """With the size rule the heavy ball contracts by √(d/m) ≈ 0.29 a step; a sketch of d rows promises nothing, hence falls back."""
    assert distortion(100, rows_for(100, FOR_ITERATING, "sparse_sign")) < 0.29


def test_unreachable_tolerance_is_not_an_error() -> None:
    """A tol below rounding means rounding: solved as accurately as QR."""
    known = tall(500, 6, condition=1e3)

    found = solve_known(known, "tsqr", tol=1e-300)

    assert Settings(tol=1e-300).goal == QR_LEVEL
    assert found.status is Status.SOLVED


@pytest.mark.parametrize("size", [1e200, 1e-160, 1e-200])
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"sketch_and_solve"}))
def test_squares_out_of_range_are_a_data_error(method: str, size: float) -> None:
    """Entries whose squares over- or underflow are refused with the remedy: a certificate from them would say 0 of any x."""
    with pytest.raises(ds.DataError, match="Rescale"):
        solve_known(scale(tall(300, 4, residual=0.5), size), method)
