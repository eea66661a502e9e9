"""Values as JSON can hold them.

>>> plain({"error": float("nan"), "x": (1.0, 2.0)})
{'error': None, 'x': [1.0, 2.0]}
"""

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return dicts, lists, text and finite numbers; NaN and infinity, which JSON does not know, become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
