"""Login by a proxy's header: believed from where the proxy is, from nobody else, and never beside a check of names."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from dsketch.errors import SpecError
from dsketch.service.app import application
from dsketch.service.auth import Caller, Tokens, new_token
from dsketch.service.dispatch import Dispatcher, Rules
from dsketch.service.errors import TokenError
from dsketch.service.events import Hub
from dsketch.service.jobs_api import Desk
from dsketch.service.metrics import Metrics
from dsketch.service.places import Roots
from dsketch.service.serve import ServiceOptions, serve
from dsketch.service.store import Store
from dsketch.service.trust import TrustedHeader
from dsketch.service.workers import JobCluster
from tests.service.asking import ask
from tests.service.conftest import spec
from tests.service.running import Service

NAME = "X-Forwarded-User"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the tokens are."""
    return tmp_path / "tokens"


def scope_of(*headers: tuple[bytes, bytes], peer: str = "127.0.0.1") -> dict[str, Any]:
    """Return a request as ASGI has it."""
    return {"type": "http", "headers": list(headers), "client": (peer, 1)}


@pytest.mark.parametrize(
    ("peers", "peer", "is_good"),
    [
        ((), "127.0.0.1", True),
        ((), "127.9.9.9", True),
        ((), "::1", True),
        ((), "::ffff:127.0.0.1", True),
        ((), "10.0.0.7", False),
        ((), "::ffff:10.0.0.7", False),
        (("10.0.0.7",), "10.0.0.7", True),
        (("10.0.0.0/24", "fd00::/8"), "10.0.0.9", True),
        (("10.0.0.0/24", "fd00::/8"), "fd00::1", True),
        (("10.0.0.7",), "127.0.0.1", False),
        (("10.0.0.7",), "10.0.0.70", False),
        ((), "", False),
        ((), "localhost", False),
    ],
)
def test_the_header_is_believed_from_the_proxy_alone(peers: tuple[str, ...], peer: str, is_good: bool) -> None:
    """From elsewhere it is refused, also beside a token: nobody sends it by accident."""
    tokens = Tokens(None, TrustedHeader.of(NAME, peers))
    scope = scope_of((b"x-forwarded-user", b"ann@example.com"), peer=peer)
    if is_good:
        assert tokens.caller_of(scope) == Caller("ann@example.com")
        return
    with pytest.raises(TokenError, match="expected from an address of --trust-from"):
        tokens.caller_of(scope)


@pytest.mark.parametrize("values", [[b""], [b"a b"], [b"a:b"], [b"a\nb"], [b"x" * 101], [b"ann", b"boss"], [b"ann", b"ann"]])
def test_one_plain_name_is_taken(values: list[bytes]) -> None:
    """Of two headers one may be the client's own; nobody is let in by either."""
    tokens = Tokens(None, TrustedHeader.of(NAME))

    with pytest.raises(TokenError, match="one name of letters"):
        tokens.caller_of(scope_of(*((b"x-forwarded-user", value) for value in values)))


def test_tokens_are_good_beside_it(file: Path) -> None:
    """Programs send tokens, people come through the proxy; who has neither stays out, and the header makes no admin."""
    boss = f"Bearer {new_token(file, 'boss', is_admin=True)}".encode()
    tokens = Tokens(file, TrustedHeader.of(NAME))

    assert tokens.caller_of(scope_of((b"authorization", boss), peer="10.1.1.1")) == Caller("boss", is_admin=True)
    assert tokens.caller_of(scope_of((b"x-forwarded-user", b"boss"))) == Caller("boss")
    for known in (tokens, Tokens(None, TrustedHeader.of(NAME))):
        assert known.are_needed
        with pytest.raises(TokenError):
            known.caller_of(scope_of())
    assert Tokens(None).caller_of(scope_of((b"x-forwarded-user", b"ann"))) == Caller("local", is_admin=True)


@pytest.mark.parametrize("name", ["", "a b", "X:Y", "Authorization", "Host", "Origin", "X-Forwarded-For", "ä"])
def test_other_headers_are_refused(name: str) -> None:
    """What is no name, or means something else."""
    with pytest.raises(SpecError, match="--trust-header"):
        TrustedHeader.of(name)


def test_half_of_it_is_refused(tmp_path: Path) -> None:
    """Addresses without a header, what is no address, and a service whose names nobody checks."""
    assert TrustedHeader.of(None) is None
    with pytest.raises(SpecError, match="--trust-header was expected beside --trust-from"):
        TrustedHeader.of(None, ["10.0.0.1"])
    with pytest.raises(SpecError, match=r"got 'proxy\.local'"):
        TrustedHeader.of(NAME, ["proxy.local"])
    with pytest.raises(SpecError, match="--allowed-host beside --trust-header"):
        serve(ServiceOptions(tmp_path / "state", trusted=TrustedHeader.of(NAME)))


def test_a_spoofed_header_opens_no_route(tmp_path: Path, file: Path) -> None:
    """Of a foreign peer: 401 on every route that asks who it is, with a good token beside it as well; the log names nobody."""
    token, store = new_token(file, "ann"), Store(tmp_path / "state")
    desk = Desk(Dispatcher(store, Hub(store.jobs), JobCluster(), Roots(), Metrics(), Rules()))
    app = application(desk, Tokens(file, TrustedHeader.of(NAME, ["10.0.0.1"])), host="0.0.0.0", allowed=("solver",))  # noqa: S104
    spoofed = {NAME: "ann", "Authorization": f"Bearer {token}"}
    for peer, status in (("10.0.0.1", 200), ("10.0.0.2", 401), ("127.0.0.1", 401)):
        for path in ("/v1/jobs", "/v1/service"):
            for headers in ({NAME: "ann"}, spoofed, {**spoofed, "X-Forwarded-For": "10.0.0.1"}):
                assert ask(app, "GET", path, headers, peer=peer).status_code == status
    assert ask(app, "GET", "/v1/jobs", {NAME: "ann", "Host": "evil.example"}, peer="10.0.0.1").status_code == 403
    store.close()


@pytest.mark.cluster
def test_a_service_behind_a_proxy(tmp_path: Path, data: Path) -> None:
    """Each name has its own jobs; what a client says of its address does not make it the proxy."""
    words = ("--trust-header", NAME, "--allowed-host", "solver.example.com")
    with Service(tmp_path, data, *words) as service, httpx.Client(base_url=service.url, timeout=240, trust_env=False) as http:

        def get(path: str, **headers: str) -> httpx.Response:
            return http.get(path, headers={"Host": "solver.example.com", **{k.replace("_", "-"): v for k, v in headers.items()}})

        made = http.post("/v1/jobs", json={"spec": spec("tsqr")}, headers={NAME: "ann"})
        assert made.json()["owner"] == "ann"
        assert [get("/v1/jobs", X_Forwarded_User=name).json()["jobs"] != [] for name in ("ann", "bob")] == [True, False]
        assert get("/v1/jobs").status_code == 401
        assert get("/v1/jobs", X_Forwarded_User="ann", X_Forwarded_For="198.51.100.9").status_code == 200
        events = get(f"/v1/jobs/{made.json()['id']}/events", X_Forwarded_User="ann")
        assert "event: state" in events.text
        service.stop()
        service.start("--trust-from", "10.0.0.1")
        spoofed = httpx.get(f"{service.url}/v1/jobs", headers={NAME: "ann", "X-Forwarded-For": "10.0.0.1"}, trust_env=False)
        assert spoofed.status_code == 401
        assert "it came from 127.0.0.1" in spoofed.json()["message"]
