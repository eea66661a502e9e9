"""The command line with blocks as they are, to be killed: ``point words…``, points as in :mod:`tests.failures.driver`."""

import sys

from dsketch._cli import main, session
from tests.failures.driver import Killer

if __name__ == "__main__":
    killer = Killer(sys.argv[1])
    session.LogLines = lambda: killer
    main(sys.argv[2:])
