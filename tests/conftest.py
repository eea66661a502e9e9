"""Fixtures that tests share: a real two-process cluster, and Zarr matrices on disk."""

import compileall
import gc
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, settings

import dsketch
from dsketch.engine import local_cluster
from tests.forked import forked_workers
from tests.longest import LONGEST
from tests.scripts import FOLDER

# No clock decides, no run differs from the last, and a few examples of each law are enough: laws are many.
settings.register_profile(
    "dsketch",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
settings.load_profile("dsketch")

pytest.register_assert_rewrite("dsketch.testing", "tests.problems.linear.statistics.oracle", "tests.sklearn.model")

# Who starts the tests in the background of a shell makes them, and the processes that they start, deaf to Ctrl-C; some are about it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Hand out files in the order below, and compile the package once for the hundreds of processes that tests start."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    if not hasattr(config, "workerinput"):  # not again in each process of xdist
        compileall.compile_dir(str(Path(dsketch.__file__).parent), quiet=2)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect without collecting garbage: modules and tests stay to the end, and are not searched again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process of xdist is left alone with one of them at the end."""
    order = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of a test, whole: while a cluster runs, ``distributed`` raises the level of what listens to it, pytest's handlers too."""
    caplog.handler.setLevel(logging.NOTSET)
    return caplog


@pytest.fixture(scope="session", autouse=True)
def _forked_workers() -> Iterator[None]:
    with forked_workers():
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes of one thread each."""
    with local_cluster(2, 1) as running:
        yield running


@pytest.fixture(scope="session")
def client(cluster: LocalCluster) -> Iterator[Client]:
    """A client of the shared cluster."""
    with Client(cluster, set_as_default=False) as connected:
        yield connected


@pytest.fixture(scope="module")
def importable_scripts() -> Iterator[None]:
    """Let a module import the scripts of benchmarks/, and what they import from their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a file system of its own can only be mounted by root")
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if (mounted := subprocess.run(words, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"this machine lets nobody mount: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes an array to Zarr and returns its path."""

    def write(name: str, array: np.ndarray, chunk_rows: int | None = None, **options: Any) -> str:
        path = str(tmp_path / f"{name}.zarr")
        chunks = (chunk_rows or array.shape[0], *array.shape[1:])
        options = {"compressors": None, "config": {"write_empty_chunks": True}, "chunks": chunks, **options}
        zarr.create_array(store=path, shape=array.shape, dtype=array.dtype, **options)[:] = array
        return path

    return write
