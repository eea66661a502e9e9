"""Run the service: put its parts together, listen, and stop in order."""

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dsketch.errors import SpecError
from dsketch.planning.traffic import tariff_of
from dsketch.service.app import application
from dsketch.service.audit_log import audit_log
from dsketch.service.auth import Tokens, require_safe_host
from dsketch.service.dispatch import Dispatcher, Rules
from dsketch.service.errors import ServiceError
from dsketch.service.events import Hub
from dsketch.service.formats import private_umask
from dsketch.service.jobs_api import Desk
from dsketch.service.keeping import Keeping
from dsketch.service.limits import default_memory
from dsketch.service.metrics import Metrics
from dsketch.service.middleware import RequestBounds
from dsketch.service.notices import NoticeHosts
from dsketch.service.owners import Owners
from dsketch.service.places import Roots
from dsketch.service.protocol import protocol_with
from dsketch.service.store import Store
from dsketch.service.trust import Peers, TrustedHeader
from dsketch.service.uploads import UploadLimits
from dsketch.service.workers import JobCluster

log = logging.getLogger("dsketch.service")

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_PARTING_SECONDS = 5  # answers under way have so long when the service stops


@dataclass(frozen=True)
class ServiceOptions:
    """What a service is told at its start.

    Attributes
    ----------
    state : Path
        The state directory.
    host, port
        Where to listen; port 0 takes a free one.
    token_file : Path or None
    roots : Roots
    cluster : JobCluster
    rules : Rules
    bounds : RequestBounds
    allowed_hosts : tuple of str
        Names by which a proxy reaches it.
    root_path : str
        Prefix under which a proxy shows it.
    keep_days : float or None
        Until ended jobs are removed; None: never.
    audit_log : Path or None
        Where a line of every request and every change of a job is appended.
    trusted : TrustedHeader or None
        By which a proxy says who logged in there.
    owners : Path or None
        The file of what each owner may do.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 8750
    token_file: Path | None = None
    roots: Roots = field(default_factory=Roots)
    cluster: JobCluster = field(default_factory=JobCluster)
    rules: Rules = field(default_factory=Rules)
    bounds: RequestBounds = field(default_factory=RequestBounds)
    allowed_hosts: tuple[str, ...] = ()
    root_path: str = ""
    keep_days: float | None = None
    audit_log: Path | None = None
    trusted: TrustedHeader | None = None
    owners: Path | None = None


class Server(uvicorn.Server):
    """A server that ends open streams and plans first when it is told to stop, so that nobody waits for them."""

    def __init__(self, config: uvicorn.Config, hub: Hub, desk: Desk) -> None:
        super().__init__(config)
        self._hub, self._desk = hub, desk

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal to stop; a second Ctrl-C does not wait for answers under way.

        uvicorn would raise the signal again when it has ended, and so end the process before jobs are interrupted in order.
        """
        del frame
        self._hub.close()
        threading.Thread(target=self._desk.close, daemon=True).start()  # takes locks, which a handler of signals must not
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def serve(options: ServiceOptions, announce: Callable[[str], None] | None = None) -> None:
    """Serve until a signal to stop; running jobs are interrupted then, and go on at the next start.

    Parameters
    ----------
    options : ServiceOptions
    announce : callable, optional
        Is handed the address as soon as connections are taken.

    Raises
    ------
    SpecError
        If others could reach the service without a token, or the token file is no good.
    ServiceError
        If the state directory is another service's, or the port is taken.
    """
    tokens = Tokens(options.token_file, options.trusted)
    require_safe_host(options.host, tokens)
    if (
        options.trusted is not None and not options.allowed_hosts
    ):  # else a page of somebody else could set the header by a browser here
        raise SpecError(
            "the proxy's name was expected as --allowed-host beside --trust-header; there is none. Give the name that people open."
        )
    require_prefix(options.root_path)
    if options.token_file is not None or options.trusted is not None:
        require_apart(options.state, options.roots)
    owners = Owners(options.owners, options.roots)
    listening = _listen(options.host, options.port)
    with listening, audit_log(options.audit_log):
        store = Store(options.state)
        tokens.remember(options.state / "token-use.json")
        hub = Hub(store.jobs)
        dispatcher = Dispatcher(store, hub, options.cluster, options.roots, Metrics(), options.rules, owners)
        desk, keeping = Desk(dispatcher), Keeping(dispatcher, options.keep_days)
        try:
            dispatcher.start()
            keeping.start()
            app = application(
                desk,
                tokens,
                host=options.host,
                bounds=options.bounds,
                allowed=options.allowed_hosts,
                root_path=options.root_path,
            )
            config = uvicorn.Config(
                _with_peers(app),
                proxy_headers=False,  # uvicorn's own would hide who connects from what asks for it
                http=protocol_with(options.bounds.patience_seconds),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_PARTING_SECONDS,
            )
            if announce is not None:
                announce(_address(options.host, listening.getsockname()[1]))
            Server(config, hub, desk).run(sockets=[listening])
        finally:
            desk.close()
            keeping.stop()
            dispatcher.stop()
            options.cluster.close()
            tokens.close()
            store.close()


def run(
    state: Path,
    host: str,
    port: int,
    token_file: Path | None,
    places: tuple[Iterable[str], Iterable[str]],
    cluster: dict[str, Any],
    most: dict[str, Any],
    small_bytes: int,
    bounds: RequestBounds,
    announce: Callable[[str], None],
    notice_hosts: Iterable[str] = (),
    price: str | None = None,
    **more: Any,
) -> None:
    """Serve as the command line asks: parameters as its options, ``places`` to read and to write under.

    What it writes is for this account alone, but for results under declared folders.

    Raises
    ------
    SpecError
        If a declared folder is none, and as :func:`serve`.
    """
    most = {**most, "memory": most["memory"] or default_memory(most["jobs"])}
    roots = Roots.of(*places)
    require_folders(roots)
    rules = Rules(
        most["jobs"],
        small_bytes,
        most["seconds"],
        most["memory"],
        most["result"],
        most["waiting"],
        most["bytes"],
        most["planning"],
        private_umask(),
        NoticeHosts.of(notice_hosts),
        None if price is None else tariff_of(price),
        UploadLimits(most["upload"], most["uploaded"], most["uploads"]),
    )
    options = ServiceOptions(state, host, port, token_file, roots, JobCluster(**cluster), rules, bounds, **more)
    if not roots.folders and not roots.prefixes:
        log.warning("no --data-root is declared: jobs may read uploads alone")
    serve(options, announce)


def require_folders(roots: Roots) -> None:
    """Refuse declared folders that are none: every job would fail later.  Those of results are made with the first one.

    Raises
    ------
    SpecError
    """
    wrong = [("--data-root", folder) for folder in roots.folders if not folder.is_dir()]
    wrong += [("--out-root", folder) for folder in roots.outputs if folder.exists() and not folder.is_dir()]
    for option, folder in wrong:
        what = "something else" if folder.exists() else "nothing"
        raise SpecError(f"a folder was expected as {option}; at {folder} there is {what}. Make it, or correct its name.")


def require_apart(state: Path, roots: Roots) -> None:
    """Refuse a state directory below a declared folder, where owners could read, or write over, each other's answers and uploads.

    Raises
    ------
    SpecError
    """
    state = state.resolve()
    for option, folders in (("--data-root", roots.folders), ("--out-root", roots.outputs)):
        for folder in folders:
            if state.is_relative_to(folder):
                raise SpecError(
                    f"a state directory outside of every {option} was expected where there are several owners; {state} lies below "
                    f"{folder}. Move it, or declare a smaller folder."
                )


def require_prefix(root_path: str) -> None:
    """Refuse a prefix that is no path.

    Raises
    ------
    SpecError
    """
    if root_path and not _PREFIX.fullmatch(root_path):
        raise SpecError(
            f"a prefix such as /dsketch was expected as --root-path; got {root_path!r}. Begin it with / and end it without one."
        )


def _with_peers(app: Any) -> Peers:
    """Return the application with addresses as proxies on this machine tell them, after who connects was noted."""
    return Peers(ProxyHeadersMiddleware(app, os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only on sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ServiceError(
            f"a free port was expected; {host}:{port} gave: {error.strerror or error}. Choose another --port, or stop who has it."
        ) from error
    return listening


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
