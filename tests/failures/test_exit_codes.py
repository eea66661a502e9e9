"""What a shell sees of each failure: the exit code, one message, no stack trace, and no half-written output."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dsketch.engine import clients
from tests.command_line import run
from tests.failures.data import columns, write
from tests.failures.processes import ENVIRONMENT
from tests.ports import free_ports

pytestmark = pytest.mark.timeout(120)


def shell(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``python -m dsketch words``."""
    return subprocess.run(
        [sys.executable, "-m", "dsketch", *map(str, words)],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def small(tmp_path: Path) -> tuple[str, str]:
    """Paths of a small A and b."""
    A, b = columns(3_000, 5)
    return write(tmp_path / "A.zarr", A, chunk_rows=500), write(tmp_path / "b.zarr", b, chunk_rows=500)


def assert_refused(done: subprocess.CompletedProcess[str], code: int, words: str, out: Path) -> None:
    """Check what the user gets."""
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, said
    assert words in said
    assert "Traceback" not in said
    assert not out.exists()


def test_no_scheduler_is_a_cluster_failure(small: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 for an address where nobody is; users wait 20 seconds for a scheduler, this test a fifth of one."""
    monkeypatch.setattr(clients, "_CONNECT_SECONDS", 0.2)
    port = next(free_ports())
    out = tmp_path / "x.zarr"
    ran = run("solve", "lstsq", *small, "--out", out, "--scheduler", f"tcp://127.0.0.1:{port}")
    assert ran.exit_code == 3
    assert "a Dask scheduler was expected at" in ran.stderr
    assert not out.exists()


def test_scheduler_file_that_is_none(small: tuple[str, str], tmp_path: Path) -> None:
    """Exit code 3 for a scheduler file that is not there."""
    out = tmp_path / "x.zarr"
    done = shell("solve", "lstsq", *small, "--out", out, "--scheduler", tmp_path / "absent.json")
    assert_refused(done, 3, "a scheduler file was expected at", out)


@pytest.mark.parametrize("harm", ["nan", "missing", "truncated", "absent", "shape", "journal"])
def test_bad_data_is_the_request_s_fault(small: tuple[str, str], tmp_path: Path, harm: str) -> None:
    """Exit code 2 for data or a journal that cannot be used."""
    A, b = small
    chunk = Path(A) / "c" / "3" / "0"
    out = tmp_path / "x.zarr"
    options: list[str | Path] = []
    if harm == "nan":
        values = columns(3_000, 5)[0]
        values[1_700, 2] = np.nan
        A, words = write(tmp_path / "nan.zarr", values, chunk_rows=500), "row 1700, column 2 is nan"
    elif harm == "missing":
        chunk.unlink()
        words = "chunk 3 of A is absent"
    elif harm == "truncated":
        os.truncate(chunk, 100)
        words = "chunk 3 of A"
    elif harm == "absent":
        A, words = str(tmp_path / "nothing.zarr"), "there is nothing"
    elif harm == "shape":
        b, words = write(tmp_path / "short.zarr", np.ones(2_999), chunk_rows=500), "b must have one row for each"
    else:
        (tmp_path / "file").touch()
        options, words = ["--journal", tmp_path / "file"], "cannot be"
    command = ("solve", "lstsq", A, b, "--out", out, *options)
    if harm == "nan":  # in a shell; what it says of the others is what main() says here
        assert_refused(shell(*command), 2, words, out)
    else:
        ran = run(*command)
        assert isinstance(ran.exception, SystemExit), ran.exception
        assert_refused(subprocess.CompletedProcess(command, ran.exit_code, ran.stdout, ran.stderr), 2, words, out)
