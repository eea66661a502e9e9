"""Receipts of jobs: signed by the service, and the run can be audited by whoever has them and the journal."""

import json
from pathlib import Path

import pytest

import dsketch as ds
from dsketch._results.signing import public_key_of
from tests.service.running import Service, rested

pytestmark = pytest.mark.cluster


def test_a_finished_job_has_a_receipt_that_the_service_signed(service: Service, data: Path, tmp_path: Path) -> None:
    """By the key in its state directory, which is private; the audit replays the steps to the x that was fetched."""
    with service.client() as client:
        job = rested(client, client.submit({"problem": "ridge", "A": "A.zarr", "b": "b.zarr", "alpha": 0.5})["id"])
        document, sha256 = client.receipt(job["id"]), client.solution(job["id"])["x"]["sha256"]
    key = next(service.folder.rglob("signing.pem"))
    (tmp_path / "receipt.json").write_text(json.dumps(document, indent=1, ensure_ascii=False))

    found = ds.audit(
        tmp_path / "receipt.json", data={name: str(data / f"{name}.zarr") for name in "Ab"}, signer=public_key_of(key)
    )

    assert found.is_clean, found.faults
    assert found.is_replayed
    assert found.drawn == found.panels > 0
    assert document["answer"]["sha256"] == sha256
    assert document["signature"]["signer"] == "dsketch service"
    assert key.stat().st_mode & 0o077 == 0


def test_a_job_without_an_answer_has_no_receipt(service: Service) -> None:
    """Nobody's job has none either."""
    with service.client() as client, pytest.raises(ds.DsketchError, match="job"):
        client.receipt("0" * 20)
