"""What lies below the declared places is listed, a folder at a time, and nothing else is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr

from dsketch.errors import DataError, MissingDataError
from dsketch.service import browse
from dsketch.service.browse import list_folder
from dsketch.service.errors import PlaceError
from dsketch.service.places import Roots
from tests.failures.data import write
from tests.service.running import Service


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with one of everything, beside a secret."""
    folder = tmp_path / "root"
    write(folder / "A.zarr", np.ones((6, 2)), chunk_rows=3)
    zarr.create_array(str(folder / "old.zarr"), shape=(4,), dtype="f4", zarr_format=2)
    zarr.create_group(str(folder / "several.zarr"))
    (folder / "inner").mkdir()
    for name in ("table.csv", "notes.txt", ".hidden.csv"):
        (folder / name).write_text("a,b\n1,2\n")
    write(tmp_path / "outside" / "secret.zarr", np.ones(3), chunk_rows=3)
    (folder / "out.zarr").symlink_to(tmp_path / "outside" / "secret.zarr")
    (folder / "alias.zarr").symlink_to(folder / "A.zarr")
    os.mkfifo(folder / "pipe.csv")
    return folder


def test_entries_say_what_they_are(root: Path) -> None:
    """Arrays of both formats with shape and dtype, groups, folders, files to ingest; no hidden names, pipes, other files, links out."""
    found = list_folder(Roots.of([str(root)]), ".")

    told = {entry["name"]: (entry["kind"], entry["shape"], entry["dtype"], entry["bytes"]) for entry in found["entries"]}
    assert told == {
        "A.zarr": ("array", [6, 2], "float64", None),
        "alias.zarr": ("array", [6, 2], "float64", None),
        "inner": ("folder", None, None, None),
        "old.zarr": ("array", [4], "<f4", None),
        "several.zarr": ("group", None, None, None),
        "table.csv": ("table", None, None, 8),
    }
    assert (found["place"], found["parent"], found["next"], found["is_cut"]) == (str(root), None, None, False)


def test_pages_follow_each_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All names come once, whatever the limit; a prefix narrows them; a folder with more names than are looked at says so."""
    for number in range(7):
        (root / "inner" / f"x{number}").mkdir()
    roots, names, after = Roots.of([str(root)]), list[str](), ""
    while True:
        page = list_folder(roots, "inner", "x", after, 3)
        names += [entry["name"] for entry in page["entries"]]
        if page["next"] is None:
            break
        after = page["next"]

    assert names == [f"x{number}" for number in range(7)]
    assert page["parent"] == str(root)
    assert [entry["name"] for entry in list_folder(roots, "inner", "x3")["entries"]] == ["x3"]
    monkeypatch.setattr(browse, "MOST_NAMES", 5)
    assert list_folder(roots, "inner")["is_cut"]


WRONG = ["..", "../outside", "/", "/etc", "inner/../..", "out.zarr", "A\0.zarr", "s3://bucket/data", "file:///etc"]


@pytest.mark.parametrize("place", WRONG)
def test_nothing_elsewhere_is_listed(root: Path, place: str) -> None:
    """However a path leads out of the declared places, it is refused."""
    with pytest.raises(PlaceError):
        list_folder(Roots.of([str(root)]), place)


def test_what_is_no_folder_is_refused(root: Path) -> None:
    """A file and nothing are each told as what they are."""
    roots = Roots.of([str(root), "s3://bucket/data"])

    with pytest.raises(DataError, match="is a file"):
        list_folder(roots, "table.csv")
    with pytest.raises(MissingDataError, match="there is nothing"):
        list_folder(roots, "nowhere")
    with pytest.raises(MissingDataError, match="there is nothing"):
        list_folder(roots, "x" * 300)
    assert [entry["address"] for entry in list_folder(roots)["entries"]] == [str(root), "s3://bucket/data"]


@pytest.mark.parametrize("text", ["[" * 100_000, "null", '{"node_type": "array", "shape": [1e400, "x"]}', " " * 300_000])
def test_odd_metadata_do_no_harm(root: Path, text: str) -> None:
    """Metadata that are nested, wrong or huge leave an entry without a shape."""
    (root / "inner" / "odd.zarr").mkdir()
    (root / "inner" / "odd.zarr" / "zarr.json").write_text(text)

    (entry,) = list_folder(Roots.of([str(root)]), "inner")["entries"]

    assert (entry["name"], entry["shape"]) == ("odd.zarr", None)


def test_the_service_lists_folders(service: Service, data: Path) -> None:
    """Over HTTP it is the same; what lies elsewhere is 403, however it is encoded."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
        ask: Callable[[str], Any] = lambda query: http.get(f"/v1/data?{query}")  # noqa: E731 - a word for what follows
        names = {entry["name"]: entry["shape"] for entry in ask("place=.&prefix=A").json()["entries"]}
        assert names == {"A.zarr": [40_000, 16]}
        assert [entry["address"] for entry in ask("").json()["entries"]] == [str(data)]
        for place in ("..%2f..", "%2e%2e%2f", "%2fetc", "..", "/proc/self/root"):
            assert ask(f"place={place}").status_code == 403, place
        for place in ("%00", "x" * 5000):
            assert ask(f"place={place}").status_code == 422, place
