"""The proxies of deploy/proxy, with their files as they are but for names and ports, in front of a real service."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest
from kubernetes_validate import utils as published

from dsketch.service.auth import new_token
from tests.deploy.commands import DEPLOY, documents
from tests.failures.data import columns, write
from tests.ports import free_ports
from tests.service.running import DEADLINE_SECONDS, Service, waited

FOLDER = DEPLOY / "proxy"
NAME = "solver.example.com"
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/dsketch.conf;
}}
"""


def asked(name: str) -> dict[str, str]:
    """Return the document of a run on one of the matrices."""
    return {"problem": "lstsq", "A": f"{name}.zarr", "b": f"{name}-b.zarr", "method": "tsqr"}


@dataclass(frozen=True)
class Front:
    """A service behind a proxy.

    Attributes
    ----------
    url : str
        Of the proxy, with the prefix.
    host : str
        What a browser would send as Host.
    token : str
    service : Service
    trusted : ssl.SSLContext
        Believes the proxy's certificate.
    """

    url: str
    host: str
    token: str
    service: Service
    trusted: ssl.SSLContext

    def http(self) -> httpx.Client:
        """Return a connection as a browser or a program would have it."""
        headers = {"Host": self.host, "Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trusted, trust_env=False, timeout=DEADLINE_SECONDS)


def changed(text: str, changes: dict[str, str]) -> str:
    """Return a file of deploy/proxy with other places; each must stand in it."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, service: int, prefix: str) -> list[str]:
    """Write the files of nginx and return its command."""
    changes = {
        "127.0.0.1:8750": f"127.0.0.1:{service}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/certs/solver.example.com.pem": f"{folder}/cert.pem",
        "/etc/ssl/private/solver.example.com.key": f"{folder}/key.pem",
        "    location / {": f"    location {prefix}/ {{",
    }
    (folder / "dsketch.conf").write_text(changed((FOLDER / "nginx.conf").read_text(), changes))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, service: int, prefix: str) -> list[str]:
    """Write the file of Caddy, with the certificate of the test, and return its command."""
    changes = {
        "127.0.0.1:8750": f"127.0.0.1:{service}",
        "\nsolver.example.com {": f"\nhttps://{NAME}:{port} {{\n\ttls {folder}/cert.pem {folder}/key.pem\n\tbind 127.0.0.1",
        "\thandle {": f"\thandle {prefix}/* {{",
    }
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + changed((FOLDER / "Caddyfile").read_text(), changes))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES: dict[str, Callable[[Path, int, int, str], list[str]]] = {"nginx": nginx, "caddy": caddy}


def certified(folder: Path) -> ssl.SSLContext:
    """Make a certificate for the name and for this machine, and return who believes it."""
    names = f"subjectAltName=DNS:{NAME},IP:127.0.0.1"
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={NAME}",
    ]
    files = ["-addext", names, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *words, *files], check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(folder / "cert.pem"))


@pytest.fixture(scope="module")
def silent() -> Iterator[socket.socket]:
    """A scheduler that takes connections and never says a word: who plans on it waits."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE_SECONDS)
        yield listening


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, silent: socket.socket) -> Iterator[Callable[[str], tuple[Service, str]]]:
    """Return a function that gives the service of a prefix, and a token: A is solved in the job's process, large waits for workers."""
    folder = tmp_path_factory.mktemp("served")
    for name, n in (("A", 2_000), ("large", 20_000)):
        A, b = columns(n, 4)
        write(folder / "data" / f"{name}.zarr", A, chunk_rows=n // 4)
        write(folder / "data" / f"{name}-b.zarr", b, chunk_rows=n // 4)
    token = new_token(folder / "tokens", "ann")
    scheduler = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
    words = ["--token-file", str(folder / "tokens"), "--allowed-host", NAME, "--small", "200kB", "--scheduler", scheduler]
    with ExitStack() as stack:

        @cache
        def service(prefix: str) -> Service:
            more = ["--root-path", prefix] if prefix else []
            return stack.enter_context(Service(folder / f"service{prefix}", folder / "data", *words, *more))

        yield lambda prefix: (service(prefix), token)


@pytest.fixture(scope="module", params=[("nginx", ""), ("nginx", "/dsketch"), ("caddy", "/dsketch")], ids="-".join)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, served: Callable[[str], tuple[Service, str]]
) -> Iterator[Front]:
    """A proxy before a service, with and without a prefix."""
    name, prefix = request.param
    if lacking := [program for program in (name, "openssl") if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(lacking)} is not installed (a package of Debian)")
    folder = tmp_path_factory.mktemp(name)
    service, token = served(prefix)
    trusted, port = certified(folder), next(free_ports())
    command = PROXIES[name](folder, port, int(service.url.rsplit(":", 1)[1]), prefix)
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        proxy = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            waited(lambda: True if proxy.poll() is not None or _listens(port) else None, name)
            assert proxy.poll() is None, (folder / "log").read_text()
            yield Front(f"https://127.0.0.1:{port}{prefix}", f"{NAME}:{port}", token, service, trusted)
        finally:
            proxy.terminate()
            proxy.wait(DEADLINE_SECONDS)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.cluster
def test_a_job_through_the_proxy(front: Front) -> None:
    """Submitted as the page does it, followed to its end, its answer fetched; the place of the job leads there."""
    origin = {"Origin": f"https://{front.host}", "Sec-Fetch-Site": "same-origin"}
    with front.http() as http:
        made = http.post("/v1/jobs", json={"spec": asked("A")}, headers=origin)
        assert made.status_code == 201, made.text
        id_ = made.json()["id"]
        with http.stream("GET", f"/v1/jobs/{id_}/events") as events:
            told = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
        x = http.get(f"/v1/jobs/{id_}/solution/x")
        place = http.get(str(httpx.URL(front.url).copy_with(path=made.headers["location"])))

    assert told[-1]["state"] == "solved"
    assert x.headers["content-type"] == "application/octet-stream"
    assert place.json()["id"] == id_


@pytest.mark.cluster
def test_page_and_documents_through_the_proxy(front: Front) -> None:
    """What the page and the document of the API name is found where they name it."""
    with front.http() as http:
        page, docs = http.get("/"), http.get("/docs")
        script = docs.text.split('<script src="')[1].split('"')[0]
        schema = docs.text.split("url: '")[1].split("'")[0]
        found = [http.get(str(httpx.URL(front.url).copy_with(path=path))).status_code for path in (script, schema)]

        assert "<title>" in page.text
        assert found == [200, 200]
        assert http.get("/app.js").status_code == http.get("/readyz").status_code == 200


@pytest.mark.cluster
def test_strangers_are_refused_through_the_proxy(front: Front) -> None:
    """Other pages, other names and requests without a token."""
    with front.http() as http:
        other = http.post("/v1/jobs", json={"spec": asked("A")}, headers={"Origin": "https://evil.example"})
        nobody = http.get("/v1/jobs", headers={"Authorization": ""})

    assert (other.status_code, nobody.status_code) == (403, 401)
    assert " 127.0.0.1 ann POST" in waited(lambda: _if("ann POST", front.service.log), "the line of the request")


def _if(word: str, log: Path) -> str | None:
    text = log.read_text()
    return text if word in text else None


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_the_ingress_is_valid(version: str) -> None:
    """It keeps to Kubernetes' own schema, and its backend is the service of deploy/kubernetes."""
    (ingress,) = documents(FOLDER / "ingress.yaml")
    published.validate(ingress, version, strict=True)
    services = [each for each in documents(DEPLOY / "kubernetes" / "service.yaml") if each["kind"] == "Service"]
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]

    assert [service["metadata"]["name"] for service in services] == [backend["name"]]
    assert backend["port"]["name"] in [port["name"] for port in services[0]["spec"]["ports"]]


@pytest.mark.cluster
def test_a_plan_ends_with_its_client_through_the_proxy(front: Front, silent: socket.socket) -> None:
    """The proxy closes its own connection when the client goes, and the service ends the plan's process."""
    url = httpx.URL(front.url)
    body = json.dumps({"spec": asked("large")}).encode()
    lines = (
        f"POST {url.path.rstrip('/')}/v1/plans HTTP/1.1",
        f"Host: {front.host}",
        f"Authorization: Bearer {front.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    with (
        socket.create_connection((url.host, url.port or 0), timeout=DEADLINE_SECONDS) as plain,
        front.trusted.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        planning = silent.accept()[0]
    with planning:
        planning.settimeout(DEADLINE_SECONDS)
        assert gone(planning)


def gone(connection: socket.socket) -> bool:
    """Return when the other side has closed a connection, or is dead."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True
