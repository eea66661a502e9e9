"""Losses to test, each with responses of its domain."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch.losses.base import Loss
from dsketch.losses.table import loss_of


class Example(NamedTuple):
    """A loss, and values of y that its family allows."""

    loss: Loss
    y: tuple[float, ...]


COUNTS = (0.0, 1.0, 3.0, 250.0)
AMOUNTS = (1e-3, 0.7, 1.0, 40.0)
REALS = (-30.0, -0.2, 0.0, 5.0)

EXAMPLES = {
    "poisson": Example(loss_of("poisson"), COUNTS),
    "gamma": Example(loss_of("gamma"), AMOUNTS),
    "gaussian": Example(loss_of("gaussian"), REALS),
    "inverse_gaussian": Example(loss_of("inverse_gaussian"), AMOUNTS),
    "tweedie 1.1": Example(loss_of("tweedie", power=1.1), (0.0, *AMOUNTS)),
    "tweedie 1.5": Example(loss_of("tweedie", power=1.5), (0.0, *AMOUNTS)),
    "tweedie 1.9": Example(loss_of("tweedie", power=1.9), (0.0, *AMOUNTS)),
    "tweedie 2.5": Example(loss_of("tweedie", power=2.5), AMOUNTS),
    "negative_binomial 0.3": Example(loss_of("negative_binomial", theta=0.3), COUNTS),
    "negative_binomial 50": Example(loss_of("negative_binomial", theta=50.0), COUNTS),
    "huber 0.1": Example(loss_of("huber", delta=0.1), REALS),
    "huber 3": Example(loss_of("huber", delta=3.0), REALS),
}


def pairs(example: Example, low: float, high: float, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a grid of η, shape (rows, 1), with every y of the example beside each."""
    eta, y = np.meshgrid(np.linspace(low, high, steps), example.y)
    return eta.reshape(-1, 1), y.ravel()
