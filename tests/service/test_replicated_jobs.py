"""Jobs whose parts several workers compute: they ask for it by a word of their document."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsketch.errors import SpecError
from dsketch.service.specs import spec_of
from tests.service.conftest import spec
from tests.service.running import Service, rested


@pytest.mark.cluster
@pytest.mark.timeout(120)
def test_a_job_s_parts_are_compared(tmp_path: Path, data: Path, direct: Any) -> None:
    """Small data too go to the cluster then; the plan says what it costs, and the bits are those of one process."""
    with Service(tmp_path, data, "--workers", "3") as service, service.client() as client:
        planned = client.plan(spec("tsqr", replicas=3))
        job = rested(client, client.submit(spec("tsqr", replicas=3))["id"])
        alone = rested(client, client.submit(spec("tsqr"))["id"])
        found = [np.asarray(client.fetch(one["id"])).tobytes() for one in (job, alone)]

    assert job["state"] == alone["state"] == "solved", job["sentence"]
    assert "each part is computed by 3 workers" in planned["text"]
    assert job["plan"]["read_bytes"] == 3 * alone["plan"]["read_bytes"]
    assert found == [direct("tsqr").x.tobytes()] * 2


@pytest.mark.parametrize("replicas", [0, 2, 11, True, "3"])
def test_numbers_that_cannot_agree_are_refused(replicas: object) -> None:
    """An odd number up to 9, before anything is read."""
    with pytest.raises(SpecError, match="replicas"):
        spec_of({**spec("tsqr"), "replicas": replicas})


def test_a_document_without_the_word_asks_for_one() -> None:
    """Documents of other versions mean what they meant."""
    assert spec_of(spec("tsqr")).choices()["replicas"] == 1
