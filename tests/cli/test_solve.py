"""Solving on the command line: results on standard output and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.settings import Settings
from dsketch.testing.judge import estimated_backward_error
from tests.cli.regression import Data
from tests.command_line import found, good, run

# cond(A) is about 10 and b is of A's size: Householder QR is right to 1e-14, with a hundred times that to spare.
CLOSE = 1e-12


def test_solve_prints_one_json_object(data: Data) -> None:
    """Standard output is one object with the fields of Solution, equal to LAPACK; the plan and the passes are on standard error."""
    ran = good("solve", "lstsq", *data.paths, "--json")
    said = json.loads(ran.stdout)
    assert set(said) == set(ds.lstsq(*data.paths).to_dict())
    x = np.array(said["x"])
    np.testing.assert_allclose(x, np.linalg.lstsq(data.A, data.b)[0], rtol=CLOSE)
    assert estimated_backward_error(data.A, data.b, x).max() <= Settings().accepted
    assert said["status"] == "solved"
    assert ran.stderr.index("method   ") < ran.stderr.index("pass 1 of")  # the plan comes before the work


def test_options_reach_the_solver(data: Data) -> None:
    """Method, sketch, its rows, seed and tolerance are those that were asked for."""
    words = ["--method", "conjugate_gradient", "--sketch", "gaussian", "--sketch-rows", 40, "--seed", 5, "--tol", 1e-10]
    said = found("solve", "lstsq", *data.paths, *words)
    plan = said["plan"]
    assert said["method"] == plan["method"] == "conjugate_gradient"
    assert (plan["sketch"], plan["sketch_rows"], plan["seed"], plan["tol"]) == ("gaussian", 40, 5, 1e-10)


def test_weights_and_intercept(data: Data) -> None:
    """--weights and --intercept mean what they mean in Python."""
    said = found("solve", "lstsq", *data.paths, "--weights", data.weights, "--intercept")
    root = np.sqrt(data.w)[:, None]
    expected = np.linalg.lstsq(root * np.column_stack([data.A, np.ones(len(data.b))]), root[:, 0] * data.b)[0]
    np.testing.assert_allclose(said["x"], expected, rtol=CLOSE, atol=CLOSE)


def test_ridge(data: Data) -> None:
    """--alpha is scikit-learn's."""
    said = found("solve", "ridge", *data.paths, "--alpha", 50)
    expected = np.linalg.solve(data.A.T @ data.A + 50 * np.eye(4), data.A.T @ data.b)
    np.testing.assert_allclose(said["x"], expected, rtol=CLOSE)


def test_text_shows_status_and_coefficients(data: Data) -> None:
    """Without --json and --out the answer is for people: a status sentence, the certificate, the first coefficients by name."""
    zarr.open_array(data.paths[0]).attrs["columns"] = ["age", "income", "rooms", "distance"]
    text = good("solve", "lstsq", *data.paths, "--intercept").stdout
    assert text.startswith("status      solved")
    assert "backward" in text
    shown = {line.split()[1]: float(line.split()[2]) for line in text.splitlines() if line.startswith("x ")}
    x = ds.lstsq(*data.paths, intercept=True).x
    assert list(shown) == ["age", "income", "rooms", "distance", "intercept"]
    np.testing.assert_allclose(list(shown.values()), x, rtol=1e-9)  # ten digits are printed


def test_long_answers_are_cut(tmp_path: Path) -> None:
    """Of many coefficients the first are shown, with a word on how to get the others."""
    text = good("solve", "lstsq", *Data(tmp_path, 500, 30).paths).stdout
    assert text.count("\nx ") == 20
    assert "10 more: --out writes them" in text


def test_numbers_that_json_lacks_are_null(data: Data) -> None:
    """sketch_and_solve measures no gradient: null, never NaN, which is no JSON."""
    ran = good("solve", "lstsq", *data.paths, "--method", "sketch_and_solve", "--json")
    said = json.loads(ran.stdout, parse_constant=pytest.fail)
    assert said["certificate"]["gradient_norm"] == [None]
    assert said["status"] == "estimated"


def test_summary_adds_the_regression_table(data: Data) -> None:
    """--summary prints the table, or puts it into the object; --robust chooses the errors; ridge has none."""
    assert "P>|t|" in good("solve", "lstsq", *data.paths, "--summary").stdout
    said = found("solve", "lstsq", *data.paths, "--robust", "HC3")["summary"]
    expected = ds.lstsq(*data.paths).summary(robust="HC3")
    np.testing.assert_array_equal(said["standard_errors"], expected.standard_errors)
    ran = run("solve", "ridge", *data.paths, "--summary")
    assert ran.exit_code == 2
    assert "pass 1" not in ran.stderr


def test_groups_give_errors_by_group(data: Data) -> None:
    """--groups asks for the table whose errors are by group, those of Python to the bit."""
    folder = Path(data.paths[0]).parent
    groups = np.random.default_rng(1).integers(0, 50, len(data.b))
    zarr.create_array(store=str(folder / "groups.zarr"), data=groups)

    said = found("solve", "lstsq", *data.paths, "--method", "tsqr", "--groups", str(folder / "groups.zarr"))["summary"]

    expected = ds.lstsq(*data.paths, method="tsqr").summary(groups=groups)
    np.testing.assert_array_equal(said["standard_errors"], expected.standard_errors)
    assert (said["robust"], said["groups"]) == ("cluster", 50)


def test_a_missing_chunk_can_be_filled(data: Data) -> None:
    """--missing fill reads an absent chunk as zeros; the default is an error."""
    next(Path(data.paths[0]).glob("c/3/*")).unlink()
    assert run("solve", "lstsq", *data.paths).exit_code == 2
    A = data.A.copy()
    A[3 * 375 : 4 * 375] = 0
    np.testing.assert_allclose(
        found("solve", "lstsq", *data.paths, "--missing", "fill")["x"], np.linalg.lstsq(A, data.b)[0], rtol=CLOSE
    )
