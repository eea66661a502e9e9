"""What the service writes to its log: one line an event, of a format that what users send cannot break."""

import asyncio
import logging
import sys


class OneLine(logging.Formatter):
    """Keeps control characters of a message from making lines of their own; a stack trace is still many."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line."""
        return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in super().formatMessage(record))


def begin(level: str) -> None:
    """Write lines of this level and above to standard error; of other packages only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("dsketch").setLevel(level.upper())
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the server says more than that an answer was cut off because the service stops."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
