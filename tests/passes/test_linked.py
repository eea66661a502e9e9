"""The passes of smooth problems, against sums over rows written out."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

from dsketch.engine import SerialEngine
from dsketch.errors import DataError
from dsketch.events import ignore
from dsketch.losses.base import Loss
from dsketch.losses.softmax import Softmax
from dsketch.losses.table import loss_of
from dsketch.matrix.beside import Beside
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Normal, Pass, Triangle
from dsketch.passes.linked import Linked
from dsketch.passes.margins import Margins
from dsketch.passes.mean_response import MeanResponse
from dsketch.passes.tangent import Tangent
from dsketch.passes.trial import Trial

N, D = 700, 5
EPS = np.finfo(float).eps
LOSSES: dict[str, Loss] = {
    "logit": loss_of("binomial"),
    "probit": loss_of("binomial", "probit"),
    "poisson": loss_of("poisson"),
    "softmax": Softmax(3),
}
random = np.random.default_rng(4)
A = random.standard_normal((N, D))
OFFSET, WEIGHTS = random.standard_normal(N) / 3, random.integers(0, 4, N).astype(float)
each_loss = pytest.mark.parametrize("name", LOSSES)


def response(name: str) -> Any:
    """Return a y of the loss's domain."""
    return random.integers(0, 3, N).astype(float) if name in ("poisson", "softmax") else (random.random(N) < 0.4).astype(float)


def run(pass_: Pass[Any], rows: Rows) -> Any:
    """Return what a pass finds."""
    return pass_.finish(SerialEngine(1).run(Look(pass_, rows), ignore))


def rows_of(matrix: Any, y: Any, **parts: Any) -> Rows:
    """Return rows with y and more beside it."""
    given = {"y": y, **parts}
    return Rows(open_matrix(matrix), Beside(**{name: open_matrix(part) for name, part in given.items()}))


def expected(loss: Loss, y: Any, x: Any) -> tuple[float, Any, Any]:
    """Return loss, gradient and Hessian, row by row."""
    eta = A @ x + OFFSET[:, None]
    terms = loss.terms(eta, y)
    curvature = terms.curvature.reshape(N, loss.outputs, loss.outputs)
    gradient = np.einsum("i,ij,ik->jk", WEIGHTS, A, terms.slope)
    hessian = np.einsum("i,ikl,ij,im->kjlm", WEIGHTS, curvature, A, A).reshape(D * loss.outputs, D * loss.outputs)
    return float(WEIGHTS @ terms.value), gradient, hessian


@each_loss
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "csr"])
def test_linked_sums_loss_gradient_and_hessian(name: str, is_sparse: bool) -> None:
    """With offsets and weights, dense and CSR, one output and several; extremes and the longest row beside."""
    loss, y = LOSSES[name], response(name)
    x = random.standard_normal((D, loss.outputs)) / 2
    rows = rows_of(scipy.sparse.csr_array(A) if is_sparse else A, y, offset=OFFSET, weights=WEIGHTS)
    lengths = np.array([1.0, 2.0, 4.0, 0.5, 1.0])

    found = run(Linked(loss, rows.b.places, x, lengths=lengths), rows)  # type: ignore[union-attr]

    value, gradient, hessian = expected(loss, y, x)
    eta = A @ x + OFFSET[:, None]
    assert found.loss == pytest.approx(value, rel=N * EPS)
    assert np.allclose(found.gradient, gradient, atol=N * EPS * np.abs(gradient).max() * 10)
    assert np.allclose(found.gram, hessian, atol=N * EPS * np.abs(hessian).max())
    assert (found.low, found.high) == (pytest.approx(eta.min(), rel=1e-12), pytest.approx(eta.max(), rel=1e-12))
    assert found.longest == pytest.approx(np.linalg.norm(A / lengths, axis=1).max(), rel=1e-12)
    assert (found.weight, found.rows) == (WEIGHTS.sum(), np.count_nonzero(WEIGHTS))
    assert found.curvature == pytest.approx(np.einsum("i,i->", WEIGHTS, trace(loss, eta, y)), rel=1e-12)


def trace(loss: Loss, eta: Any, y: Any) -> Any:
    """Return the trace of each row's curvature."""
    curvature = loss.terms(eta, y).curvature
    return curvature if curvature.ndim == 1 else np.einsum("ikk->i", curvature)


@each_loss
def test_a_light_look_has_the_same_gradient(name: str) -> None:
    """Without a Hessian nothing else changes, but for the height of slices."""
    loss, y = LOSSES[name], response(name)
    x = random.standard_normal((D, loss.outputs)) / 2
    rows = rows_of(A, y)
    heavy = run(Linked(loss, rows.b.places, x), rows)  # type: ignore[union-attr]
    light = run(Linked(loss, rows.b.places, x, has_gram=False), rows)  # type: ignore[union-attr]

    assert light.gram is None
    assert light.loss == pytest.approx(heavy.loss, rel=N * EPS)
    assert np.allclose(light.gradient, heavy.gradient, atol=N * EPS * np.abs(heavy.gradient).max() * 10)


@each_loss
def test_the_tangent_s_triangle_is_the_hessian_s_factor(name: str) -> None:
    """RᵀR is the Hessian, and Rᵀz minus the gradient: the least-squares step is Newton's."""
    loss, y = LOSSES[name], response(name)
    x = random.standard_normal((D, loss.outputs)) / 2
    rows = rows_of(A, y, offset=OFFSET, weights=WEIGHTS)

    found = run(Tangent(Triangle(), loss, rows.b.places, x), rows)  # type: ignore[union-attr]

    _, gradient, hessian = expected(loss, y, x)
    R, z = found.R, found.z[:, 0]
    assert np.allclose(R.T @ R, hessian, atol=N * EPS * np.abs(hessian).max())
    assert np.allclose(R.T @ z, -gradient.T.ravel(), atol=N * EPS * np.abs(hessian).max())
    v = random.standard_normal((D * loss.outputs, 1))
    product = run(Tangent(Normal(v), loss, rows.b.places, x), rows)  # type: ignore[union-attr]
    assert np.allclose(product, hessian @ v, atol=N * EPS * np.abs(hessian).max() * 10)


def test_csr_rows_of_the_tangent_stay_sparse() -> None:
    """A light pass on the tangent of CSR rows gives what it gives on dense ones."""
    loss, y, x, v = LOSSES["logit"], response("logit"), random.standard_normal((D, 1)), random.standard_normal((D, 1))
    dense, sparse = (rows_of(matrix, y) for matrix in (A, scipy.sparse.csr_array(A)))
    pass_ = Tangent(Normal(v), loss, dense.b.places, x)  # type: ignore[union-attr]

    assert np.allclose(run(pass_, dense), run(pass_, sparse), rtol=1e-12, atol=1e-12)


def test_trials_are_losses_along_the_line() -> None:
    """At every step the loss that a look there has."""
    loss, y = LOSSES["poisson"], response("poisson")
    x, p = random.standard_normal((D, 1)) / 3, random.standard_normal((D, 1)) / 3
    rows = rows_of(A, y, offset=OFFSET, weights=WEIGHTS)

    found = run(Trial(loss, rows.b.places, x, p, (0.0, 0.5, 1.0)), rows)  # type: ignore[union-attr]

    assert np.allclose(found, [expected(loss, y, x + step * p)[0] for step in (0.0, 0.5, 1.0)], rtol=N * EPS)


def test_a_step_beyond_everything_is_finite() -> None:
    """Trial points overflow no sum: a bad step is no fault of the data."""
    loss, y = LOSSES["poisson"], response("poisson")
    rows = rows_of(A, y)
    for size in (1e5, 1e160, 1e308):
        x = np.full((D, 1), size) * np.array([[1.0], [-1.0], [1.0], [1.0], [-1.0]])
        found = run(Linked(loss, rows.b.places, x), rows)  # type: ignore[union-attr]
        losses = run(Trial(loss, rows.b.places, 0 * x, x, (1.0, 0.5)), rows)  # type: ignore[union-attr]
        assert np.isfinite(found.loss)
        assert np.isfinite(found.gram).all()
        assert np.isfinite(losses).all()


def test_margins_find_what_never_rises() -> None:
    """Along a direction that parts the labels no slope is positive; with one row exchanged, its own is."""
    loss = LOSSES["logit"]
    v = np.zeros((D, 1))
    v[0] = 0.1
    y = (A[:, 0] > 0).astype(float)
    rows = rows_of(A, y)
    clean = run(Margins(loss, rows.b.places, v), rows)  # type: ignore[union-attr]
    row = int(np.argmax(np.abs(A[:, 0])))
    y[row] = 1 - y[row]
    other = run(Margins(loss, rows.b.places, v, 0.01), rows_of(A, y))  # type: ignore[union-attr]

    assert clean.worst <= 0
    assert clean.up.row == int(np.argmax(A[:, 0]))
    assert clean.down.row == int(np.argmin(A[:, 0]))
    assert other.worst == pytest.approx(abs(A[row, 0]) / 10, rel=1e-9)
    low = A[np.abs(A[:, 0]) <= 0.1]
    assert np.allclose(other.flat, low.T @ low, atol=N * EPS * D)


def test_predictions_are_means() -> None:
    """μ at offset 0, the intercept last."""
    loss, x = LOSSES["logit"], random.standard_normal((D + 1, 1))

    found = run(MeanResponse(loss, x, intercept=True), Rows(open_matrix(A)))

    assert np.allclose(found[:, 0], 1 / (1 + np.exp(-(A @ x[:-1, 0] + x[-1, 0]))), rtol=1e-14)


def test_a_label_outside_is_refused_where_it_is_met() -> None:
    """By its global row, whatever block it lies in."""
    y = response("logit")
    y[451] = 2.0
    rows = rows_of(A, y)

    with pytest.raises(DataError, match="row 451 is 2"):
        run(Linked(LOSSES["logit"], rows.b.places, np.zeros((D, 1))), rows)  # type: ignore[union-attr]
