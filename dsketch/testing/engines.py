"""The contract of an engine: the bits of the fixed tree for every pass and storage, progress to the end, errors as they are."""

import itertools
from typing import Any

import numpy as np
import pytest

from dsketch._linalg.factor import Factor
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import Engine
from dsketch.engine.panels import merge_parts, panels_of
from dsketch.errors import DataError
from dsketch.events import Converged, Event, Progress, ignore
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Gradient, Gram, Look, Normal, Pass, Sketching, Triangle, WhitenedGram
from dsketch.passes.base import Part, leaves
from dsketch.problems import LeastSquares
from dsketch.problems.fallback import with_fallback
from dsketch.problems.linear.methods import METHODS
from dsketch.settings import Settings
from dsketch.sketch import SparseSign
from dsketch.testing.flows import run_flow
from dsketch.testing.recut import Recut

N, D, K = 1237, 7, 2
CUTS = np.append(np.arange(0, N, 31), N)  # forty blocks, the last one ragged


def values() -> tuple[Any, Any, Any]:
    """Return A, b and weights of the contract."""
    rng = np.random.default_rng(4)
    return rng.standard_normal((N, D)), rng.standard_normal((N, K)), rng.uniform(0, 2, N)


def passes() -> dict[str, Pass[Any]]:
    """Return one pass of each kind; one with large parts and one that is itself large, which travel in other ways."""
    A, _, _ = values()
    return {
        "both": Both(Sketching(SparseSign(64, 1)), Gram()),
        "gradient": Gradient(np.ones((D, K))),
        "large parts": Sketching(SparseSign(20_000, 1)),  # 1.4 MB each: merged where they lie
        "large pass": Normal(np.ones((D, 3000))),  # 168 kB
        "triangle": Triangle(),
        WhitenedGram.kind: WhitenedGram(Factor.of(A).whitener),
    }


def by_hand(look: Look) -> Part:
    """Return the part that every engine must give: panels folded in order, merged along the binary tree."""

    def panel(cuts: Any) -> Part:
        spans = list(itertools.pairwise(cuts.tolist()))
        if not look.pass_.accumulates:
            return look.pass_.end_panel(merge_parts(look.pass_, (look.pass_.map(look.rows.block(*span), None) for span in spans)))
        part = None
        for span in spans:
            part = look.pass_.map(look.rows.block(*span), part)
        return look.pass_.end_panel(part)

    with one_blas_thread():
        return merge_parts(look.pass_, (panel(cuts) for cuts in panels_of(look.rows)))


class EngineTests:
    """What every engine guarantees; give it as fixture ``engine``, and what it can read as fixture ``source``.

    Small panels, so that little data makes many tasks, are set in the driver alone: panels travel as row numbers.
    """

    @pytest.fixture
    def engine(self) -> Engine:
        """Return the engine to test."""
        raise NotImplementedError

    @pytest.fixture
    def source(self) -> Any:
        """Return A of :func:`values` as the engine's machines can read it."""
        return values()[0]

    @pytest.fixture
    def rows(self, source: Any, monkeypatch: pytest.MonkeyPatch) -> Rows:
        """Return weighted rows in forty blocks and 32 panels."""
        monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
        _, b, w = values()
        return Rows(Recut(open_matrix(source), CUTS), open_matrix(b), open_matrix(w))

    @pytest.mark.parametrize("name", sorted(passes()))
    def test_bits_are_those_of_the_tree(self, engine: Engine, rows: Rows, name: str) -> None:
        """Whoever computes, in whatever order: the bits of the tree over panel numbers."""
        look = Look(passes()[name], rows)

        found, expected = leaves(engine.run(look, ignore)), leaves(by_hand(look))

        assert len(panels_of(rows)) == 32
        assert len(found) == len(expected)
        assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))

    def test_one_block_is_enough(self, engine: Engine) -> None:
        """Data of one block make one panel."""
        look = Look(Gram(), Rows(open_matrix(values()[0][:5])))

        assert all(np.array_equal(*pair) for pair in zip(engine.run(look, ignore), by_hand(look), strict=True))

    # Of those that plans do not offer the passes are the others'.
    @pytest.mark.parametrize("method", sorted(name for name, method in METHODS.items() if method.is_offered))
    def test_method_gives_the_same_bits(self, engine: Engine, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A whole method on this engine looks and answers as in one thread of one process, bit for bit."""
        monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
        A, b, w = values()
        problem = LeastSquares(Recut(open_matrix(A), CUTS), b, weights=w)
        alone = run_flow(with_fallback(METHODS, method, problem, Settings()))
        flow, digests = with_fallback(METHODS, method, problem, Settings()), len(alone.digests)

        with one_blas_thread():
            look, asked = next(flow), 0
            try:
                while True:
                    if isinstance(look, Converged):
                        look = flow.send(None)
                        continue
                    asked += 1
                    look = flow.send(look.pass_.finish(engine.run(look, ignore)))
            except StopIteration as end:
                answer, _ = end.value

        assert asked == digests
        assert np.array_equal(answer.x, alone.result[0].x)
        assert np.array_equal(answer.backward_error, alone.result[0].backward_error)

    def test_progress_ends_at_all_bytes(self, engine: Engine, rows: Rows) -> None:
        """Progress never goes back and ends exactly at the bytes of the pass."""
        events: list[Event] = []

        engine.run(Look(Gram(), rows), events.append)

        done = [event.done_bytes for event in events if isinstance(event, Progress)]
        assert len(done) == len(events) > 1
        assert done == sorted(done)
        assert done[-1] == rows.nbytes
        assert {event.total_bytes for event in events if isinstance(event, Progress)} == {rows.nbytes}

    def test_nonfinite_values_are_named_and_the_engine_goes_on(self, engine: Engine, rows: Rows) -> None:
        """An infinity among the rows is named by its global row and column; the next pass is none the worse."""
        A, b, _ = values()
        A[1001, 3] = np.inf
        broken = Rows(Recut(open_matrix(A), CUTS), open_matrix(b))

        with pytest.raises(DataError, match=r"A must be finite; row 1001, column 3 is inf"):
            engine.run(Look(Gram(), broken), ignore)
        look = Look(Gram(), rows)
        assert all(np.array_equal(*pair) for pair in zip(engine.run(look, ignore), by_hand(look), strict=True))

    def test_workers_are_described(self, engine: Engine) -> None:
        """At least one worker with a thread and memory, in words of one line."""
        workers = engine.workers()

        assert workers.count >= 1
        assert workers.threads >= workers.count
        assert workers.memory_bytes > 10**6
        assert workers.where
        assert "\n" not in workers.where
