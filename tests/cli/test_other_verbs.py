"""Plan, check, info and ingest on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from dsketch.testing.judge import estimated_backward_error
from tests.cli.regression import Data
from tests.command_line import found, good, run


def test_plan_solves_nothing(data: Data) -> None:
    """The plan is printed as text or as an object, and no pass is run."""
    ran = good("plan", "lstsq", *data.paths)
    assert ran.stdout.startswith("matrix   3,000 × 4 float64")
    assert "pass 1" not in ran.stderr
    said = found("plan", "ridge", *data.paths, "--alpha", 2, "--memory-limit", "1GB", "--scheduler", "serial", "--threads", 1)
    assert said["passes"] >= 1
    assert said["memory_limit_bytes"] <= 10**9


def test_a_plan_beyond_the_memory_is_refused(data: Data) -> None:
    """--memory-limit is what the plan may count on; the message has both numbers."""
    ran = run("plan", "lstsq", *data.paths, "--memory-limit", "10kB", "--scheduler", "serial", "--threads", 1, "--json")
    assert ran.exit_code == 2
    said = json.loads(ran.stdout)
    assert said["error"] == "PlanError"
    assert "8.00 kB" in said["message"]


@pytest.mark.parametrize("suffix", [".zarr", ".npy"])
def test_check_judges_by_the_data(data: Data, tmp_path: Path, suffix: str) -> None:
    """A right x gives exit code 0, a wrong one 1; a larger --tol accepts it."""
    right, wrong = tmp_path / f"right{suffix}", tmp_path / f"wrong{suffix}"
    good("solve", "lstsq", *data.paths, "--out", right)
    x = np.linalg.lstsq(data.A, data.b)[0] * (1 + 1e-6)
    np.save(wrong, x) if suffix == ".npy" else zarr.create_array(store=str(wrong), data=x)

    assert "right:" in good("check", "lstsq", *data.paths, right).stdout
    ran = run("check", "lstsq", *data.paths, wrong, "--json")
    assert ran.exit_code == 1
    certificate = json.loads(ran.stdout)
    expected = estimated_backward_error(data.A, data.b, x)
    np.testing.assert_allclose(certificate["backward_error"], expected, rtol=1e-6)  # the estimate itself is good to u/1e-6
    good("check", "lstsq", *data.paths, wrong, "--tol", 2 * expected[0])


def test_check_reads_only_numbers(data: Data, tmp_path: Path) -> None:
    """What is not there, is no NumPy file, or has another length is one message."""
    (tmp_path / "text.npy").write_text("1 2 3 4")
    np.save(tmp_path / "short.npy", np.ones(3))
    for name, said in (
        ("none.npy", "there is nothing"),
        ("text.npy", "cannot be read"),
        ("short.npy", "must have shape"),
        ("none", "nothing"),
    ):
        ran = run("check", "lstsq", *data.paths, tmp_path / name)
        assert ran.exit_code == 2
        assert said in ran.stderr


def test_info_warns_with_a_remedy(data: Data) -> None:
    """Facts and advice as text and as an object."""
    text = good("info", data.paths[0]).stdout
    assert "3,000 × 4 float64" in text
    assert "warning  small chunks" in text
    assert "→ rewrite with chunks=(3000, 4)" in text
    assert found("info", data.paths[0])["advice"][0]["subject"] == "small chunks"


CSV = 'delay,distance,carrier,"a,b"\n' + "".join(
    f"{7 * i % 11},{100 + 37 * i % 90},{['UA', 'AA'][i % 2]},{i % 5}\n" for i in range(40)
)


def test_ingest_then_solve(tmp_path: Path) -> None:
    """A CSV becomes A and b with names, and the answer is that of the same numbers in memory."""
    (tmp_path / "f.csv").write_text(CSV)
    A, b = tmp_path / "A.zarr", tmp_path / "b.zarr"
    words = [
        "ingest",
        tmp_path / "f.csv",
        "--to",
        A,
        "--target",
        "delay",
        "--target-to",
        b,
        "--drop-first",
        "--columns",
        'distance,"a,b"',
    ]
    done = found(*words, "--columns", "carrier", "--chunk-bytes", "1kB")
    assert done["columns"] == ["distance", "a,b", "carrier=UA"]
    assert (done["shape"], done["rows_read"]) == ([40, 3], 40)
    rows = np.array([[100 + 37 * i % 90, i % 5, 1 - i % 2, 1] for i in range(40)], float)
    expected = np.linalg.lstsq(rows, np.array([7.0 * i % 11 for i in range(40)]))[0]
    np.testing.assert_allclose(found("solve", "lstsq", A, b, "--intercept")["x"], expected, rtol=1e-10)  # cond(A) is about 1e3

    assert run(*words).exit_code == 2  # it exists
    assert "matrix   " in good(*words, "--overwrite").stdout


def test_ingest_shows_notes_and_errors(tmp_path: Path) -> None:
    """A column that is text because of a few cells is noted; a null is an error unless it is to be dropped."""
    (tmp_path / "f.csv").write_text("y,size\n1,3\n2,none\n,5\n4,5\n")
    words = ["ingest", tmp_path / "f.csv", "--to", tmp_path / "A.zarr", "--target", "y", "--target-to", tmp_path / "b.zarr"]
    ran = run(*words)
    assert ran.exit_code == 2
    assert "row 3" in ran.stderr
    ran = good(*words, "--nulls", "drop")
    assert "note: column 'size' is one-hot" in ran.stderr
    assert "1 with nulls left out" in ran.stdout
