"""Two jobs compared: what differs is said, and no coefficient is said to differ where the errors allow that it does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from scipy import stats

import dsketch as ds
from dsketch._cli import main
from dsketch.client import Client
from dsketch.service.comparison import _quantile
from dsketch.service.errors import UnknownJob
from tests.service.running import Service, rested

pytestmark = pytest.mark.cluster
ROWS, TRUE = 4_000, np.array([1.0, -2.0, 0.5])


def write(data: Path, name: str, array: Any, columns: list[str] | None = None) -> str:
    """Store an array below the data root, and return its path there."""
    stored = zarr.create_array(data / name, data=array, chunks=(1_000, *array.shape[1:]), overwrite=True)
    if columns is not None:
        stored.attrs["columns"] = columns
    return name


@pytest.fixture(scope="module")
def halves(client: Client, data: Path) -> dict[str, str]:
    """Ids of solved jobs: two halves of data with one truth, one of another truth for u, one with other columns, one ridge."""
    rng = np.random.default_rng(5)
    made = {}
    for name, names, truth in (
        ("one", ["u", "v", "w"], TRUE), ("two", ["w", "v", "u"], TRUE[::-1]), ("moved", ["u", "v", "w"], TRUE + np.array([0.2, 0, 0])),
        ("other", ["u", "v", "z"], TRUE),
    ):  # fmt: skip
        A = rng.standard_normal((ROWS, 3))
        places = write(data, f"{name}-A.zarr", A, names), write(data, f"{name}-b.zarr", A @ truth + rng.standard_normal(ROWS))
        made[name] = client.submit(problem="lstsq", A=places[0], b=places[1], name=name)["id"]
    made["ridge"] = client.submit(problem="ridge", A="one-A.zarr", b="one-b.zarr", alpha=100.0, name="ridge")["id"]
    made["none"] = client.submit(problem="ridge", A="one-A.zarr", b="one-b.zarr", alpha=0.0, name="none")["id"]
    made["again"] = client.submit(problem="ridge", A="one-A.zarr", b="one-b.zarr", alpha=0.0, method="gram", name="again")["id"]
    for id_ in made.values():
        assert rested(client, id_)["state"] == "solved"
    return made


def rows_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the coefficients of a comparison by name."""
    return {row["name"]: row for row in found["coefficients"]["rows"]}


def test_one_truth_makes_no_difference_whatever_the_order_of_columns(client: Client, halves: dict[str, str]) -> None:
    """Names are matched, not places; differences are told in combined standard errors, and none is claimed."""
    found = client.compare(halves["one"], halves["two"])
    rows, told = rows_of(found), found["coefficients"]
    errors = [
        client._send("GET", f"/v1/jobs/{halves[name]}/coefficients").json()["columns"]["standard_error"]
        for name in ("one", "two")
    ]
    assert (told["basis"], told["counts"]) == ("standard errors", {"differs": 0, "agrees": 3, "unknown": 0, "one": 0})
    assert rows["u"]["errors"] == [errors[0][0], errors[1][2]]
    assert rows["u"]["ratio"] == pytest.approx(abs(rows["u"]["difference"]) / np.hypot(*rows["u"]["errors"]))
    assert {fact["name"] for fact in found["options"]} == {"A", "b"}
    assert {fact["name"] for fact in found["run"]} >= {"passes", "read_bytes", "pass_seconds", "status", "method"}
    assert {"backward_error", "forward_error", "rank"} <= {fact["name"] for fact in found["certificate"]}


def test_a_real_difference_is_claimed_and_comes_first(client: Client, halves: dict[str, str]) -> None:
    """Eight standard errors of one coefficient are no chance; the others stay within theirs."""
    found = client.compare(halves["one"], halves["moved"])
    first = found["coefficients"]["rows"][0]
    assert (first["name"], first["verdict"]) == ("u", "differs")
    assert found["coefficients"]["counts"]["differs"] == 1
    assert first["difference"] == pytest.approx(0.2, abs=0.1)


def test_the_union_of_names_is_shown(client: Client, halves: dict[str, str]) -> None:
    """A name of one job alone is neither equal nor different."""
    found = client.compare(halves["one"], halves["other"])
    rows = rows_of(found)
    assert set(rows) == {"u", "v", "w", "z"}
    assert (rows["w"]["values"][1], rows["z"]["values"][0], rows["w"]["verdict"]) == (None, None, "one")
    assert found["coefficients"]["counts"]["one"] == 2


def test_without_standard_errors_what_rounding_may_do_decides(client: Client, halves: dict[str, str]) -> None:
    """Two methods for one minimizer agree within proven bounds; a penalty moves every coefficient beyond them."""
    same, moved = client.compare(halves["none"], halves["again"]), client.compare(halves["none"], halves["ridge"])
    assert (same["coefficients"]["basis"], same["coefficients"]["counts"]["differs"]) == ("forward errors", 0)
    assert same["coefficients"]["counts"]["agrees"] == 3
    assert moved["coefficients"]["counts"]["differs"] == 3
    assert {fact["name"]: fact["values"] for fact in moved["options"]} == {"alpha": [0.0, 100.0]}
    mixed = client.compare(halves["one"], halves["ridge"])["coefficients"]
    assert (mixed["basis"], mixed["counts"]["differs"], mixed["doubt"]) == ("forward errors", 3, ["problem"])


def test_the_bar_is_that_of_all_comparisons_together() -> None:
    """With d comparisons each has a d-th of the 5 %; few degrees of freedom ask for more."""
    assert _quantile(30.0, 1) == pytest.approx(stats.t.ppf(0.975, 30))
    assert _quantile(float("inf"), 1_000) == pytest.approx(stats.norm.ppf(1 - 0.025 / 1_000))
    assert _quantile(3.0, 10) > _quantile(30.0, 10) > _quantile(float("inf"), 10) > _quantile(float("inf"), 1)
    assert np.isnan(_quantile(0.0, 1))


def test_jobs_without_coefficients_are_compared_all_the_same(client: Client, halves: dict[str, str]) -> None:
    """A job that failed has options and a state; why there are no coefficients is said."""
    id_ = client.submit(problem="lstsq", A="one-A.zarr", b="A.zarr", name="wrong")["id"]
    assert rested(client, id_)["state"] == "failed"
    found = client.compare(halves["one"], id_)
    assert (found["coefficients"], found["no_coefficients"]) == (None, "no coefficients by name: wrong")
    assert found["jobs"][1]["state"] == "failed"
    with pytest.raises(UnknownJob):
        client.compare(halves["one"], "0" * 20)
    with pytest.raises(ds.SpecError, match="a target from 0 to 0"):
        client.compare(halves["one"], halves["two"], target=1)


def test_a_comparison_on_the_command_line(service: Service, halves: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is named with both values and their errors."""
    monkeypatch.setenv("DSKETCH_URL", service.url)
    said = CliRunner().invoke(main, ["jobs", "compare", halves["one"], halves["moved"]])
    assert said.exit_code == 0
    assert "1 of 3 differ by more than their standard errors" in said.output
    assert "  u " in said.output.split("coefficients")[1]
