"""What a matrix is like is told from its metadata, below the declared places alone."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import zarr

from dsketch.errors import DataError, MissingDataError
from dsketch.service.data_facts import tell_data
from dsketch.service.errors import PlaceError
from dsketch.service.places import Roots
from tests.failures.data import write
from tests.service.running import Service


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with an array whose columns have names and whose chunks are damaged, a CSR group, and a group of others."""
    folder = tmp_path / "root"
    named = zarr.create_array(str(folder / "A.zarr"), data=np.ones((6, 2)), chunks=(3, 2))
    named.attrs["columns"] = ["rain", "wind"]
    for chunk in (folder / "A.zarr" / "c").rglob("0"):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    group = zarr.create_group(str(folder / "sparse.zarr"), attributes={"encoding-type": "csr_matrix", "shape": [4, 3]})
    for name, array in (("data", np.ones(5)), ("indices", np.zeros(5, np.int32)), ("indptr", np.zeros(5, np.int64))):
        group.create_array(name, data=array)
    zarr.create_group(str(folder / "several.zarr"))
    write(tmp_path / "outside" / "secret.zarr", np.ones(3), chunk_rows=3)
    (folder / "out.zarr").symlink_to(tmp_path / "outside" / "secret.zarr")
    return folder


def test_a_matrix_is_told_without_its_chunks(root: Path) -> None:
    """Shape, dtype, chunks, bytes and names come from metadata; chunks may be damaged."""
    found = tell_data(Roots.of([str(root)]), "A.zarr")

    assert found == {
        "address": str(root / "A.zarr"),
        "kind": "array",
        "shape": [6, 2],
        "dtype": "float64",
        "chunks": [3, 2],
        "bytes": 96,
        "columns": ["rain", "wind"],
        "named": 2,
    }
    sparse = tell_data(Roots.of([str(root)]), "sparse.zarr")
    assert (sparse["kind"], sparse["shape"], sparse["bytes"], sparse["named"]) == ("csr", [4, 3], 5 * 8 + 5 * 4 + 5 * 8, 0)


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        ("..", PlaceError, "lies elsewhere"),
        ("out.zarr", PlaceError, "lies elsewhere"),
        ("nowhere", MissingDataError, "there is nothing"),
        ("several.zarr", DataError, "group of others"),
        ("s3://bucket/data/A.zarr", DataError, "object store"),
    ],
)
def test_what_cannot_be_told_is_refused(root: Path, place: str, error: type[Exception], said: str) -> None:
    """What lies elsewhere, is not there, or is no matrix, is named as such."""
    with pytest.raises(error, match=said):
        tell_data(Roots.of([str(root), "s3://bucket/data"]), place)


def test_metadata_that_link_out_are_not_read(root: Path, tmp_path: Path) -> None:
    """A folder below a root whose metadata lie elsewhere tells nothing of them."""
    (root / "linked.zarr").mkdir()
    (root / "linked.zarr" / "zarr.json").symlink_to(tmp_path / "outside" / "secret.zarr" / "zarr.json")

    with pytest.raises(PlaceError, match="links out"):
        tell_data(Roots.of([str(root)]), "linked.zarr")


@pytest.mark.parametrize(
    "change", [{"shape": [-1, 2]}, {"shape": "x"}, {"data_type": "?"}, {"codecs": [{"name": "x"}]}, {"pad": "x" * 5_000_000}]
)
def test_odd_metadata_are_refused(root: Path, change: dict[str, object]) -> None:
    """Metadata that are wrong or huge are an error of the data, not of the service."""
    file = root / "A.zarr" / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))

    with pytest.raises(DataError):
        tell_data(Roots.of([str(root)]), "A.zarr")


def test_the_service_tells_of_data(service: Service) -> None:
    """Over HTTP it is the same; elsewhere is 403."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
        found = http.get("/v1/data/facts", params={"place": "A.zarr"}).json()
        assert (found["shape"], found["chunks"]) == ([40_000, 16], [4_000, 16])
        assert http.get("/v1/data/facts?place=%2fetc").status_code == 403
        assert http.get("/v1/data/facts?place=a%00").status_code == 422


def test_options_have_labels_in_plain_words(service: Service) -> None:
    """A form can call every option by other words than the name it has in code."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
        about = http.get("/v1/service").json()
    told = [
        *about["job"],
        *(option for one in about["problems"] for key in ("inputs", "words", "options") for option in one[key]),
    ]

    assert sorted({option["name"] for option in told if option["label"] == option["name"]}) == []
