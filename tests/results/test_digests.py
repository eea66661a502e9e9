"""How parts are digested: a symmetric one by its triangle, and yet every bit counts; records of before are read as they were made."""

from pathlib import Path

import numpy as np
import pytest

import dsketch as ds
from dsketch.engine.record import Record, unpack_record
from dsketch.passes.digests import DIGESTS, digest_part
from dsketch.passes.gram import Gram
from dsketch.passes.sealed import Sealed
from tests.results.forging import forge, read_facts

D = 150  # more than one strip of a triangle
EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(11)
A, B = RNG.standard_normal((3000, D)), RNG.standard_normal(3000)


@pytest.mark.parametrize("kind", [2, DIGESTS])
@pytest.mark.parametrize("shape", [(D, D), (3, D, D)])
def test_every_bit_of_a_symmetric_part_counts(shape: tuple[int, ...], kind: int) -> None:
    """One flipped bit, in whichever half: 1,000 of 1,000 have a digest of their own."""
    square = RNG.standard_normal(shape)
    part = square + square.swapaxes(-1, -2), RNG.standard_normal((D, 1))
    whole, seen = digest_part(part, kind), set[bytes]()
    for _ in range(1000):
        changed = tuple(array.copy() for array in part)
        raw = changed[int(RNG.random() < 0.1)].view(np.uint8).reshape(-1)
        place, bit = int(RNG.integers(raw.size)), int(RNG.integers(8))
        raw[place] ^= np.uint8(1 << bit)
        seen.add(digest_part(changed, kind))
    assert whole not in seen
    assert len(seen) >= 990  # of 200,000 places and more, 1,000 drawn with replacement: 8 pairs alike are expected at most


def test_symmetric_to_the_last_bit_means_bits() -> None:
    """Zeros of two signs are equal numbers and other bits; a transposed part that is not symmetric is another part."""
    zeros, other = np.zeros((D, D)), RNG.standard_normal((D, D))
    signed = zeros.copy()
    signed[0, -1] = -0.0

    assert digest_part((zeros,)) != digest_part((signed,)) != digest_part((signed.T.copy(),))
    assert digest_part((other,)) != digest_part((other.T.copy(),))
    assert digest_part((other,), 2) == digest_part((other,), 1)
    assert digest_part((zeros,), 2) != digest_part((zeros,), 1)
    with pytest.raises(ValueError, match="kinds 1 to 4 are known"):
        digest_part((zeros,), DIGESTS + 1)


def test_small_arrays_do_not_run_together() -> None:
    """Numbers that pass from one array of a part to the next, or lie in another shape or type, make another part."""
    numbers = RNG.standard_normal(6)
    parts = [
        (numbers,),
        (numbers[:2], numbers[2:]),
        (numbers[:3], numbers[3:]),
        (numbers.reshape(2, 3),),
        (numbers.view(np.int64),),
    ]
    for kind in range(1, DIGESTS + 1):
        assert len({digest_part(part, kind) for part in parts}) == len(parts)


def test_sums_with_signs_are_exact_up_to_rounding() -> None:
    """For lengths on both sides of a run, against sums of exact fractions of two terms' worth more digits."""
    sealed = Sealed(Gram(), 5)
    for d in (1, 7, 8, 9, D):
        part = RNG.standard_normal((d, d)), RNG.standard_normal((d, 1)), RNG.standard_normal((1, 1))
        ones = Sealed(Gram(), 5).weigh(tuple(np.ones_like(array) for array in part))

        found = sealed.weigh(part)

        np.testing.assert_array_less(np.abs(found[:, 0]), found[:, 1] * (1 + 128 * EPS))
        np.testing.assert_allclose(found[:, 1], [np.abs(array.astype(np.longdouble)).sum() for array in part], rtol=128 * EPS)
        assert all(float(total).is_integer() for total in ones[:, 0])  # a sum of signs
        np.testing.assert_array_equal(ones[:, 1], [array.size for array in part])


@pytest.mark.parametrize("kind", range(1, DIGESTS))
def test_a_record_of_before_is_read_resumed_and_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    """Digests and sums with signs are of the kind that its record says; what is written after it has the new ones."""
    problem = ds.Ridge(A, B, alpha=0.5)
    with monkeypatch.context() as before:
        before.setattr("dsketch.engine.drive.DIGESTS", kind)
        before.setattr("dsketch.engine.record.DIGESTS", kind)
        wanted = ds.solve(problem, method="gram", journal=tmp_path).x
    records = sorted(tmp_path.glob("pass-*.npz"))
    records[-1].unlink()

    np.testing.assert_array_equal(ds.resume(tmp_path, problem=problem).x, wanted)

    assert [read_facts(path)["digests"] for path in records] == [kind] * (len(records) - 1) + [DIGESTS]
    found = ds.audit(tmp_path, data=problem, panels=50)
    assert found.is_clean, found.faults
    assert found.drawn == found.panels >= 2


def test_a_record_of_a_newer_version_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told to delete what only a newer version can read."""
    problem = ds.Ridge(A, B, alpha=0.5)
    with monkeypatch.context() as later:
        for place in ("engine.drive", "engine.record", "passes.digests"):
            later.setattr(f"dsketch.{place}.DIGESTS", DIGESTS + 1)
        ds.solve(problem, method="gram", journal=tmp_path)

    with pytest.raises(ds.JournalError, match=r"record 1 of .* was made by a newer version .*kind 5") as refused:
        ds.resume(tmp_path, problem=problem)
    assert "delete" not in str(refused.value).lower()


@pytest.mark.parametrize("d", [2, 20, D])
def test_one_false_number_always_shows_in_the_sum_with_signs(d: int) -> None:
    """Wherever it is, in arrays that are weighed together or run by run: by as much as it is off."""
    sealed, part = Sealed(Gram(), 9), (RNG.standard_normal((d, d)), RNG.standard_normal((d, 1)), RNG.standard_normal(1))
    true = sealed.weigh(part)
    for place, array in enumerate(part):
        for number in {0, array.size // 2, array.size - 1}:
            false = tuple(one.copy() for one in part)
            false[place].flat[number] += 1.0

            off = np.abs(sealed.weigh(false)[:, 0] - true[:, 0])

            np.testing.assert_allclose(off, np.arange(3) == place, atol=64 * EPS * true[:, 1].max())


def test_signs_of_a_sum_are_as_often_minus_as_plus() -> None:
    """Of 64 errors of 1 in random places, at seeds that are not chosen: the sums they come to are not all alike."""
    part = np.zeros((D, D)), np.zeros((D, 1)), np.zeros(1)
    part[0].flat[RNG.choice(D * D, 64, replace=False)] = 1.0
    assert len({float(Sealed(Gram(), seed).weigh(part)[0, 0]) for seed in range(40)}) > 5


def test_a_forged_half_that_is_not_digested_is_named(tmp_path: Path) -> None:
    """An entry above the diagonal, changed with all digests right again: the record is not the sum of its panels."""
    ds.solve(ds.Ridge(A, B, alpha=0.5), method="cholesky", journal=tmp_path)

    def change(record: Record) -> Record:
        gram, *others = record.part
        gram = gram.copy()
        gram[0, -1] *= 1 + 1e-6
        return record._replace(part=(gram, *others))

    forge(tmp_path, 1, change)

    assert unpack_record((tmp_path / "pass-0001.npz").read_bytes()).facts["digests"] == DIGESTS
    assert ("sum", 1) in {(fault.where, fault.record) for fault in ds.audit(tmp_path).faults}
