"""Replicas: workers that lie are outvoted or overruled, named and left out, and no bit of the answer is theirs."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client
from sklearn.base import clone

import dsketch as ds
from dsketch.engine import DaskEngine, Engine, SerialEngine, connect_engine, local_cluster
from dsketch.engine.panels import tasks_of
from dsketch.engine.replicas import draw_order
from dsketch.errors import EngineError, SpecError
from dsketch.events import Event, Note, ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Gram, Look
from dsketch.passes.base import leaves
from dsketch.sklearn import Ridge
from dsketch.testing.engines import CUTS, EngineTests, by_hand, passes, values
from dsketch.testing.recut import Recut
from tests.engine.liars import (
    Lie,
    count_tasks,
    deceive,
    die,
    die_after_voting,
    flip_one_bit,
    flip_signs,
    lying,
    refuse,
    send_no_part,
    set_lie,
)

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def four() -> Iterator[Client]:
    """A client of four worker processes of one thread each."""
    with local_cluster(4, 1, "1GiB") as running, Client(running, set_as_default=False) as connected:
        yield connected


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Return weighted rows in 32 panels."""
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    A, b, w = values()
    return Rows(Recut(open_matrix(A), CUTS), open_matrix(b), open_matrix(w))


@pytest.fixture
def problem(rows: Rows) -> ds.LeastSquares:
    """Return least squares on these rows."""
    return ds.LeastSquares(rows.A, rows.b, weights=rows.weights)


def assert_same_part(found: Any, expected: Any) -> None:
    """Hold a part to the bits of another."""
    assert all(np.array_equal(*pair) for pair in zip(leaves(found), leaves(expected), strict=True))


class TestHonest(EngineTests):
    """The contract of an engine, every task computed three times."""

    @pytest.fixture
    def engine(self, four: Client) -> Engine:
        """Return an engine."""
        return DaskEngine(four, replicas=3)


@pytest.mark.parametrize("lie", [flip_signs, flip_one_bit, send_no_part, refuse])
@pytest.mark.parametrize("name", ["both", "large pass"])
def test_one_liar_is_named_and_its_parts_are_not_taken(four: Client, rows: Rows, lie: Lie, name: str) -> None:
    """Whatever one of four says, the part has the bits of an honest run; it is named, once, and gets no task of the next pass."""
    look, events = Look(passes()[name], rows), list[Event]()
    engine = DaskEngine(four, replicas=3)

    with lying(four, lie, 1) as (liar,):
        found = engine.run(look, events.append)
        assert_same_part(found, by_hand(look))
        assert_same_part(engine.run(Look(Gram(), rows), events.append), by_hand(Look(Gram(), rows)))

    (note,) = [event.text for event in events if isinstance(event, Note)]
    assert f"worker 1 at {liar} was left out" in note
    assert (engine.left_out, engine.notes) == ({"1"}, (note,))


def test_liars_that_agree_are_overruled_by_the_driver(four: Client, rows: Rows) -> None:
    """Two of three that say the same wrong thing are a majority; the driver makes the task again and names both."""
    look = Look(Gram(), rows)

    with lying(four, flip_signs, 0, 1):
        engine = DaskEngine(four, replicas=3)
        assert_same_part(engine.run(look, ignore), by_hand(look))

    assert engine.left_out == {"0", "1"}


def test_a_part_that_is_not_what_its_digest_said_is_not_taken(four: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that tells the digest of a true part and sends a false one is found when the driver makes the digest itself."""
    monkeypatch.setattr(secrets, "token_bytes", lambda: b"known")
    look, engine = Look(Gram(), rows), DaskEngine(four, replicas=3)
    first = draw_order(b"known", 0, "0123")[0]  # the driver fetches its part of the first task

    with lying(four, flip_signs, int(first)) as (liar,):
        four.run(deceive, workers=[liar])
        assert_same_part(engine.run(look, ignore), by_hand(look))

    assert engine.left_out == {first}
    assert "sent another part" in engine.notes[0]


def test_a_liar_gets_no_further_task(four: Client, rows: Rows) -> None:
    """After the pass that found it a worker computes nothing more of the run."""
    engine = DaskEngine(four, replicas=3)
    with lying(four, flip_signs, 2) as (liar,):
        engine.run(Look(Gram(), rows), ignore)

    four.run(count_tasks)
    engine.run(Look(Gram(), rows), ignore)
    done = four.run(count_tasks)
    four.run(set_lie, None)

    tasks = len(tasks_of(rows, 3))
    assert done.pop(liar) == 0
    assert list(done.values()) == [tasks] * 3


def test_a_solve_has_the_bits_of_an_honest_one(four: Client, problem: ds.LeastSquares, tmp_path: Path) -> None:
    """Bits of x are those of one honest process, the answer names the liar, and the journal is clean."""
    honest = ds.solve(problem, method="whitened", cluster="serial", journal=tmp_path / "honest")

    with lying(four, flip_signs, 3):
        found = ds.solve(problem, method="whitened", cluster=four, replicas=3, journal=tmp_path / "lied")

    assert np.array_equal(found.x, honest.x)
    assert [note for note in found.notes if "worker 3" in note]
    assert [record.read_bytes for record in found.passes] == [3 * record.read_bytes for record in honest.passes]
    assert ds.audit(tmp_path / "lied", data=problem).is_clean


def test_a_killed_worker_is_replaced_and_not_blamed(four: Client, rows: Rows) -> None:
    """What a dead worker was given goes to another one; the bits are the same, nobody is left out, and its nanny's next one is taken in."""
    look, engine = Look(Gram(), rows), DaskEngine(four, replicas=3)

    with lying(four, die, 1):
        assert_same_part(engine.run(look, ignore), by_hand(look))

    four.wait_for_workers(4, timeout=60)
    assert_same_part(engine.run(look, ignore), by_hand(look))
    assert engine.left_out == set()


def test_a_worker_that_dies_after_its_vote_costs_nothing_but_time(four: Client, rows: Rows) -> None:
    """A part that is gone before the driver has fetched it is had from another worker."""
    look, engine = Look(Gram(), rows), DaskEngine(four, replicas=3)

    with lying(four, tuple, 0, 1) as leaving:
        four.run(die_after_voting, workers=leaving)
        assert_same_part(engine.run(look, ignore), by_hand(look))

    four.wait_for_workers(4, timeout=60)
    assert engine.left_out == set()


def test_too_few_that_agree_are_an_error(four: Client, rows: Rows) -> None:
    """Where three of four have lied each in its way, one is left, and nobody to compare it with."""
    engine = DaskEngine(four, replicas=3)
    with lying(four, refuse, 3):
        engine.run(Look(Gram(), rows), ignore)

    with (
        lying(four, flip_signs, 0),
        lying(four, flip_one_bit, 1),
        pytest.raises(EngineError, match=r"at least 2 workers that agree were expected for replicas=3; 1 of them is left"),
    ):
        engine.run(Look(Gram(), rows), ignore)

    assert engine.left_out == {"0", "1", "3"}


def test_nobody_is_named_where_the_driver_agrees_with_none(four: Client, rows: Rows) -> None:
    """Machines of another kind than the driver's, or liars alone: the run ends, and says both."""
    with (
        lying(four, flip_signs, 0, 1),
        lying(four, flip_one_bit, 2, 3),
        pytest.raises(EngineError, match=r"driver's bits of rows 0:\d+ in the gram pass; none has"),
    ):
        DaskEngine(four, replicas=3).run(Look(Gram(), rows), ignore)


def test_what_all_workers_raise_is_raised(four: Client, rows: Rows) -> None:
    """Workers that all fail where the driver does not are at fault together: their own error is said."""
    with lying(four, refuse, 0, 1, 2, 3), pytest.raises(ds.DataError, match="row 0 is not finite, in"):
        DaskEngine(four, replicas=3).run(Look(Gram(), rows), ignore)


# ---- how they are asked for --------------------------------------------------------------------------------------------


def test_a_plan_says_what_replicas_cost(four: Client, problem: ds.LeastSquares) -> None:
    """Three times the reading, in a line and in the number."""
    one, three = (ds.plan(problem, method="tsqr", cluster=four, replicas=replicas) for replicas in (1, 3))

    assert three.read_bytes == 3 * one.read_bytes
    assert "each part is computed by 3 workers, which must agree: 3 times the reading" in str(three)
    assert "must agree" not in str(one)


def test_more_replicas_than_workers_are_refused(four: Client, problem: ds.LeastSquares) -> None:
    """Four workers cannot be five; nothing is read first."""
    for verb in (ds.plan, ds.solve):
        with pytest.raises(EngineError, match=r"at least 5 workers were expected for replicas=5; there are 4 .*workers=5"):
            verb(problem, cluster=four, replicas=5)
    with pytest.raises(EngineError, match="at least 5 workers"):
        ds.check(problem, np.zeros((7, 2)), cluster=four, replicas=5)


@pytest.mark.parametrize("replicas", [0, 2, -1, True, "3"])
def test_replicas_are_odd(problem: ds.LeastSquares, replicas: Any) -> None:
    """An even number may be split in halves."""
    with pytest.raises(SpecError, match="replicas must be an odd number"):
        ds.plan(problem, replicas=replicas)


def test_this_process_has_no_replicas(problem: ds.LeastSquares) -> None:
    """In one process there is nobody to compare with; an engine has what it was made with."""
    for cluster in ("serial", SerialEngine(2)):
        with pytest.raises(SpecError, match=r"replicas=3.*[Ll]eave .* out"):
            ds.solve(problem, cluster=cluster, replicas=3)


def test_the_active_client_is_asked_for_replicas(four: Client) -> None:
    """Replicas ask for workers, even for data in memory: those of the active client."""
    with four.as_current(), connect_engine(None, Rows(ArrayMatrix(values()[0])), replicas=3) as engine:
        assert isinstance(engine, DaskEngine)
        assert (engine.replicas, engine.client) == (3, four)


def test_rows_that_workers_write_are_refused_before_the_first_pass(four: Client, tmp_path: Path) -> None:
    """Who writes last would decide; rows that come back are compared as all parts are."""
    A = values()[0]

    with pytest.raises(SpecError, match=r"replicas=3 compares parts, and answers that workers write to Zarr are none"):
        ds.leverage_scores(A, out=tmp_path / "scores.zarr", cluster=four, replicas=3)
    with pytest.raises(SpecError, match=r"replicas=3 compares parts, and the .* pass writes rows besides"):
        ds.predict(np.ones(7), A, out=tmp_path / "y.zarr", cluster=four, replicas=3)
    found = ds.leverage_scores(A, cluster=four, replicas=3)
    assert np.array_equal(found.x, ds.leverage_scores(A, cluster="serial").x)


def test_persisted_data_are_refused(four: Client) -> None:
    """A chunk in the memory of one worker is what that worker says, for all others too."""
    A = four.persist(da.from_array(values()[0], chunks=(300, 7)))

    with pytest.raises(SpecError, match="persisted in the memory of one worker"):
        DaskEngine(four, replicas=3).run(Look(Gram(), Rows(open_matrix(A))), ignore)


def test_estimators_ask_for_replicas(four: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one of their parameters, which their copies share, and the liar is left out of their fit."""
    monkeypatch.setattr(secrets, "token_bytes", lambda: b"known")
    liar = int(draw_order(b"known", 0, "0123")[0])  # who is asked first for the only task
    X = np.random.default_rng(2).standard_normal((300, 3))
    model = Ridge(cluster=four, replicas=3)

    with lying(four, flip_signs, liar):
        found = model.fit(X, X @ np.ones(3))

    assert f"worker {liar} at" in found.solution_.notes[-1]
    assert clone(model).get_params()["replicas"] == 3
    np.testing.assert_array_equal(found.coef_, Ridge(cluster="serial").fit(X, X @ np.ones(3)).coef_)
