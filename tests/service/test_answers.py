"""Coefficients of jobs by name, as JSON, CSV, Parquet and npy, with the library's errors, at no price that nobody asked for."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr

import dsketch as ds
from dsketch.client import Client
from tests.service.running import rested, solved

pytestmark = pytest.mark.cluster
NAMES = [f"column {number}" for number in range(5)] + ["=1+1"]


@pytest.fixture(scope="module")
def named(data: Path) -> tuple[Path, Path]:
    """A whose columns have names, one of them a spreadsheet's formula, and b with noise."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((3_000, 6))
    stored = zarr.create_array(data / "named.zarr", data=A, chunks=(1_000, 6), overwrite=True)
    stored.attrs["columns"] = NAMES
    zarr.create_array(data / "noisy.zarr", data=A @ np.arange(6.0) + rng.standard_normal(3_000), chunks=(1_000,), overwrite=True)
    return data / "named.zarr", data / "noisy.zarr"


def body(client: Client, path: str) -> bytes:
    """Return what a path of a job gives."""
    return bytes(client._send("GET", f"/v1/jobs/{path}").content)


def shown(client: Client, path: str) -> dict[str, Any]:
    """Return the coefficients that a path gives."""
    return dict(json.loads(body(client, path)))


def test_coefficients_come_by_name_with_the_errors_of_the_library(client: Client, named: tuple[Path, Path]) -> None:
    """A method that holds A's own factor tells errors, t, p and intervals without another pass, the intercept last."""
    id_ = solved(client, client.submit(problem="lstsq", A="named.zarr", b="noisy.zarr", method="tsqr", intercept=True))
    expected = ds.lstsq(*map(str, named), method="tsqr", intercept=True, cluster="serial", progress=False).summary()
    found = shown(client, f"{id_}/coefficients")
    assert found["names"] == [*NAMES, "intercept"]
    table = {name: np.array(values) for name, values in found["columns"].items()}
    low, high = expected.confidence().T
    for name, values in (("value", expected.coefficients), ("standard_error", expected.standard_errors), ("t", expected.t_values),
                         ("p", expected.p_values), ("low", low), ("high", high)):  # fmt: skip
        assert table[name].tobytes() == np.ascontiguousarray(values).tobytes(), name
    assert (found["fit"]["r_squared"], found["whole"]["rows"]) == (expected.r_squared, 3_000)
    assert len(client.solution(id_)["passes"]) == 2


def test_the_table_is_fetched_in_all_forms(client: Client, named: tuple[Path, Path]) -> None:
    """All forms hold the same bits; a name that a spreadsheet would compute is none in CSV."""
    del named
    id_ = solved(client, client.submit(problem="lstsq", A="named.zarr", b="noisy.zarr", method="tsqr"))
    x = np.asarray(client.fetch(id_))
    lines = list(csv.DictReader(io.StringIO(body(client, f"{id_}/solution?format=csv").decode())))
    assert [line["coefficient"] for line in lines] == [*NAMES[:5], "'=1+1"]
    assert [float(line["value"]) for line in lines] == x.tolist()
    table = pq.read_table(io.BytesIO(body(client, f"{id_}/solution?format=parquet")))
    assert table.column_names == ["coefficient", "value", "standard_error", "t", "p", "low", "high"]
    assert table["coefficient"].to_pylist() == NAMES
    assert table["value"].to_pylist() == x.tolist()
    assert np.load(io.BytesIO(body(client, f"{id_}/solution?format=npy"))).tobytes() == x.tobytes()
    group = unzipped(body(client, f"{id_}/solution?format=zarr"))
    assert group.attrs["coefficients"] == NAMES
    assert group["value"].metadata.dimension_names == ("coefficient",)
    for name in table.column_names[1:]:
        assert group[name][...].tolist() == table[name].to_pylist()
    with pytest.raises(ds.SpecError, match="docs"):
        body(client, f"{id_}/solution?format=xlsx")


def unzipped(raw: bytes) -> Any:
    """Open a Zarr group in a ZIP file as whoever saved it does."""
    with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as file:
        file.write(raw)
    return zarr.open_group(zarr.storage.ZipStore(file.name, mode="r"), mode="r")


def test_errors_asked_for_later_go_on_from_the_records(client: Client, named: tuple[Path, Path]) -> None:
    """A job of its own computes them: the passes of the solve are replayed, x keeps its bits, the numbers are the library's."""
    spec: dict[str, Any] = {"problem": "lstsq", "A": "named.zarr", "b": "noisy.zarr", "method": "conjugate_gradient"}
    first = solved(client, client.submit(spec))
    assert set(shown(client, f"{first}/coefficients")["columns"]) == {"value"}
    asked = client._send("POST", f"/v1/jobs/{first}/errors", body={"robust": "HC3"}).json()
    then = rested(client, asked["id"])
    passes = client.solution(then["id"])["passes"]
    assert passes
    assert all(one["replayed"] for one in passes)
    expected = ds.lstsq(*map(str, named), method=spec["method"], cluster="serial", progress=False)
    found = shown(client, f"{then['id']}/coefficients")
    assert found["columns"]["standard_error"] == expected.summary(robust="HC3").standard_errors.tolist()
    assert np.asarray(client.fetch(then["id"])).tobytes() == np.asarray(client.fetch(first)).tobytes()
    with pytest.raises(ds.SpecError, match="robust"):
        client._send("POST", f"/v1/jobs/{first}/errors", body={"robust": "HC9"})


def test_a_penalty_has_coefficients_and_no_errors(client: Client, named: tuple[Path, Path]) -> None:
    """Ridge tells values alone, and refuses errors in one sentence."""
    del named
    id_ = solved(client, client.submit(problem="ridge", A="named.zarr", b="noisy.zarr", alpha=2.0))
    assert set(shown(client, f"{id_}/coefficients")["columns"]) == {"value"}
    with pytest.raises(ds.SpecError, match="table of coefficients"):
        client._send("POST", f"/v1/jobs/{id_}/errors", body={})


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_targets_are_picked_and_mapped(client: Client, data: Path, named: tuple[Path, Path], missing: str) -> None:
    """Of b with two dimensions of targets one is told as a table, or one coefficient of all as a map."""
    A = zarr.open_array(named[0], mode="r")[...]
    B = np.random.default_rng(4).standard_normal((3_000, 4, 3))
    zarr.create_array(data / f"cube-{missing}.zarr", data=B, chunks=(3_000, 4, 3), overwrite=True)
    id_ = solved(client, client.submit(problem="lstsq", A="named.zarr", b=f"cube-{missing}.zarr", missing=missing))
    expected = np.linalg.lstsq(np.asarray(A), B.reshape(3_000, 12), rcond=None)[0]
    found = shown(client, f"{id_}/coefficients?target=7")
    assert (found["targets"]["count"], found["targets"]["shape"]) == (12, [4, 3])
    assert np.allclose(found["columns"]["value"], expected[:, 7], rtol=1e-10)
    assert ("standard_error" in found["columns"]) == (missing == "drop")  # of few columns and many sides they take a pass
    seen = shown(client, f"{id_}/coefficients?coefficient=2")
    assert (seen["name"], seen["shape"]) == (NAMES[2], [4, 3])
    assert np.allclose(seen["values"], expected[2], rtol=1e-10)
    lines = list(csv.DictReader(io.StringIO(body(client, f"{id_}/solution?format=csv").decode())))
    assert (len(lines), lines[6 * 7]["target"], lines[6 * 7]["coefficient"]) == (72, "2 1", NAMES[0])
    for wrong in ("target=12", "coefficient=6", "coefficient=0&column=secret"):
        with pytest.raises(ds.SpecError, match="was expected"):
            body(client, f"{id_}/coefficients?{wrong}")


def test_rows_have_no_names(client: Client, named: tuple[Path, Path]) -> None:
    """Leverage scores have a number for each row: x is what there is to fetch."""
    del named
    id_ = solved(client, client.submit(problem="leverage-scores", A="named.zarr"))
    with pytest.raises(ds.JobError, match="Fetch x"):
        body(client, f"{id_}/coefficients")
