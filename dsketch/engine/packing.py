"""What travels to a task as bytes and is unpacked there: a package that a worker lacks is then the task's error.

Dask unpacks the arguments of a task while it reads from the scheduler; a worker that cannot ends at once, and nobody is told why.
"""

from typing import Any

import numpy as np
from distributed.protocol import pickle
from numpy.typing import NDArray

Packed = tuple[bytes, list[NDArray[np.uint8]]]


def packed(value: Any) -> Packed:
    """Return a value as bytes, and beside them the memory of its arrays, of which no copy is made."""
    buffers: list[Any] = []
    body = pickle.dumps(value, buffer_callback=buffers.append)
    return body, [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]


def unpacked(sent: Packed) -> Any:
    """Return the value.

    Raises
    ------
    ImportError
        If this process lacks a package that the value needs.
    """
    return pickle.loads(sent[0], buffers=sent[1])
