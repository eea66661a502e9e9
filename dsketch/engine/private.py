"""A cluster that nobody reaches but who holds its keys.

A Dask scheduler and its workers run whatever they are sent, and listen on ports that every account of the machine can connect to.  Here
they talk TLS with a certificate made at the start, which never touches a disk outside of a folder of the process's own, and close a
connection that shows another or none; they serve no dashboard and no other page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, Security

from dsketch.errors import EngineError, SpecError

# Pages that scheduler and workers would serve by plain HTTP to everybody on the machine: none.
SETTINGS: dict[str, Any] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
LIFETIME_DAYS = 300  # a new certificate is due after so many days: distributed's are good for 365


@dataclass(frozen=True)
class Keys:
    """Where a private cluster is and what opens it; hand it on by a pipe only.

    Attributes
    ----------
    address : str
        Of the scheduler.
    certificate, key : str
        PEM; the certificate is its own authority.
    """

    address: str
    certificate: str = field(repr=False)
    key: str = field(repr=False)

    @classmethod
    def of(cls, cluster: Any) -> "Keys":
        """Return the keys of a cluster that was made with :func:`security`."""
        held = cluster.security
        return cls(cluster.scheduler_address, held.tls_ca_file, held.tls_client_key)

    def security(self) -> Security:
        """Return what a client needs."""
        return Security(
            require_encryption=True, tls_ca_file=self.certificate, tls_client_cert=self.certificate, tls_client_key=self.key
        )


def security() -> Security:
    """Return new keys.

    Raises
    ------
    SpecError
        If the package that makes them is not installed.
    """
    try:
        return Security.temporary()
    except ImportError as error:
        raise SpecError(
            f"a private cluster was expected; it needs a package that is not installed ({error}). pip install 'dsketch[service]'."
        ) from error


@contextmanager
def private_client(keys: Keys, timeout: float) -> Iterator[Client]:
    """Yield a client of a private cluster.

    Raises
    ------
    EngineError
        If it does not answer.
    """
    try:
        client = Client(keys.address, timeout=timeout, security=keys.security(), set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise EngineError(
            f"a Dask scheduler was expected at {keys.address}; it did not answer ({type(error).__name__}: {error}). "
            "Check that it runs."
        ) from error
    with client:
        yield client
