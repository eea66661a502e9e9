"""The package keeps the type checker's strict rules, and lets it find a mistake in a user's script."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import get_type_hints

import pytest

import dsketch as ds
from dsketch._results.choices import LinearChoices, RunChoices
from dsketch.engine.cluster import ClusterChoices
from dsketch.settings import Settings

ROOT = Path(__file__).parents[2]

# What a user may write; a line that ends with "# wrong" is one that the type checker must report.
SCRIPT = """
from pathlib import Path

import numpy as np

import dsketch as ds
from dsketch.events import Event

A, b = np.eye(4)[:, :2], np.ones(4)
problem = ds.LeastSquares(A, b)


def listen(event: Event) -> None:
    print(event)


made = ds.plan(problem, tol=1e-8, method="tsqr", sketch="gaussian", sketch_rows=None, seed=1, features="auto", rank=None)
ds.plan(problem, cluster="serial", memory_limit="1GiB", workers=None, threads=2)
ds.plan(problem, sead=1)  # wrong
ds.plan(problem, tol="1e-8")  # wrong

solution = ds.solve(problem, tol=None, method="auto", seed=2, journal=Path("run1"), progress=listen, cluster="serial")
ds.solve(made, cluster="local", progress=True)
ds.solve(problem, seed="x")  # wrong
ds.solve(problem, journal=1)  # wrong
ds.solve(problem, sketchrows=100)  # wrong
ds.solve(A, b)  # wrong

ds.resume("run1", problem=problem, progress=False, cluster=None, memory_limit=10**9, workers=2, threads=1)
ds.resume("run1", thread=1)  # wrong
ds.resume("run1", workers="2")  # wrong
ds.resume("run1", method="tsqr")  # wrong

certificate = ds.check(problem, solution, progress=listen, cluster="serial", workers=None)
ds.check(problem, solution.x, worker=2)  # wrong
ds.check(problem, solution.x, threads=0.5)  # wrong

y = ds.predict(solution, A, "y.zarr", overwrite=True, intercept=False, missing="fill", progress=None, memory_limit="1GB")
ds.predict(solution, A, overwrte=True)  # wrong
ds.predict(solution, A, memory_limit=[1])  # wrong

x = ds.lstsq(A, b, weights=b, intercept=True, missing="error", method="tsqr", tol=1e-3, seed=3, journal=None, threads=1).x
ds.lstsq(A, b, methd="tsqr")  # wrong
ds.lstsq(A, b, seed=0.5)  # wrong
ds.lstsq(A, b, rank=3)  # wrong

ds.ridge(A, b, 0.5, intercept=True, sketch="sparse_sign", sketch_rows=8, progress=False, cluster="serial")
ds.ridge(A, b, intercept="yes")  # wrong
ds.ridge(A, b, aplha=1.0)  # wrong
ds.ridge(A, b, progress="yes")  # wrong

solution.summary(robust="HC3", level=0.9, names=["a", "b"], progress=True)
solution.summary(robst="HC3")  # wrong
solution.predict(A, Path("y.zarr"), overwrite=True, missing="error", cluster="serial")
solution.predict(A, overwrite="yes", claster="serial")  # wrong
solution.problem.rows
made.problem.judge_passes
"""


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what mypy --strict says of the package and of the script, a line each, from one run."""
    script = tmp_path_factory.mktemp("user") / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--no-error-summary", "dsketch", str(script)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not found.stderr
    return [line for line in found.stdout.splitlines() if ": note: " not in line]


def test_types_of_the_package_are_right(findings: list[str]) -> None:
    """mypy --strict finds nothing in dsketch."""
    assert not [line for line in findings if "script.py:" not in line]


def test_mistakes_of_a_script_are_found(findings: list[str]) -> None:
    """Every misspelt keyword and wrong type of a call is reported, and no right call is."""
    lines = SCRIPT.splitlines()
    reported = {int(found[1]) for line in findings if (found := re.search(r"script\.py:(\d+): error", line))}

    assert {lines[number - 1] for number in reported} == {line for line in lines if line.endswith("# wrong")}


def test_types_travel_with_the_package() -> None:
    """Type checkers read what an installed package says only if it holds the mark."""
    assert (files("dsketch") / "py.typed").is_file()


@pytest.mark.parametrize(
    ("verb", "keywords"),
    [
        (ds.solve, RunChoices),
        (ds.plan, RunChoices),
        (ds.resume, ClusterChoices),
        (ds.check, ClusterChoices),
        (ds.predict, ClusterChoices),
        (ds.lstsq, LinearChoices),
        (ds.ridge, LinearChoices),
    ],
    ids=lambda value: value.__name__,
)
def test_signatures_name_every_keyword(verb: Callable[..., object], keywords: type) -> None:
    """``help()`` shows what may be given and its default, and the docstring says more."""
    shown = signature(verb).parameters
    first = {"method": "auto", "replicas": 1, **vars(Settings())}  # of all others: None

    for name in get_type_hints(keywords):
        assert shown[name].default == first.get(name)
        assert re.search(rf"\b{name}\b", verb.__doc__ or "")
