"""Scores of all rows, and regressions on drawn rows, as jobs of a running service: the bits of the library, here and at ``out``."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.client import Client
from tests.service.running import Service, rested

pytestmark = pytest.mark.cluster


def test_scores_are_fetched_and_lie_at_out(client: Client, service: Service, data: Path) -> None:
    """A job without b: x has a number for each row, in one file and as a Zarr array where it was asked for."""
    spec: dict[str, Any] = {"problem": "leverage-scores", "A": "A.zarr", "alpha": 2.0, "out": "h.zarr"}
    job = rested(client, client.submit(spec)["id"])

    expected = ds.leverage_scores(str(data / "A.zarr"), alpha=2.0, cluster="serial", progress=False)
    facts = client.solution(job["id"])
    assert job["state"] == "solved"
    assert np.asarray(client.fetch(job["id"])).tobytes() == np.asarray(expected.x).tobytes()
    assert np.array_equal(zarr.open_array(service.folder / "out" / "h.zarr", mode="r")[...], expected.x)
    assert facts["certificate"]["total"] == expected.certificate.total
    assert facts["x"]["shape"] == [len(expected.x)]


def test_sampled_regressions_have_the_bits_of_the_library(client: Client, data: Path) -> None:
    """The same rows are drawn there as here; ε as it was measured goes along."""
    spec: dict[str, Any] = {
        "problem": "sampled-lstsq",
        "A": "A.zarr",
        "b": "b.zarr",
        "epsilon": 0.2,
        "seed": 5,
        "method": "sketched",
    }
    job = rested(client, client.submit(spec)["id"])

    problem = ds.SampledLeastSquares(str(data / "A.zarr"), str(data / "b.zarr"), epsilon=0.2)
    expected = ds.solve(problem, seed=5, method="sketched", cluster="serial", progress=False)
    facts = client.solution(job["id"])
    assert np.asarray(client.fetch(job["id"])).tobytes() == expected.x.tobytes()
    assert facts["status"] == "estimated"
    assert facts["certificate"]["excess"] == expected.certificate.excess.tolist()
    assert "modelled" in facts["plan"]["details"][1]
    with pytest.raises(ds.SpecError, match="epsilon"):
        client.plan({**spec, "epsilon": 7.0})
