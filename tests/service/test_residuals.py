"""Residuals of a sample of rows: those of the data, bounded, the same for the same seed, and refused in words where there are none."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from dsketch._cli import main
from dsketch.client import Client
from dsketch.errors import JobError, MissingDataError, SpecError
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.service.residuals import count_cells, draw_spans
from tests.service.running import Service, solved

pytestmark = pytest.mark.cluster
ROWS = 6_000


@pytest.fixture(scope="module")
def arrays(data: Path) -> dict[str, Any]:
    """A with names, b with a bend in the first column, three targets with gaps, and answers yes or no with an offset."""
    rng = np.random.default_rng(8)
    A = rng.standard_normal((ROWS, 3))
    b = A @ [1.0, -2.0, 0.5] + A[:, 0] ** 2 + 0.1 * rng.standard_normal(ROWS)
    several = np.stack([b, 2 * b, A[:, 1] + rng.standard_normal(ROWS)], 1)
    several[::7, 2] = np.nan
    offset = 0.5 * rng.standard_normal(ROWS)
    yes = (rng.random(ROWS) < 1 / (1 + np.exp(-A @ [1.0, 0.0, -1.0] - offset))).astype(float)
    made = {"A": A, "b": b, "several": several, "yes": yes, "offset": offset}
    for name, array in made.items():
        stored = zarr.create_array(data / f"residual-{name}.zarr", data=array, chunks=(500, *array.shape[1:]), overwrite=True)
        if name == "A":
            stored.attrs["columns"] = ["u", "v", "w"]
    return made


def fit_of(client: Client, **spec: Any) -> str:
    """Return the id of a solved job about A."""
    return solved(client, client.submit(A="residual-A.zarr", **spec))


def test_all_rows_are_counted_in_hexagons(client: Client, arrays: dict[str, Any]) -> None:
    """Where the sample is all rows, hexagons and bands hold all of them; the bend that a line cannot fit shows in the means."""
    id_ = fit_of(client, problem="lstsq", b="residual-b.zarr", intercept=True)
    found = client.residuals(id_, "u", rows=100_000)
    X = np.column_stack([arrays["A"], np.ones(ROWS)])
    fitted = X @ np.asarray(client.fetch(id_))
    left = arrays["b"] - fitted
    first, second = found["pictures"]
    assert (found["kind"], found["rows"], found["of"], first["x"], second["x"]) == ("response", ROWS, ROWS, "fitted value", "u")
    assert np.allclose(first["ends"], [[fitted.min(), fitted.max()], [left.min(), left.max()]], rtol=1e-9)
    for picture in (first, second):
        assert sum(count for _, _, count in picture["hexagons"]) == sum(picture["mean_rows"]) == picture["rows"] == ROWS
    local = count_cells("fitted value", fitted, left)
    assert np.abs(np.array(first["mean_rows"]) - local["mean_rows"]).sum() <= 4  # at an edge rounding decides
    there, here = ({(column, line): count for column, line, count in one["hexagons"]} for one in (first, local))
    assert sum(abs(there.get(at, 0) - here.get(at, 0)) for at in there | here) <= 4
    means = np.array(second["means"], float)
    assert means[0] > 1
    assert means[-1] > 1
    assert np.nanmin(means) < -0.5


def test_a_sample_is_seeded_and_bounded(client: Client, arrays: dict[str, Any]) -> None:
    """No more rows than were asked for, from many blocks; the same seed gives the same picture, another one another."""
    id_ = fit_of(client, problem="ridge", alpha=1.0, b="residual-b.zarr")
    first, again, other = (client.residuals(id_, rows=600, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["rows"] <= 600
    assert first["rows"] > 500
    assert first["pictures"] != other["pictures"]
    assert len(first["pictures"]) == 1
    rows = Rows(open_matrix(np.zeros((1_000_000, 1_000), np.float32)))
    spans = draw_spans(rows, 20_000, 0)
    assert sum(stop - start for start, stop in spans) * 4_000 <= 600_000_000
    assert all(0 <= start < stop <= 1_000_000 for start, stop in spans)
    assert count_cells("x", np.ones(5), np.zeros(5))["ends"] == ((0.5, 1.5), (-0.5, 0.5))


def test_a_target_is_picked_and_its_gaps_left_out(client: Client, arrays: dict[str, Any]) -> None:
    """Of many targets one is drawn, on the rows that it has."""
    id_ = fit_of(client, problem="lstsq", b="residual-several.zarr", missing="drop")
    found = client.residuals(id_, target=2, rows=100_000)
    assert found["rows"] == np.isfinite(arrays["several"][:, 2]).sum()
    with pytest.raises(SpecError, match="a target from 0 to 2"):
        client.residuals(id_, target=3)


def test_a_generalised_linear_model_has_deviance_residuals(client: Client, arrays: dict[str, Any]) -> None:
    """Their squares add up to the deviance of the table, the offset counted."""
    id_ = fit_of(client, problem="glm", y="residual-yes.zarr", offset="residual-offset.zarr", family="binomial", summary=True)
    found = client.residuals(id_, rows=100_000)
    deviance = client.solution(id_)["summary"]["deviance"]
    low, high = found["pictures"][0]["ends"][1]
    eta = arrays["A"] @ np.asarray(client.fetch(id_)) + arrays["offset"]
    mean = 1 / (1 + np.exp(-eta))
    unit = -2 * np.where(arrays["yes"] == 1, np.log(mean), np.log1p(-mean))
    assert found["kind"] == "deviance"
    assert np.isclose(unit.sum(), deviance, rtol=1e-9)
    assert np.isclose(max(high, -low), np.sqrt(unit.max()), rtol=1e-9)


def test_what_cannot_be_drawn_is_said(client: Client, arrays: dict[str, Any], data: Path) -> None:
    """A column that is none, an answer without residuals, and data that are gone."""
    shutil.copytree(data / "residual-b.zarr", data / "residual-gone.zarr")
    id_ = fit_of(client, problem="lstsq", b="residual-gone.zarr")
    with pytest.raises(SpecError, match="the name of a column of A was expected; got 'height'"):
        client.residuals(id_, "height")
    shutil.rmtree(data / "residual-gone.zarr")
    with pytest.raises(MissingDataError, match="there is nothing"):
        client.residuals(id_)
    scores = fit_of(client, problem="leverage-scores")
    with pytest.raises(JobError, match="Fetch x"):
        client.residuals(scores)


def test_residuals_on_the_command_line(
    service: Service, client: Client, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture in letters, with the number of rows and the ends of both axes."""
    id_ = fit_of(client, problem="lstsq", b="residual-b.zarr", method="tsqr")
    monkeypatch.setenv("DSKETCH_URL", service.url)
    said = CliRunner().invoke(main, ["jobs", "residuals", id_, "--column", "w", "--rows", "1000"])
    assert said.exit_code == 0, said.output
    assert "response residuals of 1," in said.output or "response residuals of 9" in said.output
    assert said.output.count("│") == 2 * 23
    assert said.output.count("rows in a hexagon: . 1, @ ") == 2
    assert " w " in said.output
    assert "@" in said.output
