"""Files that are there whole or not at all: what stands at a path after a success, a failure and a full disk."""

import ast
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dsketch
from dsketch._atomic import beside, clear_left_behind, replacing, write_flushed, write_whole
from dsketch._results.output import Output


def test_what_is_written_takes_the_place_of_what_was(tmp_path: Path) -> None:
    """The new bytes stand there, with the mode of any new file, and nothing lies beside."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    before = os.umask(0o027)
    try:
        write_whole(path, b"new")
    finally:
        os.umask(before)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_the_order_is_file_rename_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename before the bytes are on the disk could show half a file after a power cut, one that is not flushed no file."""
    seen, sync = [], os.fsync

    def note(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink(), (tmp_path / "x").exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_whole(tmp_path / "x", b"bytes")

    assert seen == [(beside(tmp_path / "x"), False), (tmp_path, True)]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError("other")])
def test_a_failure_leaves_what_was(tmp_path: Path, failure: BaseException) -> None:
    """Whatever ends the writing, the old file stays and nothing lies beside it."""
    path = tmp_path / "x"
    path.write_bytes(b"old")

    with pytest.raises(type(failure)), replacing(path) as file:  # noqa: PT012 - the body is what fails
        file.write(b"half")
        raise failure

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_takes_nothing_gives_its_own_error(tmp_path: Path) -> None:
    """The system's first error is told, not that there was nothing to remove."""
    for write in (write_whole, write_flushed):
        with pytest.raises(FileNotFoundError):
            write(tmp_path / "absent" / "x", b"")
        with pytest.raises(OSError, match="too long"):
            write(tmp_path / ("x" * 300), b"")


# Who else renames or flushes, and why.
APART = {
    "ingest/staged.py": "folders of chunks, several or none, which are not flushed",
    "service/folder.py": "a job's folder appears and goes in one rename",
    "service/store.py": "its index, in memory, is replaced",
    "service/tokens.py": "a line is struck out where it stands",
    "matrix/raw_chunk.py": "a chunk of raw numbers, as zarr would write it: beside, renamed, not flushed",
    "matrix/labels.py": "variables of a Dataset get other names, no files",
    "xarray/accessor.py": "likewise",
    "xarray/fit.py": "likewise",
    "xarray/polynomial.py": "likewise",
}


def test_files_are_replaced_in_one_place() -> None:
    """Nobody else writes beside, renames and flushes: a second way would forget one of the three."""
    root = Path(dsketch.__file__).parent

    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _replaces(node, node.func)
    }

    assert found == {"_atomic.py", *APART}


def _replaces(call: ast.Call, function: ast.Attribute) -> bool:
    """Whether a call renames or flushes: ``replace`` of a path has one argument, that of a text two."""
    if function.attr == "replace":
        return ast.unparse(function.value) == "os" or (len(call.args) == 1 and not call.keywords)
    return function.attr in ("rename", "renames", "fsync", "fdatasync")


@pytest.mark.parametrize("name", ["x.npy", "x.zarr", "[x]*.zarr"])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, name: str) -> None:
    """Files and folders of a number that no process has; not of one that lives, of another machine, or of another name."""
    place, alive = tmp_path / name, os.getppid()
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        pass
    mine = beside(place).name.removesuffix(str(os.getpid()))
    elsewhere = mine.replace(mine[-9:-1], "0" * 8)
    left = [f"{mine}{gone.pid}", f"{mine}{alive}", f"{elsewhere}{gone.pid}", f".{name}.part-abc", f".other{mine}{gone.pid}"]
    for number, part in enumerate(left):
        (tmp_path / part).mkdir()
        (tmp_path / part / "chunk").write_bytes(bytes([number]))
    if name.endswith(".npy"):
        (tmp_path / "file").write_bytes(b"half")
        shutil.rmtree(tmp_path / left[0])
        (tmp_path / "file").rename(tmp_path / left[0])

    clear_left_behind(place)

    assert sorted(part.name for part in tmp_path.iterdir()) == sorted(left[1:])


def test_outputs_clear_their_place(tmp_path: Path) -> None:
    """A run that was killed without a journal leaves a folder, which the next one to the same place removes before it begins."""
    place = tmp_path / "x.zarr"
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        pass
    part = tmp_path / beside(place).name.replace(str(os.getpid()), str(gone.pid))
    part.mkdir()

    Output(place).write(np.ones(3), {})

    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
