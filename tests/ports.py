"""Ports that nobody listens at, and that nobody takes in the moment before they are used.

A port that the system gives may be given again at once, to any connection of a test that runs beside; these lie below the range
(32768 and up on Linux) from which the system gives.
"""

import random
import socket
from collections.abc import Iterator


def free_ports() -> Iterator[int]:
    """Yield ports of this machine, each once, in another order in every process."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 12_000):
        if _is_free(port):
            yield port


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
