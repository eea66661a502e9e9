"""``python -m dsketch``: the command line."""

from dsketch._cli import main

if __name__ == "__main__":  # worker processes import this file again
    main()
