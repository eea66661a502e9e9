"""What engines say their workers do."""

import os

import psutil
import pytest
from distributed import Client

from dsketch.engine import SerialEngine
from dsketch.engine.dask import DaskEngine, _words_for


def test_this_process_is_the_worker_of_the_serial_engine() -> None:
    """One worker, with the memory of this process."""
    (state,) = SerialEngine().look_at_workers()
    assert state.memory_bytes == pytest.approx(psutil.Process(os.getpid()).memory_info().rss, rel=0.5)
    assert state.doing


@pytest.mark.cluster
def test_workers_of_a_cluster_have_names_without_addresses(client: Client) -> None:
    """Each has memory; without tasks of this run it does nothing; who is called by its address gets a number that stays."""
    engine = DaskEngine(client)
    states = engine.look_at_workers()
    assert len(states) == len(client.scheduler_info()["workers"])
    assert all(state.memory_bytes > 0 and state.doing == "" and state.is_heard for state in states)
    names = [engine._public_name(name) for name in ("tcp://10.0.0.5:1", "tcp://10.0.0.6:1", "tcp://10.0.0.5:1", "alpha")]
    assert names == ["1", "2", "1", "alpha"]


def test_tasks_are_said_in_words() -> None:
    """Pieces by their numbers, merges as such."""
    assert _words_for([]) == ""
    assert _words_for(["dsketch-gram-ab12-3-10", "dsketch-gram-ab12-3-9"]) == "piece 9, 10"
    assert _words_for(["dsketch-merge-gram-ab12-3-1-0"]) == "adds up parts"
