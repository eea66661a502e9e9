"""Columns of text in uploads: beside an intercept one level has no column, and new rows have the columns of the answer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dsketch.client import Client
from tests.service.running import Service, rested, solved

pytestmark = pytest.mark.cluster
RNG = np.random.default_rng(4)
TOWNS, KINDS = RNG.choice(["ash", "elm", "oak"], 60), RNG.choice(["flat", "house"], 60)
ROOMS = RNG.integers(1, 9, 60)
WORTH: dict[str, float] = {"ash": 0, "elm": 5, "oak": 9, "flat": 0, "house": 20}


def price_of(rooms: float, town: str, kind: str) -> float:
    """Return what the coefficients mean: 100 for a flat in Ash, 30 a room."""
    return 100 + 30 * rooms + WORTH[town] + WORTH[kind]


@pytest.fixture(scope="module")
def client(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client whose owner has uploaded houses, and a few new ones: other columns' order, fewer levels, one target that is no column."""
    folder = tmp_path_factory.mktemp("tables")
    rows = [(price_of(*row), ",".join(map(str, row))) for row in zip(ROOMS, TOWNS, KINDS, strict=True)]
    for name, noise in (("levels", np.zeros(60)), ("levels-noisy", RNG.standard_normal(60))):
        lines = [f"{price + more},{row}" for (price, row), more in zip(rows, noise, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(["price,rooms,town,kind", *lines]) + "\n")
    (folder / "levels-new.csv").write_text("kind,rooms,town\nhouse,3,oak\nflat,1,elm\nflat,2,oak\n")
    (folder / "levels-odd.csv").write_text("kind,rooms,town\nhouse,3,yew\n")
    with service.client() as connected:
        for name in ("levels", "levels-noisy", "levels-new", "levels-odd"):
            connected.upload(folder / f"{name}.csv")
        yield connected


PRICE = "upload:levels.csv#price"
SPEC: dict[str, Any] = {"A": "upload:levels.csv", "b": PRICE}


@pytest.mark.parametrize("words", [{"problem": "lstsq"}, {"problem": "glm", "family": "gaussian"}], ids=["lstsq", "glm"])
def test_an_intercept_takes_the_place_of_one_level(client: Client, words: dict[str, Any]) -> None:
    """All coefficients are determined, with errors; the level without a column is what others are compared with."""
    A = "upload:levels-noisy.csv"
    given = {"A": A, "b" if words["problem"] == "lstsq" else "y": f"{A}#price"}
    id_ = solved(client, client.submit({**words, **given, "intercept": True, "summary": True}))
    found = client._json("GET", f"/v1/jobs/{id_}/coefficients")
    assert found["names"] == ["rooms", "town=elm", "town=oak", "kind=house", "intercept"]
    assert found["columns"]["value"] == pytest.approx([30, 5, 9, 20, 100], abs=2.0)  # noise of 1 on 60 rows
    assert None not in found["columns"]["standard_error"]


@pytest.mark.parametrize(
    "words",
    [
        {"problem": "lstsq", "b": PRICE},
        {"problem": "ridge", "b": PRICE, "alpha": 1.0, "intercept": True},
        {"problem": "glm", "y": PRICE, "family": "gaussian", "alpha": 0.5, "intercept": True},
    ],
    ids=["bare", "ridge", "glm"],
)
def test_other_runs_keep_all_levels(client: Client, words: dict[str, Any]) -> None:
    """Without an intercept, and under a penalty, which would treat the level without a column otherwise than the others."""
    id_ = solved(client, client.submit({"A": SPEC["A"], **words}))
    names = client._json("GET", f"/v1/jobs/{id_}/coefficients")["names"]
    assert [name for name in names if name.startswith("town=")] == ["town=ash", "town=elm", "town=oak"]


@pytest.mark.parametrize(
    "words", [{}, {"intercept": True}, {"problem": "ridge", "alpha": 1e-9, "intercept": True}], ids=["bare", "intercept", "ridge"]
)
def test_new_rows_have_the_columns_of_the_answer(client: Client, words: dict[str, Any]) -> None:
    """Whatever levels they have, in whatever order their columns stand."""
    id_ = solved(client, client.submit({"problem": "lstsq", **SPEC, **words}))
    made = solved(client, client.predict(id_, "upload:levels-new.csv"))
    expected = [price_of(3, "oak", "house"), price_of(1, "elm", "flat"), price_of(2, "oak", "flat")]
    assert np.asarray(client.fetch(made)).ravel() == pytest.approx(expected, rel=1e-7)
    again = solved(client, client.predict(id_, "upload:levels.csv"))
    assert np.asarray(client.fetch(again)).ravel() == pytest.approx(
        [price_of(*row) for row in zip(ROOMS, TOWNS, KINDS, strict=True)]
    )


def test_a_level_without_a_coefficient_is_named(client: Client) -> None:
    """No prediction is made of it."""
    id_ = solved(client, client.submit({"problem": "lstsq", **SPEC, "intercept": True}))
    job = rested(client, client.predict(id_, "upload:levels-odd.csv")["id"])
    assert job["state"] == "failed"
    assert "yew" in job["sentence"]
    assert "as in the answer" in job["sentence"]
    assert not {"/", "unseen"} & {*job["sentence"], *job["sentence"].replace("'", " ").split()}
