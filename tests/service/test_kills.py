"""The service is killed at random moments under a queue of jobs."""

from pathlib import Path

import pytest

from tests.service.kills import torment

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]


def test_killed_again_and_again(tmp_path: Path, data: Path) -> None:
    """Every accepted job is solved once, with the bits of the library; no recorded pass is made again, nothing half written is served."""
    tally = torment(tmp_path, data, kills=5, jobs=10, seed=1)

    assert tally.kills == 5
    assert tally.accepted == tally.finished == 10
    assert tally.lost == tally.finished_twice == tally.differing == tally.half_written_served == 0
    assert 0 < tally.passes_made <= tally.passes_needed  # a pass recorded in the moment of death is never told
