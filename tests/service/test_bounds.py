"""What a spec may ask is bounded: powers, terms, bytes."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import zarr

from dsketch import events
from dsketch.errors import SpecError
from dsketch.service.errors import SizeError
from dsketch.service.meter import Meter
from dsketch.service.specs import spec_of
from tests.service.conftest import spec
from tests.service.running import Service, rested

UNBOUNDED = [
    {"problem": "gram-power", "power": 65},
    {"problem": "gram-power", "power": 10**9, "method": "alternating"},
    {"problem": "odd-gram-power", "power": 2**53 - 1},
    {"problem": "gram-exp", "terms": 10**9},
]


@pytest.mark.parametrize("more", UNBOUNDED)
def test_numbers_with_which_work_grows_are_bounded(service: Service, more: dict[str, Any]) -> None:
    """Neither a plan nor a job is begun with them, and both say what is allowed."""
    document = {"A": "A.zarr", "b": "b.zarr", **more}
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        answers = [http.post(path, json={"spec": document}) for path in ("/v1/plans", "/v1/jobs")]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("of at most" in answer.json()["message"] for answer in answers)
    with pytest.raises(SpecError, match="of at most"):
        spec_of(document).require_bounded()


def declared(path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> str:
    """Declare an array without any chunk."""
    zarr.create_array(store=str(path), shape=shape, chunks=chunks, dtype="f8", fill_value=1.0)
    return str(path)


@pytest.mark.cluster
@pytest.mark.parametrize("chunk", [10**9, 1000])
def test_rows_that_are_only_declared_are_bounded(service: Service, data: Path, chunk: int) -> None:
    """Two files of some hundred bytes that would be read for ever: the sizes are named, before anything is read."""
    A = declared(data / f"declared-{chunk}.zarr", (10**12, 10), (chunk, 10))
    b = declared(data / f"declared-{chunk}-b.zarr", (10**12,), (chunk,))
    asked = {"problem": "lstsq", "A": A, "b": b, "missing": "fill"}
    plan = httpx.post(f"{service.url}/v1/plans", json={"spec": asked}, trust_env=False, timeout=60)
    with service.client() as client:
        job = rested(client, client.submit(asked)["id"])

    assert plan.status_code == 413
    assert plan.json()["error"] == "SizeError"
    assert job["state"] == "failed"
    for said in (plan.json()["message"], job["sentence"]):
        assert said.startswith("a job that reads at most 10.00 TB was expected; one pass would read 88.00 TB.")
        assert "--max-bytes" in said


@pytest.mark.cluster
def test_what_all_passes_read_is_bounded(tmp_path: Path, data: Path) -> None:
    """One pass would fit, those of the plan do not; another method may."""
    size = 8 * 40_000 * 17
    with Service(tmp_path, data, "--max-bytes", str(3 * size)) as service, service.client() as client:
        many = rested(client, client.submit(spec("gradient_descent"))["id"])
        few = rested(client, client.submit(spec("tsqr"))["id"])

    assert (many["state"], few["state"]) == ("failed", "solved")
    assert "passes would read" in many["sentence"]


def test_a_meter_counts_what_was_read() -> None:
    """Also passes beyond the plan, and those of earlier attempts, count; every event is passed on."""
    heard: list[events.Event] = []
    meter = Meter(100, heard.append)
    for number, replayed in ((1, True), (2, False)):
        meter.hear(events.PassFinished(number, "gram", 1.0, 50, replayed))
    meter.hear(events.Note("on"))
    with pytest.raises(SizeError, match="at most 100 B was expected; 3 passes of the job would read 101 B"):
        meter.hear(events.PassFinished(3, "gram", 1.0, 1, False))

    assert len(heard) == 4
    Meter(None).require(10**30, "anything")
