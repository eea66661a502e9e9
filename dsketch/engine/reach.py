"""What a cluster must be before a word is said to it: open, synchronous, not in the caller's own event loop, and with its certificates."""

import asyncio
from typing import Any

from dsketch.engine.compat import certificates, is_served_by, needs_certificates
from dsketch.errors import EngineError

_TO_THREAD = "call dsketch by await asyncio.to_thread(...)"


def require_usable(target: Any) -> None:
    """Refuse a Client, cluster object or address that would fail or hang.

    Raises
    ------
    EngineError
        If it is asynchronous or closed, lives in the event loop that this call holds up, or needs certificates that are not there.
    """
    if isinstance(target, str):
        _require_certificates(target)
        _require_other_loop(target)
        return
    name = type(target).__name__
    if getattr(target, "asynchronous", False):
        raise EngineError(
            f"the cluster must be synchronous; this {name} is asynchronous, and its answers would come only after this call. In a "
            f"coroutine {_TO_THREAD}, elsewhere make it without asynchronous=True."
        )
    if (status := _status(target)) in ("closed", "closing", "failed"):
        raise EngineError(f"the cluster must be running; this {name} is {status}. Make it again.")
    _require_other_loop(_address(target))


def _status(target: Any) -> str:
    """Return the status in a word: clients have a text, cluster objects a member of an Enum."""
    status = getattr(target, "status", "")
    return str(getattr(status, "name", status))


def _address(target: Any) -> str:
    scheduler = getattr(target, "scheduler", None)
    return str(getattr(target, "scheduler_address", None) or getattr(scheduler, "address", ""))


def _require_certificates(address: str) -> None:
    if not needs_certificates(address):
        return
    try:
        context, found = certificates(), "Dask's configuration names none"
    except (OSError, ValueError) as error:
        context, found = None, f"those of Dask's configuration cannot be read ({error})"
    if context is None:
        raise EngineError(
            f"certificates were expected for {address}; {found}. Set distributed.comm.tls.ca-file, distributed.comm.tls.client.cert and "
            "distributed.comm.tls.client.key in Dask's configuration, or give Client(address, security=...) as the cluster."
        )


def _require_other_loop(address: str) -> None:
    """Refuse a scheduler that could answer only after this call has returned."""
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        return
    if is_served_by(here, address):
        raise EngineError(
            f"a Dask scheduler that can answer was expected at {address}; it lives in the event loop of this thread, which this call "
            f"holds up. In a coroutine {_TO_THREAD}."
        )
