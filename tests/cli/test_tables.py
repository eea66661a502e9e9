"""Tables of coefficients on the command line: those that cannot be are refused before anything is read, and none costs an answer."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.command_line import good, run

ROWS = 200


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A, labels, labels that column 0 separates, classes and groups."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((ROWS, 3))
    arrays = {
        "A": A,
        "y": (rng.random(ROWS) < 0.5).astype(float),
        "separated": (A[:, 0] > 0).astype(float),
        "classes": rng.integers(0, 3, ROWS).astype(float),
        "groups": rng.integers(0, 9, ROWS),
        "one": np.ones(ROWS),
    }
    for name, array in arrays.items():
        zarr.create_array(store=str(tmp_path / f"{name}.zarr"), data=array, chunks=(50, *array.shape[1:]))
    zarr.create_array(store=str(tmp_path / "short.zarr"), data=np.arange(ROWS - 1.0))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["glm", "{A}", "{y}", "--alpha", "1", "--summary"], "need an unpenalized maximum"),
        (["glm", "{A}", "{y}", "--groups", "{short}"], "groups must have one number for each of the 200 rows"),
        (["glm", "{A}", "{y}", "--groups", "{nothing}"], "nothing.zarr"),
        (["glm", "{A}", "{y}", "--robust", "HC3", "--groups", "{groups}"], "robust or groups was expected"),
        (["multinomial", "{A}", "{classes}", "--robust", "HC3"], "robust must be HC0 or HC1 for several classes"),
        (["elastic-net", "{A}", "{y}", "--summary"], "a table of coefficients needs least squares"),
        (["lstsq", "{A}", "{y}", "--groups", "{short}"], "groups must have one number"),
    ],
)
def test_a_table_that_cannot_be_is_refused_before_the_run(data: Path, words: list[str], said: str) -> None:
    """Exit code 2 and a sentence, no plan, no pass, no journal."""
    places = {path.stem: str(path) for path in data.glob("*.zarr")} | {"nothing": str(data / "nothing.zarr")}

    ran = run("solve", *(word.format(**places) for word in words), "--journal", data / "run")

    assert ran.exit_code == 2, ran.stdout + ran.stderr
    assert said in ran.stderr
    assert "method" not in ran.stderr
    assert not (data / "run").exists()


@pytest.mark.parametrize(
    ("y", "more", "said"),
    [
        ("separated", ["--summary"], "the data are separated"),
        ("y", ["--groups", "{one}"], "groups must be at least 2"),
    ],
)
def test_an_answer_is_not_lost_with_its_table(data: Path, y: str, more: list[str], said: str) -> None:
    """Where only the data tell that there is no table, x is written and shown, and then the refusal."""
    words = ["glm", data / "A.zarr", data / f"{y}.zarr", *(word.format(one=data / "one.zarr") for word in more)]

    ran = run("solve", *words, "--out", data / "x.npy", "--json")

    assert ran.exit_code == 2
    assert said in ran.stderr
    told = json.loads(ran.stdout)
    assert np.load(data / "x.npy").tolist() == told["x"]
    assert told["summary"] is None
    assert said in told["no_summary"]


def test_groups_lie_where_they_are_said_to(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path from here is opened as one, whatever folder the workers are in."""
    monkeypatch.chdir(data)

    assert "by 9 groups of rows" in good("solve", "glm", "A.zarr", "y.zarr", "--groups", "groups.zarr").stdout
