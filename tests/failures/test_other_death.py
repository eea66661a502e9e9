"""The driver of every other problem is killed again and again: resumed from its journal, it gives the bits of an uninterrupted run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import dsketch
from dsketch.problems import PROBLEMS
from tests.failures.processes import Driver, drivers
from tests.others import AT_ONCE, OTHERS, are_same, made, stored_example

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def _small_panels(_small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every chunk a block and every block a panel, as the drivers do."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 1)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Return a function that runs a driver with the words given until it has killed itself."""
    with drivers("tests.failures.other_driver", tmp_path_factory.mktemp("drivers") / "log") as run:
        yield run


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in AT_ONCE])
def test_a_killed_driver_is_resumed_to_the_same_bits(driver: Driver, tmp_path: Path, name: str) -> None:
    """In its first pass, after it, in the next, and of longer runs between a record and its place, and after a later pass."""
    given, method, journal = stored_example(tmp_path, name), next(iter(PROBLEMS[name].methods)), tmp_path / "journal"
    whole = dsketch.solve(made(name, given), method=method, cluster="serial", progress=False)
    is_long = len(whole.passes) > 4
    for point in ("in:1", "after:1", "in:2", *(("writing:3", "after:3", "in:5") if is_long else ())):
        driver(name, json.dumps(given), method, str(journal), point)

    found = dsketch.resume(journal, cluster="serial", progress=False)

    assert are_same(found, whole)
    assert sum(record.replayed for record in found.passes) == (4 if is_long else 1)
    assert len(found.passes) > 1
