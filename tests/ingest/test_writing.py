"""What is written: whole or not at all, over nothing that nobody gave up, in bounded memory."""

import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import zarr
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from dsketch.errors import DataError, DsketchError
from dsketch.events import Progress
from dsketch.ingest import ingest
from tests.ingest.files import CHILD, leftovers, read, read_target, run, write_csv, write_parquet


def test_output_format(tmp_path):
    """Zarr 3, raw chunks of whole rows, each on the disk even if all zero, b cut like A, columns in the attributes."""
    np.save(tmp_path / "m.npy", np.zeros((100, 3)))
    done = ingest(tmp_path / "m.npy", tmp_path / "A", target="x2", target_to=tmp_path / "b", chunk_bytes=320)
    matrix, target = zarr.open_array(done.matrix), zarr.open_array(done.target)
    assert (matrix.metadata.zarr_format, matrix.compressors, matrix.chunks, target.chunks) == (3, (), (20, 2), (20,))
    assert matrix.nchunks_initialized == target.nchunks_initialized == 5
    digest = target.attrs["rows_digest"]
    assert dict(matrix.attrs) == {
        "columns": ["x0", "x1"],
        "source": str(tmp_path / "m.npy"),
        "created_by": "dsketch ingest",
        "rows_digest": digest,
    }
    files = [path for folder in ("A", "b") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert done.bytes_written == sum(path.stat().st_size for path in files)


def test_progress_runs_from_start_to_end(tmp_path):
    """Progress never goes back and ends at its total, with one pass or two."""
    table = pa.table({"x": np.arange(200_000.0), "s": ["a", "b"] * 100_000})
    parquet.write_table(table, tmp_path / "t.parquet")
    arrow_csv.write_csv(table, tmp_path / "t.csv")
    np.save(tmp_path / "t.npy", np.zeros((3_000_000, 2)))
    for name in ("t.parquet", "t.csv", "t.npy"):
        told: list[Progress] = []
        ingest(tmp_path / name, tmp_path / "A", tell=told.append, overwrite=True)
        done = [event.done_bytes for event in told]
        assert len(done) > 1
        assert done == sorted(done)
        assert done[-1] == told[-1].total_bytes == told[0].total_bytes


def test_existing_output_needs_overwrite(tmp_path):
    """What exists stays unless overwrite is said; then it is replaced."""
    for number in (1, 2):
        np.save(tmp_path / f"{number}.npy", np.full((3, 2), float(number)))
    first = ingest(tmp_path / "1.npy", tmp_path / "A")
    with pytest.raises(DataError, match=r"A exists.*overwrite=True"):
        ingest(tmp_path / "2.npy", tmp_path / "A")
    assert (read(first) == 1).all()
    assert (read(ingest(tmp_path / "2.npy", tmp_path / "A", overwrite=True)) == 2).all()
    assert not leftovers(tmp_path)


def test_overwrite_touches_only_zarr(tmp_path):
    """A directory of something else is never removed."""
    np.save(tmp_path / "m.npy", np.eye(2))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(DataError, match="something else"):
        ingest(tmp_path / "m.npy", tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").exists()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_failure_leaves_the_old_output_and_no_temporary(tmp_path, failure):
    """Whatever stops the run, the outputs are as before and nothing lies beside them."""
    np.save(tmp_path / "old.npy", np.ones((3, 2)))
    np.save(tmp_path / "new.npy", np.zeros((3_000_000, 2)))
    options = {"target": "x1", "target_to": tmp_path / "b"}
    old = ingest(tmp_path / "old.npy", tmp_path / "A", **options)

    def stop(event: object) -> None:
        raise failure

    with pytest.raises(failure):
        ingest(tmp_path / "new.npy", tmp_path / "A", tell=stop, overwrite=True, chunk_bytes=80_000, **options)
    assert (read(old) == 1).all()
    assert (read_target(old) == 1).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A", "b", "new.npy", "old.npy"]


def test_bad_row_far_down_leaves_nothing(tmp_path):
    """An error in the middle of writing removes the chunks that were written."""
    matrix = np.zeros((2_000_000, 2))
    matrix[-1, 0] = np.nan
    np.save(tmp_path / "m.npy", matrix)
    with pytest.raises(DataError, match="row 2,000,000"):
        ingest(tmp_path / "m.npy", tmp_path / "A", chunk_bytes=1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npy"]


def test_interrupt_from_the_keyboard(tmp_path):
    """Ctrl-C in the middle of writing leaves nothing behind."""
    np.save(tmp_path / "m.npy", np.zeros((4_000_000, 4)))
    program = (
        "import sys\n"
        "from dsketch.ingest import ingest\n"
        "def wait(event):\n"
        "    print('going', flush=True)\n"
        "    sys.stdin.read()\n"
        "ingest('m.npy', 'A', chunk_bytes=500_000, tell=wait)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=CHILD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert "KeyboardInterrupt" in said
    assert [path.name for path in tmp_path.iterdir()] == ["m.npy"]


def test_place_that_cannot_be_written(tmp_path):
    """A parent that is a file gives one error with path and cause."""
    np.save(tmp_path / "m.npy", np.eye(2))
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"written was expected; .*file.*(Not a directory|File exists).*another path"):
        ingest(tmp_path / "m.npy", tmp_path / "file" / "A")


def test_disk_full(tmp_path):
    """A disk that refuses more bytes gives one error with path and cause, and is left as it was."""
    np.save(tmp_path / "m.npy", np.zeros((200_000, 2)))
    (tmp_path / "disk").mkdir()
    # The kernel refuses files above the limit just as a full disk refuses them, and that needs no root.
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from dsketch.ingest import ingest\n"
        "ingest('m.npy', 'disk/A')"
    )
    ended = run(program, tmp_path)
    assert "DataError: a place that can be written was expected" in ended.stderr
    assert "File too large" in ended.stderr
    assert not list((tmp_path / "disk").iterdir())


def test_tmpfs_full(tmp_path):
    """A file system without room gives its own words, and is left empty."""
    np.save(tmp_path / "m.npy", np.zeros((200_000, 2)))
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        with pytest.raises(DataError, match="No space left on device"):
            ingest(tmp_path / "m.npy", disk / "A", chunk_bytes=100_000)
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_source_that_changes_meanwhile(tmp_path):
    """Rows or levels that appear between the passes are an error, not a wrong matrix."""
    path = write_csv(tmp_path, "x,s\n1,a\n2,b\n")
    for late in ("3,a\n", "3,c\n"):
        path.write_text("x,s\n1,a\n2,b\n")
        told: list = []

        def append(event: object, late: str = late, told: list = told) -> None:
            told.append(event)
            if len(told) == 1:
                path.write_text("x,s\n1,a\n2,b\n" + late)

        with pytest.raises(DsketchError, match="meanwhile"):
            ingest(path, tmp_path / "A", tell=append)
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]


def test_memory_is_bounded(tmp_path):
    """About 150 MB of Parquet in one row group pass through far less memory than they take."""
    rows, width = 1_000_000, 19
    random = np.random.default_rng(0)
    write_parquet(
        tmp_path, {f"x{i}": random.standard_normal(rows) for i in range(width)}, row_group_size=rows, compression="none"
    )
    program = (
        "import sys\n"
        "import pyarrow.parquet, pyarrow.dataset, zarr\n"
        "from dsketch.ingest import ingest\n"
        "def peak():\n"
        "    return int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1]) * 1024\n"
        "ingest('small.parquet', 'small', chunk_bytes=2_000_000)\n"
        "small = peak()\n"
        "print(ingest('t.parquet', 'A', chunk_bytes=2_000_000).shape[0], peak() - small)"
    )
    write_parquet(tmp_path, {f"x{i}": random.standard_normal(100_000) for i in range(width)}, "small.parquet")
    ended = run(program, tmp_path)
    assert not ended.returncode, ended.stderr
    read_rows, grown_bytes = map(int, ended.stdout.split())
    assert read_rows == rows
    # The file is 10 times the small one; a reader that kept it, or its row group, would grow by 137 MB.
    assert grown_bytes < 90_000_000
