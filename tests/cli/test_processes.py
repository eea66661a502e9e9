"""The installed command in processes of its own: workers, schedulers, terminals."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import LocalCluster

import dsketch as ds
from tests.cli.regression import CHILD, DSKETCH, SLOW, Data
from tests.command_line import found, good

SCRIPT = "import sys\nfrom dsketch._cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"  # what pip installs


@pytest.mark.cluster
def test_the_installed_script_starts_its_own_workers(data: Data, tmp_path: Path) -> None:
    """The console script with --workers 2 gives the bits of this process; without a terminal it logs a line a pass."""
    script = tmp_path / "dsketch"
    script.write_text(SCRIPT)
    words = ["solve", "lstsq", *data.paths, "--workers", "2", "--threads", "1", "--memory", "1GiB", "--json"]
    ran = subprocess.run([sys.executable, script, *words], env=CHILD, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert "2 workers" in said["plan"]["means"]
    assert said["plan"]["memory_limit_bytes"] == 2**30
    assert said["x"] == ds.lstsq(*data.paths, method=said["plan"]["method"]).x.tolist()
    lines = [line for line in ran.stderr.splitlines() if "pass " in line and " of " in line and "B/s" in line]
    assert len(lines) == len(said["passes"])


@pytest.mark.cluster
def test_a_running_scheduler_is_used(data: Data, cluster: LocalCluster, tmp_path: Path) -> None:
    """--scheduler takes an address, and a path is the same file for workers that run in another folder."""
    where = ["--scheduler", cluster.scheduler_address]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        said = found("solve", "lstsq", "A.zarr", "b.zarr", *where, "--out", "x.npy")
        good("check", "lstsq", "A.zarr", "b.zarr", "x.npy", *where)
        assert "2 workers" in found("plan", "lstsq", "A.zarr", "b.zarr", *where)["means"]
    assert said["x"] == ds.lstsq(*data.paths, method=said["plan"]["method"]).x.tolist()


def on_terminal(words: list[str]) -> tuple[str, str, int]:
    """Run a command with standard error on a pseudo-terminal; return its standard output, what the terminal got, and its exit code."""
    master, slave = pty.openpty()
    drawn = io.BytesIO()
    with subprocess.Popen(
        words, env=CHILD | {"TERM": "xterm", "COLUMNS": "120"}, stdout=subprocess.PIPE, stderr=slave
    ) as running:
        os.close(slave)
        read: Callable[[], bytes] = lambda: os.read(master, 65536)  # noqa: E731 - two lines that belong together
        try:
            while piece := read():
                drawn.write(piece)
        except OSError:  # Linux says EIO where the last process closed the other end
            pass
        out, _ = running.communicate()
    os.close(master)
    return out.decode(), drawn.getvalue().decode(), running.returncode


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    """On a terminal each pass has a bar with its speed; standard output is still the one object."""
    slow = Data(tmp_path, **SLOW)
    out, drawn, code = on_terminal([*DSKETCH, "solve", "lstsq", *slow.paths, "--method", "whitened", "--json"])
    assert code == 0, drawn
    assert json.loads(out)["status"] == "solved"
    assert "pass 2 of 3  whitened" in drawn
    assert "━" in drawn
    assert "MB/s" in drawn or "GB/s" in drawn


def test_the_demonstration_in_a_temporary_folder(tmp_path: Path) -> None:
    """The demonstration leaves nothing behind, in a process of its own."""
    ran = subprocess.run(
        [*DSKETCH, "demo", "--rows", "2000", "--cols", "3", "--scheduler", "serial"],
        env=CHILD | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "verdict     right" in ran.stdout
    assert list(tmp_path.iterdir()) == []
