"""What passes of attention layers sum: against differences of the dense formula."""

from typing import Any

import numpy as np
import pytest

from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes.layer import LayerJacobian, LayerMoments
from dsketch.passes.layer_sweep import Keys
from dsketch.passes.spans import Spans
from tests.problems.attention.layers import Layer, slopes


@pytest.mark.parametrize("heads", [1, 2])
def test_derivatives_are_what_differences_show(heads: int) -> None:
    """J, JᵀJ, Jᵀr and the Hessian, by X and Y, of blocks that are merged: to 1e-6."""
    case = Layer(noise=0.5, heads=heads)
    x = np.concatenate([case.near(0.3).reshape(-1), case.Y.reshape(-1) + 0.1])
    split, width = case.X.size, case.Y[..., 0].size
    # Passes have heads beside each other, and X of them by rows.
    order = np.arange(split).reshape(heads, 3, 2).swapaxes(0, 1).reshape(-1)
    places = np.concatenate([order, np.arange(split, len(x))])
    X, Y = x[order].reshape(3, -1), x[split:].reshape(width, -1)
    keys = Keys(Spans.of(ArrayMatrix(case.A2), ArrayMatrix(case.A3)), np.eye(2), np.eye(4), case.A2[0], case.A3[0])
    rows = Rows(ArrayMatrix(case.A1), ArrayMatrix(case.B))

    def look(pass_: Any) -> Any:
        parts = [pass_.map(rows.block(start, stop), None) for start, stop in ((0, 7), (7, 60))]
        return pass_.finish(pass_.merge(*parts))

    sums = look(LayerMoments(keys, np.eye(3), X, Y, np.eye(3), np.eye(2 * heads), is_exact=True))
    found = look(LayerJacobian(keys, np.eye(3), X, Y))

    r, J = case.residual(x), slopes(case.residual, x, 1e-6)[:, places]
    by_x = J[:, :split]
    full = np.column_stack([J, r])
    size = np.linalg.norm(full) ** 2
    assert np.abs(found.R.T @ found.R - full.T @ full).max() <= 1e-8 * size
    assert np.abs(sums.squared - by_x.T @ by_x).max() <= 1e-8 * size
    assert np.abs(sums.slope - by_x.T @ r).max() <= 1e-8 * size
    assert sums.size == pytest.approx((case.B**2).sum(), rel=1e-14)
    assert (sums.R[width:, width:] ** 2).sum() <= (r**2).sum()
    hessian = slopes(lambda at: slopes(case.residual, at, 1e-5).T @ case.residual(at), x, 1e-4)
    hessian = hessian[np.ix_(places, places)]
    assert np.abs(J.T @ J + found.bend - hessian).max() <= 1e-6 * np.abs(hessian).max()
    assert np.abs(sums.mixed - found.bend[:split, split:]).max() <= 1e-12 * size
    assert np.abs(sums.bend - found.bend[:split, :split]).max() <= 1e-12 * size
