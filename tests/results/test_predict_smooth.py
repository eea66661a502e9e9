"""Stored answers whose x and words are all that a prediction needs: they predict when the data they came from are gone."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results.output import Output, attributes_of
from dsketch.problems import PROBLEMS
from dsketch.testing.examples import COLUMNS, data_of, example_of
from tests.command_line import good

SERIAL = {"cluster": "serial", "progress": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "glm": {"intercept": True, "family": "tweedie", "power": 1.5},
    "multinomial": {"intercept": True, "alpha": [0.0, 1.0, 2.0], "classes": 3},
    "softmax-regression": {},
    "softmax-resnet": {},
}


@pytest.fixture
def fresh() -> np.ndarray:
    """New rows."""
    return np.random.default_rng(1).standard_normal((7, COLUMNS))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_stored_answer_predicts_without_its_data(tmp_path: Path, name: str, fresh: np.ndarray) -> None:
    """x of data in memory, written and read again, predicts the bits that the solution does: Python and command line."""
    solution = ds.solve(example_of(name, **OPTIONS[name]), **SERIAL)
    x = tmp_path / "x.zarr"
    Output.at(x).write(solution.x, attributes_of(solution, None))

    wanted = np.asarray(solution.predict(fresh, cluster="serial"))

    assert np.array_equal(ds.predict(str(x), fresh, **SERIAL), wanted)
    with pytest.raises(ds.DataError, match=f"{COLUMNS} columns"):
        ds.predict(str(x), fresh[:, :2], **SERIAL)


def test_the_command_line_predicts_means_of_new_rows(tmp_path: Path, fresh: np.ndarray) -> None:
    """``dsketch predict`` knows family, link and intercept of a stored x, after the data are removed."""
    for word, array in {**data_of(PROBLEMS["glm"]), "new": fresh}.items():
        zarr.create_array(store=str(tmp_path / f"{word}.zarr"), data=array)
    good("solve", "glm", tmp_path / "A.zarr", tmp_path / "y.zarr", "--intercept", "--out", tmp_path / "x.zarr")
    x = zarr.open_array(tmp_path / "x.zarr", mode="r")[...]
    for word in ("A", "y"):
        shutil.rmtree(tmp_path / f"{word}.zarr")

    good("predict", tmp_path / "x.zarr", tmp_path / "new.zarr", "--out", tmp_path / "p.zarr")

    wanted = 1.0 / (1.0 + np.exp(-(fresh @ x[:-1] + x[-1])))
    np.testing.assert_allclose(zarr.open_array(tmp_path / "p.zarr")[...], wanted, rtol=1e-14)


def test_a_journal_says_which_problem_to_give_again(tmp_path: Path) -> None:
    """Of data in memory: the class and its arguments, with the options that were data."""
    A, y = data_of(PROBLEMS["glm"]).values()
    ds.solve(ds.GLM(A, y, offset=np.zeros(len(y))), journal=tmp_path / "run", **SERIAL)

    with pytest.raises(ds.SpecError, match=r"problem=GLM\(A, y, offset=offset\)\)\.$"):
        ds.resume(tmp_path / "run", **SERIAL)


def test_an_x_of_another_shape_is_told_of_the_data(tmp_path: Path) -> None:
    """The inputs are named as the problem has them."""
    with pytest.raises(ds.DataError, match="to fit A and y"):
        ds.check(example_of("glm"), np.ones(9), **SERIAL)
