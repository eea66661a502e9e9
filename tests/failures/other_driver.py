"""Drivers to be killed, of any problem: as ``python -m tests.failures.driver``, with words ``name given method journal point``."""

import json

import dsketch
import dsketch.engine.panels
import dsketch.matrix.base
from tests.failures.driver import Killer, start_many
from tests.others import made


def shrink() -> None:
    """Make every chunk a block and every block a panel."""
    dsketch.matrix.base.BLOCK_BYTES = dsketch.engine.panels.PANEL_BYTES = 1


def main(name: str, given: str, method: str, journal: str, point: str) -> None:
    """Solve, or go on if the journal has begun."""
    shrink()
    problem = made(name, json.loads(given))
    dsketch.solve(problem, journal=journal, method=method, cluster="serial", progress=Killer(point))


if __name__ == "__main__":
    start_many(main)
