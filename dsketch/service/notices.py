"""Notices to other services at the end of a job: a POST of JSON to a host that was allowed, on threads that nobody waits for."""

import contextlib
import http.client
import json
import logging
import queue
import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dsketch.errors import AccessError

log = logging.getLogger("dsketch.service.acts")

_SECONDS = 10.0  # to connect, and again for all the rest of one attempt
_PAUSES = (2.0, 10.0)  # before the second attempt and the third
_THREADS = 4  # so that one slow host delays a quarter of the others
_MOST_WAITING = 1_000
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class NoticeHosts:
    """The hosts that may be told of the end of a job.

    Parameters
    ----------
    names : tuple of str
        ``name`` for its standard ports, ``name:port`` for another.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> "NoticeHosts":
        """Return the hosts that a command line names."""
        return cls(tuple(name.lower() for name in names))

    def require(self, url: str) -> None:
        """Refuse an address of a host that is not allowed.

        Raises
        ------
        AccessError
        """
        if self._allows(url):
            return
        names = ", ".join(self.names) or "none"
        raise AccessError(
            f"notify was expected to be an http(s) address of a host that --notify-host allows ({names}); its host is "
            f"{_host_of(url)!r:.100}. Use one of those, or leave notify out."
        )

    def _allows(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            return False
        is_plain = url.isascii() and url.isprintable() and not set(url) & {" ", "\\"} and "@" not in parts.netloc
        host = parts.hostname or ""
        return is_plain and (f"{host}:{port}" in self.names or (host in self.names and port == _PORTS[parts.scheme]))


class Notices:
    """Sends notices.

    Guarantees: what a host does or does not do changes nothing of the job and delays nobody who does not wait for a notice himself; no
    redirect is followed; an attempt ends within twice its time, also if its answer drips.  What waits is lost when the service stops.

    Parameters
    ----------
    hosts : NoticeHosts
    seconds, pauses
        Of an attempt, and before each further one.
    """

    def __init__(self, hosts: NoticeHosts, seconds: float = _SECONDS, pauses: tuple[float, ...] = _PAUSES) -> None:
        self.hosts, self._seconds, self._pauses = hosts, seconds, pauses
        self._waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(_MOST_WAITING)
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []

    def send(self, url: str, document: dict[str, Any]) -> None:
        """Have a notice sent; never waits, never fails."""
        with self._starting:
            if len(self._threads) < _THREADS:
                self._threads.append(threading.Thread(target=self._work, name="notices", daemon=True))
                self._threads[-1].start()
        try:
            self._waiting.put_nowait((url, document))
        except queue.Full:
            log.warning("the notice of job %s is not sent: %d wait", document["id"], _MOST_WAITING)

    def _work(self) -> None:
        while True:
            url, document = self._waiting.get()
            try:
                self._deliver(url, document)
            except AccessError as error:  # the service may have been started again with other hosts
                log.warning("the notice of job %s is not sent: %s", document["id"], error)
            except Exception:  # one odd address must not end the notices of others
                log.exception("the notice of job %s is not sent", document["id"])

    def _deliver(self, url: str, document: dict[str, Any]) -> None:
        self.hosts.require(url)
        parts, body, said = urlsplit(url), json.dumps(document).encode(), ""
        for pause in (0.0, *self._pauses):
            threading.Event().wait(pause)
            try:
                status = _post(parts, body, self._seconds)
            except (OSError, http.client.HTTPException) as error:
                said = str(error) or type(error).__name__
                continue
            if 200 <= status < 300:
                return
            said = f"it answered {status}"
            if status < 500 and status != 429:
                break
        log.warning("%s was not told of the end of job %s: %s", _host_of(url), document["id"], said)


def _post(parts: SplitResult, body: bytes, seconds: float) -> int:
    """Return the status of the answer to a POST; nothing of the answer but its status is read."""
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
    try:
        connection.connect()
        ending = threading.Timer(seconds, _end, [connection])  # the timeout of a socket begins again with every byte
        ending.daemon = True
        ending.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {"Content-Type": "application/json", "User-Agent": "dsketch"})
            return connection.getresponse().status
        finally:
            ending.cancel()
    finally:
        connection.close()


def _end(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _host_of(url: str) -> str:
    """Return what may be told of an address: its path can be a secret."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "none"
