"""Loaded by each worker of an own LocalCluster as it starts: Ctrl-C is for the driver alone.

A terminal sends SIGINT to all processes of its foreground job.  Workers that obeyed would die with a stack trace each, in the
middle of what the driver is telling the user; the driver ends them in order when it closes the cluster.
"""

import signal


def dask_setup(worker: object) -> None:
    """Ignore SIGINT in the worker's process; Dask calls this in its main thread."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
