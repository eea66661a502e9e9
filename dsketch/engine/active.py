"""The client that is active where nobody names a cluster, as users of Dask expect of what is Dask's or stored."""

import dask
from distributed import Client, get_worker

_DISTRIBUTED = (
    None,
    "dask.distributed",
    "distributed",
)  # what the scheduler of Dask's configuration is called where clients count


def active_client() -> Client | None:
    """Return the default ``distributed.Client`` of this process, or None.

    None also for an asynchronous client, which only a coroutine can use; where ``dask.config.set(scheduler="threads")`` or the like
    says that clients are not to be used; and inside a task, which would wait for threads that wait for it.
    """
    if is_in_task() or dask.config.get("scheduler", None) not in _DISTRIBUTED:
        return None
    try:
        client = Client.current()
    except ValueError:
        return None
    return client if client.status == "running" and not client.asynchronous else None


def is_in_task() -> bool:
    """Whether this thread runs a task of a Dask worker."""
    try:
        get_worker()
    except ValueError:
        return False
    return True
