"""By which names, from which pages and below which prefix the service is reached."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import dsketch
from dsketch.client import Client
from dsketch.service.auth import new_token
from dsketch.service.middleware import Hosts
from dsketch.service.serve import require_prefix
from tests.service.conftest import spec
from tests.service.running import Service, rested

JOB = "0" * 20


def refusal(
    host: str,
    *,
    is_open: bool = True,
    allowed: tuple[str, ...] = (),
    method: str = "GET",
    listens: str = "127.0.0.1",
    **more: str,
) -> str | None:
    """Return why a request would be refused."""
    headers = {b"host": host.encode(), **{name.replace("_", "-").encode(): value.encode() for name, value in more.items()}}
    guard: Any = Hosts(None, listens, is_open, allowed)  # type: ignore[arg-type]  # nothing is passed on
    return guard._refusal(headers, method)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8750", "localhost:1", "LOCALHOST", "[::1]:8750", "[::1]", "127.8.9.1", ""]
)
def test_this_machine_is_always_good(host: str) -> None:
    """With tokens or without, allowed names or none."""
    for is_open in (True, False):
        for allowed in ((), ("solver.example.com",)):
            assert refusal(host, is_open=is_open, allowed=allowed) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8750", "localhost.evil.example", "10.0.0.7"]
)
def test_an_open_service_has_no_other_name(host: str) -> None:
    """A page of somebody else may point a name of its own at this machine; with tokens it gains nothing by that."""
    assert "a name of this machine was expected" in str(refusal(host))
    assert refusal(host, is_open=False) is None
    assert refusal(host, is_open=False, method="POST") is None


def test_allowed_names_are_the_only_ones() -> None:
    """Exactly those, in any case and with any port, or all below one."""
    allowed = ("Solver.example.com", "*.lab.example")
    for is_open in (True, False):
        for host in ("solver.example.com", "SOLVER.example.com:443", "a.lab.example", "b.a.lab.example:80"):
            assert refusal(host, is_open=is_open, allowed=allowed) is None
        for host in ("example.com", "xsolver.example.com", "solver.example.com.evil", "lab.example", "evillab.example"):
            assert "--allowed-host" in str(refusal(host, is_open=is_open, allowed=allowed))


@pytest.mark.parametrize(
    ("origin", "is_good"),
    [
        ("http://127.0.0.1:8750", True),
        ("http://evil.example", False),
        ("http://127.0.0.1:3000", False),
        ("http://localhost:8750", False),
        ("null", False),
        ("file://", False),
        ("http://127.0.0.1:8750.evil.example", False),
    ],
)
def test_changes_come_from_the_own_page(origin: str, is_good: bool) -> None:
    """A browser says which page sends a request that changes something; programs say nothing."""
    for more in ({}, {"sec_fetch_site": "same-origin"}):
        assert (refusal("127.0.0.1:8750", method="POST", origin=origin, **more) is None) == is_good
    assert refusal("127.0.0.1:8750", method="DELETE", origin=origin, sec_fetch_site="cross-site") is not None
    assert refusal("127.0.0.1:8750", method="GET", origin=origin) is None
    assert refusal("127.0.0.1:8750", method="POST") is None


def test_pages_before_a_proxy() -> None:
    """The page's name is that of the request, or an allowed one where the proxy asks by another name."""
    assert refusal("solver.example", is_open=False, method="POST", origin="https://solver.example") is None
    assert refusal("solver.example", is_open=False, method="POST", origin="https://solver.example:443") is None
    assert (
        refusal("127.0.0.1:8750", is_open=False, method="POST", origin="https://solver.example", sec_fetch_site="same-origin")
        is None
    )
    assert refusal("127.0.0.1:8750", method="POST", origin="https://solver.example", allowed=("solver.example",)) is None
    assert refusal("127.0.0.1:8750", method="POST", origin="https://evil.example", allowed=("solver.example",)) is not None
    assert refusal("solver.example", is_open=False, method="POST", origin="https://evil.example") is not None


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[tuple[Service, str]]:
    """A service with tokens behind a prefix, and a token."""
    folder = tmp_path_factory.mktemp("prefixed")
    token = new_token(folder / "tokens", "ann")
    words = ("--token-file", str(folder / "tokens"), "--root-path", "/tools/dsketch", "--allowed-host", "solver.example")
    with Service(folder, data, *words) as service:
        yield service, token


@pytest.mark.cluster
@pytest.mark.parametrize("prefix", ["/tools/dsketch", ""])
def test_page_and_documents_work_below_a_prefix(prefixed: tuple[Service, str], prefix: str) -> None:
    """Whether the proxy cuts the prefix off or not: what pages name lies below it, and has the right headers."""
    service, _ = prefixed
    with httpx.Client(base_url=service.url, trust_env=False, headers={"Host": "solver.example"}) as http:
        page, docs = http.get(f"{prefix}/"), http.get(f"{prefix}/docs")
        named = [docs.text.split(word)[1].split(end)[0] for word, end in (('<script src="', '"'), ("url: '", "'"))]
        named.append(docs.text.split('rel="stylesheet"')[1].split('href="')[1].split('"')[0])
        found = [http.get(prefix + name.removeprefix("/tools/dsketch")) for name in named]

        assert all(name.startswith("/tools/dsketch/") for name in named)
        assert [answer.status_code for answer in (page, docs, *found)] == [200] * 5
        assert found[1].json()["servers"] == [{"url": "/tools/dsketch"}]
        assert "'unsafe-inline'" in docs.headers["content-security-policy"].split("script-src")[1]
        assert http.get(f"{prefix}/app.js").headers["content-type"].startswith("text/javascript")
        assert http.get(f"{prefix}/v1/jobs").status_code == 401
        assert http.get(f"{prefix}/v1/jobs").headers["cache-control"] == "no-store"
        assert http.get(f"{prefix}/healthz").status_code == http.get(f"{prefix}/readyz").status_code == 200


@pytest.mark.cluster
def test_a_prefix_leads_to_its_page(prefixed: tuple[Service, str]) -> None:
    """Without the slash the page's relative links would lead elsewhere."""
    with httpx.Client(base_url=prefixed[0].url, trust_env=False) as http:
        answer = http.get("/tools/dsketch")
        assert (answer.status_code, answer.headers["location"]) == (307, "/tools/dsketch/")
        assert http.get("/tools/dsketchx/v1/jobs").status_code == 404


@pytest.mark.cluster
def test_programs_work_below_a_prefix(prefixed: tuple[Service, str]) -> None:
    """The client and the place of a new job know the prefix."""
    service, token = prefixed
    with Client(f"{service.url}/tools/dsketch", token) as client:
        job = rested(client, client.submit(spec("tsqr"))["id"])
        x = client.fetch(job["id"])
    headers = {"Authorization": f"Bearer {token}", "Host": "solver.example"}
    made = httpx.post(f"{service.url}/tools/dsketch/v1/jobs", json={"spec": spec("tsqr")}, headers=headers, trust_env=False)
    place = httpx.get(service.url + made.headers["location"], headers=headers, trust_env=False)

    assert len(x) == 16
    assert made.headers["location"].startswith("/tools/dsketch/v1/jobs/")
    assert place.json()["id"] == made.json()["id"]


@pytest.mark.cluster
def test_names_are_looked_at_before_tokens(prefixed: tuple[Service, str]) -> None:
    """A name that is not allowed is refused also with a token; health is told to whoever asks."""
    service, token = prefixed
    headers = {"Authorization": f"Bearer {token}", "Host": "other.example"}
    with httpx.Client(base_url=service.url, trust_env=False, headers=headers) as http:
        assert http.get("/v1/jobs").status_code == 403
        assert http.get("/v1/jobs", headers={"Host": "solver.example:443"}).status_code == 200
        assert http.get("/healthz").status_code == http.get("/readyz").status_code == 200


@pytest.mark.parametrize("prefix", ["dsketch", "//evil.example", "/a/", "/a b", "/a//b", "/a\r\nb", "/ä", "/"])
def test_prefixes_that_are_none_are_refused(prefix: str) -> None:
    """They would come back in redirects and pages."""
    with pytest.raises(dsketch.SpecError, match="a prefix such as /dsketch was expected"):
        require_prefix(prefix)
