"""Pictures of residuals in letters."""

import math
from collections.abc import Iterator
from typing import Any

_SHADES = " .:-=+*#%@"  # from no row to the most of a hexagon
_GUTTER = 11
_WIDE = 2  # letters of a hexagon: about as wide as a line is high, and odd lines can stand between two of the next


def residuals_text(found: dict[str, Any]) -> str:
    """Return the pictures of the service, the largest residuals on top, darker where more rows are; the lines of 0 are marked."""
    head = f"{found['kind']} residuals of {found['rows']:,} of {found['of']:,} rows"
    return "\n".join([head, *(line for picture in found["pictures"] for line in _picture_lines(picture))])


def _picture_lines(picture: dict[str, Any]) -> Iterator[str]:
    (across, up), top = picture["ends"], picture["lines"]
    wide = _WIDE * (picture["columns"] + 1)
    most = max((count for _, _, count in picture["hexagons"]), default=1)
    drawn = [[" "] * wide for _ in range(top + 1)]
    for column, line, count in picture["hexagons"]:
        start = _WIDE * column + line % 2
        drawn[line][start : start + _WIDE] = _shade(count, most) * _WIDE
    said = {**({_line_of_zero(up, top): "0"} if up[0] < 0 < up[1] else {}), 0: f"{up[0]:.4g}", top: f"{up[1]:.4g}"}
    yield ""
    for line in reversed(range(top + 1)):
        yield f"{said.get(line, ''):>{_GUTTER}} │{''.join(drawn[line])}".rstrip()
    yield f"{'':>{_GUTTER}} └{'─' * wide}"
    low, high = (f"{end:.4g}" for end in across)
    yield f"{'':>{_GUTTER + 2}}{low}{picture['x']:^{wide - len(low) - len(high)}}{high}"
    yield f"{'':>{_GUTTER + 2}}rows in a hexagon: {_shade(1, most)} 1{f', {_shade(most, most)} {most:,}' if most > 1 else ''}"


def _line_of_zero(up: list[float], lines: int) -> int:
    """Return which line a residual of 0 lies on; halves, as the difference of the ends may be beyond floats."""
    return round(-up[0] / 2 / (up[1] / 2 - up[0] / 2) * lines)


def _shade(count: int, most: int) -> str:
    """Return a letter that is darker for more rows, by the logarithm."""
    return _SHADES[1 + math.floor((len(_SHADES) - 2) * math.log(count) / max(math.log(most), 1e-9))]
