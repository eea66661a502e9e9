"""The journal: a record is whole or absent, and of this run or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.factor import Factor
from dsketch.engine import Engine, SerialEngine, Workers
from dsketch.engine.drive import Drive
from dsketch.engine.journal import FORMAT, Journal, digest
from dsketch.errors import JournalError, SpecError
from dsketch.events import PassFinished, Tell, ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Gradient, Gram, Look, Normal, Sketching, Triangle, WhitenedGram
from dsketch.passes.base import Part, leaves
from dsketch.problems.linear.methods import METHODS
from dsketch.sketch import Gaussian, SparseSign
from dsketch.testing.known import KNOWN, tall

HEADER: dict[str, Any] = {
    "method": "gram",
    "settings": {"seed": 0},
    "data": {"A": "abc"},
    "grid": "def",
    "problem": {"problem": "lstsq"},
    "sources": {"A": None},
    "versions": {"numpy": "1"},
}


def look(pass_: Any = None) -> Look:
    """Return a look at a few rows."""
    known = tall(50, 3)
    return Look(
        pass_ or Both(Sketching(SparseSign(16, 1)), Both(Gram(), Gradient(np.ones((3, 1))))),
        Rows(ArrayMatrix(known.A), ArrayMatrix(known.b)),
    )


class Refusing(Engine):
    """An engine that must not be asked."""

    def run(self, look: Look, tell: Tell) -> Part:
        """Fail."""
        raise AssertionError(f"the {look.pass_.names()} pass was run again, for {tell}")

    def workers(self) -> Workers:
        """Describe nobody."""
        return Workers(1, 1, 10**9, "nobody")

    def close(self) -> None:
        """Do nothing."""


# ---- records ---------------------------------------------------------------------------------------------------------


def test_a_part_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    """Nested parts, with their facts; a number that was not written is absent."""
    journal, asked = Journal(tmp_path / "j"), look()
    part = SerialEngine().run(asked, ignore)

    journal.write(3, asked, part, {"seconds": 1.5})
    found, facts = journal.read(3, asked)

    assert facts["seconds"] == 1.5
    assert isinstance(found[1], tuple)
    assert all(np.array_equal(*pair) for pair in zip(leaves(part), leaves(found), strict=True))
    assert journal.read(2, asked) is None
    assert asked.pass_.finish(found)[1][1].g.shape == (3, 1)


@pytest.mark.parametrize("damage", ["truncated", "emptied", "scribbled", "other file"])
def test_a_damaged_record_is_refused(tmp_path: Path, damage: str) -> None:
    """It is named, with what to delete; it is never taken for a part."""
    journal, asked = Journal(tmp_path), look()
    journal.write(1, asked, SerialEngine().run(asked, ignore), {"seconds": 1.0})
    file = tmp_path / "pass-0001.npz"
    raw = file.read_bytes()
    file.write_bytes(
        {
            "truncated": raw[: len(raw) // 2],
            "emptied": b"",
            "scribbled": raw[:200] + bytes(64) + raw[264:],
            "other file": b"hello",
        }[damage]
    )

    with pytest.raises(JournalError, match=r"record 1 of .* is damaged .*Delete pass-0001\.npz"):
        journal.read(1, asked)


def test_a_record_of_another_pass_is_refused(tmp_path: Path) -> None:
    """The last bit of a pass's arrays belongs to it."""
    journal, x = Journal(tmp_path), np.ones((3, 1))
    asked = look(Gradient(x))
    journal.write(1, asked, SerialEngine().run(asked, ignore), {"seconds": 1.0})

    assert journal.read(1, look(Gradient(x.copy()))) is not None
    with pytest.raises(JournalError, match=r"is of another pass \(gradient\)"):
        journal.read(1, look(Gradient(np.nextafter(x, 2))))


def test_digests_tell_passes_apart() -> None:
    """Kind, parameters, nesting and every array count; equal passes have equal digests."""
    R = np.triu(np.ones((3, 3))) + 3 * np.eye(3)
    passes = [
        Gram(),
        Triangle(),
        Triangle(1),
        Gradient(np.ones((3, 1))),
        Gradient(np.ones((1, 3))),
        Normal(np.ones((3, 1))),
        Sketching(SparseSign(16, 1)),
        Sketching(SparseSign(16, 2)),
        Sketching(SparseSign(24, 1)),
        Sketching(SparseSign(16, 1, nonzeros=4)),
        Sketching(Gaussian(16, 1)),
        WhitenedGram(Factor(R).whitener),
        WhitenedGram(Factor(R + np.diag([0, 0, 1e-15])).whitener),
        Both(Gram(), Triangle()),
        Both(Triangle(), Gram()),
    ]

    assert len({digest(look(pass_)) for pass_ in passes}) == len(passes)
    assert digest(look(WhitenedGram(Factor(R).whitener))) == digest(look(WhitenedGram(Factor(R.copy()).whitener)))


# ---- headers ---------------------------------------------------------------------------------------------------------


def test_header_is_written_once_and_compared_afterwards(tmp_path: Path) -> None:
    """The same run may begin again; a difference is named with both values and changes nothing."""
    journal = Journal(tmp_path / "new" / "folder")
    assert journal.header() is None
    journal.begin(HEADER)
    journal.begin(HEADER)

    with pytest.raises(JournalError, match=r"its method is 'gram', this run's is 'tsqr'"):
        journal.begin(HEADER | {"method": "tsqr"})
    assert journal.header() == {"format": FORMAT, **HEADER}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "must be JSON"),
        (b"[]", "must have format"),
        (b'{"format": 0}', "must have format 3"),
        (b'{"format": 1}', "has 1. Finish it with the version that began it"),
    ],
)
def test_a_foreign_header_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    """What is no header of ours is named."""
    (tmp_path / "header.json").write_bytes(raw)

    with pytest.raises(JournalError, match=words):
        Journal(tmp_path).header()


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A journal is a folder; the message names the path and that the run can be resumed."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "file").begin(HEADER)


def test_nothing_unfinished_is_left(tmp_path: Path) -> None:
    """After a write only the finished record is there."""
    journal, asked = Journal(tmp_path), look()
    journal.begin(HEADER)
    journal.write(1, asked, SerialEngine().run(asked, ignore), {"seconds": 1.0})

    assert sorted(file.name for file in tmp_path.iterdir()) == ["header.json", "pass-0001.npz"]
    json.loads((tmp_path / "header.json").read_text())


def test_a_journal_in_an_object_store() -> None:
    """A URL works like a folder (fsspec's memory store)."""
    pytest.importorskip("fsspec")
    journal, asked = Journal("memory://runs/one"), look()
    journal.begin(HEADER)
    journal.write(1, asked, SerialEngine().run(asked, ignore), {"seconds": 1.0})

    assert Journal("memory://runs/one").header() == {"format": FORMAT, **HEADER}
    assert Journal("memory://runs/one").read(1, asked) is not None
    assert Journal("memory://runs/one").read(2, asked) is None


# ---- replay ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_finished_run_is_replayed_without_reading(tmp_path: Path, method: str) -> None:
    """All passes come from the journal; x and the certificate have the same bits; the ledger says so."""
    known = KNOWN["condition 1e10"]()
    problem = ds.LeastSquares(known.A, known.b)
    first = ds.solve(problem, method=method, journal=tmp_path, cluster="serial")
    events: list[Any] = []

    again = ds.resume(tmp_path, problem=problem, cluster=Refusing(), progress=events.append)

    assert np.array_equal(again.x, first.x)
    assert np.array_equal(again.certificate.backward_error, first.certificate.backward_error)
    assert (again.method, again.notes, again.status) == (first.method, first.notes, first.status)
    assert all(record.replayed for record in again.passes)
    assert not any(record.replayed for record in first.passes)
    assert [event.replayed for event in events if isinstance(event, PassFinished)] == [True] * len(first.passes)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_run_cut_after_any_pass_has_the_same_bits(tmp_path: Path, method: str) -> None:
    """Take away the last records, all but j of them for some j: resume reads what is missing and ends at the same bits."""
    known = KNOWN["condition 1e10"]()
    problem = ds.LeastSquares(known.A, known.b)
    first = ds.solve(problem, method=method, journal=tmp_path, cluster="serial")
    count = len(first.passes)

    for kept in sorted({0, 1, count // 2, count - 1}, reverse=True):
        for number in range(kept + 1, count + 1):
            (tmp_path / f"pass-{number:04d}.npz").unlink()

        again = ds.resume(tmp_path, problem=problem, cluster="serial")

        assert np.array_equal(again.x, first.x)
        assert [record.replayed for record in again.passes] == [True] * kept + [False] * (count - kept)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seed": 1}, "settings"),
        ({"tol": 1e-3}, "settings"),
        ({"method": "tsqr"}, "method"),
        ({"sketch": "gaussian"}, "settings"),
    ],
)
def test_another_spec_is_refused(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    """The journal of one run is not another's, and the message names what differs."""
    known = tall(200, 4)
    ds.lstsq(known.A, known.b, method="gram", journal=tmp_path)

    with pytest.raises(JournalError, match=f"must be of this run; its {word} is"):
        ds.lstsq(known.A, known.b, **({"method": "gram"} | change), journal=tmp_path)


def test_other_data_are_refused(tmp_path: Path) -> None:
    """One changed value of A or b, another problem, or other weights."""
    known = tall(200, 4)
    ds.lstsq(known.A, known.b, method="gram", journal=tmp_path)
    other = known.A.copy()
    other[77, 1] += 1e-9

    for A, b, options in ((other, known.b, {}), (known.A, known.b + 1, {}), (known.A, known.b, {"weights": np.ones(200)})):
        with pytest.raises(JournalError, match=r"its (data|sources) is"):
            ds.lstsq(A, b, method="gram", journal=tmp_path, **options)
    with pytest.raises(JournalError, match="its problem is"):
        ds.ridge(known.A, known.b, 1.0, method="gram", journal=tmp_path)


def test_data_from_memory_must_be_given_again(tmp_path: Path) -> None:
    """A journal cannot hold A; the message says what to pass."""
    known = tall(200, 4)
    ds.lstsq(known.A, known.b, journal=tmp_path)

    with pytest.raises(SpecError, match=r"the run read A, b from memory"):
        ds.resume(tmp_path)


def test_stored_data_are_found_again(tmp_path: Path, stored: Any) -> None:
    """With paths the journal alone is enough, options of the problem included."""
    known = tall(200, 4)
    A, b, w = stored("A", known.A, 64), stored("b", known.b), stored("w", np.arange(1.0, 201.0))
    first = ds.ridge(A, b, 2.0, weights=w, intercept=True, journal=tmp_path / "j")

    again = ds.resume(tmp_path / "j")

    assert np.array_equal(again.x, first.x)
    assert all(record.replayed for record in again.passes)


def test_no_journal_is_said(tmp_path: Path) -> None:
    """Resuming what never began names the place."""
    with pytest.raises(JournalError, match=r"a journal was expected at .*nothing; there is none"):
        ds.resume(tmp_path / "nothing")


def test_drive_keeps_a_ledger() -> None:
    """Every pass is told, counted and timed, in order."""
    events: list[Any] = []
    known = tall(200, 4)
    problem = ds.LeastSquares(known.A, known.b)
    drive = Drive(SerialEngine(), events.append)

    drive.run(problem.gradient(np.zeros((4, 1))))
    drive.run(problem.normal(np.zeros((4, 1))))

    assert [(record.number, record.kind, record.read_bytes) for record in drive.passes] == [
        (1, "gradient", problem.rows.nbytes),
        (2, "normal", problem.rows.nbytes),
    ]
    assert [type(event).__name__ for event in events] == ["PassStarted", "Progress", "PassFinished"] * 2
    assert drive.passes[0].gigabytes_per_second > 0
