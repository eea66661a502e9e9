"""Memory of a thread that is used again and again.

A fresh array of a few megabytes costs as much in page faults as the arithmetic that fills it; a worker whose allocator returns
memory to the system at once (Dask sets it so) pays that for every temporary.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_kept = threading.local()


def scratch(name: str, shape: tuple[int, int], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return an uninitialized C-order array that the next call of this thread with the same name overwrites.

    Parameters
    ----------
    name : str
        Who uses it; two arrays that live at the same time need two names.
    shape : tuple of int
    dtype : dtype

    Examples
    --------
    >>> scratch("example", (2, 3)).shape
    (2, 3)
    """
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    arrays: dict[str, NDArray[np.uint8]] = _kept.__dict__.setdefault("arrays", {})
    if name not in arrays or arrays[name].size < size:
        arrays[name] = np.empty(size, np.uint8)
    return arrays[name][:size].view(dtype).reshape(shape)
