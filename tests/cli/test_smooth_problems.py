"""The command line for every problem that is not linear, a power or a kernel: every verb, on files made from what the problem asks for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.problems import PROBLEMS
from tests.command_line import found, good, run
from tests.others import OTHERS, stored_example


def place_of(folder: Path, name: str) -> tuple[list[str], Mapping[str, Any]]:
    """Store what a problem must be given; return it as the command line has it, and as Python has it."""
    given = stored_example(folder, name)
    words = [word if isinstance(word, str) else ",".join(map(str, word)) for word in given.values()]
    return words, given


@pytest.mark.parametrize("name", OTHERS)
def test_solve_resume_check_agree_with_python(tmp_path: Path, name: str) -> None:
    """The command line finds Python's bits, a finished run is replayed to them, and check judges what was written."""
    words, given = place_of(tmp_path, name)
    kind: Any = PROBLEMS[name]
    here = ds.solve(kind(**given), cluster="serial", progress=False)
    out, again = tmp_path / "x.zarr", tmp_path / "again.zarr"

    solved = run("solve", name, *words, "--out", str(out), "--journal", str(tmp_path / "run"), "--scheduler", "serial", "--json")
    resumed = run("resume", str(tmp_path / "run"), "--out", str(again), "--scheduler", "serial")
    judged = run("check", name, *words, str(out), "--json", "--scheduler", "serial")

    assert solved.exit_code == resumed.exit_code == (0 if here.status.is_success else 1)
    assert json.loads(solved.stdout)["status"] == here.status.name.lower()
    x = _stored_x(out)
    assert x.tobytes() == np.asarray(here.x).tobytes()
    assert _stored_x(again).tobytes() == x.tobytes()
    assert judged.exit_code in (0, 1)
    assert json.loads(judged.stdout)["backward_error"] is not None


def _stored_x(place: Path) -> Any:
    """Return the x at a place, which is an array, or in a group that says which of its arrays it is."""
    stored: Any = zarr.open(place, mode="r")
    return (stored if isinstance(stored, zarr.Array) else stored[stored.attrs["x"]])[...]


@pytest.mark.parametrize("name", OTHERS)
def test_plan_says_method_cost_and_why(tmp_path: Path, name: str) -> None:
    """The plan as text and as an object; no pass is run."""
    words, _ = place_of(tmp_path, name)

    lines = {line.split()[0] for line in good("plan", name, *words).stdout.splitlines()}

    assert {"matrix", "method", "cost", "why"} <= lines
    assert found("plan", name, *words, "--json")["method"] in PROBLEMS[name].methods


@pytest.mark.parametrize("name", OTHERS)
def test_a_path_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Exit code 2 and the name of what is missing."""
    words, _ = place_of(tmp_path, name)

    ran = run("solve", name, str(tmp_path / "nothing.zarr"), *words[1:])

    assert ran.exit_code == 2
    assert "nothing.zarr" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_check_gives_its_verdict_in_the_json(tmp_path: Path) -> None:
    """Right or not, and why: of a group that is separated and far out its column; exit code 1."""
    group = np.arange(200) < 20
    A, y = np.c_[np.random.default_rng(0).standard_normal((200, 2)), group], np.where(group, 1.0, np.arange(200) % 2)
    best = ds.solve(ds.GLM(A[~group, :2], y[~group]), cluster="serial", progress=False).x
    for name, array in {"A": A, "y": y, "x": np.r_[best, 1e3]}.items():
        zarr.create_array(store=str(tmp_path / f"{name}.zarr"), data=array)
    words = ["check", "glm", *(str(tmp_path / f"{name}.zarr") for name in ("A", "y", "x")), "--scheduler", "serial"]

    judged = run(*words, "--json")
    found = json.loads(judged.stdout)
    assert judged.exit_code == 1
    assert found["right"] is False
    assert found["verdict"] == f"not right: {found['obstacle']}"
    assert "separation: column 2 fits" in found["verdict"]
    assert "separation: column 2 fits" in run(*words).stdout
