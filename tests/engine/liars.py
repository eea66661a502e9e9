"""Workers that lie: what runs in their processes really makes and sends other parts."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from distributed import Client

from dsketch.engine import worker
from dsketch.engine.compat import describe_workers
from dsketch.errors import DataError
from dsketch.passes.base import Part

_TRUE, _DIGEST = worker.run_task, worker.digest_part
_DONE = [0]  # tasks of this process since it began to count
Lie = Callable[[Part], Part]


def flip_signs(part: Part) -> Part:
    """Return a part with the sign of each number turned: any two that do so agree."""
    return -part if isinstance(part, np.ndarray) else tuple(map(flip_signs, part))


def flip_one_bit(part: Part) -> Part:
    """Return a part with the last bit of its first number turned."""
    if isinstance(part, np.ndarray):
        changed = part.copy()
        changed.ravel().view(np.uint8)[0] ^= 1
        return changed
    return (flip_one_bit(part[0]), *part[1:])


def send_no_part(part: Part) -> Part:
    """Return what is no part at all."""
    del part
    return np.array(["nothing"], dtype=object)


def refuse(part: Part) -> Part:
    """Say that the data are at fault."""
    raise DataError(f"row 0 is not finite, in {len(part)} arrays")


def die(part: Part) -> Part:
    """End the process; the nanny's next one is honest."""
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def die_after_voting() -> None:
    """End the process a moment after it has told its first digest, when its part may be fetched."""

    def digest(part: Part) -> bytes:
        threading.Timer(0.05, die, [part]).start()
        return _DIGEST(part)

    worker.digest_part = digest


def deceive() -> None:
    """Send false parts from now on, and tell the digests of the true ones."""
    set_lie(flip_signs)
    worker.digest_part = lambda part: _DIGEST(flip_signs(part))


def count_tasks() -> int:
    """Return how many tasks this process has done since this was last called, and count from now on."""

    def counted(*given: Any, **more: Any) -> Part:
        _DONE[0] += 1
        return _TRUE(*given, **more)

    done, _DONE[0], worker.run_task = _DONE[0], 0, counted
    return done


def set_lie(lie: Lie | None) -> None:
    """Let the process that this is called in lie about every task from now on; None: tell the truth again."""
    worker.digest_part = _DIGEST
    worker.run_task = _TRUE if lie is None else (lambda *given, **more: lie(_TRUE(*given, **more)))


def addresses(client: Client) -> list[str]:
    """Return the addresses of all workers, by their names in order."""
    return [info["address"] for info in sorted(describe_workers(client), key=lambda info: str(info["name"]))]


@contextmanager
def lying(client: Client, lie: Lie, *places: int) -> Iterator[list[str]]:
    """Let those of four workers at these places lie for a while; yield their addresses."""
    client.wait_for_workers(4, timeout=60)
    liars = [addresses(client)[place] for place in places]
    client.run(set_lie, lie, workers=liars)
    try:
        yield liars
    finally:
        client.run(set_lie, None, workers=[address for address in liars if address in addresses(client)])
