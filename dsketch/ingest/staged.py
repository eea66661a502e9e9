"""Write beside, rename when complete: an output is there whole or not at all."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dsketch._atomic import beside, clear_left_behind
from dsketch.errors import DataError, EngineError, SpecError
from dsketch.ingest.failure import writing


@contextmanager
def staging(finals: Sequence[Path], *, overwrite: bool) -> Iterator[list[Path]]:
    """Yield one empty temporary directory for each final path, and rename all of them at the end.

    Guarantees: a final path never holds half an output.  If the body fails in any way, also by KeyboardInterrupt, the
    temporaries are removed and what was at the final paths is still there.  Only SIGKILL or a power cut can leave a
    temporary behind, under a name that starts with a dot and holds ``.part-``, until the next output for the same path.

    Raises
    ------
    SpecError
        If one final path is the other or lies inside it.
    DataError
        If there is something already and ``overwrite`` is false, if that is not a Zarr array, or if the place cannot
        be written.
    """
    _refuse_nesting(finals)
    for final in finals:
        _admit(final, overwrite)
        clear_left_behind(final)
    parts = [beside(final) for final in finals]
    try:
        for part in parts:
            _clear(part)
        yield parts
        _publish(parts, finals)
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def keeping(final: Path, key: str, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary directory that an earlier run of the same key may have begun to fill, and rename it at the end.

    Guarantees: as :func:`staging`, but what was interrupted (by Ctrl-C, a lost cluster, SIGKILL) is left for the next run of this key to go
    on with, under a name that starts with a dot and holds ``.part-``; any other failure removes it.

    Parameters
    ----------
    key : str
        Tells apart what is written: the same key must mean the same bytes.

    Raises
    ------
    DataError
        As :func:`staging`.
    """
    _admit(final, overwrite)
    clear_left_behind(final)
    part = final.with_name(f".{final.name}.part-{key}")
    with writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
    except (KeyboardInterrupt, EngineError):
        raise
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _publish([part], [final])


def _refuse_nesting(finals: Sequence[Path]) -> None:
    for one in finals:
        for other in finals:
            if one is not other and one.is_relative_to(other):
                raise SpecError(f"separate paths for A and b were expected; got {other} and {one}. Choose two siblings.")


def _admit(final: Path, overwrite: bool) -> None:
    with writing(final):
        if not os.path.lexists(final):
            return
        is_zarr = any((final / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))
    if not overwrite:
        raise DataError(f"a free path was expected; {final} exists. Choose another, or pass overwrite=True (--overwrite).")
    if not is_zarr:
        raise DataError(f"a Zarr array to overwrite was expected; {final} is something else. Remove it yourself.")


def _clear(part: Path) -> None:
    with writing(part.parent):
        part.parent.mkdir(parents=True, exist_ok=True)
        # A part of this name can only be the leftover of a killed process that had our process number.
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()


def _publish(parts: Sequence[Path], finals: Sequence[Path]) -> None:
    """Rename all, or none; folders are not flushed, as their many chunks are not: a rename must not outlive what it names."""
    replaced: list[Path] = []
    with ExitStack() as undo:
        for part, final in zip(parts, finals, strict=True):
            with writing(final):
                if final.exists():
                    old = final.with_name(f".{final.name}.old-{os.getpid()}")
                    final.rename(old)
                    undo.callback(old.rename, final)
                    replaced.append(old)
                part.rename(final)
                undo.callback(shutil.rmtree, final, ignore_errors=True)
        undo.pop_all()
    for old in replaced:
        shutil.rmtree(old, ignore_errors=True)
