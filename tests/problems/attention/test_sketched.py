"""Polynomial attention by a sketch of half the power: near the formula, measured, causal too, and exact where that is cheaper."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from distributed import Client

import dsketch as ds
from tests.problems.attention.dense import polynomial
from tests.problems.attention.test_polynomial import attend

each_sight = pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])


def unit(rows: int, columns: int, seed: int) -> np.ndarray:
    """Return random rows of length 1."""
    A = np.random.default_rng(seed).standard_normal((rows, columns))
    return A / np.linalg.norm(A, axis=1, keepdims=True)


@each_sight
def test_a_sketch_of_half_the_power_is_near(causal: bool) -> None:
    """Degree 4, rows of unit length: within 1/√r of the largest |v|, what a product is off by, for this seed; it says how near.

    Causal rows are the last of 3,000: most of what they see is before their tile.
    """
    Q, K, V = unit(60, 24, 0), unit(3000, 24, 1), unit(3000, 3, 2)

    found = attend(Q, K, V, 4, "sketched", sketch_rows=128, causal=causal)

    gap = np.abs(found.x - polynomial(Q, K, V, 4, causal=causal)).max(axis=0) / np.abs(V).max(axis=0)
    assert found.status is ds.Status.ESTIMATED
    assert (gap <= 128**-0.5).all()
    assert gap.max() > 1e-6  # it is a sketch
    assert np.allclose(found.certificate.forward_error, gap, rtol=1e-9)  # all 60 rows were compared
    assert found.certificate.compared == 60
    assert "over 60 rows, measured; no bound" in found.certificate.lines()[0]


@each_sight
def test_sketched_weights_are_never_below_zero(causal: bool) -> None:
    """Of values that are all at least 0 every answer is, and none is larger than the largest; another seed is another sketch."""
    Q, K, V = unit(500, 12, 3), unit(600, 12, 4), np.abs(unit(600, 2, 5))

    found, other = (attend(Q, K, V, 6, "sketched", sketch_rows=40, seed=seed, causal=causal) for seed in (0, 1))

    for each in (found, other):
        assert each.x.min() >= 0
        assert (each.x <= V.max(axis=0) * (1 + 1e-12)).all()
    assert found.certificate.compared < 500
    assert not np.array_equal(found.x, other.x)


def test_rows_of_the_first_tile_are_exact() -> None:
    """Causal: its own time is taken weight by weight; beyond, the sketch is measured over several tiles and heads."""
    Q, K, V = unit(1300, 24, 6), unit(1300, 24, 7), unit(1300, 4, 8)

    found = attend(Q, K, V, 4, "sketched", sketch_rows=30, causal=True, heads=2)

    halves = [np.split(A, 2, axis=1) for A in (Q, K, V)]
    exact = np.concatenate([polynomial(*head, 4, causal=True) for head in zip(*halves, strict=True)], axis=1)
    gap = np.abs(found.x - exact) / np.abs(V).max(axis=0)
    assert gap[:512].max() <= 1e-12
    assert gap[512:].max() > 1e-6
    assert (found.certificate.forward_error <= gap.max(axis=0) * (1 + 1e-9)).all()
    assert (found.certificate.forward_error >= 0.2 * gap.max(axis=0)).all()  # 200 of 1,300 rows are looked at


@pytest.mark.cluster
def test_workers_write_the_bits_of_one_process(tmp_path: Path, client: Client) -> None:
    """Causal, of stored chunks that are no blocks; a run of which one record is left goes on to the same bits."""
    arrays = unit(1100, 16, 0), unit(1200, 16, 1), unit(1200, 3, 2)
    options = {"kind": "polynomial", "causal": True, "method": "sketched", "sketch_rows": 24, "progress": False}
    here = ds.attention(*arrays, cluster="serial", **options)
    places = [str(tmp_path / name) for name in "QKV"]
    for place, A in zip(places, arrays, strict=True):
        zarr.create_array(store=place, data=A, chunks=(200, A.shape[1]))
    journal, out = tmp_path / "journal", tmp_path / "Y"

    found = ds.attention(*places, out, cluster=client, journal=journal, **options)
    for record in sorted(journal.glob("pass-*.npz"))[1:]:
        record.unlink()
    again = ds.resume(journal, cluster="serial", progress=False)

    assert found.status is here.status is ds.Status.ESTIMATED
    assert zarr.open_array(out, mode="r")[...].tobytes() == here.x.tobytes()
    assert np.asarray(again.x[...]).tobytes() == here.x.tobytes()
    assert found.certificate.forward_error.tobytes() == here.certificate.forward_error.tobytes()


@each_sight
@pytest.mark.parametrize(
    ("keys", "columns", "said"), [(200, 16, "the weights of 200 rows of K take fewer"), (900, 3, "15 monomials take fewer")]
)
def test_what_is_cheaper_exactly_is_exact(keys: int, columns: int, said: str, causal: bool) -> None:
    """Few rows of K: every weight; few columns: all monomials.  Plan and notes say so, and the answer is solved, not estimated."""
    Q, K, V = unit(150, columns, 0), unit(keys, columns, 1), unit(keys, 2, 2)
    problem = ds.Attention(Q, K, V, kind="polynomial", degree=4, causal=causal)

    plan = ds.plan(problem, method="sketched", sketch_rows=64, cluster="serial")
    found = ds.solve(plan, progress=False)

    assert said in " ".join(str(plan).split())
    assert said in found.notes[0]
    assert found.status is ds.Status.SOLVED
    assert np.abs(found.x - polynomial(Q, K, V, 4, causal=causal)).max() <= 1e-12
