"""Data and a running service that tests share."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import dsketch
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


def slow(seed: int = 0, **more: Any) -> dict[str, Any]:
    """Return the document of a run that can be met in the middle: some 20 passes of a tenth of a second or more."""
    return spec("gradient_descent", A="slow.zarr", seed=seed, **more)


def spec(method: str = "conjugate_gradient", **more: Any) -> dict[str, Any]:
    """Return the document of a run on the shared data: some 20 passes, unless told otherwise."""
    return {"problem": "lstsq", "A": "A.zarr", "b": "b.zarr", "method": method, **more}
