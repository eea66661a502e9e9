"""What --out writes, what a journal resumes, and what Ctrl-C leaves."""

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._cli.program import INTERRUPTED
from dsketch._cli.solve import _how_to_go_on
from tests.cli.regression import CHILD, DSKETCH, SLOW, Data
from tests.command_line import found, good, run

# ---- output ----------------------------------------------------------------------------------------------------------


def test_out_writes_x_with_its_story(data: Data, tmp_path: Path) -> None:
    """The stored x has every bit, and says how it came about."""
    x, journal = tmp_path / "x.zarr", tmp_path / "j"
    ran = good("solve", "lstsq", *data.paths, "--out", x, "--journal", journal)
    assert str(x) in ran.stdout or os.path.relpath(x) in ran.stdout
    stored, solution = zarr.open_array(x, mode="r"), ds.lstsq(*data.paths)
    np.testing.assert_array_equal(stored[...], solution.x)
    attributes = stored.attrs.asdict()
    assert attributes["status"] == "solved"
    assert attributes["method"] == solution.method
    assert attributes["backward_error"] == solution.certificate.backward_error.tolist()
    assert attributes["journal"] == str(journal)


def test_out_replaces_nothing_unasked(data: Data, tmp_path: Path) -> None:
    """An existing output stays as it is and is found before the solve; --overwrite replaces it; A is never replaced."""
    x = tmp_path / "x.npy"
    good("solve", "ridge", *data.paths, "--out", x)
    before = x.read_bytes()
    ran = run("solve", "lstsq", *data.paths, "--out", x)
    assert ran.exit_code == 2
    assert "--overwrite" in ran.stderr
    assert "pass 1" not in ran.stderr
    assert x.read_bytes() == before
    good("solve", "lstsq", *data.paths, "--out", x, "--overwrite")
    np.testing.assert_array_equal(np.load(x), ds.lstsq(*data.paths).x)

    ran = run("solve", "lstsq", *data.paths, "--out", data.paths[0], "--overwrite")
    assert ran.exit_code == 2
    np.testing.assert_array_equal(zarr.open_array(data.paths[0])[...], data.A)


def test_an_unwritable_output_is_found_before_the_solve(data: Data, tmp_path: Path) -> None:
    """No pass is run for an x that nobody could keep, and no journal is begun."""
    (tmp_path / "file").write_text("")
    ran = run("solve", "lstsq", *data.paths, "--out", tmp_path / "file" / "x.zarr", "--journal", tmp_path / "j")
    assert ran.exit_code == 2
    assert ran.stderr.count("\n") == 1
    assert "can be written" in ran.stderr
    assert not (tmp_path / "j").exists()


# ---- journals and Ctrl-C ---------------------------------------------------------------------------------------------


def test_resume_replays_a_finished_run(data: Data, tmp_path: Path) -> None:
    """A finished run is replayed without a pass, to the same bits, and can be written elsewhere."""
    journal = tmp_path / "j"
    said = found("solve", "lstsq", *data.paths, "--method", "whitened", "--seed", 3, "--journal", journal, "--intercept")
    again = found("resume", journal, "--out", tmp_path / "x.npy")
    assert again["x"] == said["x"] == np.load(tmp_path / "x.npy").tolist()
    assert all(record["replayed"] for record in again["passes"])
    assert again["plan"]["seed"] == 3
    assert "from the journal" in good("resume", journal).stderr


def test_solve_goes_on_with_the_method_of_its_journal(data: Data, tmp_path: Path) -> None:
    """The same command again goes on, whatever method the plan would choose today."""
    good("solve", "lstsq", *data.paths, "--method", "whitened", "--journal", tmp_path / "j")
    said = found("solve", "lstsq", *data.paths, "--journal", tmp_path / "j")
    assert said["method"] == "whitened"
    assert all(record["replayed"] for record in said["passes"])


def test_a_journal_of_another_run_is_refused(data: Data, tmp_path: Path) -> None:
    """Other choices are another run: the message says what differs."""
    good("solve", "lstsq", *data.paths, "--journal", tmp_path / "j")
    ran = run("solve", "lstsq", *data.paths, "--journal", tmp_path / "j", "--seed", 9)
    assert ran.exit_code == 2
    assert "'seed': 9" in ran.stderr


def test_what_ctrl_c_says(data: Data, tmp_path: Path) -> None:
    """With passes in a journal: how to go on; with an empty one: to begin again; without: how to have one."""
    journal = tmp_path / "j"
    assert "--journal FOLDER" in _how_to_go_on(None, 3)
    assert "same command again" in _how_to_go_on(str(journal), 0)
    good("solve", "lstsq", *data.paths, "--journal", journal)
    assert "1 pass is in the journal; go on with: dsketch resume " in _how_to_go_on(str(journal), 1)
    assert "2 passes are in the journal" in _how_to_go_on(str(journal), 2)


STEPPING = ["--method", "conjugate_gradient", "--json"]


@pytest.mark.parametrize(
    "where", [["--scheduler", "serial"], pytest.param(["--workers", "2"], marks=pytest.mark.cluster)], ids=["serial", "workers"]
)
def test_ctrl_c_leaves_a_journal_that_resumes_to_the_same_bits(tmp_path: Path, where: list[str]) -> None:
    """Ctrl-C reaches the whole job, as a terminal sends it: one message, exit code 130, no trace; resume gives the bits of a whole run."""
    slow, journal = Data(tmp_path, **SLOW), tmp_path / "j"
    words = [*DSKETCH, "solve", "lstsq", *slow.paths, *STEPPING, *where, "--journal", str(journal)]
    with subprocess.Popen(
        words, env=CHILD, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        early = next(line for line in running.stderr if "pass 1 of" in line)  # written after the record of the pass
        os.killpg(running.pid, signal.SIGINT)
        out, late = running.communicate()
    records = sorted(path.name for path in journal.glob("pass-*.npz"))

    assert running.returncode == INTERRUPTED, early + late
    assert records[0] == "pass-0001.npz"
    assert "Traceback" not in late
    last = late.splitlines()[-1]
    assert last.startswith("dsketch: stopped; ")
    assert f"{len(records)} pass" in last or f"{len(records) - 1} pass" in last  # the signal may fall between record and count
    assert last.endswith((f"dsketch resume {journal}", f"dsketch resume {os.path.relpath(journal)}"))
    assert json.loads(out)["error"] == "Stopped"

    again = found("resume", journal)
    whole = found("solve", "lstsq", *slow.paths, *STEPPING[:-1], "--scheduler", "serial")
    assert [record["replayed"] for record in again["passes"]].count(True) == len(records) < len(again["passes"])
    assert again["x"] == whole["x"]
