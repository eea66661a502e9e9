"""``dsketch`` whose service goes on at once where it would wait before another attempt: 1, 2, 4 seconds, and more for people's clusters."""

from dsketch._cli import main
from dsketch.service import dispatch

dispatch._FIRST_PAUSE_SECONDS = 0.01

if __name__ == "__main__":
    main()
