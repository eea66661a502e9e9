"""How one kind of source becomes a Matrix: by what it is known, and what opens it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dsketch.matrix.base import Matrix


@dataclass(frozen=True)
class Opener:
    """One line of the table of sources.

    Attributes
    ----------
    takes : callable
        Whether a source is of this kind; libraries that may not be installed are known by the methods of the class.
    open : callable
        ``open(source, what=)`` gives the Matrix, or the error that says what to pass instead.
    may_lack : bool
        Whether stored chunks may be absent, so that it is told ``missing=`` as well.
    """

    takes: Callable[[Any], bool]
    open: Callable[..., Matrix]
    may_lack: bool = False

    def __call__(self, source: Any, missing: str, what: str) -> Matrix:
        """Open a source of this kind."""
        return self.open(source, what=what, missing=missing) if self.may_lack else self.open(source, what=what)


def has(source: Any, *names: str) -> bool:
    """Whether its class has these: instances of some classes answer to any name."""
    return all(hasattr(type(source), name) for name in names)


def known_by(*names: str) -> Callable[[Any], bool]:
    """Return the question whether the class of a source has these."""
    return lambda source: has(source, *names)


def is_a(*kinds: type) -> Callable[[Any], bool]:
    """Return the question whether a source is of one of these types."""
    return lambda source: isinstance(source, kinds)
