"""A NaN or an infinity anywhere in the data: one DataError with its place, from either engine, and nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
from distributed import Client

import dsketch
from tests.failures.data import columns, write
from tests.failures.scale import CHUNK_ROWS

pytestmark = pytest.mark.timeout(60)

N, D = 20_000, 6
CHUNK = 1_250  # 16 blocks; the probe before the first pass looks at the first, the middle and the last
METHODS = ["conjugate_gradient", "gradient_descent", "gram", "sketch_and_solve", "tsqr", "whitened"]
# (row, column, value): the very first, one that no probe sees, the very last.
PLACES = [(0, 0, np.nan), (7_001, 3, np.inf), (13_000, 5, -np.inf), (N - 1, D - 1, np.nan)]


@pytest.fixture(autouse=True)
def _smaller_blocks(monkeypatch: pytest.MonkeyPatch, _small_blocks: None) -> None:
    """One chunk a block and a panel."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", CHUNK * D * 8)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", CHUNK * D * 8)


def poisoned(folder: Path, what: str, row: int, column: int, value: float, compressed: bool = False) -> dict[str, str]:
    """Store A, b and weights with one bad value in one of them."""
    A, b = columns(N, D)
    arrays = {"A": A, "b": b, "weights": np.ones(N)}
    arrays[what][(row, column) if what == "A" else row] = value
    return {
        name: write(folder / f"{name}.zarr", array, chunk_rows=CHUNK, compressed=compressed) for name, array in arrays.items()
    }


def sentence(what: str, row: int, column: int, value: float) -> str:
    """Return what the error must begin with."""
    return f"^{what} must be finite; row {row}, column {column if what == 'A' else 0} is {value}"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("row", "column", "value"), PLACES)
def test_bad_value_stops_every_method(tmp_path: Path, method: str, row: int, column: int, value: float) -> None:
    """No method lets a NaN through into x, or into a broken factorization that would name something else."""
    paths = poisoned(tmp_path, "A", row, column, value)
    with pytest.raises(dsketch.DataError, match=sentence("A", row, column, value)):
        dsketch.lstsq(paths["A"], paths["b"], method=method, cluster="serial")


@pytest.mark.cluster
@pytest.mark.parametrize("what", ["A", "b", "weights"])
@pytest.mark.parametrize(("row", "column", "value"), [PLACES[1], PLACES[3]])
@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "compressed"])
def test_both_engines_name_the_place(
    tmp_path: Path, client: Client, what: str, row: int, column: int, value: float, compressed: bool
) -> None:
    """The error is the same sentence from this process and from a worker, and the journal holds no record."""
    paths = poisoned(tmp_path, what, row, column, value, compressed)
    problem = dsketch.Ridge(paths["A"], paths["b"], alpha=1.0, weights=paths["weights"], intercept=True)
    texts = []
    for name, engine in (("serial", "serial"), ("cluster", client)):
        journal = tmp_path / f"journal-{name}"
        with pytest.raises(dsketch.DataError) as caught:
            dsketch.solve(problem, method="tsqr", cluster=engine, journal=journal)
        texts.append(str(caught.value))
        assert not list(journal.glob("*pass-*"))
    assert texts[0] == texts[1]
    if what == "weights" and np.isnan(value):
        assert texts[0].startswith(f"weights must be ≥ 0; row {row} has nan")
    else:
        assert texts[0].startswith(sentence(what, row, column, value)[1:])


def test_first_of_many_is_named(tmp_path: Path) -> None:
    """With bad values in several blocks the serial engine names the first row."""
    A, b = columns(N, D)
    A[5_000:9_000:100, 2] = np.nan
    path = write(tmp_path / "A.zarr", A, chunk_rows=CHUNK)
    with pytest.raises(dsketch.DataError, match="row 5000, column 2 is nan"):
        dsketch.lstsq(path, b, method="tsqr", cluster="serial")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_short_floats_are_no_hiding_place(tmp_path: Path, dtype: str) -> None:
    """Narrow dtypes are converted a slice at a time; their NaN is found all the same."""
    A = np.ones((N, D), dtype)
    A[7_777, 1] = np.nan
    path = write(tmp_path / "A.zarr", A, chunk_rows=CHUNK)
    with pytest.raises(dsketch.DataError, match="row 7777, column 1 is nan"):
        dsketch.lstsq(path, np.ones(N), method="gram", cluster="serial")


def test_check_finds_it_too(tmp_path: Path) -> None:
    """An independent check of an x does not certify against bad data."""
    paths = poisoned(tmp_path, "b", 7_001, 0, np.nan)
    with pytest.raises(dsketch.DataError, match="b must be finite; row 7001"):
        dsketch.check(dsketch.LeastSquares(paths["A"], paths["b"]), np.ones(D), cluster="serial")


def test_squares_that_overflow_are_told(tmp_path: Path) -> None:
    """Finite entries whose squares are not finite: a QR needs no squares and is right, a Gram matrix ends with the remedy."""
    A, b = columns(CHUNK_ROWS, D)
    path = write(tmp_path / "A.zarr", A * 1e160)

    found = dsketch.lstsq(path, b, method="tsqr", cluster="serial")

    assert found.status is dsketch.Status.SOLVED
    np.testing.assert_allclose(found.x * 1e160, np.linalg.lstsq(A, b, rcond=None)[0], rtol=1e-10)
    with pytest.raises(dsketch.DataError, match=r"Rescale A and b"):
        dsketch.lstsq(path, b, method="gram", cluster="serial")
