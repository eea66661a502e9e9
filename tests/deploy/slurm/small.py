"""dsketch with small blocks: ``python -m deploy.slurm.small solve …``, or ``… script.py words`` for a script that uses it.

16 MB of data then have the eight panels and the tasks of half a gigabyte; see :mod:`tests.failures.scale`.
"""

import runpy
import sys

import dsketch._cli
from tests.failures.scale import shrink


def main() -> None:
    """Run the command line, or the script that the first word names."""
    shrink()
    if sys.argv[1].endswith(".py"):
        del sys.argv[0]
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        dsketch._cli.main()


if __name__ == "__main__":
    main()
