"""Whose turn it is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dsketch.service.queue import Queue, QueuedJob

jobs = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-2, 2)), max_size=25)


def line(drawn: list[tuple[str, int]], most: int = 2) -> Queue:
    """Return a queue with these owners' jobs and priorities, in order of their coming."""
    queue = Queue(most)
    for number, (owner, priority) in enumerate(drawn):
        queue.add(QueuedJob(f"{number:04d}", owner, priority))
    return queue


@given(jobs, st.integers(1, 4), st.data())
def test_every_job_has_its_turn_once(drawn: list[tuple[str, int]], most: int, data: st.DataObject) -> None:
    """However jobs end, all are taken, each once, never more at once than allowed."""
    queue, running, taken = line(drawn, most), [], []
    while True:
        job = queue.take(0.0)
        if job is None:
            if not running:
                break
            queue.finish(running.pop(data.draw(st.integers(0, len(running) - 1))))
            continue
        running.append(job.id)
        taken.append(job.id)
        assert len(running) <= most

    assert sorted(taken) == [f"{number:04d}" for number in range(len(drawn))]


@given(jobs)
def test_an_owner_s_jobs_come_by_priority_then_age(drawn: list[tuple[str, int]]) -> None:
    """In one owner's line the higher priority goes first, then the older job."""
    queue, taken = line(drawn, len(drawn) + 1), []
    while (job := queue.take(0.0)) is not None:
        taken.append(job)

    for owner in "abc":
        mine = [job for job in taken if job.owner == owner]
        assert mine == sorted(mine, key=lambda job: (-job.priority, job.id))


@given(jobs, st.integers(1, 3))
def test_nobody_is_pushed_back_by_others(drawn: list[tuple[str, int]], most: int) -> None:
    """Between two turns of an owner who waits, no other has more than one turn: with one job at a time, whatever the priorities."""
    queue, taken = line(drawn, 1), []
    while (job := queue.take(0.0)) is not None:
        taken.append(job.owner)
        queue.finish(job.id)

    for owner in set(taken):
        turns = [place for place, name in enumerate(taken) if name == owner]
        for first, second in pairwise(turns):
            between = taken[first + 1 : second]
            assert len(between) == len(set(between))


def test_the_owner_with_fewest_running_goes_first() -> None:
    """Who has a job running waits for who has none."""
    queue = line([("a", 2), ("a", 2), ("b", -2)])

    first, second = queue.take(0.0), queue.take(0.0)

    assert first is not None
    assert second is not None
    assert (first.owner, second.owner) == ("a", "b")
    assert queue.take(0.0) is None


def test_a_pause_is_kept() -> None:
    """A job that waits for a time lets others go, and says when it is ready."""
    queue = Queue(1)
    queue.add(QueuedJob("0", "a", ready_at=5.0))
    queue.add(QueuedJob("1", "a", ready_at=7.0))

    assert queue.take(4.9) is None
    assert queue.next_time() == 5.0
    assert queue.take(5.0) == QueuedJob("0", "a", ready_at=5.0)


def test_places_in_line_are_of_one_s_own() -> None:
    """Others' jobs do not count, nor do they show."""
    queue = line([("a", 0), ("b", 0), ("a", 1), ("a", 0)])

    assert [queue.ahead(f"{number:04d}") for number in range(4)] == [1, 0, 0, 2]
    assert queue.ahead("9999") is None
    assert queue.remove("0002")
    assert not queue.remove("0002")
    assert queue.waiting("a") == 2
