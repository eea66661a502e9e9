"""Writers of a group, killed between two arrays of a block: as :mod:`tests.failures.driver`, with words ``G Y out journal column``."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import dsketch
import dsketch.engine.panels
import dsketch.matrix.base
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part
from dsketch.passes.marginal import MarginalFields
from dsketch.passes.writing import Box
from dsketch.problems.marginal.system import MarginalSystem
from tests.failures.driver import start_many


class Deadly(dict[str, Any]):
    """Answers of which one, when it is to be written, ends the process."""

    def __getitem__(self, name: str) -> Any:
        """Die before ``t``: coefficients and errors are written."""
        if name == "t":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(name)


@dataclass(frozen=True)
class DyingFields(MarginalFields):
    """Fields whose writer dies in the block of a column, once: ``flag`` is there afterwards."""

    column: int = 0
    flag: str = ""

    def make_pieces(self, block: Block) -> Iterator[tuple[Box, Any, Part]]:
        """Yield the block, or what kills."""
        for box, answers, tally in super().make_pieces(block):
            is_last = block.start <= self.column < block.stop and not Path(self.flag).exists()
            if is_last:
                Path(self.flag).touch()
            yield box, Deadly(answers) if is_last else answers, tally


def dying(column: int, flag: Path) -> Any:
    """Return what makes the fields of a system in place of ``MarginalSystem.marginal``."""
    whole = MarginalSystem.marginal
    return lambda self: DyingFields(**_fields_of(whole(self)), column=column, flag=str(flag))


def _fields_of(fields: MarginalFields) -> dict[str, Any]:
    return {name: getattr(fields, name) for name in ("sides", "missing", "marks", "probes")}


def shrink() -> None:
    """Make every chunk a block and every block a panel."""
    dsketch.matrix.base.BLOCK_BYTES = dsketch.engine.panels.PANEL_BYTES = 1


def main(G: str, Y: str, out: str, journal: str, column: str) -> None:
    """Write, or go on if the journal has begun."""
    shrink()
    MarginalSystem.marginal = dying(int(column), Path(f"{journal}-{column}"))  # type: ignore[method-assign]
    dsketch.marginal(G, Y, out, journal=journal, cluster="serial", progress=False)


def stored(folder: Path, rows: int = 60, columns: int = 90, targets: int = 3) -> tuple[str, str]:
    """Store columns in chunks of ten, one entry missing, and targets; return the paths."""
    rng = np.random.default_rng(8)
    G, Y = rng.standard_normal((rows, columns)), rng.standard_normal((rows, targets))
    G[3, 4] = np.nan
    for name, data, chunks in (("G", G, (rows, 10)), ("Y", Y, Y.shape)):
        zarr.create_array(str(folder / name), data=data, chunks=chunks)
    return str(folder / "G"), str(folder / "Y")


if __name__ == "__main__":
    start_many(main)
