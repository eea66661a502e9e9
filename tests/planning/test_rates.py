"""Rates: any kind of work is timed when first asked for, and kept."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dsketch.matrix.rows import Block
from dsketch.passes import Gradient
from dsketch.passes.base import Part
from dsketch.planning import rates
from dsketch.planning.price import Workload, price_passes, price_works, rate
from dsketch.planning.work import GRADIENT, GRAM, NORMAL, TRIANGLE, WHITENED_GRAM, Kind, Work, sketching_kind
from dsketch.sketch import SKETCHES
from dsketch.sketch.size import FOR_GUARDING, FOR_WHITENING


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have an empty cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rates._table.cache_clear()
    yield tmp_path / "dsketch"
    rates._table.cache_clear()


def light(name: str = "light") -> tuple[Kind, list[int]]:
    """Return a kind that costs nothing to time, and the widths at which it was."""
    widths: list[int] = []

    def sample(d: int) -> Gradient:
        widths.append(d)
        return Gradient(np.ones((d, 1)))

    return Kind(name, sample), widths


def test_a_kind_that_nobody_knows_is_measured_once_and_kept(cache: Path) -> None:
    """Nothing is priced unseen: the file has the new kind by width, and is read by the next process."""
    kind, widths = light()

    first = rates.seconds_per_gigabyte(kind, 32)
    again = rates.seconds_per_gigabyte(kind, 32)
    rates._table.cache_clear()  # as in another process
    later = rates.seconds_per_gigabyte(kind, 32)

    assert widths == list(rates.WIDTHS)
    assert first == again == later > 0
    [kept] = cache.glob("rates-3-*.json")
    assert json.loads(kept.read_text())["light/32"] == pytest.approx(first)


def test_work_is_timed_beside_as_many_as_will_run_at_once(cache: Path) -> None:
    """Each other processor does the same meanwhile, and none goes on afterwards."""
    seen: set[int] = set()

    class Seen(Gradient):
        def map(self, block: Block, part: Part | None) -> Part:
            seen.add(threading.get_ident())
            return super().map(block, part)

    before = threading.active_count()
    rates.seconds_per_gigabyte(Kind("seen", lambda d: Seen(np.ones((d, 1)))), 8)

    assert cache.exists()
    assert (len(seen) > 1) == (len(os.sched_getaffinity(0)) > 1)
    assert threading.active_count() == before


def test_what_was_measured_before_stays(cache: Path) -> None:
    """A further kind is added to a file; the numbers in it decide, whoever measured them."""
    path = rates._cache_path()
    cache.mkdir()
    path.write_text(json.dumps({f"old/{width}": 2.0 for width in rates.WIDTHS}))
    old, widths = light("old")

    rates.seconds_per_gigabyte(light()[0], 8)

    assert rates.seconds_per_gigabyte(old, 8) == pytest.approx(2.0)
    assert not widths
    assert set(json.loads(path.read_text())) == {f"{name}/{width}" for name in ("old", "light") for width in rates.WIDTHS}


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_broken_file_is_measured_anew(cache: Path, text: str) -> None:
    """What is no table of rates is as good as none."""
    cache.mkdir()
    rates._cache_path().write_text(text)

    assert rates.seconds_per_gigabyte(light()[0], 8) > 0


def test_work_of_d_flops_a_number_grows_beyond_the_widest(cache: Path) -> None:
    """Between widths the rate is interpolated, beyond the widest it grows with d where the work of a number does."""
    cache.mkdir()
    rates._cache_path().write_text(json.dumps({f"{name}/{width}": 3.0 for name in ("flat", "steep") for width in rates.WIDTHS}))
    flat, steep = (
        Kind("flat", lambda _: Gradient(np.ones((1, 1)))),
        Kind("steep", lambda _: Gradient(np.ones((1, 1))), grows=True),
    )

    assert rates.seconds_per_gigabyte(flat, 100) == pytest.approx(3.0)
    assert rates.seconds_per_gigabyte(flat, 5120) == pytest.approx(3.0)
    assert rates.seconds_per_gigabyte(steep, 5120) == pytest.approx(30.0)


def test_keys_of_kept_rates_stay() -> None:
    """Names stand in users' files: they are those of the passes, and of sketches by family and use."""
    kinds = (GRADIENT, GRAM, NORMAL, TRIANGLE, WHITENED_GRAM)

    assert [kind.name for kind in kinds] == ["gradient", "gram", "normal", "triangle", "whitened"]
    assert {sketching_kind(family).name for family in SKETCHES} == {f"sketch_{family}" for family in SKETCHES}
    assert sketching_kind("sparse_sign", FOR_WHITENING, 4).name == "sketch_sparse_sign_whitening"
    assert sketching_kind("sparse_sign", FOR_GUARDING, 2).name == "sketch_sparse_sign_guarding"
    assert sketching_kind("count_sketch", FOR_WHITENING, 4).name == "sketch_count_sketch"


def test_sparse_rows_cost_what_they_store() -> None:
    """Light passes, signs and pairs are counted by stored number, a Gram matrix at most so; besides them b, by its numbers."""
    rows = Workload(10**6, 100, 3, 10**8, 10**7, 8 * 10**8, 1, 10**9, 1e9, False, 4, nonzeros=5 * 10**6)
    gigabytes, further = 0.8, 2e6

    for kind, seconds in (
        (NORMAL, 5e6 * 4e-9),
        (sketching_kind("sparse_sign"), 5e6 * 8 * 12e-9),
        (sketching_kind("sparse_sign", FOR_GUARDING, 2), 5e6 * 2 * 12e-9),
        (sketching_kind("count_sketch"), 5e6 * 12e-9),
    ):
        assert rate(kind, rows) * gigabytes == pytest.approx(seconds + further * kind.side_seconds(0))
    assert rate(GRAM, rows) * gigabytes <= 1.001 * (5e6 * (20e-9 + 5e-9 * 5) + further * GRAM.side_seconds(0))


def test_right_hand_sides_cost_in_proportion() -> None:
    """Of 1,000 further sides a pass costs 10 times what 100 cost, whatever the width of A: b is no column of A."""
    for kind in (GRADIENT, GRAM, TRIANGLE):
        one, some, many = (
            rate(kind, Workload(10**6, 20, k, 10**8, 10**7, 160 * 10**6, 1, 10**9, 1e9, False, 4)) for k in (1, 101, 1001)
        )
        assert many - one == pytest.approx(10 * (some - one))


def test_kinds_that_share_a_reading_add_up() -> None:
    """The price of works is that of their passes, each with the rates of all its kinds."""
    rows = Workload(10**6, 100, 1, 10**8, 10**7, 8 * 10**8, 1, 10**9, 1e9, False, 4, nonzeros=5 * 10**6)
    light, signs = rate(NORMAL, rows), rate(sketching_kind("count_sketch"), rows)

    priced = price_works((Work((sketching_kind("count_sketch"), NORMAL)), Work((NORMAL,), 7)), 64, rows)

    assert priced == price_passes([(signs + light, 1), (light, 7)], 64, rows)
    assert priced.passes == 8


def test_gram_matrices_beyond_the_cache_are_priced_so() -> None:
    """Of CSR rows: a stored number costs more where the d² numbers of the product do not stay in the cache; a light pass does not."""
    assert GRAM.sparse_seconds is not None
    assert NORMAL.sparse_seconds is not None
    near, far, farther = (GRAM.sparse_seconds(1, 20.0, d) for d in (200, 2000, 20_000))
    assert near < far / 3
    assert far == farther
    assert NORMAL.sparse_seconds(1, 20.0, 200) == NORMAL.sparse_seconds(1, 20.0, 2000)
