"""The chain of a journal: one changed byte is found at the record that has it, and journals from before still go on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.engine.journal import Journal, seed_of
from dsketch.engine.panels import panels_of
from dsketch.engine.record import unpack_record
from dsketch.errors import JournalError
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Gradient, Gram, Look, Normal, Pass, Triangle
from dsketch.passes.digests import merkle_root
from dsketch.passes.sealed import Sealed
from dsketch.testing.recut import Recut
from tests.engine.unchained import unchain

CUTS = np.arange(0, 601, 40)
EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(3)
A, B = RNG.standard_normal((600, 4)), RNG.standard_normal((600, 1))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the journal of a run of three passes over data in memory."""
    journal = tmp_path_factory.mktemp("runs") / "run"
    ds.ridge(A, B, 0.5, method="whitened", journal=journal)
    return journal


def again(journal: Path) -> ds.Solution:
    """Go on with the run, or replay it."""
    return ds.resume(journal, problem=ds.Ridge(A, B, alpha=0.5))


def rows(pieces: int = 8) -> Rows:
    """Return rows of several blocks and panels."""
    return Rows(Recut(ArrayMatrix(A), CUTS), ArrayMatrix(B), pieces=pieces)


def test_each_record_holds_the_digest_of_the_one_before(finished: Path) -> None:
    """The first one that of the header; each the root of its panels and the digest of its sum."""
    journal = Journal(finished)

    facts = [record.facts for _, record in journal.records()]

    assert [each["previous"] for each in facts] == [journal.digest_of(number) for number in range(len(facts))]
    assert all(each["panels"] >= 1 and len(each["root"]) == len(each["part"]) == 64 for each in facts)


def test_one_flipped_byte_is_found_at_its_record(finished: Path, tmp_path: Path) -> None:
    """In any file of the journal, whichever it is: going on is refused and the file or its record is named."""
    journal = tmp_path / "run"
    shutil.copytree(finished, journal)
    rng, files = np.random.default_rng(5), sorted(path.name for path in journal.iterdir())
    for _ in range(200):
        name = files[rng.integers(len(files))]
        whole = (journal / name).read_bytes()
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        (journal / name).write_bytes(damaged)
        record = int(name[5:9]) if name.startswith("pass") else 0
        told = {"header.json": "header", "receipt.json": "receipt"}.get(name, f"record {record} of ")

        with pytest.raises(JournalError, match=told):
            again(journal)
        (journal / name).write_bytes(whole)
    again(journal)


def test_a_whole_record_of_another_run_does_not_fit(finished: Path, tmp_path: Path) -> None:
    """A record with a digest of its own that is right is not the one that the next was written after."""
    journal = tmp_path / "run"
    shutil.copytree(finished, journal)
    other = tmp_path / "other"
    ds.ridge(A, B, 0.5, method="whitened", journal=other)  # the same bits, but seconds of its own
    shutil.copy(other / "pass-0001.npz", journal / "pass-0001.npz")

    with pytest.raises(JournalError, match=r"record 1 of .* must be the one that record 2 was written after"):
        again(journal)


def test_a_journal_from_before_goes_on_to_the_same_bits(finished: Path, tmp_path: Path) -> None:
    """Records without links are taken as they are; what is written after them is linked to them."""
    journal = tmp_path / "run"
    shutil.copytree(finished, journal)
    wanted = again(journal).x
    unchain(journal)
    (journal / "pass-0003.npz").unlink()

    found = again(journal)

    np.testing.assert_array_equal(found.x, wanted)
    assert [record.replayed for record in found.passes] == [True, True, False]
    last = unpack_record((journal / "pass-0003.npz").read_bytes())
    assert last.facts["previous"] == Journal(journal).digest_of(2)
    first = bytearray((journal / "pass-0002.npz").read_bytes())
    first[len(first) // 2] ^= 1
    (journal / "pass-0002.npz").write_bytes(first)
    with pytest.raises(JournalError, match="record 2 of"):
        again(journal)


def test_what_is_written_after_a_cut_replaces_the_receipt(finished: Path, tmp_path: Path) -> None:
    """The remedy of a damaged record, to delete it and what came after, works for a finished run too."""
    journal = tmp_path / "run"
    shutil.copytree(finished, journal)
    before = ds.receipt(journal)
    (journal / "pass-0003.npz").unlink()

    wanted = again(journal)

    after = ds.receipt(journal)
    assert after.answer == before.answer
    assert after.root == Journal(journal).digest_of(3)
    np.testing.assert_array_equal(wanted.x, again(journal).x)


@pytest.mark.parametrize("pass_", [Gram(), Triangle(), Normal(np.ones((4, 1))), Both(Gram(), Gradient(np.ones((4, 1))))])
def test_a_sealed_pass_has_the_bits_of_the_pass(pass_: Pass[object]) -> None:
    """What is said of panels changes no part, and is the same for one thread and several."""
    look = Look(pass_, rows())
    sealed = Look(Sealed(pass_, 7), look.rows)

    part, panels = sealed.pass_.finish(SerialEngine(1).run(sealed, ignore))
    threaded, same = sealed.pass_.finish(SerialEngine(3).run(sealed, ignore))

    assert repr(part) == repr(SerialEngine(1).run(look, ignore)) == repr(threaded)
    assert panels.root == same.root
    assert len(panels.digests) == len(panels.sums) == len(panels_of(look.rows)) == 8


@pytest.mark.parametrize("pass_", [Gram(), Triangle(), Normal(np.ones((4, 1))), Gradient(np.ones((4, 1)))])
def test_sums_of_panels_are_the_sum_s(pass_: Pass[object]) -> None:
    """With random signs, up to rounding: one sign of one entry of the sum that is wrong shows."""
    sealed = Sealed(pass_, 7)
    part, panels = sealed.finish(SerialEngine(1).run(Look(sealed, rows()), ignore))
    told, size = panels.sums.sum(axis=0).T
    wrong = tuple(array.copy() for array in part)
    wrong[0].flat[1] *= 1.01

    assert (np.abs(sealed.weigh(part)[:, 0] - told) <= 64 * EPS * size).all()
    assert abs(sealed.weigh(wrong)[0, 0] - told[0]) > 1e6 * EPS * size[0]


def test_another_row_is_another_leaf() -> None:
    """A changed number shows in the digest of the part of its panel, and of no other; in that of the rows if it was sampled."""
    other = A.copy()
    other[0, 2] += 1e-9
    sealed = Sealed(Gram(), 0)
    _, first = sealed.finish(SerialEngine(1).run(Look(sealed, rows()), ignore))
    _, second = sealed.finish(
        SerialEngine(1).run(Look(sealed, Rows(Recut(ArrayMatrix(other), CUTS), ArrayMatrix(B), pieces=8)), ignore)
    )

    differs = (first.digests != second.digests).any(axis=2)
    assert differs.any(axis=1).tolist() == [True] + [False] * 7
    assert differs[0].all()


def test_a_root_tells_order_and_number_apart() -> None:
    """No list of leaves has the root of another, nor that of its own nodes."""
    leaves = [bytes([number]) * 32 for number in range(4)]
    inner = [merkle_root(leaves[:2]), merkle_root(leaves[2:])]

    roots = {merkle_root(case) for case in (leaves, leaves[::-1], leaves[:3], inner[:1], [*leaves, leaves[-1]])}

    assert len(roots) == 5
    assert merkle_root(inner) == merkle_root(leaves)  # why leaves are hashed with a first byte of their own


def test_where_x_goes_cannot_change_unseen(tmp_path: Path) -> None:
    """A byte of the place for x is noticed; a place that a journal from before keeps is taken."""
    journal = Journal(tmp_path)
    journal.keep_out("/data/x.zarr", overwrite=True)
    whole = (tmp_path / "out.json").read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 2
        (tmp_path / "out.json").write_bytes(damaged)
        with pytest.raises(JournalError, match=r"out\.json"):
            journal.read_out()
    (tmp_path / "out.json").write_text(json.dumps({"out": "/data/x.zarr", "overwrite": True}))
    assert journal.read_out() == ("/data/x.zarr", True)


def test_signs_depend_on_the_record_before() -> None:
    """Whoever sums cannot choose what the signs will be."""
    assert len({seed_of("a", "b"), seed_of("b", "b"), seed_of("a", "c")}) == 3
