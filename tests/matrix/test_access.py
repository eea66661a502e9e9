"""Advice that works where data cannot be opened, or is of a kind that has no place in a matrix."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.lib.recfunctions import structured_to_unstructured

import dsketch as ds
from dsketch.engine.journal import Journal
from dsketch.errors import DataError, JournalError, SpecError


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("gs://bucket/A.zarr", "gcsfs"),
        ("gcs://bucket/A.zarr", "gcsfs"),
        ("abfs://container/A.zarr", "adlfs"),
        ("az://container/A.zarr", "adlfs"),
        ("simplecache::gs://bucket/A.zarr", "gcsfs"),
        ("s3://bucket/A.zarr", "s3fs"),
    ],
)
def test_the_package_of_the_protocol_is_named(url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be installed for a URL depends on who speaks its protocol; for data and journals alike."""
    registry = pytest.importorskip("fsspec.registry")
    for protocol in ("gs", "gcs", "abfs", "az", "s3"):
        monkeypatch.delitem(registry._registry, protocol, raising=False)
    monkeypatch.setitem(sys.modules, package, None)  # what Python does with a package that cannot be imported
    advice = r"pip install 'dsketch\[s3\]'" if package == "s3fs" else f"pip install {package}"

    with pytest.raises(SpecError, match=rf"{advice}\.$"):
        ds.open_matrix(url)
    with pytest.raises(JournalError, match=rf"{advice}\.$"):
        Journal(url).header()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("A.csv", "dsketch ingest .*A.csv --to A.zarr"),
        ("A.csv.gz", "dsketch ingest"),
        ("A.h5ad", r"anndata.read_h5ad\('.*A.h5ad'\).write_zarr\('A.zarr'\), then open A.zarr/X"),
        ("A.nc3", "as Zarr, or as one of .npy"),
        ("A.mat", "as Zarr, or as one of .npy"),
        ("A", "as Zarr, or as one of .npy"),
    ],
)
def test_files_are_sent_to_who_reads_them(name: str, advice: str, tmp_path: Path) -> None:
    """``dsketch ingest`` is advised only for what it takes."""
    (tmp_path / name).touch()

    with pytest.raises(DataError, match=advice):
        ds.open_matrix(tmp_path / name)


def test_a_zip_file_opens_as_is_said(tmp_path: Path) -> None:
    """The address that the error of a zip file names opens the array in it."""
    numbers = np.random.default_rng(0).standard_normal((20, 2))
    zarr.create_array(str(tmp_path / "A.zarr"), data=numbers, chunks=(5, 2))
    path = shutil.make_archive(str(tmp_path / "A"), "zip", tmp_path / "A.zarr")

    with pytest.raises(DataError, match=f"open zip://::{path}, or unpack it"):
        ds.lstsq(path, np.ones(20))
    assert np.array_equal(ds.open_matrix(f"zip://::{path}").read(0, 20), numbers)


def test_arrays_deep_in_a_group_are_named(tmp_path: Path) -> None:
    """Groups within groups are looked through, and long lists cut."""
    group = zarr.open_group(str(tmp_path / "G.zarr"), mode="w")
    with pytest.raises(DataError, match="is a group with no arrays"):
        ds.open_matrix(tmp_path / "G.zarr")
    for name in ("obs/deep/x", "b"):
        group.create_array(name, shape=(3,), dtype="f8")
    with pytest.raises(DataError, match=r"is a group with the arrays: b, obs/deep/x\."):
        ds.open_matrix(tmp_path / "G.zarr")
    for number in range(20):
        group.create_array(f"c{number:02}", shape=(3,), dtype="f8")
    with pytest.raises(DataError, match=r"the arrays: b, c00, .*, c06 … and \d+ more\. Add the array's name"):
        ds.open_matrix(tmp_path / "G.zarr")


def test_complex_systems_become_real_ones_as_is_said() -> None:
    """What the error of a complex A advises gives the complex answer: its real parts, then its imaginary ones."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 2)) + 1j * rng.standard_normal((20, 2))
    b = A @ [1 + 2j, 3 - 1j] + rng.standard_normal(20)
    for operands in ((A, b.real), (A.real, b)):
        with pytest.raises(DataError, match=r"dtype is complex128.*\.real where .*np\.block"):
            ds.lstsq(*operands)

    found = ds.lstsq(np.block([[A.real, -A.imag], [A.imag, A.real]]), np.concatenate([b.real, b.imag])).x
    np.testing.assert_allclose(found[:2] + 1j * found[2:], np.linalg.lstsq(A, b)[0], rtol=1e-10)


@pytest.mark.parametrize("kind", ["M8[D]", "M8[ns]", "m8[s]"])
def test_times_become_numbers_as_is_said(kind: str) -> None:
    """What is advised for dates and durations keeps NaT a missing value, which is named; casting would make −9.2e18 of it."""
    t = np.arange(7, 17).astype(kind)[:, None]
    advice = "A - np.datetime64('2000-01-01')" if kind[0] == "M" else "A"
    with pytest.raises(DataError, match=r"/ np\.timedelta64\(1, 's'\), where NaT becomes NaN") as caught:
        ds.lstsq(t, np.ones(10))
    assert advice in str(caught.value)

    def counted(A: Any) -> Any:
        return (A - np.datetime64("2000-01-01")) / np.timedelta64(1, "s") if kind[0] == "M" else A / np.timedelta64(1, "s")

    assert ds.lstsq(counted(t), np.ones(10)).x.shape == (1,)
    t[3] = "NaT"
    with pytest.raises(DataError, match="row 3, column 0 is nan"):
        ds.lstsq(counted(t), np.ones(10))


def test_structured_arrays_become_columns_as_is_said() -> None:
    """Fields are columns."""
    A = np.array([(1.0, 2.0), (3.0, 5.0), (0.0, 1.0)], dtype=[("x", float), ("y", float)])
    with pytest.raises(DataError, match=r"structured_to_unstructured\(A\) from numpy\.lib\.recfunctions"):
        ds.open_matrix(A)

    assert ds.open_matrix(structured_to_unstructured(A)).shape == (3, 2)


def test_only_the_first_line_of_a_store_s_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that lists every place where it looked is told in one line, with the remedy after it."""

    def looking(*_: Any, **__: Any) -> Any:
        raise OSError("no libjvm\n" + "looked elsewhere\n" * 50)

    monkeypatch.setattr("dsketch.matrix.open.store_at", looking)
    with pytest.raises(DataError, match=r"^A at hdfs://x/A\.zarr cannot be opened: OSError: no libjvm\. Check .* access\.$"):
        ds.open_matrix("hdfs://x/A.zarr")
