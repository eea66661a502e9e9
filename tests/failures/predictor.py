"""A driver to be killed: ``python -m failures.predictor x A out point [cluster]``, points as in :mod:`failures.driver`."""

import sys

import dsketch
from failures.driver import Killer
from failures.scale import shrink


def main(x: str, A: str, out: str, point: str, cluster: str = "serial") -> None:
    """Predict."""
    shrink()
    dsketch.predict(x, A, out, cluster=cluster, progress=Killer(point))


if __name__ == "__main__":
    main(*sys.argv[1:])
