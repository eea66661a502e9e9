"""A driver to be killed: ``python -m tests.failures.predictor x A out point [cluster]``, points as in :mod:`tests.failures.driver`."""

import sys

import dsketch
from tests.failures.driver import Killer
from tests.failures.scale import shrink


def main(x: str, A: str, out: str, point: str, cluster: str = "serial") -> None:
    """Predict."""
    shrink()
    dsketch.predict(x, A, out, cluster=cluster, progress=Killer(point))


if __name__ == "__main__":
    main(*sys.argv[1:])
