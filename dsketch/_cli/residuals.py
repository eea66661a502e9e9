"""Pictures of residuals in letters."""

import math
from collections.abc import Iterator
from typing import Any

_SHADES = " .:-=+*#%@"  # from no row to the most of a cell
_GUTTER = 11


def residuals_text(found: dict[str, Any]) -> str:
    """Return the pictures of the service, the largest residuals on top, darker where more rows are; the lines of 0 are marked."""
    head = f"{found['kind']} residuals of {found['rows']:,} of {found['of']:,} rows"
    return "\n".join([head, *(line for picture in found["pictures"] for line in _picture_lines(picture))])


def _picture_lines(picture: dict[str, Any]) -> Iterator[str]:
    counts, (across, up) = picture["counts"], picture["ends"]
    most, height = max(max(row) for row in counts), len(counts)
    zero = math.floor(-up[0] / (up[1] - up[0]) * height)
    yield ""
    for place in reversed(range(height)):
        said = f"{up[1]:.4g}" if place == height - 1 else f"{up[0]:.4g}" if place == 0 else "0" if place == zero else ""
        yield f"{said:>{_GUTTER}} │{''.join(_shade(count, most) for count in counts[place])}".rstrip()
    wide = len(counts[0])
    yield f"{'':>{_GUTTER}} └{'─' * wide}"
    low, high = (f"{end:.4g}" for end in across)
    yield f"{'':>{_GUTTER + 2}}{low}{picture['x']:^{wide - len(low) - len(high)}}{high}"


def _shade(count: int, most: int) -> str:
    """Return a letter that is darker for more rows, by the logarithm."""
    return _SHADES[0] if count == 0 else _SHADES[1 + math.floor((len(_SHADES) - 2) * math.log(count) / max(math.log(most), 1e-9))]
