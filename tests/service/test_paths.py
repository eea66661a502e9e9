"""Nothing outside the declared places is ever opened."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsketch
from dsketch.service.errors import PlaceError
from dsketch.service.places import Roots


@pytest.fixture
def places(tmp_path: Path) -> tuple[Roots, Path, Path]:
    """Declared places, the data root, and a folder outside."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for array in (root / "A.zarr", outside / "secret.zarr", tmp_path / "root2" / "A.zarr"):
        array.mkdir(parents=True)
        (array / "zarr.json").write_text("{}")
    (root / "results").mkdir()
    return Roots.of([str(root), "s3://bucket/data"], [str(root / "results")]), root, outside


def test_what_lies_below_is_admitted(places: tuple[Roots, Path, Path]) -> None:
    """A path in full, a relative one, and a URL below a prefix."""
    roots, root, _ = places

    assert roots.admit(str(root / "A.zarr")) == str(root / "A.zarr")
    assert roots.admit("A.zarr") == str(root / "A.zarr")
    assert roots.admit("s3://bucket/data/x/A.zarr/") == "s3://bucket/data/x/A.zarr"


@pytest.mark.parametrize(
    "address",
    [
        "/etc",
        "..",
        "../outside/secret.zarr",
        "A.zarr/../../outside/secret.zarr",
        "../root2/A.zarr",
        "~/A.zarr/../../../etc",
        "link.zarr",
        "inner/secret.zarr",
        "s3://bucket/database/A.zarr",
        "s3://bucket/data/../other",
        "s3://bucket/data/%2e%2e/other",
        "s3://bucket/data//../other",
        "s3://bucket/data/./A.zarr",
        "s3://bucket/data/A.zarr?versionId=1",
        "s3://bucket/data/A.zarr#x",
        "s3://user:key@bucket/data/A.zarr",
        "s3://bucket@evil/data/A.zarr",
        "s3://other/data/A.zarr",
        "S3://bucket/data/../../x",
        "http://127.0.0.1:8750/v1/jobs",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "simplecache::s3://bucket/data/A.zarr",
        "s3://bucket/data::file:///etc/A.zarr",
        "reference://x",
        "memory://A",
        "\\\\host\\share",
    ],
)
def test_what_lies_elsewhere_is_refused(places: tuple[Roots, Path, Path], address: str) -> None:
    """No way of writing it leads out: dots, links, codes, users, chains of file systems, other schemes and hosts."""
    roots, root, outside = places
    (root / "link.zarr").symlink_to(outside / "secret.zarr")
    (root / "inner").symlink_to(outside)

    with pytest.raises((PlaceError, dsketch.MissingDataError)) as caught:
        roots.admit(address)

    if "\\" not in address:
        assert isinstance(caught.value, PlaceError)


@given(st.text(max_size=30))
def test_whatever_is_admitted_is_below(address: str) -> None:
    """For any text: refused, or a path below the root, or a URL below the prefix."""
    roots = Roots((Path("/usr/lib"),), ("s3://bucket/data",))
    try:
        found = roots.admit(address)
    except dsketch.DsketchError:
        return
    assert found.startswith("s3://bucket/data") or Path(found).resolve().is_relative_to("/usr/lib")


def test_a_missing_path_says_so(places: tuple[Roots, Path, Path]) -> None:
    """Below the root, but not there: another message than elsewhere."""
    with pytest.raises(dsketch.MissingDataError, match="there is nothing"):
        places[0].admit("B.zarr")


def test_no_place_declared_refuses_all() -> None:
    """Without roots nothing can be opened."""
    for address in ("/", "A.zarr", "s3://bucket/A"):
        with pytest.raises(PlaceError, match="none"):
            Roots().admit(address)


def test_a_chunk_that_links_out_is_found(places: tuple[Roots, Path, Path]) -> None:
    """The array lies where it may, one of its chunks does not."""
    roots, root, outside = places
    (root / "A.zarr" / "c").mkdir()
    roots.screen(str(root / "A.zarr"))
    (root / "A.zarr" / "c" / "0").symlink_to(outside / "secret.zarr" / "zarr.json")

    with pytest.raises(PlaceError, match="links out"):
        roots.screen(str(root / "A.zarr"))


def test_a_pipe_is_found(places: tuple[Roots, Path, Path]) -> None:
    """Reading what is no file could wait for ever."""
    roots, root, _ = places
    os.mkfifo(root / "A.zarr" / "0")

    with pytest.raises(PlaceError, match="something else"):
        roots.screen(str(root / "A.zarr"))


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        (".zarray", {"zarr_format": 2, "filters": [{"id": "pickle", "protocol": 5}]}),
        (".zarray", {"zarr_format": 2, "compressor": {"id": "pickle"}}),
        ("zarr.json", {"zarr_format": 3, "codecs": [{"name": "numcodecs.pickle", "configuration": {}}]}),
    ],
)
def test_a_codec_that_runs_its_input_is_refused(places: tuple[Roots, Path, Path], name: str, metadata: dict[str, object]) -> None:
    """Decoding pickles would run the code of whoever wrote the array."""
    roots, root, _ = places
    (root / "A.zarr" / name).write_text(json.dumps(metadata))

    with pytest.raises(PlaceError, match="pickle"):
        roots.screen(str(root / "A.zarr"))


@pytest.mark.parametrize("address", ["/var/x.zarr", ".", "../x.zarr", "results/../x.zarr", "s3://bucket/data/x.zarr", ""])
def test_results_go_only_below_their_folder(places: tuple[Roots, Path, Path], address: str) -> None:
    """Data may not be overwritten by a result."""
    roots, root, _ = places
    with pytest.raises(PlaceError, match="write"):
        roots.writable(str(root / address) if address.startswith("results/..") else address)
    assert roots.writable(str(root / "results" / "x.zarr")) == str(root / "results" / "x.zarr")
