"""Coresets: what is stored, that regressions on it are right, that it is there whole or not at all, and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from tests.command_line import found, good, run
from tests.problems.leverage.test_sampled import D, N, data, excess


@pytest.fixture
def paths(stored: Callable[..., str]) -> tuple[str, str]:
    """A, with names, and b in Zarr."""
    A, b = data()
    A_path = stored("A", A, 500)
    zarr.open_array(A_path).attrs["columns"] = [f"c{column}" for column in range(D)]
    return A_path, stored("b", b, 700)


def draw(*given: Any, **options: Any) -> ds.Coreset:
    """Return a coreset drawn in this process."""
    return ds.coreset(*given, cluster="serial", progress=False, **options)


@pytest.mark.parametrize("method", ["exact", "sketched"])
def test_regressions_on_it_are_those_on_its_rows(paths: tuple[str, str], tmp_path: Path, method: str) -> None:
    """A's own rows with their numbers; least squares on them is the sampled answer, and within ε."""
    A, b = data()
    few = draw(*paths, tmp_path / "few.zarr", epsilon=0.2, method=method, seed=4)

    solved = ds.lstsq(few.A, few.b, weights=few.weights, progress=False)
    sampled = ds.solve(ds.SampledLeastSquares(*paths, epsilon=0.2), method=method, seed=4, cluster="serial", progress=False)

    rows = few.rows[...]
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(few.A[...], A[rows])
    assert np.array_equal(few.b[...], b[rows])
    np.testing.assert_allclose(solved.x, sampled.x, rtol=1e-10)
    assert excess(A, b, solved.x)[0] <= 0.2
    assert solved.names == tuple(f"c{column}" for column in range(D))
    assert few.weights[...].sum() == pytest.approx(N, rel=0.5)
    assert few.method == method


def test_ridge_weights_intercept_and_sides(tmp_path: Path) -> None:
    """Weights go into the counts, the intercept's ones stay out, sides stay beside each other, and ridge has the same alpha."""
    A, b = data(sides=3)
    w = np.random.default_rng(0).integers(0, 3, N).astype(float)

    few = draw(A, b, tmp_path / "few.zarr", weights=w, intercept=True, alpha=50.0, epsilon=0.2)
    solved = ds.ridge(few.A, few.b, 50.0, weights=few.weights, intercept=True, progress=False)

    assert few.A.shape[1] == D
    assert few.b.shape == (few.A.shape[0], 3)
    assert (w[few.rows[...]] > 0).all()
    judged = ds.check(
        ds.SampledLeastSquares(A, b, weights=w, intercept=True, alpha=50.0), solved.x, cluster="serial", progress=False
    )
    assert judged.excess.max() <= 0.2


def test_it_replaces_only_what_it_may(paths: tuple[str, str], tmp_path: Path) -> None:
    """A free path or ``overwrite``, never the data, never a file that is none of ours, no NumPy file; found before the first pass."""
    out = tmp_path / "few.zarr"
    draw(*paths, out)
    with pytest.raises(ds.DataError, match="exists"):
        draw(*paths, out, seed=1)
    before = zarr.open_array(out / "rows")[...]
    again = draw(*paths, out, seed=1, overwrite=True)
    assert not np.array_equal(before, again.rows[...])
    for place in (paths[0], f"{paths[0]}/inner", str(tmp_path)):
        with pytest.raises((ds.SpecError, ds.DataError)):
            draw(*paths, place, overwrite=True)
    with pytest.raises(ds.SpecError, match="Zarr group"):
        draw(*paths, tmp_path / "few.npy")
    assert zarr.open_array(paths[0]).shape == (N, D)


def test_it_is_there_whole_or_not_at_all(paths: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails at the last array leaves what was there before, and nothing beside it."""
    out, whole = tmp_path / "few.zarr", zarr.Group.create_array
    draw(*paths, out)
    before = zarr.open_array(out / "rows")[...]

    def fail(self: zarr.Group, name: str, **options: Any) -> Any:
        if name == "A":
            raise OSError(28, "No space left on device")
        return whole(self, name, **options)

    monkeypatch.setattr(zarr.Group, "create_array", fail)
    with pytest.raises(ds.DataError, match="No space left"):
        draw(*paths, out, seed=1, overwrite=True)

    assert np.array_equal(zarr.open_array(out / "rows")[...], before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.zarr", "b.zarr", "few.zarr"]


def test_behind_a_url_each_array_is_complete(paths: tuple[str, str]) -> None:
    """In an object store the arrays are marked when they are whole, A last."""
    pytest.importorskip("fsspec")
    few = draw(*paths, "memory://few/coreset.zarr", seed=2)

    x = ds.lstsq(few.A, few.b, weights=few.weights, progress=False).x
    assert excess(*data(), x)[0] <= 0.1
    with pytest.raises(ds.DataError, match="exists"):
        draw(*paths, "memory://few/coreset.zarr", seed=2)


@pytest.mark.cluster
def test_workers_draw_the_same(paths: tuple[str, str], tmp_path: Path, client: Any) -> None:
    """Two workers draw the bits that this process draws."""
    ours = draw(*paths, tmp_path / "ours.zarr", seed=5)
    theirs = ds.coreset(*paths, tmp_path / "theirs.zarr", seed=5, cluster=client, progress=False)

    for name in ("A", "b", "weights", "rows"):
        assert np.array_equal(getattr(ours, name)[...], getattr(theirs, name)[...])


def test_the_command_line_draws_and_solves(paths: tuple[str, str], tmp_path: Path) -> None:
    """``dsketch coreset`` writes what ``dsketch solve lstsq`` reads; facts as text and as JSON; mistakes exit with 2."""
    out = tmp_path / "few.zarr"
    said = good("coreset", *paths, out, "--epsilon", 0.3, "--seed", 7)
    told = found("coreset", *paths, out, "--epsilon", 0.3, "--seed", 7, "--overwrite")

    assert f"rows        {told['rows']} of 4,000 drawn" in said.stdout
    assert "modelled" in said.stderr
    assert told["columns"] == D
    x = found("solve", "lstsq", out / "A", out / "b", "--weights", out / "weights")["x"]
    assert excess(*data(), np.array(x))[0] <= 0.3
    assert run("coreset", *paths, out).exit_code == 2
    assert run("coreset", *paths, tmp_path / "other.zarr", "--epsilon", 2).exit_code == 2
    assert not (tmp_path / "other.zarr").exists()


def test_sampled_answers_on_the_command_line(paths: tuple[str, str], tmp_path: Path) -> None:
    """solve, check and predict: a stored x predicts without the data; 1 + ε is told."""
    out = tmp_path / "x.zarr"
    said = good("solve", "sampled-lstsq", *paths, "--epsilon", 0.2, "--out", out)
    assert "0.2 was allowed" in said.stdout
    assert "above       the least residual²" in good("check", "sampled-lstsq", *paths, out, "--epsilon", 0.2).stdout
    assert run("check", "sampled-lstsq", *paths, out, "--epsilon", 1e-9).exit_code == 1
    for path in paths:
        Path(path).rename(f"{path}.away")
    A = np.eye(D)
    x = zarr.open_array(out, mode="r")[...]
    np.testing.assert_array_equal(ds.predict(out, A, progress=False), x)
