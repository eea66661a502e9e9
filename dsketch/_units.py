"""Bytes, seconds and counts as people write and read them; the only place that knows "GB".

>>> parse_bytes("1.5 GiB"), format_bytes(2.5e9), format_seconds(75), format_count(1_234_567)
(1610612736, '2.50 GB', '1 min 15 s', '1,234,567')
"""

import math
import re

from dsketch.errors import SpecError

_FACTORS = {"": 1, "b": 1} | {
    f"{prefix}{tail}": base**power
    for power, prefix in enumerate("kmgtp", start=1)
    for tail, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


def parse_bytes(text: str | int | float) -> int:
    """Return the number of bytes that ``text`` names.

    Parameters
    ----------
    text : str or number
        ``"800MB"``, ``"1 GiB"``, ``"2g"`` or a plain number of bytes.

    Raises
    ------
    SpecError
        If the text is not a positive number with a known unit.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([a-z]*)\s*", str(text), flags=re.IGNORECASE)
    factor = _FACTORS.get(found[2].lower()) if found else None
    try:
        size = float(found[1]) * factor if found and factor else math.nan
    except ValueError:
        size = math.nan
    if not (size > 0 and math.isfinite(size)):
        raise SpecError(f"a size in bytes was expected; got {text!r}. Write it as 512MiB, 2GB or a number of bytes.")
    return int(size)


def format_bytes(count: float) -> str:
    """Return ``count`` bytes as text with three digits and a decimal unit (1 GB = 10⁹ bytes)."""
    if count < 1000:
        return f"{count:.0f} B"
    power = min(int(math.log10(count) / 3 + 1e-12), 5)
    return (
        f"{count / 1000**power:.3g} {' kMGTP'[power]}B"
        if count / 1000**power >= 100
        else f"{count / 1000**power:.2f} {' kMGTP'[power]}B"
    )


def format_seconds(seconds: float) -> str:
    """Return a duration as text: ``0.03 s``, ``12.1 s``, ``1 min 15 s``, ``3 h 05 min``, ``4 d 07 h``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def format_counted(count: int, one: str, many: str) -> str:
    """Return a number with its words in the right form.

    >>> format_counted(1, "target has", "targets have"), format_counted(2000, "target has", "targets have")
    ('1 target has', '2,000 targets have')
    """
    return f"{count:,} {one if count == 1 else many}"


def format_count(count: int) -> str:
    """Return an integer with thousands separators."""
    return f"{count:,}"
