"""The command line, to be killed: ``python -m failures.command point words…``, points as in :mod:`failures.driver`.

Without a terminal the command line tells its passes to a logger; here a killer listens in its place.
"""

import sys

from dsketch.cli import main, session
from failures.driver import Killer
from failures.scale import shrink

if __name__ == "__main__":
    shrink()
    killer = Killer(sys.argv[1])
    session.LogLines = lambda: killer
    main(sys.argv[2:])
