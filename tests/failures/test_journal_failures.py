"""Journals on full, read-only and damaged disks, and journals of another run: refused with the reason, never half-believed."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest

import dsketch
from dsketch.events import Event, PassFinished
from tests.engine.unchained import unchain
from tests.failures.conftest import Answer
from tests.failures.data import assert_same_bits, columns, write

pytestmark = pytest.mark.timeout(60)


def filled(folder: Path) -> None:
    """Write to the file system until nothing fits."""
    with (folder / "filler").open("ab", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue


def after(number: int, action: Callable[[], object]) -> Callable[[Event], None]:
    """Return a listener that acts once a pass is recorded."""

    def tell(event: Event) -> None:
        if isinstance(event, PassFinished) and event.number == number:
            action()

    return tell


def test_full_disk(tall: tuple[str, str], undisturbed: Answer, disk: Path) -> None:
    """The pass that cannot be recorded ends the run; with space again the earlier records serve, and the bits are the same."""
    journal = disk / "journal"
    with pytest.raises(dsketch.JournalError, match=r"pass-0002.npz .* cannot be written: No space left on device\. Free space"):
        dsketch.lstsq(*tall, method="whitened", cluster="serial", journal=journal, progress=after(1, lambda: filled(disk)))
    assert sorted(path.name for path in journal.iterdir()) == ["header.json", "pass-0001.npz"]
    (disk / "filler").unlink()
    solution = dsketch.resume(journal, cluster="serial")
    assert_same_bits(solution, undisturbed("whitened"))
    assert [record.replayed for record in solution.passes] == [True, False, False]


def test_disk_that_is_full_from_the_start(tall: tuple[str, str], disk: Path) -> None:
    """A journal that cannot even begin is told before the first pass, and leaves no header that half exists."""
    filled(disk)
    seen: list[Event] = []
    with pytest.raises(dsketch.JournalError, match=r"header.json .* cannot be written"):
        dsketch.lstsq(*tall, cluster="serial", journal=disk / "journal", progress=seen.append)
    assert not seen
    assert not list(disk.glob("journal/*"))
    (disk / "filler").unlink()
    dsketch.lstsq(*tall, cluster="serial", journal=disk / "journal")


def test_disk_turns_read_only(tall: tuple[str, str], undisturbed: Answer, disk: Path) -> None:
    """A disk that goes read-only in the middle, as after an I/O error, costs no finished record."""
    journal = disk / "journal"

    def remount(mode: str) -> None:
        run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)

    with pytest.raises(dsketch.JournalError, match="cannot be written: Read-only file system"):
        dsketch.lstsq(*tall, method="tsqr", cluster="serial", journal=journal, progress=after(1, lambda: remount("ro")))
    finished = [(path.name, path.read_bytes()) for path in sorted(journal.iterdir())]
    with pytest.raises(dsketch.JournalError, match="Read-only file system"):
        dsketch.resume(journal, cluster="serial")
    assert finished == [(path.name, path.read_bytes()) for path in sorted(journal.iterdir())]
    remount("rw")
    assert_same_bits(dsketch.resume(journal, cluster="serial"), undisturbed("tsqr"))


def test_finished_journal_is_replayed_from_a_read_only_disk(tall: tuple[str, str], undisturbed: Answer, disk: Path) -> None:
    """Nothing needs to be written to replay a run that was finished."""
    dsketch.lstsq(*tall, method="tsqr", cluster="serial", journal=disk / "journal")
    run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert_same_bits(dsketch.resume(disk / "journal", cluster="serial"), undisturbed("tsqr"))


def test_folder_that_is_a_file(tall: tuple[str, str], tmp_path: Path) -> None:
    """A journal below a file, or at one, cannot be: the path is named before the first pass."""
    (tmp_path / "file").write_text("kept")
    for journal in (tmp_path / "file", tmp_path / "file" / "journal"):
        with pytest.raises(dsketch.JournalError, match=str(journal)):
            dsketch.lstsq(*tall, cluster="serial", journal=journal)
    assert (tmp_path / "file").read_text() == "kept"


# ---- journals of another run --------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> tuple[str, str]:
    """Paths of a small A and b that a test may change."""
    A, b = columns(3_000, 5)
    return write(tmp_path / "A.zarr", A, chunk_rows=500), write(tmp_path / "b.zarr", b, chunk_rows=500)


def begun(small: tuple[str, str], journal: Path) -> dsketch.Solution:
    """Run ridge to its end with a journal."""
    return dsketch.ridge(*small, 0.5, method="whitened", cluster="serial", journal=journal)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"alpha": 0.25}, "problem"),
        ({"intercept": True}, "problem"),
        ({"missing": "fill"}, "problem"),
        ({"seed": 1}, "settings"),
        ({"tol": 1e-6}, "settings"),
        ({"sketch": "gaussian"}, "settings"),
        ({"sketch_rows": 40}, "settings"),
        ({"method": "tsqr"}, "method"),
        ({"weights": np.ones(3_000)}, "data"),
    ],
)
def test_journal_of_another_request(small: tuple[str, str], tmp_path: Path, changed: dict[str, Any], word: str) -> None:
    """Whatever would change a bit of the answer makes it another run, and the error names it."""
    begun(small, tmp_path / "journal")
    asked = {"alpha": 0.5, "method": "whitened", **changed}
    with pytest.raises(dsketch.JournalError, match=f"must be of this run; its {word} is .* Use another journal"):
        dsketch.ridge(*small, cluster="serial", journal=tmp_path / "journal", **asked)


def test_two_problems_do_not_share_a_journal(small: tuple[str, str], tmp_path: Path) -> None:
    """Least squares is not ridge, even on the same data; the first run's records stay."""
    first = begun(small, tmp_path / "journal")
    with pytest.raises(dsketch.JournalError, match=r"its problem is .*ridge"):
        dsketch.lstsq(*small, method="whitened", cluster="serial", journal=tmp_path / "journal")
    assert_same_bits(dsketch.resume(tmp_path / "journal", cluster="serial"), first)


def test_journal_of_other_data(small: tuple[str, str], tmp_path: Path) -> None:
    """Another matrix of the same shape is other data; so is the same path with other rows behind it."""
    begun(small, tmp_path / "journal")
    A, _ = columns(3_000, 5)
    other = write(tmp_path / "other.zarr", A + 1, chunk_rows=500)
    with pytest.raises(dsketch.JournalError, match="its sources is"):
        dsketch.ridge(other, small[1], 0.5, method="whitened", cluster="serial", journal=tmp_path / "journal")
    shutil.rmtree(small[0])
    write(Path(small[0]), A + 1, chunk_rows=500)
    with pytest.raises(dsketch.JournalError, match="its data is"):
        dsketch.resume(tmp_path / "journal", cluster="serial")
    shutil.rmtree(small[0])
    write(Path(small[0]), A.astype("float32"), chunk_rows=500)
    with pytest.raises(dsketch.JournalError, match=r"its data is .*float64.* this run's is .*float32"):
        dsketch.resume(tmp_path / "journal", cluster="serial")
    shutil.rmtree(small[0])
    with pytest.raises(dsketch.MissingDataError, match="there is nothing"):
        dsketch.resume(tmp_path / "journal", cluster="serial")


def test_journal_of_data_in_memory(tmp_path: Path) -> None:
    """Data that lay in memory must be given again, and must be the same to the last bit."""
    A, b = columns(3_000, 5)
    first = dsketch.lstsq(A, b, method="tsqr", journal=tmp_path / "journal")
    with pytest.raises(dsketch.SpecError, match="read A, b from memory; give the problem again"):
        dsketch.resume(tmp_path / "journal")
    assert_same_bits(dsketch.resume(tmp_path / "journal", problem=dsketch.LeastSquares(A, b)), first)
    A[1_234, 2] = np.nextafter(A[1_234, 2], np.inf)
    with pytest.raises(dsketch.JournalError, match="its data is"):
        dsketch.resume(tmp_path / "journal", problem=dsketch.LeastSquares(A, b))


def test_journal_of_another_version(small: tuple[str, str], tmp_path: Path) -> None:
    """A header of another dsketch, numpy or format is refused: their bits may differ.  Here no link notices the edited header."""
    journal = tmp_path / "journal"
    begun(small, journal)
    unchain(journal)
    header = json.loads((journal / "header.json").read_text())
    for change, words in [
        ({"dsketch": "0.0.1"}, "its dsketch is '0.0.1'"),
        ({"versions": {**header["versions"], "numpy": "1.0"}}, "its versions is .*'numpy': '1.0'"),
        ({"format": 99}, "must have format 3; .* has 99"),
        ({"grid": "0"}, "its grid is '0'"),
    ]:
        (journal / "header.json").write_text(json.dumps({**header, **change}))
        with pytest.raises(dsketch.JournalError, match=words):
            dsketch.resume(journal, cluster="serial")


# ---- damage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "5", '"x"', "{}", '{"format": 1}', "\xff\xfe"])
def test_damaged_header(small: tuple[str, str], tmp_path: Path, content: str) -> None:
    """A header that cannot be believed ends resume and solve alike, with the journal's name."""
    journal = tmp_path / "journal"
    begun(small, journal)
    (journal / "header.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(dsketch.JournalError, match=str(journal)):
        dsketch.resume(journal, cluster="serial")
    with pytest.raises(dsketch.JournalError, match=str(journal)):
        begun(small, journal)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_record(small: tuple[str, str], tmp_path: Path, share: float) -> None:
    """Half a record is no record; the error says which files to delete, and doing so helps."""
    journal = tmp_path / "journal"
    wanted = begun(small, journal)
    record = journal / "pass-0002.npz"
    os.truncate(record, int(share * record.stat().st_size))
    with pytest.raises(dsketch.JournalError, match=r"record 2 of .* is damaged .* Delete pass-0002.npz and all later ones"):
        dsketch.resume(journal, cluster="serial")
    record.unlink()
    (journal / "pass-0003.npz").unlink()
    assert_same_bits(dsketch.resume(journal, cluster="serial"), wanted)


def test_flipped_bits(small: tuple[str, str], tmp_path: Path) -> None:
    """Wherever one bit of a record flips: refused, or it was a bit that carries nothing and the answer is the same."""
    journal = tmp_path / "journal"
    wanted = begun(small, journal)
    record = journal / "pass-0002.npz"
    whole = record.read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for place in rng.choice(len(whole), 60, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        record.write_bytes(damaged)
        try:
            found = dsketch.resume(journal, cluster="serial")
        except dsketch.JournalError:
            refused += 1
        else:
            assert_same_bits(found, wanted)
    assert refused > 30


def test_swapped_records(small: tuple[str, str], tmp_path: Path) -> None:
    """A whole record in the place of another is known by what it was made from."""
    journal = tmp_path / "journal"
    begun(small, journal)
    shutil.copy(journal / "pass-0001.npz", journal / "pass-0002.npz")
    with pytest.raises(dsketch.JournalError, match=r"record 2 of .* is of another pass \(triangle\)"):
        dsketch.resume(journal, cluster="serial")


def test_no_journal(tmp_path: Path) -> None:
    """Resuming nothing is told as such."""
    with pytest.raises(dsketch.JournalError, match=r"a journal was expected at .*; there is none"):
        dsketch.resume(tmp_path / "absent")
