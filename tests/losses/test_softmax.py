"""Softmax against its definition in 60 digits, and against the logistic loss that it is for two classes."""

import mpmath
import numpy as np
import pytest

from dsketch.errors import DataError, SpecError
from dsketch.losses.softmax import Softmax

EPS = np.finfo(float).eps


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_values_slopes_and_curvatures_are_exact_in_the_tails(classes: int) -> None:
    """Each entry is right to a few eps of itself, also where a class is certain to 1e-40."""
    loss = Softmax(classes)
    random = np.random.default_rng(classes)
    eta = random.normal(size=(60, classes - 1)) * np.repeat([1.0, 10.0, 90.0], 20)[:, None]
    y = random.integers(0, classes, 60).astype(float)
    terms = loss.terms(eta, y)
    curvatures = terms.curvature.reshape(60, classes - 1, classes - 1)
    assert terms.curvature.ndim == (1 if classes == 2 else 3)
    assert np.array_equal(terms.value, loss.values(eta, y))
    with mpmath.workdps(300):
        for row in range(60):
            full = [mpmath.mpf(0), *(mpmath.mpf(float(value)) for value in eta[row])]
            p = [mpmath.exp(value) / mpmath.fsum(map(mpmath.exp, full)) for value in full]
            label = int(y[row])
            tolerance = (abs(eta[row]).max() + 10) * 4 * EPS  # exponents of that size
            assert abs(terms.value[row] + float(mpmath.log(p[label]))) <= tolerance * max(float(-mpmath.log(p[label])), 1e-300)
            for j in range(1, classes):
                slope = float(p[j] - (1 if j == label else 0))
                assert abs(terms.slope[row, j - 1] - slope) <= tolerance * abs(slope)
                for k in range(1, classes):
                    curvature = float(p[j] * (1 - p[j]) if j == k else -p[j] * p[k])
                    assert abs(curvatures[row, j - 1, k - 1] - curvature) <= 2 * tolerance * abs(curvature)
    assert np.array_equal(loss.expected_curvature(eta), terms.curvature)


def test_symmetric_coordinates_are_the_same_loss() -> None:
    """They turn η, slopes and curvatures by one matrix, whose square adds the ones that the mean over classes asks for."""
    plain, symmetric = Softmax(4), Softmax(4, is_symmetric=True)
    random = np.random.default_rng(2)
    eta, y = random.normal(size=(30, 3)) * 2, random.integers(0, 4, 30).astype(float)
    turn = symmetric.compare(np.eye(3))
    assert np.allclose(turn @ turn, np.eye(3) + 1, rtol=0, atol=20 * EPS)
    assert np.allclose(symmetric.centre(symmetric.compare(eta)), eta, rtol=0, atol=50 * EPS)
    found, known = symmetric.terms(symmetric.centre(eta), y), plain.terms(eta, y)
    assert np.allclose(found.value, known.value, rtol=0, atol=50 * EPS)
    assert np.allclose(found.slope, known.slope @ turn, rtol=0, atol=50 * EPS)
    assert np.allclose(found.curvature, turn @ known.curvature @ turn, rtol=0, atol=50 * EPS)
    assert np.allclose(symmetric.mean(symmetric.centre(eta)), plain.mean(eta), rtol=0, atol=50 * EPS)
    full = np.c_[np.zeros(30), eta]
    about = full - full.mean(axis=1, keepdims=True)
    assert np.allclose((symmetric.centre(eta) ** 2).sum(axis=1), (about**2).sum(axis=1), rtol=50 * EPS)
    assert symmetric.concordance(0, 1) == plain.concordance(0, 1)


def test_probabilities_and_their_likelihood_belong_together() -> None:
    """Means are the probabilities of all classes, half the deviance is φ, and so is minus the log-likelihood."""
    loss = Softmax(3)
    random = np.random.default_rng(0)
    eta, y = random.normal(size=(50, 2)) * 3, random.integers(0, 3, 50).astype(float)
    mean = loss.mean(eta)
    assert mean.shape == (50, 3)
    assert np.allclose(mean.sum(axis=1), 1.0, rtol=4 * EPS, atol=0)
    value = loss.values(eta, y)
    assert np.allclose(0.5 * loss.deviance(y, mean), value, rtol=0, atol=50 * EPS)
    assert np.allclose(-loss.log_likelihood(y, mean, np.full(50, 2.0), 1.0), 2.0 * value, rtol=0, atol=100 * EPS)
    assert np.allclose(loss.variance(mean), mean * (1 - mean), rtol=0, atol=4 * EPS)
    assert loss.concordance(-1.0, 1.0) == pytest.approx(np.sqrt(2.0))
    assert loss.outputs == 2


@pytest.mark.parametrize("far", [800.0, 1e5, 1e300])
def test_a_step_that_overshoots_is_finite(far: float) -> None:
    """Predictors far out give finite values, slopes, curvatures and means."""
    loss = Softmax(3)
    eta = np.array([[far, -far], [-far, far], [far, far], [-far, -far]])
    for label in range(3):
        terms = loss.terms(eta, np.full(4, float(label)))
        assert all(np.isfinite(part).all() for part in terms)
    assert np.isfinite(loss.mean(eta)).all()


@pytest.mark.parametrize("wrong", [-1.0, 3.0, 0.5, np.inf])
def test_what_is_no_class_is_refused_by_row(wrong: float) -> None:
    """The message names row and value."""
    with pytest.raises(DataError, match=f"row 102 holds {wrong:g}"):
        Softmax(3).require(np.array([0.0, 2.0, wrong, 1.0]), 100)


@pytest.mark.parametrize("classes", [1, 0, 2.5])
def test_fewer_than_two_classes_are_refused(classes: float) -> None:
    """K is a whole number of at least 2."""
    with pytest.raises(SpecError, match="classes must be a whole number"):
        Softmax(classes)  # type: ignore[arg-type]
