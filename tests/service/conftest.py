"""Data and a running service that tests share."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

import dsketch
from dsketch._demo import make
from dsketch.client import Client
from tests.failures.data import columns, write
from tests.service.running import Service

ROWS, COLUMNS = 40_000, 16


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with A.zarr (5 MB, ten raw chunks) and b.zarr, and A's rows again as slow.zarr, whose passes take their time.

    No test may change them.
    """
    folder = tmp_path_factory.mktemp("data")
    A, b = columns(ROWS, COLUMNS)
    write(folder / "A.zarr", A, chunk_rows=4_000)
    write(folder / "b.zarr", b, chunk_rows=4_000)
    write(folder / "slow.zarr", A, chunk_rows=800, compressed=True)
    return folder


@pytest.fixture(scope="session")
def direct(data: Path) -> Any:
    """Return the solution of the library itself by method and seed, made once."""
    return cache(
        lambda method="conjugate_gradient", seed=0, A="A.zarr": dsketch.lstsq(
            str(data / A), str(data / "b.zarr"), method=method, seed=seed, cluster="serial"
        )
    )


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Service]:
    """An open service on loopback that no test may hurt."""
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, data, "--out-root", str(folder / "out"), "--rate", "10000") as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    """A client of the service of the file's tests: the shared one, unless they have another."""
    with service.client() as connected:
        yield connected


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a small demo, data that take some time, and a b of another length."""
    folder = tmp_path_factory.mktemp("places")
    make(folder / "demo", 20_000, 10)
    rng = np.random.default_rng(0)
    for name, array in (("A", rng.standard_normal((6_000, 6))), ("b", rng.standard_normal(6_000))):
        write(folder / "pairs" / f"{name}.zarr", array, chunk_rows=2_000)
    write(folder / "short.zarr", np.ones(5), chunk_rows=5)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; for a file, as who looks after it stands in the way of others who wait for events in this process."""
    from tests.service.browser import chromium  # skips where it is not, which the tests of this folder without a page need not

    with chromium() as started:
        yield started


def slow(seed: int = 0, **more: Any) -> dict[str, Any]:
    """Return the document of a run that can be met in the middle: some 20 passes of a tenth of a second or more."""
    return spec("gradient_descent", A="slow.zarr", seed=seed, **more)


def spec(method: str = "conjugate_gradient", **more: Any) -> dict[str, Any]:
    """Return the document of a run on the shared data: some 20 passes, unless told otherwise."""
    return {"problem": "lstsq", "A": "A.zarr", "b": "b.zarr", "method": method, **more}
