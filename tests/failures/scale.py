"""Small blocks and panels, so that a 16 MB matrix has what a 16 GB one has: several blocks a task, several tasks a worker."""

import dsketch.engine.panels
import dsketch.matrix.base

ROWS, COLUMNS = 131_072, 16
CHUNK_ROWS = 16_384  # 2 MB
BLOCKS = ROWS // CHUNK_ROWS
BLOCK_BYTES = CHUNK_ROWS * COLUMNS * 8


def shrink() -> None:
    """Make every chunk a block and every block a panel, in this process (drivers cut rows and tell workers)."""
    dsketch.matrix.base.BLOCK_BYTES = BLOCK_BYTES
    dsketch.engine.panels.PANEL_BYTES = BLOCK_BYTES
