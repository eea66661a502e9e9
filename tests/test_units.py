"""Bytes, seconds and counts as people write and read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsketch._units import format_bytes, format_count, format_seconds, parse_bytes
from dsketch.errors import SpecError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("512", 512),
        (4096, 4096),
        (2.5e9, 2_500_000_000),
        ("1e9", 10**9),
        ("1kB", 1000),
        ("1 KB", 1000),
        ("1KiB", 1024),
        ("800MB", 800_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("2g", 2 * 10**9),
        (" 3 TiB ", 3 * 2**40),
        ("1pb", 10**15),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str | int, size: int) -> None:
    """Decimal and binary prefixes, any case, with or without a space and a B."""
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "0 MB", "1 XB", "1.2.3", "nan", "inf", "GB", "1 GBs", "1e400"])
def test_other_sizes_are_refused(text: str) -> None:
    """The message has the text and how to write it."""
    with pytest.raises(SpecError, match="a size in bytes was expected; got"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (2.5e9, "2.50 GB"), (123e6, "123 MB"), (1e12, "1.00 TB"), (1e15, "1.00 PB")],
)
def test_bytes_have_three_digits(count: float, text: str) -> None:
    """Decimal units, three digits."""
    assert format_bytes(count) == text


@given(st.floats(1, 1e17))
def test_written_bytes_can_be_read(count: float) -> None:
    """What is written is read back to three digits."""
    assert math.isclose(parse_bytes(format_bytes(count)), count, rel_tol=0.006, abs_tol=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0312, "0.031 s"),
        (12.14, "12.1 s"),
        (59.9, "59.9 s"),
        (75, "1 min 15 s"),
        (3600, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (4 * 86400 + 7 * 3600, "4 d 07 h"),
        (math.inf, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """Two units at most."""
    assert format_seconds(seconds) == text


def test_durations_do_not_say_sixty_seconds() -> None:
    """Rounding carries over to the larger unit."""
    assert format_seconds(3599.7) == "1 h 00 min"
    assert "60" not in format_seconds(119.9)


def test_counts_have_separators() -> None:
    """Thousands."""
    assert format_count(1_234_567) == "1,234,567"
