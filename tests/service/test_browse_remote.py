"""Prefixes of an object store are listed as folders are, by a real S3 server; nothing else of it is."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr

from dsketch.errors import DataError, MissingDataError, PlaceError, SpecError
from dsketch.service import browse_remote
from dsketch.service.browse import list_folder
from dsketch.service.errors import RateError
from dsketch.service.places import Roots
from tests.matrix.test_storage_s3 import pytestmark as needs_s3
from tests.matrix.test_storage_s3 import store as store
from tests.service.running import Service

pytestmark = needs_s3


@pytest.fixture(scope="module")
def data(store: str) -> str:
    """A prefix with arrays of both formats, a group, a folder and objects, beside another prefix."""
    import fsspec

    for name, kind in (("A.zarr", 3), ("old.zarr", 2)):
        array = zarr.create_array(f"{store}/data/{name}", shape=(6, 2), chunks=(1, 1), dtype="f8", zarr_format=kind)
        array[...] = np.arange(12.0).reshape(6, 2)
    zarr.create_group(f"{store}/data/several.zarr").create_array("inside", shape=(3,), dtype="f4")
    system = fsspec.filesystem("s3")
    for name in ("data/inner/deep/x", "data/table.csv", "secret/y", "database/z"):
        system.pipe_file(f"bucket/{name}", b"a,b")
    return f"{store}/data"


def kinds(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return what a page tells, by name."""
    return {entry["name"]: (entry["kind"], entry["shape"], entry["dtype"]) for entry in found["entries"]}


def test_a_level_says_what_it_holds(data: str) -> None:
    """Arrays with shape and dtype, groups, prefixes; addresses are whole; of an array nothing, as its chunks are no places."""
    roots = Roots.of([data])
    found = list_folder(roots, data)

    assert kinds(found) == {
        "A.zarr": ("array", [6, 2], "float64"),
        "inner": ("folder", None, None),
        "old.zarr": ("array", [6, 2], "<f8"),
        "several.zarr": ("group", None, None),
    }
    assert (found["place"], found["parent"], found["next"], found["is_cut"]) == (data, None, None, False)
    assert found["entries"][0]["address"] == f"{data}/A.zarr"
    for inside in ("A.zarr", "old.zarr"):
        assert list_folder(roots, f"{data}/{inside}")["entries"] == []
    group = list_folder(roots, f"{data}/several.zarr/")
    assert (kinds(group), group["parent"]) == ({"inside": ("array", [3], "float32")}, data)


def test_pages_and_prefixes(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come once, page after page; a prefix narrows them; more than are looked at are said to be more."""
    roots = Roots.of([data])
    first = list_folder(roots, data, limit=3)
    rest = list_folder(roots, data, after=first["next"], limit=3)

    assert [*kinds(first), *kinds(rest)] == ["A.zarr", "inner", "old.zarr", "several.zarr"]
    assert [*kinds(list_folder(roots, data, prefix="s"))] == ["several.zarr"]
    monkeypatch.setattr("dsketch.service.browse.MOST_NAMES", 2)
    assert list_folder(roots, data)["is_cut"] is True


def test_nothing_else_is_listed(data: str, store: str) -> None:
    """Neither beside the prefix, nor what begins with the same letters, nor above it by dots; what is not there is said not to be."""
    roots = Roots.of([data])
    for place in (store, f"{store}/secret", f"{store}/database", f"{data}/../secret", f"{data}/%2e%2e/secret", "s3://other"):
        with pytest.raises(PlaceError):
            list_folder(roots, place)
    with pytest.raises(MissingDataError, match="there is nothing"):
        list_folder(roots, f"{data}/none")


def test_a_store_that_does_not_answer_is_an_error(data: str) -> None:
    """Without its server in one sentence; and while too many listings wait for one, the next is told so at once."""
    nobody = "http://127.0.0.1:9/data"
    with pytest.raises(DataError, match=f"a listing of {nobody} was expected; the store gave"):
        list_folder(Roots.of([nobody]), nobody)
    with pytest.raises(SpecError, match="cannot be listed"):
        list_folder(Roots.of(["nowhere://data"]), "nowhere://data")
    for _ in range(browse_remote._AT_ONCE):
        assert browse_remote._places.acquire(blocking=False)
    try:
        with pytest.raises(RateError):
            list_folder(Roots.of([data]), data)
    finally:
        for _ in range(browse_remote._AT_ONCE):
            browse_remote._places.release()


@pytest.fixture(scope="module")
def service(data: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that may read below the prefix."""
    folder = tmp_path_factory.mktemp("remote")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.service.running.Fork", _spawn)
        with Service(folder, folder / "data", "--data-root", data) as running:
            yield running


def _spawn(*words: str) -> "subprocess.Popen[bytes]":
    """Start a process that sees this one's environment as it is now, which a fork of an earlier one does not."""
    return subprocess.Popen(
        [sys.executable, "-m", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


@pytest.mark.cluster
def test_levels_are_listed_over_http(service: Service, data: str, store: str) -> None:
    """The places of data are told with the prefix; below it as on disk, elsewhere 403."""
    with httpx.Client(base_url=service.url, timeout=240, trust_env=False) as http:
        places = [entry["address"] for entry in http.get("/v1/data").json()["entries"]]
        found = http.get("/v1/data", params={"place": data, "prefix": "A"}).json()

        assert data in places
        assert kinds(found) == {"A.zarr": ("array", [6, 2], "float64")}
        assert http.get("/v1/data", params={"place": f"{store}/secret"}).status_code == 403
        assert http.get("/v1/data", params={"place": f"{data}/none"}).status_code == 422


@pytest.mark.cluster
def test_the_form_completes_addresses_of_a_store(service: Service, data: str, tmp_path: Path) -> None:
    """What is typed is completed by what lies there, a group is opened, and the place itself is offered."""
    from tests.service.browser import chromium, playwright, watched

    expect = playwright.expect
    with chromium() as browser, watched(browser, f"{service.url}/#/new") as page:
        A = page.locator("input[name=A]")
        A.fill("s3://")
        options = page.locator(".paths li")
        options.filter(has_text=data).click()
        expect(A).to_have_value(f"{data}/")
        expect(options.first).to_have_text("A.zarr6 × 2 float64")
        options.filter(has_text="several.zarr").click()
        options.filter(has_text="inside").click()
        expect(A).to_have_value(f"{data}/several.zarr/inside")
        A.fill("s3://elsewhere/")
        expect(page.locator(".paths .help").first).to_contain_text("Nothing can be read there")
