"""Causal attention with powers for weights: past the first step and the first block, on workers, resumed."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from distributed import Client

import dsketch as ds
from tests.problems.attention.dense import data

OPTIONS = {"kind": "polynomial", "degree": 4, "causal": True, "method": "features", "progress": False}


@pytest.mark.parametrize("more", [0, 1, 3000])
def test_rows_of_any_step_see_their_own_past(more: int) -> None:
    """Blocks of two steps each, 40,000 rows of Q, as many rows of K and some more: rows at every edge are those of their own sums."""
    Q, K, V = data(40_000, 40_000 + more, 2, 2)

    found = ds.attention(Q, K, V, cluster="serial", **OPTIONS)

    assert found.status is ds.Status.SOLVED
    for i in (0, 1, 511, 512, 1023, 1024, 1535, 1536, 20_000, 39_999):
        weights = (K[: i + more + 1] @ Q[i]) ** 4
        exact = weights @ V[: i + more + 1] / weights.sum()
        assert np.abs(found.x[i] - exact).max() <= float(found.certificate.forward_error.max()) * np.abs(V).max()


@pytest.mark.cluster
def test_workers_write_the_bits_of_one_process(tmp_path: Path, client: Client) -> None:
    """Stored in chunks that are no blocks, raw and compressed; a run of which one record is left goes on to the same bits."""
    arrays = data(1300, 1500, 5, 4)
    here = ds.attention(*arrays, cluster="serial", heads=1, **OPTIONS)
    for kind, compressors in (("raw", None), ("compressed", "auto")):
        places = [str(tmp_path / f"{kind}-{name}") for name in "QKV"]
        for place, A in zip(places, arrays, strict=True):
            zarr.create_array(store=place, data=A, chunks=(200, A.shape[1]), compressors=compressors)
        journal, out = tmp_path / f"{kind}-journal", tmp_path / f"{kind}-Y"

        found = ds.attention(*places, out, cluster=client, journal=journal, **OPTIONS)
        for record in sorted(journal.glob("pass-*.npz"))[1:]:
            record.unlink()
        again = ds.resume(journal, cluster="serial", progress=False)

        assert zarr.open_array(out, mode="r")[...].tobytes() == here.x.tobytes()
        assert np.asarray(again.x[...]).tobytes() == here.x.tobytes()
        assert found.certificate.forward_error.tobytes() == here.certificate.forward_error.tobytes()


def test_a_row_orthogonal_to_its_past_is_named() -> None:
    """Row 3 has weights of keys that come later alone."""
    Q, K, V = data(20, 20, 2, 1)
    K[:5], Q[3] = [[0.0, 1.0]] * 5, [1.0, 0.0]

    with pytest.raises(ds.DataError, match="all weights of row 3 are 0"):
        ds.attention(Q, K, V, cluster="serial", **OPTIONS)


def test_a_row_that_features_round_away_is_named() -> None:
    """In the second step, of which features are a part; the first row, whose only key is nearly orthogonal to it, has its tile."""
    Q, K, V = data(1200, 1200, 2, 1)
    K[:, 1] *= 1e-4
    Q[0], Q[700] = [-K[0, 1], K[0, 0]], [0.0, 1.0]
    Q[0, 0] += 1e-6

    found = ds.attention(Q, K, V, cluster="serial", **OPTIONS)

    assert found.status is ds.Status.NOT_SOLVED
    assert "row 700 of Q is nearly orthogonal" in found.notes[0]
