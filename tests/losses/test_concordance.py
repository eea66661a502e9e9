"""The constant of the proof: abs φ‴ ≤ c φ″, never broken, on dense grids and in the saturation."""

import numpy as np
import pytest

from dsketch.losses.softmax import Softmax
from tests.losses.examples import EXAMPLES, Example, pairs

CONVEX = {name: example for name, example in EXAMPLES.items() if example.loss.is_convex}
EPS = np.finfo(float).eps


@pytest.mark.parametrize("example", CONVEX.values(), ids=CONVEX.keys())
def test_curvatures_never_change_faster_than_claimed(example: Example) -> None:
    """log φ″(η + s) − log φ″(η) ≤ c s for all s, which is what the proof uses, on grids of steps 1e-3 and 4."""
    c = example.loss.concordance(-5.0, 5.0)
    for low, high, steps in ((-8.0, 8.0, 16_001), (-60.0, 60.0, 31), (-650.0, 650.0, 651)):
        eta, y = pairs(example, low, high, steps)
        curvature = example.loss.terms(eta, y).curvature.reshape(len(example.y), steps)
        is_there = (curvature[:, 1:] > 1e-290) & (curvature[:, :-1] > 1e-290)
        change = np.abs(np.diff(np.log(np.maximum(curvature, 1e-290)), axis=1))[is_there]
        step = (high - low) / (steps - 1)
        # curvatures and the grid are right to a few hundred eps (exponents of 650 lose as many)
        assert (change <= c * step + 4000 * EPS).all()


@pytest.mark.parametrize("name", ["poisson", "gamma", "tweedie 1.1", "tweedie 1.5", "tweedie 1.9", "huber 0.1", "huber 3"])
def test_the_constant_is_not_generous(name: str) -> None:
    """Where the claim is made it is reached to 2 %: a smaller constant would be wrong."""
    example = EXAMPLES[name]
    eta, y = pairs(example, -250.0, 250.0, 50_001)
    curvature = example.loss.terms(eta, y).curvature.reshape(len(example.y), -1)
    change = np.abs(np.diff(np.log(np.maximum(curvature, 1e-290)), axis=1))
    c = example.loss.concordance(-5.0, 5.0)
    assert change.max() >= 0.98 * c * 0.01


def test_nothing_is_claimed_near_the_saturation() -> None:
    """Where the minimizer may lie beyond the saturation, or the loss is not convex, the constant is ∞."""
    assert EXAMPLES["poisson"].loss.concordance(0.0, 298.0) == np.inf
    assert EXAMPLES["gamma"].loss.concordance(-160.0, 0.0) == np.inf
    assert EXAMPLES["tweedie 1.5"].loss.concordance(-5.0, 600.0) == np.inf
    assert EXAMPLES["tweedie 1.5"].loss.concordance(-320.0, 5.0) == np.inf
    assert EXAMPLES["inverse_gaussian"].loss.concordance(0.0, 1.0) == np.inf
    assert EXAMPLES["gaussian"].loss.concordance(-1e9, 1e9) == 0.0


@pytest.mark.parametrize("classes", [3, 4, 7])
def test_softmax_changes_no_faster_than_root_two(classes: int) -> None:
    """Along any line, uᵀφ″u changes by a factor of at most e^{√2‖v‖s}, u = v."""
    loss = Softmax(classes)
    random = np.random.default_rng(classes)
    rows = 20_000
    eta = random.normal(size=(rows, classes - 1)) * random.choice([0.1, 1, 5, 30], size=(rows, 1))
    v = random.normal(size=eta.shape)
    hard = np.abs(random.normal(size=eta.shape)) < 0.5
    v[hard] = 0.0
    v /= np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)
    y = random.integers(0, classes, rows).astype(float)
    here, there = (np.einsum("ri,rij,rj->r", v, loss.terms(eta + s * v, y).curvature, v) for s in (0.0, 1e-2))
    is_there = here > 1e-250
    # the quadratic form cancels where entries of v differ: relative to its largest term
    size = np.einsum("ri,rij,rj->r", np.abs(v), np.abs(loss.terms(eta, y).curvature), np.abs(v))
    change = np.abs(np.log(there[is_there] / here[is_there]))
    assert (change <= np.sqrt(2.0) * 1e-2 + 100 * EPS * size[is_there] / here[is_there]).all()
