"""Run the service: put its parts together, listen, and stop in order."""

import logging
import signal
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from dsketch.service.auth import Tokens, require_safe_host
from dsketch.service.desk import Desk
from dsketch.service.dispatch import Dispatcher, Rules
from dsketch.service.errors import ServiceError
from dsketch.service.events import Hub
from dsketch.service.guards import Bounds
from dsketch.service.http import application
from dsketch.service.limits import default_memory
from dsketch.service.metrics import Metrics
from dsketch.service.paths import Roots
from dsketch.service.protocol import protocol_with
from dsketch.service.store import Store
from dsketch.service.workers import Cluster

log = logging.getLogger("dsketch.service")

_PARTING_SECONDS = 5  # for answers under way when the service stops


@dataclass(frozen=True)
class Options:
    """What a service is told at its start.

    Attributes
    ----------
    state : Path
        The state directory.
    host, port
        Where to listen; port 0 takes a free one.
    token_file : Path or None
    roots : Roots
    cluster : Cluster
    rules : Rules
    bounds : Bounds
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 8750
    token_file: Path | None = None
    roots: Roots = field(default_factory=Roots)
    cluster: Cluster = field(default_factory=Cluster)
    rules: Rules = field(default_factory=Rules)
    bounds: Bounds = field(default_factory=Bounds)


class Server(uvicorn.Server):
    """A server that ends open streams first when it is told to stop, so that nobody waits for them."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal to stop; a second Ctrl-C does not wait for answers under way.

        uvicorn would raise the signal again when it has ended, and so end the process before jobs are interrupted in order.
        """
        del frame
        self._hub.close()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def serve(options: Options, announce: Callable[[str], None] | None = None) -> None:
    """Serve until a signal to stop; running jobs are interrupted then, and go on at the next start.

    Parameters
    ----------
    options : Options
    announce : callable, optional
        Is handed the address as soon as connections are taken.

    Raises
    ------
    SpecError
        If others could reach the service without a token, or the token file is no good.
    ServiceError
        If the state directory is another service's, or the port is taken.
    """
    tokens = Tokens(options.token_file)
    require_safe_host(options.host, tokens)
    listening = _listening(options.host, options.port)
    with listening:
        store = Store(options.state)
        hub = Hub(store.jobs)
        dispatcher = Dispatcher(store, hub, options.cluster, options.roots, Metrics(), options.rules)
        try:
            dispatcher.start()
            app = application(Desk(dispatcher), tokens, host=options.host, bounds=options.bounds)
            config = uvicorn.Config(
                app,
                http=protocol_with(options.bounds.patience_seconds),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_PARTING_SECONDS,
            )
            if announce is not None:
                announce(_address(options.host, listening.getsockname()[1]))
            Server(config, hub).run(sockets=[listening])
        finally:
            dispatcher.stop()
            options.cluster.close()
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
    bounds: Bounds,
    announce: Callable[[str], None],
) -> None:
    """Serve as the command line asks: parameters as its options, ``places`` to read and to write under."""
    most = {**most, "memory": most["memory"] or default_memory(most["jobs"])}
    rules = Rules(most["jobs"], small_bytes, most["seconds"], most["memory"], most["result"], most["waiting"])
    roots = Roots.of(*places)
    options = Options(state, host, port, token_file, roots, Cluster(**cluster), rules, bounds)
    if not roots.folders and not roots.prefixes:
        log.warning("no --data-root is declared: every job will be refused")
    serve(options, announce)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
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
