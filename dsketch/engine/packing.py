"""What travels to a task as bytes and is unpacked there: a package that a worker lacks is then the task's error.

Dask unpacks the arguments of a task while it reads from the scheduler; a worker that cannot ends at once, and nobody is told why.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.engine.compat import from_bytes, to_bytes

_ALIGNMENT = 16  # bytes: that of any array which this process makes itself

Packed = tuple[bytes, list[NDArray[np.uint8]]]


def pack(value: Any) -> Packed:
    """Return a value as bytes, and beside them the memory of its arrays, of which no copy is made."""
    buffers: list[Any] = []
    body = to_bytes(value, buffers)
    return body, [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]


def unpack(sent: Packed) -> Any:
    """Return the value, its arrays where the processor expects them.

    What came over the network may begin at an odd address; of such arrays NumPy makes products without BLAS, with other last bits.

    Raises
    ------
    ImportError
        If this process lacks a package that the value needs.
    """
    return from_bytes(sent[0], [buffer if buffer.ctypes.data % _ALIGNMENT == 0 else buffer.copy() for buffer in sent[1]])
