"""The sketch that settings ask for, of a size that fits its use."""

from dsketch.settings import Settings
from dsketch.sketch import SKETCHES, Sketch, SparseSign
from dsketch.sketch.size import rows_for


def draw_sketch(settings: Settings, columns: int, purpose: int, *, nonzeros: int = 8) -> Sketch:
    """Return the sketch of the asked family and of a size that fits ``purpose``, for A of so many columns."""
    size = choose_rows(settings, columns, purpose)
    if settings.sketch == SparseSign.name:
        return SparseSign(size, settings.seed, nonzeros=nonzeros)
    return SKETCHES[settings.sketch](size, settings.seed)


def choose_rows(settings: Settings, columns: int, purpose: int) -> int:
    """Return the rows m of that sketch: as many as are asked for, or by the rule of :mod:`dsketch.sketch.size`."""
    return settings.sketch_rows or rows_for(columns, purpose, settings.sketch)
