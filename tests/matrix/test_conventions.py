"""What stored numbers stand for: packed ones are unpacked, marks are refused, and attributes that change nothing change nothing."""

import base64
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from zarr.codecs import ZstdCodec

import dsketch as ds
from dsketch._inspect import inspect
from dsketch.errors import DataError, JournalError
from dsketch.ingest.csr import write_csr
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.sklearn import LinearRegression
from dsketch.testing.matrices import MatrixTests

N, D = 103, 3
RAW: dict[str, Any] = {"compressors": None}
ZSTD: dict[str, Any] = {"compressors": ZstdCodec()}
SCALE, OFFSET = 0.01, 20.0


def stored_numbers(dtype: str = "i2", n: int = N, d: int = D) -> np.ndarray:
    """Return numbers from 10 to 99, as they lie in the store."""
    return np.random.default_rng(0).integers(10, 100, (n, d)).astype(dtype)


def write(path: Path, array: np.ndarray, attributes: dict[str, Any], **options: Any) -> str:
    """Write an array with attributes and return its path."""
    chunks = (20, *array.shape[1:])
    options = {"chunks": chunks, "config": {"write_empty_chunks": True}, **options}
    made = zarr.create_array(store=str(path), shape=array.shape, dtype=array.dtype, attributes=attributes, **options)
    made[:] = array
    return str(path)


def in_base64(value: float) -> str:
    """Return a float as xarray writes the ``_FillValue`` of floats in format 3."""
    return base64.standard_b64encode(struct.pack("<d", value)).decode()


# name → (stored numbers, attributes, options, the numbers that they stand for)
PACKED: dict[str, tuple[np.ndarray, dict[str, Any], dict[str, Any], np.ndarray]] = {
    name: (numbers, attributes, options, meant)
    for name, numbers, attributes, options, meant in (
        ("raw", stored_numbers(), {"scale_factor": SCALE, "add_offset": OFFSET}, RAW, stored_numbers() * SCALE + OFFSET),
        ("zstd", stored_numbers("u1"), {"scale_factor": SCALE}, ZSTD, stored_numbers() * SCALE),
        ("offset alone", stored_numbers("i4"), {"add_offset": OFFSET}, ZSTD, stored_numbers() + OFFSET),
        ("format 2", stored_numbers(), {"scale_factor": SCALE}, {"zarr_format": 2}, stored_numbers() * SCALE),
        ("format 2 raw", stored_numbers("i1"), {"scale_factor": SCALE}, {"zarr_format": 2, **RAW}, stored_numbers() * SCALE),
        ("floats", stored_numbers("f4"), {"scale_factor": SCALE}, RAW, stored_numbers() * SCALE),
        ("text", stored_numbers(), {"scale_factor": "0.01", "add_offset": "20"}, RAW, stored_numbers() * SCALE + OFFSET),
        ("lists", stored_numbers(), {"scale_factor": [SCALE], "add_offset": [OFFSET]}, RAW, stored_numbers() * SCALE + OFFSET),
        ("unsigned", stored_numbers("i1") * 2, {"_Unsigned": "true"}, RAW, stored_numbers("u1") * 2),
        ("unsigned zstd", stored_numbers("i1") * 2, {"_Unsigned": "true"}, ZSTD, stored_numbers("u1") * 2),
        (
            "unsigned and packed",
            stored_numbers("i1") * 2,
            {"_Unsigned": "true", "scale_factor": SCALE, "_FillValue": -1},
            ZSTD,
            stored_numbers() * 2 * SCALE,
        ),
        ("signed", (stored_numbers() - 50).astype("u1"), {"_Unsigned": "false"}, RAW, (stored_numbers() - 50).astype("i1")),
        (
            "shards",
            stored_numbers(),
            {"scale_factor": SCALE},
            {"chunks": (10, D), "shards": (40, D)},
            stored_numbers() * SCALE,
        ),
        ("chunks along columns", stored_numbers(), {"scale_factor": SCALE}, {"chunks": (20, 2)}, stored_numbers() * SCALE),
        ("vector", stored_numbers()[:, 0], {"scale_factor": SCALE}, RAW, stored_numbers()[:, :1] * SCALE),
        (
            "marks that no cell has",
            stored_numbers("f8"),
            {"_FillValue": -9999, "valid_range": [0, 200]},
            RAW,
            stored_numbers("f8"),
        ),
    )
}


class TestPacked(MatrixTests):
    """Arrays whose attributes say that the stored numbers are not the numbers keep the contract of every matrix."""

    @pytest.fixture(params=sorted(PACKED))
    def pair(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Matrix, AnyArray]:
        """Return an opened matrix and what its numbers stand for, in float64."""
        numbers, attributes, options, meant = PACKED[request.param]
        return ds.open_matrix(write(tmp_path / "A.zarr", numbers, attributes, **options)), meant


def test_large_blocks_are_unpacked_in_bounded_memory(tmp_path: Path) -> None:
    """Blocks are cut by what they become: 32 MB of float64, not of the bytes that are stored."""
    path = tmp_path / "A.zarr"
    zarr.create_array(
        str(path), shape=(10_000_000, 10), chunks=(10_000_000, 10), dtype="i1", attributes={"scale_factor": 0.5}, **RAW
    )

    assert ds.open_matrix(path).block_bytes <= 32_000_000


# ---- what changes nothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "attributes"),
    [
        ("f8", {"_FillValue": "NaN"}),
        ("f8", {"_FillValue": in_base64(np.nan)}),
        ("f4", {"_FillValue": in_base64(np.nan), "missing_value": "NaN"}),
        ("i2", {"scale_factor": 1, "add_offset": 0}),
        ("i2", {"scale_factor": 1.0, "add_offset": [0.0]}),
        ("u1", {"_FillValue": -9999}),
        ("u1", {"_FillValue": 12.5}),
        ("u1", {"valid_range": [0, 255]}),
        ("i2", {"_Unsigned": "false"}),
        ("f8", {"missing_value": "none"}),
        ("f8", {"valid_min": "NaN"}),
        ("f8", {"scale_factor": None}),
        ("bool", {"_FillValue": False}),
        ("i8", {"units": "days", "dtype": "timedelta64[ns]"}),
        ("i8", {"units": "days since 1970-01-01", "calendar": "standard"}),
    ],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_that_change_no_number_change_nothing(
    dtype: str, attributes: dict[str, Any], zarr_format: int, tmp_path: Path
) -> None:
    """The same numbers of the same dtype, in the same words, with the same fingerprint as without them."""
    numbers = stored_numbers(dtype)
    plain, dressed = (
        ds.open_matrix(write(tmp_path / name / "A.zarr", numbers, words, zarr_format=zarr_format, **RAW))
        for name, words in (("p", {}), ("d", attributes))
    )

    assert dressed.dtype == plain.dtype
    assert np.array_equal(dressed.read(0, N), numbers)
    assert dressed.describe().replace("/d/", "/p/") == plain.describe()
    assert dressed.fingerprint() == plain.fingerprint()
    assert not {"packed", "missing values"} & {advice.subject for advice in inspect(str(dressed.source)).advice}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("fill", [0, 12])
def test_a_fill_value_without_attributes_is_a_number(zarr_format: int, fill: int, tmp_path: Path) -> None:
    """What an absent chunk would hold says nothing about cells: numbers equal to it are numbers."""
    numbers = np.full((N, D), fill)
    path = write(tmp_path / "A.zarr", numbers, {}, zarr_format=zarr_format, fill_value=fill)

    assert np.array_equal(ds.open_matrix(path).read(0, N), numbers)


@pytest.mark.parametrize("attributes", [{"_ARRAY_DIMENSIONS": ["x", "y"]}, {"scale_factor": SCALE}])
def test_zero_by_habit_is_a_number(attributes: dict[str, Any], tmp_path: Path) -> None:
    """Format 2: a fill value of 0 is every writer's default; neither xarray's attribute nor a scale alone makes it a mark."""
    path = write(tmp_path / "A.zarr", np.zeros((N, D), "i2"), attributes, zarr_format=2, fill_value=0)

    assert not ds.open_matrix(path).read(0, N).any()


# ---- marks for a missing value -----------------------------------------------------------------------------------------

MARKED: dict[str, tuple[str, float, dict[str, Any], dict[str, Any], str]] = {
    "number": ("f8", -9999.0, {"_FillValue": -9999.0}, {}, "is -9999.0, its _FillValue"),
    "base64": ("f8", -9999.0, {"_FillValue": in_base64(-9999.0)}, {}, "is -9999.0, its _FillValue"),
    "base64 float32": ("f4", 1e20, {"_FillValue": in_base64(float(np.float32(1e20)))}, {}, r"is 1e\+20, its _FillValue"),
    "float32": ("f4", 0.1, {"_FillValue": 0.1}, {}, "is 0.1, its _FillValue"),
    "text": ("i2", -9999, {"_FillValue": "-9999"}, {}, "is -9999, its _FillValue"),
    "list": ("i2", -9999, {"_FillValue": [-9999.0]}, {}, "is -9999, its _FillValue"),
    "missing_value": ("i2", -99, {"missing_value": -99}, {}, "is -99, its missing_value"),
    "one of two": ("f8", -88.0, {"missing_value": [-99, -88]}, {}, "is -88.0, its missing_value"),
    "packed": ("i2", -32768, {"_FillValue": -32768, "scale_factor": SCALE}, {}, "is -32768, its _FillValue"),
    "int64": ("i8", 2**62 + 1, {"_FillValue": 2**62 + 1}, {}, f"is {2**62 + 1}, its _FillValue"),
    "unsigned": ("i1", -1, {"_Unsigned": "true", "_FillValue": -1, "scale_factor": SCALE}, {}, "is 255, its _FillValue"),
    "format 2, xarray's": (
        "f8",
        -9999.0,
        {"_ARRAY_DIMENSIONS": ["x", "y"]},
        {"fill_value": -9999.0},
        "is -9999.0, its _FillValue",
    ),
    "format 2, packed": ("i2", -32768, {"scale_factor": SCALE}, {"fill_value": -32768}, "is -32768, its _FillValue"),
    "format 2, zero": (
        "i2",
        0,
        {"_ARRAY_DIMENSIONS": ["x", "y"], "scale_factor": SCALE},
        {"fill_value": 0},
        "is 0, its _FillValue",
    ),
    "valid_range": ("f8", 300.0, {"valid_range": [0, 100]}, {}, r"is 300.0, outside its valid_range \(0 to 100\)"),
    "valid_min": ("i4", -5, {"valid_min": 0}, {}, "is -5, outside its valid_min"),
    "valid_max": ("u1", 101, {"valid_max": [100]}, {}, "is 101, outside its valid_max"),
    "packed valid_range": ("i2", 200, {"scale_factor": 0.5, "valid_range": [0, 100]}, {}, "is 200, outside its valid_range"),
    "unpacked valid_range": (
        "i2",
        220,
        {"scale_factor": 0.5, "valid_range": [0.0, 100.0]},
        {},
        "is 110.0, outside its valid_range",
    ),
}


@pytest.mark.parametrize("storage", [RAW, {"chunks": (20, 2)}], ids=["raw", "decoded"])
@pytest.mark.parametrize("name", sorted(MARKED))
def test_marked_cells_are_named(name: str, storage: dict[str, Any], tmp_path: Path) -> None:
    """A cell that stands for no number is refused by row, column, value and attribute; rows without one are read."""
    dtype, value, attributes, options, said = MARKED[name]
    numbers = stored_numbers(dtype)
    numbers[57, 2] = value
    if "fill_value" in options:
        options = {**options, "zarr_format": 2}
    path = write(tmp_path / "A.zarr", numbers, attributes, **{**storage, **options})

    with pytest.raises(DataError, match=f"A must have no missing values; row 57, column 2 {said}.*impute"):
        ds.lstsq(path, np.ones(N))
    assert ds.open_matrix(path).read(0, 40).shape == (40, D)


def test_an_absent_chunk_of_marks_is_lost_data(tmp_path: Path) -> None:
    """Where the array's fill value is a mark, missing='fill' would only make missing values, and is not advised."""
    attributes = {"_FillValue": -9999.0}
    path = write(tmp_path / "A.zarr", stored_numbers("f8"), attributes, fill_value=-9999.0, **RAW)
    (tmp_path / "A.zarr/c/2/0").unlink()

    with pytest.raises(DataError, match=r"chunk 2 of A is absent .*impute their rows\.$"):
        ds.open_matrix(path).read(0, N)
    with pytest.raises(DataError, match=r"row 40, column 0 is -9999\.0, its _FillValue"):
        ds.open_matrix(path, missing="fill").read(0, N)


@pytest.mark.parametrize("value", ["0.01 m", [0.1, 0.2], [], "NaN", "inf"])
def test_a_scale_that_is_no_number_is_refused(value: Any, tmp_path: Path) -> None:
    """Nobody knows what the numbers stand for then."""
    path = write(tmp_path / "A.zarr", stored_numbers(), {"scale_factor": value})

    with pytest.raises(DataError, match="scale_factor of A must be one finite number; the attribute is"):
        ds.open_matrix(path)


# ---- every way in ------------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path) -> dict[str, Any]:
    """Return paths of a packed A, b and weights, and what they stand for."""
    rng = np.random.default_rng(3)
    A, b = rng.integers(-3000, 3000, (N, D)).astype("i2"), rng.integers(-3000, 3000, N).astype("i4")
    w = rng.integers(1, 200, N).astype("u1")
    found: dict[str, Any] = {"A_": A * 0.01 + 20.0, "b_": b * 0.001, "w_": w * 0.25}
    for name, array, attributes in (
        ("A", A, {"scale_factor": 0.01, "add_offset": 20.0, "_FillValue": -32768}),
        ("b", b, {"scale_factor": 0.001}),
        ("w", w, {"scale_factor": 0.25}),
    ):
        found[name] = write(tmp_path / f"{name}.zarr", array, attributes)
    return found


def test_solve_check_and_predict_read_what_is_meant(packed: dict[str, Any]) -> None:
    """The same bits as for the unpacked arrays in memory: of x, certificate and predictions; open arrays are no exception."""
    p = packed
    right = ds.lstsq(p["A_"], p["b_"], weights=p["w_"], intercept=True, method="tsqr")
    opened = {name: zarr.open_array(p[name], mode="r") for name in ("A", "b", "w")}
    for given in (p, opened):
        found = ds.lstsq(given["A"], given["b"], weights=given["w"], intercept=True, method="tsqr")
        np.testing.assert_allclose(found.x, right.x, rtol=1e-12)
        np.testing.assert_allclose(found.predict(given["A"]), p["A_"] @ right.x[:-1] + right.x[-1], rtol=1e-12)
        checked = ds.check(ds.LeastSquares(given["A"], given["b"], weights=given["w"], intercept=True), right.x)
        assert checked.backward_error[0] < 1e-14


def test_estimators_read_what_is_meant(packed: dict[str, Any]) -> None:
    """Fit, predict and score."""
    model = LinearRegression().fit(packed["A"], packed["b"])
    right = LinearRegression().fit(packed["A_"], packed["b_"])

    np.testing.assert_allclose(model.coef_, right.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.predict(packed["A"]), right.predict(packed["A_"]), rtol=1e-10)
    np.testing.assert_allclose(model.score(packed["A"], packed["b"]), right.score(packed["A_"], packed["b_"]), rtol=1e-10)


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_sparse_entries_are_unpacked(dtype: str, tmp_path: Path) -> None:
    """The stored numbers of CSR; an offset is refused, for it would move what is not stored; a mark is named by row and column."""
    X = sp.random_array((N, D), density=0.5, rng=np.random.default_rng(1), format="csr")
    X.data = np.round(100 * X.data).astype(dtype)
    path = write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=50)
    data = zarr.open_group(path, mode="r+")["data"]
    data.attrs.update(scale_factor=SCALE, _FillValue=-999)
    meant = X.toarray().astype(float) * SCALE
    assert np.array_equal(ds.open_matrix(path).read(0, N).toarray(), meant)
    assert ds.open_matrix(path).dtype == np.float64
    np.testing.assert_allclose(ds.lstsq(path, np.ones(N)).x, np.linalg.lstsq(meant, np.ones(N))[0], rtol=1e-10)

    data[60] = -999
    row = int(np.searchsorted(X.indptr, 60, side="right")) - 1
    with pytest.raises(DataError, match=f"row {row}, column {X.indices[60]} is -999.*its _FillValue"):
        ds.open_matrix(path).read(0, N)
    data.attrs["add_offset"] = 3
    with pytest.raises(DataError, match="A/data has add_offset=3"):
        ds.open_matrix(path)


def test_a_changed_scale_is_changed_data(packed: dict[str, Any], tmp_path: Path) -> None:
    """A journal is of the numbers that were read: with other attributes that decide them it is another run's."""
    journal = tmp_path / "run"
    ds.lstsq(packed["A"], packed["b"], journal=journal)
    array = zarr.open_array(packed["A"], mode="r+")
    array.attrs["long_name"] = "temperature"
    ds.resume(journal)

    array.attrs["scale_factor"] = 0.02
    with pytest.raises(JournalError, match="its data is"):
        ds.resume(journal)


def test_plan_and_info_say_so(packed: dict[str, Any]) -> None:
    """Both name the attributes that decide what is read."""
    said = ds.plan(ds.LeastSquares(packed["A"], packed["b"])).matrix
    assert "103 × 3 float64" in said
    assert "unpacked by scale_factor=0.01, add_offset=20.0" in said
    assert "b unpacked by scale_factor=0.001" in said

    (note,) = [advice for advice in inspect(packed["A"]).advice if advice.subject == "packed"]
    assert note.finding == "stored as int16; the float64 numbers that are read are unpacked by scale_factor=0.01, add_offset=20.0"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"units": "days since 2020-01-01", "calendar": "noleap"}, "days since 2020-01-01, calendar noleap"),
        ({"units": "Hours  since 1970-1-1"}, "Hours  since 1970-1-1"),
        ({"units": "km since start"}, None),
        ({"units": "m s-1"}, None),
        ({"units": 3}, None),
    ],
)
def test_time_is_noted(attributes: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    """Numbers that count time since a date are numbers; ``info`` says what they count."""
    path = write(tmp_path / "A.zarr", stored_numbers(), attributes)
    found = [advice.finding for advice in inspect(path).advice if advice.subject == "time"]

    assert found == ([] if said is None else [f"the numbers count time ({said}) and are used as they are"])
