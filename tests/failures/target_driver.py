"""Writers of answers by target, killed between two arrays of a tile: as :mod:`tests.failures.driver`; words: ``A b out journal tile``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import dsketch
from dsketch.matrix import tiles
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part
from dsketch.passes.fit_tiles import Tiles
from dsketch.passes.writing import Box
from dsketch.problems.targets import problem
from tests.failures.driver import start_many
from tests.failures.group_driver import Deadly

GRID_OF = tiles.grid_of


def small_grid(b: Any) -> Any:
    """Cut small data as large ones are cut."""
    return GRID_OF(b, 5_000)


@dataclass(frozen=True)
class DyingTiles(Tiles):
    """Answers whose writer dies in a tile, once: ``flag`` is there afterwards."""

    tile: int = 0
    flag: str = ""

    def make_pieces(self, block: Block) -> Iterator[tuple[Box, Any, Part]]:
        """Yield the pieces of the tile, or what kills."""
        found: Any = block.A
        for box, answers, tally in super().make_pieces(block):
            is_last = found.number == self.tile and not Path(self.flag).exists()
            if is_last:
                Path(self.flag).touch()
            yield box, Deadly(answers) if is_last else answers, tally


def dying(tile: int, flag: Path) -> Any:
    """Return what makes the answers in place of ``Tiles``."""
    return lambda *given: DyingTiles(*given, tile=tile, flag=str(flag))


def main(A: str, b: str, out: str, journal: str, tile: str) -> None:
    """Write, or go on if the journal has begun."""
    tiles.grid_of = small_grid
    problem.Tiles = dying(int(tile), Path(f"{journal}-{tile}"))  # type: ignore[misc]
    dsketch.lstsq(A, b, missing="drop", out_dir=out, journal=journal, cluster="serial", progress=False)


def stored(folder: Path, rows: int = 40) -> tuple[str, str]:
    """Store A, and b of 12 × 10 targets that lack values; return the paths."""
    rng = np.random.default_rng(8)
    b = rng.standard_normal((rows, 12, 10))
    b[rng.random(b.shape) < 0.1] = np.nan
    zarr.create_array(str(folder / "A"), data=rng.standard_normal((rows, 2)), chunks=(rows, 2))
    zarr.create_array(str(folder / "b"), data=b, chunks=(rows, 1, 10))
    return str(folder / "A"), str(folder / "b")


if __name__ == "__main__":
    start_many(main)
