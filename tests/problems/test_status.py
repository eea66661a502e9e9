"""Statuses: one order of verdicts for all families."""

import numpy as np
import pytest

from dsketch.problems.outcome import Status
from dsketch.problems.status import GRAVEST, gravest, status_of

FLAGS = ("is_estimate", "is_approximate", "is_outside", "is_deficient", "is_rounded")
VERDICTS = (Status.ESTIMATED, Status.APPROXIMATE, Status.LEAST_SQUARES, Status.MINIMUM_NORM, Status.ROUNDED)


@pytest.mark.parametrize(("place", "verdict"), list(enumerate(VERDICTS)))
def test_first_flag_that_holds_decides(place: int, verdict: Status) -> None:
    """Of a small backward error the status is that of the first flag, whatever comes after it."""
    assert status_of(np.array([1e-16, 2e-16]), 1e-15, **dict.fromkeys(FLAGS[place:], True)) is verdict


@pytest.mark.parametrize("error", [1e-3, np.nan, np.inf])
def test_too_large_an_error_is_not_solved(error: float) -> None:
    """One side above what is accepted, or not a number, outweighs all but what has no certificate."""
    errors = np.array([0.0, error])

    assert status_of(errors, 1e-15, is_outside=True, is_deficient=True, is_rounded=True) is Status.NOT_SOLVED
    assert status_of(errors, 1e-15, is_estimate=True) is Status.ESTIMATED
    assert status_of(errors, 1e-15, is_approximate=True) is Status.APPROXIMATE


def test_no_flag_is_solved() -> None:
    """At the limit it counts; without sides there is nothing to fail."""
    assert status_of(np.array([1e-15]), 1e-15) is Status.SOLVED
    assert status_of(np.zeros(0), 1e-15) is Status.SOLVED


def test_gravest_is_first_of_all_statuses() -> None:
    """Every status has its place, and the worst of several is told."""
    assert set(GRAVEST) == set(Status)
    assert gravest([Status.SOLVED, Status.MINIMUM_NORM, Status.ROUNDED]) is Status.MINIMUM_NORM
    assert gravest(Status) is Status.NOT_SOLVED


def test_an_estimate_is_not_said_to_be_of_a_sketch_alone() -> None:
    """Leverage, drawn rows and convolution bases are held against a sample: no sketch is taken."""
    assert "a sketch or a sample" in Status.ESTIMATED.value
