"""What tests of the command line share."""

from pathlib import Path

import pytest

from tests.cli.regression import Data


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """3,000 × 4, in eight chunks."""
    return Data(tmp_path)
