"""How targets are answered, and what that costs: one reading of b, two where tiles that lack values do not fit in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from dsketch._units import format_bytes, format_count, format_counted
from dsketch.matrix.targets import LARGE_CHUNK_BYTES
from dsketch.matrix.tiles import Grid
from dsketch.passes.base import Flow
from dsketch.planning.choice import describe_room
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.planning.probe import Probe
from dsketch.problems.method import Method, table_of
from dsketch.problems.targets.batch import Batch
from dsketch.problems.targets.chain import Chain
from dsketch.problems.targets.fields import fields_of
from dsketch.settings import Settings

_SLICE_BYTES = 1_000_000  # of a slice as float64; some six of them are at hand at once
_SLICES = 8
_PROCESS_BYTES = 16_000_000  # that a process takes beside its data when it first reads and writes: threads, buffers of libraries
_BY_BLOCKS = "where no value is missing, leave out_dir and missing='drop' out: A is then read by blocks"
_AT_ONCE = 10  # chunks that zarr decodes side by side, each at hand as read, as decoded and on its way
# Nanoseconds of one thread, measured on two cores (benchmarks/targets_wide.py): a number of b in a chain and in a batch, more for each
# column or packed product, and the statistics of a target, for each column.
_CHAIN, _CHAIN_COLUMN, _BATCH, _BATCH_PRODUCT, _TARGET_COLUMN = 2.0, 0.5, 4.0, 0.25, 1200.0


@dataclass(frozen=True)
class TargetCase:
    """What the price depends on: a :class:`~dsketch.problems.method.Planned`.

    Attributes
    ----------
    settings : Settings
    fit : Chain or Batch
    targets : int
        k.
    item_bytes : int
        Of a number of b as stored.
    chunk_bytes : int
        Of a chunk that is decoded; 0 where bytes are numbers.
    is_local : bool
        Whether b is in memory anyway.
    read_bytes_per_second : float
    threads, memory_bytes, tasks : int
    """

    settings: Settings
    fit: Chain | Batch
    targets: int
    item_bytes: int
    chunk_bytes: int
    is_local: bool
    read_bytes_per_second: float
    threads: int
    memory_bytes: int
    tasks: int
    found: Probe | None = None

    @property
    def sides(self) -> int:
        """k."""
        return self.targets

    @property
    def grid(self) -> Grid:
        """How b is cut."""
        return self.fit.grid

    @property
    def readings(self) -> int:
        """How often b is read."""
        return 1 if isinstance(self.fit, Chain) or self.grid.is_whole else 2

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Return the message for when a tile does not fit."""
        need = next(iter(prices.values())).memory_bytes
        n, width = self.grid.shape[0], prod(self.grid.box)
        of_rows, of_tile = _parts(self)
        remedy = "store b in smaller chunks" if of_tile > of_rows else _BY_BLOCKS
        return (
            f"{describe_room(self.memory_bytes)}; {format_bytes(need)} would be needed: {format_count(n)} rows of A as numbers, and a "
            f"tile of {format_count(width)} targets, {format_count(min(self.grid.rows, n))} rows at a time. Give workers more memory "
            f"or fewer threads, or {remedy}."
        )


class Tiles(Method[TargetCase, Any, Any]):
    """Tiles of targets, each answered where it is read."""

    name = "tiles"
    is_safe = True
    reason = "targets lie where they are read, and x of a million of them is made and written there"

    def price(self, case: TargetCase) -> Estimate:
        """Return readings, seconds, memory."""
        n, d = case.fit.design.X.shape
        numbers = n * case.targets
        by_batch = _BATCH + _BATCH_PRODUCT * d * (d + 1) / 2
        per_number = _CHAIN + _CHAIN_COLUMN * d if isinstance(case.fit, Chain) else by_batch
        compute = 1e-9 * (per_number * numbers + _TARGET_COLUMN * d * case.targets)
        reading = case.readings * numbers * case.item_bytes / case.read_bytes_per_second
        seconds = (compute + reading) / max(min(case.threads, case.tasks), 1) + PASS_SECONDS + TASK_SECONDS * case.tasks
        return Estimate(case.readings, seconds, _memory(case), 64)

    def details(self, case: TargetCase) -> tuple[str, ...]:
        """Return how b is cut."""
        grid, width = case.grid, prod(min(one, size) for one, size in zip(case.grid.box, case.grid.shape[1:], strict=True))
        rows = "whole" if grid.is_whole else f"{format_count(grid.rows)} rows at a time"
        how = "orthogonal factors of A" if isinstance(case.fit, Chain) else "whitened systems, one a target"
        tiles, targets = format_counted(len(grid.cuts) - 1, "tile", "tiles"), format_counted(width, "target", "targets")
        return (f"{tiles} of {targets}, read {rows}; {how}",)

    def solve(self, system: Any, settings: Settings, start: Any = None) -> Flow[Any]:
        """Not used: the pass that answers is made by who knows where answers go (:meth:`TargetRegression.look`)."""
        raise NotImplementedError


METHODS = table_of((Tiles(),))


def _memory(case: TargetCase) -> int:
    """Return the bytes of a task at its fullest."""
    return int(_PROCESS_BYTES + sum(_parts(case)))


def _parts(case: TargetCase) -> tuple[int, int]:
    """Return the bytes of A's rows and of slices as high as they are, and of a tile of b with its answers."""
    (n, d), grid, r = case.fit.design.X.shape, case.grid, case.fit.design.rank
    packed, width = r * (r + 1) // 2, prod(min(one, size) for one, size in zip(grid.box, grid.shape[1:], strict=True))
    cells = 0 if case.is_local else min(grid.rows, n) * width * case.item_bytes
    at_once = 1 if case.chunk_bytes >= LARGE_CHUNK_BYTES and not grid.is_whole else _AT_ONCE
    decoding = 3 * min(cells, at_once * case.chunk_bytes) if case.chunk_bytes else 0
    piece = prod(min(one, size) for one, size in zip(grid.piece, grid.shape[1:], strict=True))
    slices = _SLICES * max(_SLICE_BYTES, 8 * 16 * min(grid.rows, n))
    answers = 8 * sum(d if field.has_columns else 1 for field in fields_of(is_penalized=case.fit.design.is_penalized))
    if isinstance(case.fit, Chain):
        shared, standing = 8 * n * (2 * d + 2), 8 * width * (3 * d + 2) + 2 * piece * answers
    elif grid.is_whole:
        shared, standing = 8 * n * (3 * d + packed), 2 * width * answers
    else:
        shared, standing = (
            8 * n * (3 * d + packed),
            8 * width * (packed + r + 4 * d + 10) + piece * (3 * answers + 8 * (6 * r**2 + 6 * d)),
        )
    return shared + slices, cells + decoding + standing


def sizes_text(case: TargetCase, b: str) -> str:
    """Return the data in words."""
    n, d = case.fit.design.X.shape
    size = n * case.targets * case.item_bytes
    return f"{format_count(n)} × {format_count(d)}, {format_count(case.targets)} targets · {format_bytes(size)} · {b}"
