"""Families by name, their parameters, and the values that they refuse."""

import pickle
from typing import Any

import numpy as np
import pytest

from dsketch.errors import DataError, SpecError
from dsketch.losses.gamma import Gamma
from dsketch.losses.inverse_gaussian import InverseGaussian
from dsketch.losses.poisson import Poisson
from dsketch.losses.table import FAMILIES, loss_of
from dsketch.losses.tweedie import SteepTweedie, Tweedie
from tests.losses.examples import EXAMPLES, Example

PARAMETERS = {"tweedie": {"power": 1.5}, "negative_binomial": {"theta": 2.0}, "huber": {"delta": 1.0}}


def test_every_family_has_its_words() -> None:
    """A loss says the family and the link by which it was found."""
    for family, entry in FAMILIES.items():
        for link in entry.losses:
            loss = loss_of(family, link, **PARAMETERS.get(family, {}))
            assert (loss.family, loss.link) == (family, link)


def test_powers_of_classical_families_are_those() -> None:
    """Tweedie's 1, 2 and 3 are Poisson, gamma and inverse Gaussian; those between and beyond are its own."""
    assert loss_of("tweedie", power=1) == Poisson()
    assert loss_of("tweedie", power=2.0) == Gamma()
    assert loss_of("tweedie", power=3) == InverseGaussian()
    assert type(loss_of("tweedie", power=1.2)) is Tweedie
    assert type(loss_of("tweedie", power=2.2)) is SteepTweedie


@pytest.mark.parametrize(
    ("family", "words", "message"),
    [
        ("poison", {}, "family must be one of"),
        ("poisson", {"link": "logit"}, "link of family poisson must be one of log"),
        ("poisson", {"theta": 1.0}, "family poisson has no theta"),
        ("huber", {}, "delta was expected"),
        ("huber", {"delta": None}, "delta was expected"),
        ("huber", {"delta": 0.0}, "delta must be a number between 0"),
        ("huber", {"delta": "wide"}, "delta must be a number between 0"),
        ("negative_binomial", {"theta": -1.0}, "theta must be a number between 0"),
        ("negative_binomial", {"theta": np.inf}, "theta must be a number between 0"),
        ("tweedie", {"power": 0.5}, "power must be a number between 1 and 2"),
        ("tweedie", {"power": 0}, "0 gaussian"),
    ],
)
def test_what_is_not_a_family_is_refused(family: str, words: dict[str, Any], message: str) -> None:
    """Unknown words, missing and impossible parameters are named."""
    with pytest.raises(SpecError, match=message):
        loss_of(family, **words)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("poisson", -1.0),
        ("poisson", np.inf),
        ("gamma", 0.0),
        ("gamma", -2.5),
        ("inverse_gaussian", 0.0),
        ("tweedie 1.5", -1e-3),
        ("tweedie 2.5", 0.0),
        ("negative_binomial 50", -1.0),
    ],
)
def test_a_response_out_of_the_domain_is_refused_by_row(name: str, wrong: float) -> None:
    """The message names family, row, value and a remedy."""
    loss = EXAMPLES[name].loss
    with pytest.raises(DataError, match=rf"for family {loss.family}; row 7002 holds {wrong:g}\. "):
        loss.require(np.array([1.0, 2.0, wrong, wrong]), 7000)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_the_domain_is_let_through_and_a_nan_left_to_others(example: Example) -> None:
    """What the family allows is not refused; a missing value is named where it is read."""
    example.loss.require(np.array([*example.y, np.nan]), 0)
    assert np.isfinite(example.loss.start(np.array(example.y))).all()


def test_losses_travel_and_are_told_apart() -> None:
    """A loss that went to a worker and back is the same, and no two of the examples are taken for one another."""
    states = {name: "".join(map(str, example.loss.state())) for name, example in EXAMPLES.items()}
    assert len(set(states.values())) == len(states)
    for example in EXAMPLES.values():
        assert pickle.loads(pickle.dumps(example.loss)) == example.loss  # noqa: S301 - our own
