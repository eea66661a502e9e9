"""Engines: what runs a pass.  The only package that imports dask or distributed."""

from dsketch.engine.base import Engine, Workers
from dsketch.engine.connect import connect_engine, local_cluster
from dsketch.engine.dask import DaskEngine
from dsketch.engine.private import Keys
from dsketch.engine.serial import SerialEngine

__all__ = ["DaskEngine", "Engine", "Keys", "SerialEngine", "Workers", "connect_engine", "local_cluster"]
