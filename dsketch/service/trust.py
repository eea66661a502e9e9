"""Login by a proxy: a header that names the owner is believed from the addresses where the proxy is, and from nobody else."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from dsketch.errors import SpecError
from dsketch.service.errors import TokenError
from dsketch.service.tokens import is_plain_name

_PEER = "dsketch.peer"
_LOOPBACK = ("127.0.0.0/8", "::1")
_NEVER = ("authorization", "host", "origin", "cookie", "content-length", "x-forwarded-for")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Scope = MutableMapping[str, Any]


@dataclass(frozen=True)
class TrustedHeader:
    """A header that a proxy sets when somebody has logged in there.

    Attributes
    ----------
    name : str
        In lower case.
    peers : tuple of networks
        Where the proxy connects from.
    """

    name: str
    peers: tuple[Network, ...]

    @classmethod
    def of(cls, name: str | None, peers: Iterable[str] = ()) -> "TrustedHeader | None":
        """Return what a command line says; None where no header is trusted.

        Raises
        ------
        SpecError
            If the name is no header's, or one with a meaning of its own; if an address is none; if there are only addresses.
        """
        given = tuple(peers)
        if name is None:
            if given:
                raise SpecError("--trust-header was expected beside --trust-from; there is none. Give both, or neither.")
            return None
        plain = name.lower()
        if not plain.replace("-", "").isalnum() or not plain.isascii() or plain in _NEVER:
            raise SpecError(
                f"a header that names who logged in was expected as --trust-header; got {name!r}. Give one such as X-Forwarded-User."
            )
        return cls(plain, tuple(_network_of(peer) for peer in given or _LOOPBACK))

    def owner(self, scope: Scope) -> str | None:
        """Return whom the proxy names; None where a request has no such header.

        Raises
        ------
        TokenError
            If the header comes from elsewhere, more than once, or names nobody.
        """
        wanted = self.name.encode()
        values = [value for name, value in scope["headers"] if name.lower() == wanted]
        if not values:
            return None
        peer = str(scope.get(_PEER) or (scope.get("client") or ("",))[0])
        if not self._trusts(peer):
            raise TokenError(
                f"the header {self.name} was expected from an address of --trust-from; it came from {peer or 'nowhere'}. Send a token "
                "without it."
            )
        name: str = values[0].decode("latin-1").strip()
        if len(values) > 1 or not is_plain_name(name):
            raise TokenError(
                f"one name of letters, digits, '.', '_', '-', '@' was expected in the header {self.name}; there is something else. "
                "Correct the proxy."
            )
        return name

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self.peers)


class Peers:
    """Notes which address a connection is from, before anything believes what a header says of it."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            scope = {**scope, _PEER: (scope.get("client") or ("",))[0]}
        await self.app(scope, receive, send)


def _network_of(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise SpecError(
            f"an address or a network was expected as --trust-from; got {text!r}. Give one such as 10.0.0.7 or 10.0.0.0/24."
        ) from error
