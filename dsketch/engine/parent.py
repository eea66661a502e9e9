"""Whether this process can have worker processes: they import its main script, and some processes may have no children."""

import sys
from pathlib import Path

import dask

from dsketch.engine.active import can_have_children, is_in_task
from dsketch.engine.compat import is_importing_its_parent
from dsketch.errors import EngineError

_GUARD = 'if __name__ == "__main__":'


def require_parent() -> None:
    """Refuse to start workers where they cannot start.

    Raises
    ------
    EngineError
        If this process may have no children, or its main program is one that children cannot import.
    SystemExit
        In a child that has come here while it imports its parent's script: the script has no guard.  The child leaves without a
        word, and the parent says what is wrong (:func:`explain_no_start`).
    """
    if is_importing_its_parent():
        raise SystemExit(1)
    if not can_have_children():
        kind = "a Dask task" if is_in_task() else "a daemon process (of a multiprocessing pool, say)"
        raise EngineError(
            f"a process that may start workers was expected; this one is {kind}, which may have no children. Use cluster='serial', or "
            "make the call outside."
        )
    if (script := _lost_script()) is not None:
        raise EngineError(
            f"a main script that worker processes can import was expected; this one is {script}. Save it as a file with {_GUARD} "
            "before what it does, or use cluster='serial'."
        )


def explain_no_start(error: BaseException) -> EngineError:
    """Return what to raise when the processes of an own cluster ended before they could be used."""
    remedy = (
        f"They import the main script: put what it does below {_GUARD} (if it is there, give them more memory)"
        if _script()
        else "Give them more memory"
    )
    return EngineError(
        f"worker processes were expected to start; they did not ({type(error).__name__}: {error}). {remedy}, or use cluster='serial'."
    )


def _script() -> str | None:
    """Return the path of the script that children will import, if there is one."""
    main = sys.modules.get("__main__")
    is_imported = dask.config.get("distributed.worker.multiprocessing-method", "spawn") != "fork"
    is_script = is_imported and getattr(main, "__spec__", None) is None
    return getattr(main, "__file__", None) if is_script else None


def _lost_script() -> str | None:
    """Return the name of a script that is no file: what was read from standard input cannot be read again."""
    path = _script()
    return path if path is not None and not Path(path).exists() else None
