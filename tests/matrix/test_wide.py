"""Columns of wide stores as rows: which axis is which, what is missing, VCF-Zarr as it is written, chunks that are not there."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.matrix.alleles import dosages
from dsketch.matrix.gaps import open_with_gaps, read_all
from dsketch.matrix.wide import open_wide

CALLS = np.array([[[0, 1], [1, 1], [-1, 1]], [[0, 0], [1, -2], [-2, -2]]], np.int8)  # 2 variants of 3 samples
DOSAGES = np.array([[1, 2, -1], [0, 1, -1]], np.int8)


def vcf_store(folder: Path, version: Any) -> str:
    """Store calls as bio2zarr does, in format 2 or 3: names of dimensions, the last chunk of variants not full."""
    group = zarr.create_group(str(folder / f"vcf{version}.zarr"), zarr_format=version)
    names = ["variants", "samples", "ploidy"]
    more: dict[str, Any] = {"dimension_names": names} if version == 3 else {}
    array = group.create_array("call_genotype", shape=CALLS.shape, chunks=(1, 2, 2), dtype="int8", fill_value=-1, **more)
    array[...] = CALLS
    if version == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = names
    group.create_array("variant_position", data=np.arange(2))
    return str(folder / f"vcf{version}.zarr")


@pytest.mark.parametrize("version", [2, 3])
def test_a_vcf_store_is_read_as_counts_of_alleles(tmp_path: Path, version: int) -> None:
    """The store, or its array: −1 is missing, −2 a place without an allele; the plan's words say so."""
    place = vcf_store(tmp_path, version)
    for source in (
        place,
        f"{place}/call_genotype",
        zarr.open_group(place, mode="r"),
        pickle.loads(pickle.dumps(open_wide(place))),  # noqa: S301 - of our own
    ):
        found = source if hasattr(source, "marks") else open_wide(source)

        assert (found.shape, found.marks, found.dtype) == ((2, 3), (-1,), np.int8)
        assert np.array_equal(found.read(0, 2), DOSAGES)
        assert np.array_equal(found.read(1, 2), DOSAGES[1:])
        assert found.cuts.tolist() == [0, 2]
        assert "counts of alleles along axis 0, -1 missing" in found.describe()


def test_dosages_count_alternate_alleles() -> None:
    """Of any ploidy, across the pieces in which they are made."""
    calls = np.random.default_rng(0).integers(-2, 4, (3, 50_000, 3)).astype(np.int8)

    expected = (calls > 0).sum(axis=2)
    expected[(calls == -1).any(axis=2) | (calls < 0).all(axis=2)] = -1
    assert np.array_equal(dosages(calls), expected)


def test_the_axis_of_samples_is_said_or_named(tmp_path: Path) -> None:
    """A dimension that is named samples, or the option; never a length."""
    values = np.arange(12, dtype="int16").reshape(3, 4)
    named, plain = str(tmp_path / "named.zarr"), str(tmp_path / "plain.zarr")
    zarr.create_array(named, data=values, chunks=(2, 2), dimension_names=("variants", "samples"))
    zarr.create_array(plain, data=values, chunks=(2, 2))

    for turned in (open_wide(named), open_wide(plain, samples="columns"), open_wide(values, samples="columns")):
        assert np.array_equal(turned.read(1, 3), values[1:3])
    for upright in (open_wide(named, samples="rows"), open_wide(plain), open_wide(values)):
        assert np.array_equal(upright.read(1, 3), values.T[1:3])
    assert open_wide(named).marks == (-1, -2)
    assert open_wide(plain).marks == ()
    with pytest.raises(ds.SpecError, match="variants × samples × ploidy"):
        open_wide(vcf_store(tmp_path, 3), samples="rows")


def test_packed_and_marked_numbers_are_meant_numbers(tmp_path: Path) -> None:
    """CF attributes: integers keep their dtype beside marks, packed ones become float64 with NaN, and so do targets."""
    stored = np.array([[1, -9], [250, 4]], np.int16)
    for name, attributes in (("marked", {"_FillValue": -9}), ("packed", {"_FillValue": -9, "scale_factor": 0.5})):
        array = zarr.create_array(str(tmp_path / name), data=stored, chunks=(2, 1), fill_value=7)
        array.update_attributes(attributes)

    marked, packed = open_wide(str(tmp_path / "marked")), open_wide(str(tmp_path / "packed"))
    assert (marked.dtype, marked.marks) == (np.int16, (-9,))
    assert np.array_equal(marked.read(0, 2), stored.T)
    expected = np.array([[0.5, 125.0], [np.nan, 2.0]])
    assert np.array_equal(packed.read(0, 2), expected, equal_nan=True)
    targets = open_with_gaps(str(tmp_path / "packed"), "Y")
    assert np.array_equal(read_all(targets, "Y"), expected.T, equal_nan=True)
    assert np.array_equal(read_all(open_with_gaps(np.ma.masked_equal(stored, -9), "Y"), "Y")[0], [1, np.nan], equal_nan=True)


def test_an_absent_chunk_is_lost_data(tmp_path: Path) -> None:
    """It is named; a chunk that holds the fill value and is there is none."""
    values = np.zeros((4, 6), np.int8)
    array = zarr.create_array(str(tmp_path / "G"), shape=(4, 6), chunks=(2, 2), dtype="int8", config={"write_empty_chunks": True})
    array[...] = values
    assert np.array_equal(open_wide(str(tmp_path / "G")).read(2, 6), values.T[2:])

    (tmp_path / "G" / "c" / "1" / "2").unlink()
    found = open_wide(str(tmp_path / "G"))
    assert found.read(0, 4).shape == (4, 4)
    with pytest.raises(ds.MissingDataError, match=r"chunk 1\.2 of G is absent"):
        found.read(4, 6)
    (tmp_path / "G" / "c" / "0" / "0").write_bytes(b"xy")
    with pytest.raises(ds.DataError, match=r"columns 0:2 of G .* cannot be decoded"):
        open_wide(str(tmp_path / "G")).read(0, 2)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("more", [{}, {"compressors": None}, {"shards": (40, 60)}, {"dtype": ">i2"}])
def test_columns_are_decoded_into_memory_that_is_there(tmp_path: Path, axis: int, more: dict[str, Any]) -> None:
    """Whichever axis they lie along and however they are stored: numbers are those of zarr, in the caller's memory."""
    numbers = np.random.default_rng(0).integers(0, 100, (90, 130)).astype("int16")
    asked = {"shape": numbers.shape, "chunks": (20, 30), "dtype": "int16", **more}
    zarr.create_array(str(tmp_path / "g.zarr"), **asked)[...] = numbers
    found = open_wide(str(tmp_path / "g.zarr"), samples=("rows", "columns")[1 - axis])
    expected = numbers.T if axis else numbers

    memory = np.empty((60, found.shape[1]), found.dtype)
    assert found.needs_buffer(0, 60)
    for start, stop in ((0, 60), (30, len(expected)), (60, len(expected))):
        read = found.read(start, stop, memory)
        assert np.array_equal(read, expected[start:stop])
        assert np.may_share_memory(read, memory) == (stop - start <= 60)


def test_a_chunk_that_begins_with_the_fill_value_is_there(tmp_path: Path) -> None:
    """Only one of nothing else may be absent: of such the store is asked."""
    numbers = np.zeros((600, 4), np.int8)
    numbers[-1, -1] = 1
    array = zarr.create_array(str(tmp_path / "g.zarr"), shape=(600, 4), chunks=(600, 4), dtype="int8")
    array[...] = numbers
    assert np.array_equal(open_wide(str(tmp_path / "g.zarr")).read(0, 4), numbers.T)

    array[...] = 0  # zarr leaves such a chunk out
    with pytest.raises(ds.MissingDataError, match="absent"):
        open_wide(str(tmp_path / "g.zarr")).read(0, 4)


def test_a_block_is_whole_chunks_but_for_large_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near the size of a block, at most so many columns; a chunk beyond the largest block is cut, and the plan says so."""
    array = zarr.create_array(str(tmp_path / "G"), shape=(10, 95), chunks=(10, 20), dtype="int8")
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 450)
    assert open_wide(array).cuts.tolist() == [0, 40, 80, 95]
    monkeypatch.setattr("dsketch.matrix.transposed._MOST_COLUMNS", 25)
    assert open_wide(array).cuts.tolist() == [0, 20, 40, 60, 80, 95]
    monkeypatch.setattr("dsketch.matrix.transposed._LARGEST_BLOCK", 100)
    assert open_wide(array).cuts.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    assert "each chunk decoded for 2 blocks" in open_wide(array).describe()


def test_what_is_no_wide_store_is_refused(tmp_path: Path) -> None:
    """In a sentence with a remedy."""
    zarr.create_group(str(tmp_path / "group"))
    with pytest.raises(ds.DataError, match="call_dosage, call_DS, call_genotype"):
        open_wide(str(tmp_path / "group"))
    with pytest.raises(ds.MissingDataError, match="nothing"):
        open_wide(str(tmp_path / "none"))
    with pytest.raises(ds.DataError, match="calls of alleles"):
        open_wide(np.ones((2, 3, 4)))
    with pytest.raises(ds.DataError, match="at least one row"):
        open_wide(np.ones((0, 3)))
    with pytest.raises(ds.DataError, match="real numbers"):
        open_wide(np.ones((2, 3), complex))
