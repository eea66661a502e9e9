"""Workers: what they may keep in memory, and that plans count on the same."""

from collections.abc import Callable

import numpy as np
import pytest
from distributed import Client
from zarr.codecs import ZstdCodec

import dsketch
from dsketch._results.make_plan import machines_of
from dsketch.engine import DaskEngine, SerialEngine
from dsketch.engine.packing import pack, unpack
from dsketch.engine.worker import cache_bytes, cache_share
from dsketch.planning.probe import probe, workload_of


@pytest.mark.parametrize(
    ("limit", "held", "share"), [(10**10, 150 * 10**6, 4 * 10**9), (10**9, 150 * 10**6, 350 * 10**6), (2 * 10**8, 150 * 10**6, 0)]
)
def test_cache_share(limit: int, held: int, share: int) -> None:
    """Two fifths of a large limit; of a small one what is left of its half beside what the process holds; never less than nothing."""
    assert cache_share(limit, held) == share


@pytest.mark.cluster
def test_plan_counts_on_what_workers_keep(client: Client) -> None:
    """The bytes that a plan counts on are the bounds of the workers' caches, before and after they work."""
    engine = DaskEngine(client)
    before = engine.cache_bytes()
    A = np.random.default_rng(0).standard_normal((100, 3))
    dsketch.lstsq(A, A[:, 0], cluster=client, progress=False)
    bounds = client.run(cache_bytes)
    assert len(bounds) == engine.workers().count
    assert min(bounds.values()) > 1
    assert sum(bounds.values()) == before == engine.cache_bytes() == machines_of(engine, None).cache_bytes


def test_serial_engine_keeps_nothing_decoded(stored: Callable[..., str]) -> None:
    """In this process each pass decodes anew: a plan counts on a warm second pass for raw chunks only."""
    A = np.random.default_rng(0).standard_normal((1000, 4))
    ground = machines_of(SerialEngine(1), None)
    for name, compressors, is_warm in (("raw", None, True), ("decoded", ZstdCodec(), False)):
        problem = dsketch.LeastSquares(stored(name, A, 100, compressors=compressors), A[:, 0])
        assert workload_of(problem.rows, 1, probe(problem.rows), ground).stays_warm is is_warm


@pytest.mark.parametrize("shift", [1, 3, 4, 8])
def test_arrays_that_arrive_at_odd_addresses_are_moved(shift: int) -> None:
    """A message may lie anywhere in memory; what is unpacked from it lies where arrays of this process lie, for the sake of last bits."""
    A = np.random.default_rng(1).standard_normal((155, 7))
    body, (memory,) = pack(A)
    room = np.empty(memory.nbytes + 32, np.uint8)
    first = -room.ctypes.data % 16 + shift
    room[first : first + memory.nbytes] = memory

    found = unpack((body, [room[first : first + memory.nbytes]]))

    assert found.ctypes.data % 16 == 0
    assert np.array_equal(found, A)
