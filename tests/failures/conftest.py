"""What failure tests share: a small matrix of many blocks, its undisturbed answers, and clusters to hurt."""

from collections.abc import Callable, Iterator
from functools import cache

import dask
import pytest
from distributed import Client, LocalCluster

import dsketch
from dsketch.engine import local_cluster
from tests.failures.data import tall_files
from tests.failures.scale import BLOCK_BYTES

Answer = Callable[[str], dsketch.Solution]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give 16 MB the blocks and tasks of 16 GB; see :mod:`tests.failures.scale`."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", BLOCK_BYTES)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", BLOCK_BYTES)


@pytest.fixture(scope="session")
def tall(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of A (16 MB, eight raw chunks) and b; no test may change them."""
    return tall_files(tmp_path_factory.mktemp("tall"))


@pytest.fixture(scope="session")
def undisturbed(tall: tuple[str, str]) -> Answer:
    """Return the solution of the serial engine by method, made once; ask for it inside a test, where blocks are small."""
    return cache(lambda method: dsketch.lstsq(*tall, method=method, cluster="serial"))


@pytest.fixture(scope="module")
def hurt() -> Iterator[LocalCluster]:
    """Two workers with nannies that the tests of one module may kill.

    A LocalCluster looks 15 seconds after each death whether a worker of that name is back, and else closes its nanny; with a kill
    every two seconds it may look while the next one restarts.  Here it shall not look.
    """
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}), local_cluster(2, 1) as cluster:
        yield cluster


@pytest.fixture
def hurt_client(hurt: LocalCluster) -> Iterator[Client]:
    """A client of it, once both workers are there.

    A nanny gives up on a worker that dies while it is still starting, so the last test's replacement must be up in its eyes too.
    """
    with Client(hurt, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=240)
        hurt.sync(_nannies_are_content, hurt)
        yield client


async def _nannies_are_content(cluster: LocalCluster) -> None:
    for nanny in cluster.workers.values():
        await nanny.process.running.wait()
