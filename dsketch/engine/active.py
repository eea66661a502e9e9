"""What Dask has in this process already: an active client, as users of Dask expect of what is Dask's or stored, or a running task.

Both exist only where distributed was imported; this file imports it no sooner.
"""

import multiprocessing
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_DISTRIBUTED = (
    None,
    "dask.distributed",
    "distributed",
)  # what the scheduler of Dask's configuration is called where clients count


def active_client() -> "Client | None":
    """Return the default ``distributed.Client`` of this process, or None.

    None also for an asynchronous client, which only a coroutine can use; where ``dask.config.set(scheduler="threads")`` or the like
    says that clients are not to be used; and inside a task, which would wait for threads that wait for it.
    """
    if "distributed" not in sys.modules or is_in_task():
        return None
    import dask
    from distributed import Client

    if dask.config.get("scheduler", None) not in _DISTRIBUTED:
        return None
    try:
        client = Client.current()
    except ValueError:
        return None
    return client if client.status == "running" and not client.asynchronous else None


def is_in_task() -> bool:
    """Whether this thread runs a task of a Dask worker."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def can_have_children() -> bool:
    """Whether this process may start others: tasks of Dask and members of a multiprocessing pool may not."""
    return not (is_in_task() or multiprocessing.current_process().daemon)
