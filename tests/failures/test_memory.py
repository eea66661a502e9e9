"""A matrix several times larger than all memory limits together: the workers stay below theirs and are never restarted."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr
from distributed import Client
from zarr.codecs import ZstdCodec

import dsketch
from dsketch.engine import local_cluster
from tests.forked import spawned_workers

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

WORKERS, LIMIT = 2, 320_000_000
COLUMNS, CHUNK_ROWS = 50, 40_000  # 16 MB a chunk
CHUNKS = 125  # 2 GB: three times what both workers may hold
ROWS = CHUNKS * CHUNK_ROWS
TRUTH = np.arange(1.0, COLUMNS + 1)
EPS = float(np.finfo(float).eps)
KEPT_BELOW = 0.95  # of the limit: there the nanny would kill the worker


@pytest.fixture(autouse=True)
def _small_blocks() -> None:
    """Blocks and panels have their own size here."""


def peak_bytes() -> tuple[int, int]:
    """Return the id of this process and the most memory that it ever held (Linux counts shared file pages too)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return os.getpid(), 1024 * int(line.split()[1])
    raise LookupError("VmHWM")


@pytest.fixture(scope="module")
def big(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Paths of A and b = A·(1, 2, …); deleted afterwards.  Entries are small integers, so that they compress.

    Chunk k holds the first one's columns turned by k: after ``COLUMNS`` chunks they come again, as further names of the same files.
    """
    folder = tmp_path_factory.mktemp("big")
    if psutil.disk_usage(str(folder)).free < 2 * ROWS * COLUMNS * 8:
        pytest.skip("too little space on the disk for 2 GB")
    base = np.random.default_rng(2).integers(-8, 8, (CHUNK_ROWS, COLUMNS)).astype(float)
    codec = None if request.param == "raw" else ZstdCodec(level=1)
    shape, chunks = (ROWS, COLUMNS), (CHUNK_ROWS, COLUMNS)
    A = zarr.create_array(str(folder / "A.zarr"), shape=shape, dtype=float, chunks=chunks, compressors=codec)
    b = np.empty(ROWS)
    for number in range(CHUNKS):
        rows = slice(number * CHUNK_ROWS, (number + 1) * CHUNK_ROWS)
        block = np.roll(base, number, axis=1)
        b[rows] = block @ TRUTH
        if number < COLUMNS:
            A[rows] = block
        else:
            same, place = (folder / "A.zarr" / A.metadata.encode_chunk_key((chunk, 0)) for chunk in (number % COLUMNS, number))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(same)
    zarr.create_array(str(folder / "b.zarr"), data=b, chunks=(CHUNK_ROWS,))
    yield str(folder / "A.zarr"), str(folder / "b.zarr")
    shutil.rmtree(folder)


# Raw chunks take less than half of what compressed ones do (118 of 263 MB): parts that pile up in tsqr show with the latter first.
@pytest.mark.parametrize(("big", "method"), [("raw", "gram"), ("compressed", "gram"), ("compressed", "tsqr")], indirect=["big"])
def test_workers_stay_below_their_limit(big: tuple[str, str], method: str) -> None:
    """Peak memory of every worker stays below its limit, no worker is replaced on the way, and the answer is right."""
    with spawned_workers(), local_cluster(WORKERS, 1, LIMIT) as cluster, Client(cluster, set_as_default=False) as client:
        before = dict(client.run(peak_bytes).values())
        solution = dsketch.lstsq(*big, method=method, cluster=client)
        after = dict(client.run(peak_bytes).values())
    assert after.keys() == before.keys()
    assert all(peak < KEPT_BELOW * LIMIT for peak in after.values()), after
    assert solution.status is dsketch.Status.SOLVED
    # x is known up to the rounding of b and of the solve: kappa times a few units each; b is an exact sum of small integers.
    assert np.linalg.norm(solution.x - TRUTH) <= 100 * EPS * solution.certificate.condition * np.linalg.norm(TRUTH)
