"""Heads: flows side by side share each reading of A and see what they would see alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray
from dsketch.matrix.head import Head
from dsketch.matrix.regrid import Recut
from dsketch.problems import GramExponential, GramPower, LeastSquares, OddGramPower
from dsketch.problems.heads.problem import Heads
from dsketch.testing.flows import run_flow
from dsketch.testing.known import tall

N, D, P = 1200, 12, 4
EPS = float(np.finfo(float).eps)


def numbers(*shape: int, seed: int = 3) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def ranges(A: Any) -> list[Head]:
    """Return three heads of four columns each."""
    return [Head(A, columns=(start, start + P)) for start in range(0, D, P)]


def even(A: Any) -> list[Any]:
    """Return problems of different powers on column ranges."""
    return [GramPower(head, numbers(P, seed=power), power=power) for power, head in enumerate(ranges(A), start=1)]


def solve(problem: Any, **choices: Any) -> ds.Solution:
    """Solve in this process."""
    return ds.solve(problem, cluster="serial", progress=False, **choices)


class Counting(Recut):
    """A matrix of small blocks that counts how often rows are read."""

    reads = 0

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> Any:
        """Read and count."""
        return self.read(start, stop, out)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Read and count."""
        self.reads += stop - start
        return super().read(start, stop, out)


def counting() -> Counting:
    """Return a matrix of twelve blocks."""
    return Counting(ArrayMatrix(tall(N, D, condition=100.0).A), np.arange(0, N + 1, N // D))


@pytest.mark.parametrize("method", ["factored", "factored_whitened", "alternating", "alternating_cg"])
def test_heads_cost_the_passes_of_the_slowest_and_have_the_bits_of_each_alone(method: str, stored: Any) -> None:
    """Three column ranges with powers 1, 2, 3: x and certificate of each are those of its own solve, bit for bit."""
    A = ds.open_matrix(stored("A", tall(N, D, condition=100.0).A, chunk_rows=100))
    problems = even(A)
    heads = Heads(problems)

    together = solve(heads, method=method)
    alone = [solve(problem, method=method) for problem in problems]

    assert len(together.passes) == max(len(solution.passes) for solution in alone)
    for x, outcome, single in zip(heads.split(together.x), together.answer, alone, strict=True):
        assert np.array_equal(x[:, 0], single.x)
        assert np.array_equal(outcome.certificate.backward_error, single.certificate.backward_error)
        assert outcome.status is single.status


def test_a_round_reads_every_row_once() -> None:
    """However many heads ask, a pass over twelve blocks reads each row of A one time."""
    A = counting()
    flow = Heads(even(A)).answer(ds.plan(Heads(even(A)), method="factored", cluster="serial"))
    A.reads = 0

    passes = len(run_flow(flow).digests)

    assert A.reads == passes * N


def test_projections_are_problems_on_the_product() -> None:
    """Heads A W of different W: the answers of the stored products, to rounding, in the passes of one."""
    A, W = ArrayMatrix(numbers(N, D)), [numbers(D, P, seed=seed) / D for seed in (1, 2)]
    b = [numbers(N, 2, seed=seed) for seed in (4, 5)]
    heads = Heads([OddGramPower(Head(A, projection=w), side, power=2) for w, side in zip(W, b, strict=True)])

    solution = solve(heads)

    assert len(solution.passes) == 2
    for x, w, side in zip(heads.split(solution.x), W, b, strict=True):
        product = numbers(N, D) @ w
        single = solve(OddGramPower(product, side, power=2))
        kappa = float(np.linalg.cond(product))
        assert np.linalg.norm(x - single.x) <= 100 * 5 * np.sqrt(N) * kappa * EPS * np.linalg.norm(single.x)


def test_what_two_heads_ask_is_asked_once() -> None:
    """The same A with several powers and sides has one triangle; the levels of each are its own."""
    A = ArrayMatrix(numbers(N, D))
    solution = solve(Heads([GramPower(A, numbers(D, seed=power), power=power) for power in (1, 2, 5)]), method="factored")

    assert [record.kind for record in solution.passes] == ["1 × triangle", "3 × normal"]


@pytest.mark.parametrize("method", ["tsqr", "whitened", "conjugate_gradient"])
def test_least_squares_heads_bring_their_own_sides(method: str) -> None:
    """Linear problems share readings too, each with its b and its intercept; x has the bits of each alone."""
    A = ArrayMatrix(numbers(N, D))
    problems = [LeastSquares(head, numbers(N, seed=place), intercept=place == 1) for place, head in enumerate(ranges(A))]
    heads = Heads(problems)

    solution = solve(heads, method=method)

    for x, problem in zip(heads.split(solution.x), problems, strict=True):
        assert np.array_equal(x[:, 0], solve(problem, method=method).x)


def test_kinds_of_problems_may_be_mixed() -> None:
    """An even power, an odd one and an exponential: two passes, each with its own answer and certificate."""
    A = ArrayMatrix(numbers(N, D) / np.sqrt(N))
    first, second, third = ranges(A)
    problems = [GramPower(first, numbers(P), power=4), OddGramPower(second, numbers(N)), GramExponential(third, numbers(P))]
    heads = Heads(problems)

    solution = solve(heads, method="factored")

    assert len(solution.passes) == 2
    for x, problem in zip(heads.split(solution.x), problems, strict=True):
        assert np.array_equal(x[:, 0], solve(problem, method="factored").x)
    assert float(ds.check(heads, solution.x.reshape(-1, 1)).backward_error.max()) <= 100 * EPS


@pytest.mark.cluster
def test_heads_have_the_same_bits_on_a_cluster(client: Any, stored: Any) -> None:
    """Serial or two processes, with sides that are stored beside A."""
    A = ds.open_matrix(stored("A", numbers(N, D), chunk_rows=100))
    heads = Heads([OddGramPower(head, stored(f"b{place}", numbers(N, seed=place))) for place, head in enumerate(ranges(A))])

    assert np.array_equal(solve(heads).x, ds.solve(heads, cluster=client, progress=False).x)


def test_a_run_of_heads_is_resumed(tmp_path: Path, stored: Any) -> None:
    """After its last record is lost, the run goes on with the same bits; other powers are another run."""
    A = ds.open_matrix(stored("A", numbers(N, D), chunk_rows=100))
    whole = solve(Heads(even(A)), method="factored", journal=tmp_path)
    (tmp_path / "pass-0002.npz").unlink()

    found = ds.resume(tmp_path, problem=Heads(even(A)), cluster="serial", progress=False)

    assert np.array_equal(found.x, whole.x)
    assert [record.replayed for record in found.passes] == [True, False]
    with pytest.raises(SpecError, match=r"give (it|the problem again): resume\(journal, problem="):
        ds.resume(tmp_path, cluster="serial")
    with pytest.raises(ds.JournalError, match="its problem is"):
        solve(Heads(even(A)[::-1]), method="factored", journal=tmp_path)


def test_what_does_not_belong_together_is_refused() -> None:
    """Other matrices, other numbers of sides, no heads, columns that are not there."""
    A, B = ArrayMatrix(numbers(N, D)), ArrayMatrix(numbers(N, D, seed=9))
    with pytest.raises(SpecError, match="heads must be of one matrix"):
        Heads([GramPower(A, numbers(D)), GramPower(B, numbers(D))])
    with pytest.raises(SpecError, match=r"same number of right-hand sides; got \[1, 2\]"):
        Heads([GramPower(A, numbers(D)), GramPower(A, numbers(D, 2))])
    with pytest.raises(SpecError, match="at least one problem"):
        Heads([])
    with pytest.raises(DataError, match="must lie within the 12 of A; got 8:13"):
        Head(A, columns=(8, 13))
    with pytest.raises(DataError, match="each of the 12 columns of A"):
        Head(A, projection=numbers(P, D))
    with pytest.raises(DataError, match="give one"):
        Head(A)
