"""What we need of scikit-learn beyond what it publishes."""

import numpy as np
import pytest

from dsketch.sklearn.compat import check_sample_weight


def test_weights_are_checked_as_everywhere_in_scikit_learn() -> None:
    """None and a number are repeated, a list becomes float64; a negative one, a NaN and a wrong length are refused in its words."""
    X = np.ones((3, 1))

    assert check_sample_weight(2, X).tolist() == [2.0, 2.0, 2.0]
    assert check_sample_weight([1, 2, 3], X).dtype == np.float64
    for weights, words in (([1, -1, 1], "Negative values"), ([1, np.nan, 1], "NaN"), ([1, 1], "shape")):
        with pytest.raises(ValueError, match=words):
            check_sample_weight(weights, X)
