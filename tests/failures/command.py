"""The command line, to be killed: ``python -m tests.failures.command point words…``, points as in :mod:`tests.failures.driver`.

Without a terminal the command line tells its passes to a logger; here a killer listens in its place.
"""

import sys

from dsketch._cli import main, session
from tests.failures.driver import Killer
from tests.failures.scale import shrink

if __name__ == "__main__":
    shrink()
    killer = Killer(sys.argv[1])
    session.LogLines = lambda: killer
    main(sys.argv[2:])
