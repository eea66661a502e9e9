"""The state machine by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsketch.problems.outcome import Status
from dsketch.service.errors import ForbiddenMove
from dsketch.service.job import MOVES, Job, State, StateChange, stamp
from dsketch.service.jobs_api import word_of

moves = st.lists(st.tuples(st.sampled_from(State), st.floats(0.0, 10.0), st.booleans(), st.integers(0, 3)), max_size=30)


def queued() -> Job:
    """Return a job as it is accepted."""
    return Job("0" * 20, "ann", "", {"priority": 3}, 0.0, (StateChange(State.QUEUED, 0.0, "waits", is_asked=True),))


@given(moves)
def test_only_moves_of_the_table_happen(wanted: list[tuple[State, float, bool, int]]) -> None:
    """Whatever is asked, the history follows the table, and a refused move changes nothing."""
    job, now = queued(), 0.0
    for state, pause, is_fault, passes in wanted:
        now += pause
        before = job
        try:
            job = job.with_state(state, now, passes=passes, is_fault=is_fault)
        except ForbiddenMove:
            assert state not in MOVES[before.state]
            assert job is before
        else:
            assert state in MOVES[before.state]
            assert job.history[:-1] == before.history
            assert job.sentence
    pairs = zip(job.history, job.history[1:], strict=False)
    assert all(later.state in MOVES[earlier.state] for earlier, later in pairs)
    assert 0.0 <= job.seconds(now) <= now


@given(st.sampled_from(State), st.floats(0, 1e10), st.text(), st.integers(0, 9), st.booleans(), st.booleans())
def test_a_step_survives_its_file(state: State, at: float, said: str, passes: int, is_fault: bool, is_asked: bool) -> None:
    """What is written to the disk is read again as it was."""
    step = StateChange(state, at, said, passes, is_fault, is_asked)

    assert StateChange.of(step.to_dict()) == step


def test_every_state_can_be_reached_and_has_a_sentence() -> None:
    """No state is dead, and each says what it means."""
    found, rest = {State.QUEUED}, [State.QUEUED]
    while rest:
        new = MOVES[rest.pop()] - found
        found |= new
        rest += new
    assert found == set(State)
    assert all(state.sentence for state in State)
    assert set(MOVES) == set(State)


def test_states_that_rest() -> None:
    """A job rests exactly where nothing leads on by itself: nowhere, or to the line by resume."""
    for state in State:
        assert state.is_resting == (MOVES[state] <= {State.QUEUED} and state is not State.INTERRUPTED)
    assert all(not MOVES[state] for state in State if state.has_solution)


def test_faults_count_until_a_pass_is_recorded() -> None:
    """A job that gets on is not given up, however often its cluster fails."""
    job = queued()
    for passes in (0, 0, 2, 2, 2):
        job = job.with_state(State.PLANNING, 1.0).with_state(State.INTERRUPTED, 1.0, "lost", passes=passes, is_fault=True)
        job = job.with_state(State.QUEUED, 1.0)

    assert job.faults == 3
    asked = job.with_state(State.CANCELLED, 2.0).with_state(State.QUEUED, 3.0, is_asked=True)
    assert asked.faults == 0


def test_a_stop_of_the_service_is_no_fault() -> None:
    """Interruptions that nobody is to blame for do not count."""
    job = queued().with_state(State.PLANNING, 1.0).with_state(State.INTERRUPTED, 2.0, "stopped").with_state(State.QUEUED, 3.0)

    assert job.faults == 0


def test_seconds_are_those_of_work_since_it_was_asked_for() -> None:
    """Waiting costs nothing, and a resumed job has its whole time again."""
    job = (
        queued()
        .with_state(State.PLANNING, 10.0)
        .with_state(State.RUNNING, 12.0)
        .with_state(State.INTERRUPTED, 20.0)
        .with_state(State.QUEUED, 21.0)
    )
    assert job.seconds(100.0) == 10.0
    again = job.with_state(State.PLANNING, 100.0)
    assert again.seconds(103.0) == 13.0
    resumed = (
        again.with_state(State.FAILED, 104.0).with_state(State.QUEUED, 110.0, is_asked=True).with_state(State.PLANNING, 111.0)
    )
    assert resumed.seconds(113.0) == 2.0


def test_a_refusal_names_what_is_possible() -> None:
    """Whoever asks for the impossible hears what is possible."""
    with pytest.raises(ForbiddenMove, match="is queued, from where it can become cancelled, failed, planning"):
        queued().with_state(State.SOLVED, 1.0)


def test_stamps_are_utc() -> None:
    """Times go out in one form."""
    assert stamp(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"


@pytest.mark.parametrize("status", Status)
def test_a_job_is_called_what_its_answer_is(status: Status) -> None:
    """Solved where the sentence of its answer begins so, else by the word of the status: a stationary point is no solution."""
    job = queued()
    for state in (State.PLANNING, State.RUNNING, State.SOLVED if status.is_success else State.NOT_SOLVED):
        job = job.with_state(state, 1.0, status.value if state.has_solution else "")

    word = word_of(job)

    assert word == (status.name.lower() if not status.value.startswith(job.state.value.replace("_", " ")) else job.state.value)
    assert word_of(queued()) == "queued"
    assert (word_of(job) == "solved") == status.value.startswith("solved")
