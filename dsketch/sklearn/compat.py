"""What we need of scikit-learn beyond what it publishes: the only place that knows, so that a new version is met here.

``tests/sklearn/test_compat.py`` holds that it does what we need.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight


def check_sample_weight(sample_weight: Any, X: Any) -> NDArray[np.float64]:
    """Return weights of the rows of X as scikit-learn checks them everywhere: finite, one a row (a number is repeated), none negative.

    Stands on ``sklearn.utils.validation._check_sample_weight`` with ``dtype`` and ``ensure_non_negative`` (in all versions from 1.6 on),
    which scikit-learn's own estimators use; nothing public says the same words.

    Raises
    ------
    ValueError
        As scikit-learn words it.
    """
    return np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))
