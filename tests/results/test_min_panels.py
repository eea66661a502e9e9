"""Small panels: as many as were asked for, the bits of any engine, audits that read less, journals of another grid refused."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

import dsketch as ds
from dsketch.engine.journal import Journal
from dsketch.engine.panels import panels_of, refine_panels, tasks_of
from dsketch.errors import JournalError, SpecError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.base import leaves
from tests.results.forging import change_panel, forge

RNG = np.random.default_rng(11)
N, D = 4003, 5
A, B = RNG.standard_normal((N, D)), RNG.standard_normal(N)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Places of A and b, raw in chunks of 1,000 rows and packed in chunks of 50."""
    folder = tmp_path_factory.mktemp("data")
    for name, chunk, codec in (("raw", 1000, None), ("packed", 50, "auto")):
        zarr.create_array(str(folder / name), data=A, chunks=(chunk, D), compressors=codec)
    zarr.create_array(str(folder / "b"), data=B, chunks=(1000,))
    return {name: str(folder / name) for name in ("raw", "packed", "b")}


@pytest.mark.parametrize("least", [1, 2, 3, 7, 64, 100, 4096, 10**6])
@pytest.mark.parametrize("kind", ["memory", "raw", "packed"])
def test_panels_are_as_many_as_pieces_allow(stored: dict[str, str], kind: str, least: int) -> None:
    """A power of two, at least what was asked for, up to 4,096 or the pieces; all rows once; edges where a piece ends."""
    matrix = ArrayMatrix(A) if kind == "memory" else open_matrix(stored[kind])
    unit = 50 if kind == "packed" else 1
    panels = panels_of(refine_panels(Rows(matrix, ArrayMatrix(B[:, None])), least))
    edges = np.unique(np.concatenate([*panels]))

    assert len(panels) & (len(panels) - 1) == 0
    assert len(panels) >= min(least, 4096, (-(-N // unit) + 1) // 2)
    assert (edges[0], edges[-1]) == (0, N)
    assert all(before[-1] == after[0] for before, after in itertools.pairwise(panels))
    assert not np.any(edges[:-1] % unit)


def test_large_panels_keep_small_blocks() -> None:
    """Where panels are still larger than blocks, blocks stay as small as they were, and tasks as few."""
    rows = Rows(ArrayMatrix(np.zeros((3_000_000, 11))))  # 264 MB: 4 panels, blocks of 32 MB
    fine = refine_panels(rows, 8)

    assert (len(panels_of(rows)), len(panels_of(fine))) == (4, 8)
    assert np.diff(fine.cuts).max() <= np.diff(rows.cuts).max()
    assert len(tasks_of(refine_panels(rows, 512), 2)) == len(tasks_of(rows, 2))


@pytest.mark.parametrize("kind", ["raw", "packed"])
def test_workers_have_the_bits_of_one_process(stored: dict[str, str], kind: str, tmp_path: Path) -> None:
    """The sums of all passes, and x."""
    places = stored[kind], stored["b"]
    alone = ds.lstsq(*places, min_panels=64, journal=tmp_path / "alone", cluster="serial")
    workers = ds.lstsq(*places, min_panels=64, journal=tmp_path / "workers", workers=2)

    assert_array_equal(workers.x, alone.x)
    sums = [[leaves(record.part) for _, record in Journal(tmp_path / name).records()] for name in ("workers", "alone")]
    assert len(sums[0]) == len(sums[1]) == len(alone.passes)
    for mine, theirs in zip(*sums, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert_array_equal(one, other)
    assert_array_equal(ds.resume(tmp_path / "workers").x, alone.x)
    assert np.abs(alone.x - np.linalg.lstsq(A, B, rcond=None)[0]).max() < 1e-12


def test_fifty_panels_are_a_twentieth_of_two_passes(stored: dict[str, str], tmp_path: Path) -> None:
    """512 of them, whatever the size; a false one is named; steps are replayed without data too."""
    ds.ridge(stored["raw"], stored["b"], 0.5, method="cholesky", min_panels=512, journal=tmp_path / "run")
    found = ds.audit(tmp_path / "run", panels=50)

    assert (found.is_clean, found.is_replayed, found.drawn, found.panels) == (True, True, 50, 1024)
    assert found.read_bytes <= 0.05 * found.solve_bytes
    assert ds.audit(tmp_path / "run").is_replayed
    forge(tmp_path / "run", 2, change_panel(300))
    assert [(fault.record, fault.panel) for fault in ds.audit(tmp_path / "run", panels=1024).faults] == [(2, 300)]


def test_a_journal_keeps_its_panels(stored: dict[str, str], tmp_path: Path) -> None:
    """Another number is another run."""
    ds.lstsq(stored["raw"], stored["b"], min_panels=64, journal=tmp_path / "run")
    with pytest.raises(JournalError, match="its settings is"):
        ds.lstsq(stored["raw"], stored["b"], min_panels=128, journal=tmp_path / "run")


def test_a_journal_of_before_has_no_such_setting(stored: dict[str, str], tmp_path: Path) -> None:
    """It goes on as a run of usual panels, and of no others."""
    x = ds.lstsq(stored["raw"], stored["b"], journal=tmp_path / "run").x
    header = json.loads((tmp_path / "run" / "header.json").read_text())
    del header["settings"]["min_panels"]
    (tmp_path / "run" / "header.json").write_text(json.dumps(header))
    for record in (tmp_path / "run").glob("*.npz"):
        record.unlink()  # they hold the digest of the header
    (tmp_path / "run" / "receipt.json").unlink()
    with pytest.raises(JournalError, match="its settings is"):
        ds.lstsq(stored["raw"], stored["b"], min_panels=2, journal=tmp_path / "run")
    assert_array_equal(ds.resume(tmp_path / "run").x, x)


@pytest.mark.parametrize(
    ("name", "given"),
    [("min_panels", 4097), *itertools.product(("min_panels", "max_passes"), (0, -1, 2.5, "many", True))],
)
def test_what_is_no_such_number_is_refused(name: str, given: Any) -> None:
    """With the bounds and what was given."""
    with pytest.raises(SpecError, match=rf"{name} must be an integer .* got {given!r}"):
        ds.lstsq(A, B, **{name: given})


def test_a_plan_says_how_many_there_are(stored: dict[str, str]) -> None:
    """And why there are no more."""
    text = str(ds.plan(ds.LeastSquares(stored["packed"], stored["b"]), min_panels=512))
    assert "min_panels=512: 64 panels" in text
    assert "no more pieces that are read by themselves" in text
    assert "512 panels of" in str(ds.plan(ds.LeastSquares(stored["raw"], stored["b"]), min_panels=512))
