"""Engines: what runs a pass.  The only package that imports dask or distributed, and that only where workers are used.

What needs distributed is loaded when it is first asked for: 600 modules that a solve in this process has no use for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsketch.engine.base import Engine, Workers
from dsketch.engine.connect import connect_engine
from dsketch.engine.serial import SerialEngine

if TYPE_CHECKING:
    from dsketch.engine.dask import DaskEngine
    from dsketch.engine.local import local_cluster
    from dsketch.engine.private import Keys

__all__ = ["DaskEngine", "Engine", "Keys", "SerialEngine", "Workers", "connect_engine", "local_cluster"]

_ON_WORKERS = {"DaskEngine": "dsketch.engine.dask", "Keys": "dsketch.engine.private", "local_cluster": "dsketch.engine.local"}


def __getattr__(name: str) -> Any:
    """Load what needs distributed."""
    if name not in _ON_WORKERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_WORKERS[name]), name)
