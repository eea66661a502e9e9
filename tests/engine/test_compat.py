"""What we need of distributed beyond what it documents: each name still does what the compat module says."""

import asyncio
import multiprocessing
import socket

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, as_completed, get_worker

from dsketch.engine import compat


@pytest.mark.cluster
def test_finished_and_pending_futures_are_told_apart(client: Client) -> None:
    """A future that has not finished is pending and is waited for as long as said; one that has is seen at once."""
    event = client.submit(int, pure=False)
    event.result()
    coming = as_completed([event], loop=client.loop, raise_errors=False)

    assert compat.wait_for_any(coming, 60)
    assert not compat.has_pending(coming)
    assert list(coming.next_batch(block=False)) == [event]
    assert not compat.wait_for_any(coming, 0.001)


@pytest.mark.cluster
def test_an_unfinished_future_is_pending(client: Client) -> None:
    """Workers of no such name never begin it."""
    future = client.submit(int, workers=["tcp://127.0.0.1:9"], allow_other_workers=False, pure=False)
    coming = as_completed([future], loop=client.loop, raise_errors=False)

    assert compat.has_pending(coming)
    assert not compat.wait_for_any(coming, 0.001)
    future.cancel()


@pytest.mark.cluster
def test_the_scheduler_describes_its_workers(client: Client) -> None:
    """All that we read of a description is there, for every worker."""
    infos = compat.describe_workers(client)

    assert {info["address"] for info in infos} == set(client.scheduler_info()["workers"])
    for info in infos:
        assert {"nthreads", "memory_limit", "status", "host", "name"} <= info.keys()
    assert compat.list_ended_for_memory(client) == []


@pytest.mark.cluster
def test_a_worker_tells_its_memory_limit(client: Client) -> None:
    """In bytes, as the scheduler has it."""
    found = client.submit(lambda: compat.memory_limit_of(get_worker()), pure=False).result()

    assert found in {info["memory_limit"] for info in compat.describe_workers(client)}


@pytest.mark.cluster
def test_a_scheduler_is_greeted(client: Client) -> None:
    """Who speaks Dask's protocol answers; a port that says nothing does not, within its time."""
    asyncio.run(compat.greet(client.scheduler.address, 20))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises((OSError, TimeoutError)):
        asyncio.run(compat.greet(f"tcp://127.0.0.1:{silent.getsockname()[1]}", 0.05))


def test_certificates_are_those_of_the_configuration() -> None:
    """None are named by default; a scheme or the default scheme asks for them; a file that is not there is an error."""
    assert compat.certificates() is None
    assert compat.needs_certificates("tls://host:1")
    assert not compat.needs_certificates("tcp://host:1")
    assert not compat.needs_certificates("host:1")
    with dask.config.set({"distributed.comm.default-scheme": "tls"}):
        assert compat.needs_certificates("host:1")
    with (
        dask.config.set({f"distributed.comm.tls.{name}": "/no/such/file" for name in ("ca-file", "client.cert")}),
        pytest.raises((OSError, ValueError)),
    ):
        compat.certificates()


def test_a_scheduler_of_an_event_loop_is_found() -> None:
    """By its address in the loop where it lives, and in no other."""

    async def look() -> tuple[bool, bool]:
        async with LocalCluster(n_workers=0, asynchronous=True, processes=False, dashboard_address=None) as cluster:
            here = asyncio.get_running_loop()
            other = asyncio.new_event_loop()
            other.close()
            return compat.is_served_by(here, cluster.scheduler_address), compat.is_served_by(other, cluster.scheduler_address)

    assert asyncio.run(look()) == (True, False)


def test_no_parent_is_imported_here() -> None:
    """The mark that multiprocessing sets in children while they import is looked at where multiprocessing looks."""
    assert not compat.is_importing_its_parent()
    process = multiprocessing.current_process()
    process._inheriting = True
    try:
        assert compat.is_importing_its_parent()
    finally:
        del process._inheriting


def test_values_travel_as_bytes_and_buffers() -> None:
    """A function without a module travels by its code, and the memory of arrays beside it."""
    array, buffers = np.arange(1000.0), []
    body = compat.to_bytes((lambda: 7, array), buffers)
    made, back = compat.from_bytes(body, [buffer.raw() for buffer in buffers])

    assert made() == 7
    assert np.array_equal(back, array)
    assert len(body) < array.nbytes == sum(buffer.raw().nbytes for buffer in buffers)
