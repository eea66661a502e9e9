"""The constants of the binomial links: abs φ‴ ≤ c φ″ between any two η, and c not much larger than it must be."""

import numpy as np
import pytest

from dsketch.losses.table import loss_of

EPS = np.finfo(float).eps
SHARES = (0.0, 1e-3, 0.3, 1.0)
LEAST = {"logit": 1e-290, "probit": 1e-290, "cloglog": 1e-165}  # curvatures below count as none


def changes(link: str, low: float, high: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return abs d log φ″ over each step of a grid, shape (y, steps), NaN where there is no curvature; and the grid."""
    loss = loss_of("binomial", link)
    eta = np.linspace(low, high, steps + 1)
    found = [loss.terms(eta[:, None], np.full(len(eta), share)).curvature for share in SHARES]
    logs = np.log(np.where(np.array(found) > LEAST[link], found, np.nan))
    return np.abs(np.diff(logs, axis=1)), eta


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.parametrize("ends", [(-3.0, 3.0), (-30.0, 1.0), (2.0, 6.0), (-0.5, 30.0), (-600.0, -500.0)])
def test_curvatures_never_change_faster_than_claimed(link: str, ends: tuple[float, float]) -> None:
    """log φ″ changes by at most c times the step between ``low`` and ``high``, for failures, successes and shares."""
    found, eta = changes(link, *ends, 4000)
    c = loss_of("binomial", link).concordance(*ends)
    step = eta[1] - eta[0]
    # curvatures are right to a few eps times the exponent that they hold, e^η of the complementary log-log link
    noise = 100 * EPS * (10 + np.abs(eta[1:]) + (np.exp(np.minimum(eta[1:], 6.1)) if link == "cloglog" else eta[1:] ** 2))
    inside = found[:, eta[1:] <= 6.0] if link == "cloglog" else found
    noise = noise[eta[1:] <= 6.0] if link == "cloglog" else noise
    assert not (inside > c * step + noise).any()


@pytest.mark.parametrize(("link", "ends"), [("logit", (-40.0, 40.0)), ("probit", (-6.0, 9.0)), ("cloglog", (-9.0, 5.0))])
def test_the_constant_is_not_generous(link: str, ends: tuple[float, float]) -> None:
    """It is reached to 10 % somewhere between the ends."""
    found, eta = changes(link, *ends, 20_000)
    c = loss_of("binomial", link).concordance(*ends)
    assert np.nanmax(found) >= 0.9 * c * (eta[1] - eta[0])


def test_certain_successes_do_not_spoil_a_proof() -> None:
    """Of the complementary log-log link c stays below 820 however far η goes: rows beyond 6.6 have no curvature."""
    loss = loss_of("binomial", "cloglog")
    assert loss.concordance(-5.0, 1e9) < 820
    far = loss.terms(np.linspace(6.6, 700.0, 500)[:, None], np.ones(500))
    assert far.curvature.max() == 0.0
    assert np.isfinite(far.value).all()
