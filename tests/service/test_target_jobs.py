"""Answers by target as jobs of a running service: the bits of the library, in the job's folder or at ``out_dir``."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.client import Client
from tests.command_line import good
from tests.service.running import Service, rested

pytestmark = pytest.mark.cluster


def test_answers_lie_in_the_job_or_where_they_were_asked_for(client: Client, service: Service, data: Path) -> None:
    """missing='drop' without a place: x is fetched; with out_dir the group lies there, and both have the bits of the library."""
    rows = zarr.open_array(data / "A.zarr", mode="r").shape[0]
    b = np.random.default_rng(0).standard_normal((rows, 5, 4))
    b[7, 2, 1] = np.nan
    zarr.create_array(data / "cube.zarr", data=b, chunks=(rows, 5, 2), overwrite=True)
    expected = ds.lstsq(str(data / "A.zarr"), str(data / "cube.zarr"), missing="drop", cluster="serial", progress=False)
    spec: dict[str, Any] = {"problem": "lstsq", "A": "A.zarr", "b": "cube.zarr", "missing": "drop"}
    for more in ({}, {"out_dir": "fit.zarr"}):
        job = rested(client, client.submit(spec | more)["id"])
        facts = client.solution(job["id"])
        assert job["state"] == "solved"
        assert np.asarray(client.fetch(job["id"])).tobytes() == expected.x.tobytes()
        assert (facts["x"]["shape"], facts["certificate"]["answered"]) == (list(expected.x.shape), 20)
        assert "1 of 20 targets lack values" in facts["text"]
        fields = client.fetch_fields(job["id"])
        assert {name: values.tobytes() for name, values in fields.items()} == {
            name: np.asarray(values).tobytes() for name, values in expected.fields.items()
        }
    place = data / "fetched.zarr"
    told = good("jobs", "fetch", job["id"], "--out-dir", place, "--url", service.url, "--overwrite").stdout
    assert "standard_errors" in told
    fetched = zarr.open_group(place, mode="r")
    assert np.array_equal(fetched["p"][...], expected.p, equal_nan=True)  # type: ignore[attr-defined]
    with pytest.raises(ds.JobError, match="Correct the name"):
        client._send("GET", f"/v1/jobs/{job['id']}/solution/fields/nothing")
    group = zarr.open_group(service.folder / "out" / "fit.zarr", mode="r")
    assert np.array_equal(group["counts"][...], expected.counts)  # type: ignore[attr-defined]
    assert "20 targets" in client.plan(spec)["text"]
    with pytest.raises(ds.SpecError, match="out_dir in place of out"):
        client.submit(spec | {"out": "x.zarr"})
