"""How much a job may read: asked before the first pass, and again after each."""

from dsketch import events
from dsketch._units import format_bytes
from dsketch.service.errors import SizeError


class Meter:
    """Counts the bytes that a job reads, those of earlier attempts included.

    An array of a few hundred bytes may declare rows without end, absent chunks for fill values: what counts is what is declared.

    Parameters
    ----------
    most_bytes : int or None
    tell : callable
        Is handed every event.
    """

    def __init__(self, most_bytes: int | None, tell: events.Tell = events.ignore) -> None:
        self._most, self._tell, self._read = most_bytes, tell, 0
        self._told: int | None = None

    def mute(self) -> None:
        """Go on counting, and hand no further event on."""
        self._tell, self._told = events.ignore, self._read

    @property
    def unheard_bytes(self) -> int:
        """What was read since."""
        return 0 if self._told is None else self._read - self._told

    def require(self, count: int, what: str) -> None:
        """Refuse what would read more than is allowed.

        Raises
        ------
        SizeError
        """
        if self._most is not None and count > self._most:
            raise SizeError(
                f"a job that reads at most {format_bytes(self._most)} was expected; {what} would read {format_bytes(count)}. Solve a "
                "part of the rows, or let whoever runs the service raise --max-bytes."
            )

    def hear(self, event: events.Event) -> None:
        """Count a finished pass, and pass the event on.

        Raises
        ------
        SizeError
            If more was read than is allowed.
        """
        self._tell(event)
        if isinstance(event, events.PassFinished):
            self._read += event.read_bytes
            self.require(self._read, f"{event.number} passes of the job")
