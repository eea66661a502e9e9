"""When each token was last used, kept over restarts."""

import contextlib
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsketch.service.files import get_json, put_json
from dsketch.service.tokens import Token

_PAUSE_SECONDS = 60.0  # between two writings: what a kill loses is less


class TokenUse:
    """Remembers when tokens were used, by what names them over HTTP: neither a token nor its hash stands in the file.

    Guarantees: to note a use waits for no disk; what a kill loses is the last minute.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = dict[str, float]()
        self._written = time.monotonic()
        self._guard = threading.Lock()
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            known: Any = get_json(path)
            self._last = {str(name): float(at) for name, at in known["last"].items()}

    def note(self, token: Token) -> None:
        """Note that a token is used now."""
        self._last[token.handle] = time.time()
        now = time.monotonic()
        if now - self._written > _PAUSE_SECONDS:
            self._written = now
            threading.Thread(target=self.keep, daemon=True).start()

    def last(self, token: Token) -> float | None:
        """Return when a token was last used, in seconds since 1970; None: never, as far as anybody knows."""
        return self._last.get(token.handle)

    def forget_others(self, known: Iterable[Token]) -> None:
        """Forget the tokens that are not among these."""
        handles = {token.handle for token in known}
        self._last = {name: at for name, at in dict(self._last).items() if name in handles}

    def keep(self) -> None:
        """Write it down; a disk without room has it at another time."""
        with self._guard, contextlib.suppress(OSError):
            put_json(self._path, {"last": dict(self._last)})
