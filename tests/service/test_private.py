"""Own workers run code for nobody but the service, and what users see does not say where they are."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from distributed import Client, Security

from dsketch import open_matrix
from dsketch.engine import Keys, connect_engine
from dsketch.matrix.rows import Rows
from dsketch.service.hidden import hide_addresses
from dsketch.service.workers import JobCluster
from tests.service.conftest import spec
from tests.service.running import Service, rested

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def own() -> Iterator[JobCluster]:
    """Workers as a service starts them."""
    cluster = JobCluster(workers=1)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def keys(own: JobCluster) -> Keys:
    """Their keys."""
    found = own.address()
    assert isinstance(found, dict)
    return Keys(**found)


def test_who_has_the_keys_is_let_in(keys: Keys) -> None:
    """A job's process computes on them."""
    with connect_engine(keys, Rows(open_matrix(np.ones((4, 2))))) as engine:
        assert engine.workers().count == 1


@pytest.mark.parametrize("who", ["plain", "without keys", "with other keys"])
def test_who_has_not_is_refused(who: str, keys: Keys) -> None:
    """Neither a client that talks plain TCP, nor one that talks TLS with no certificate, nor one with a certificate of its own."""
    address = keys.address.replace("tls://", "tcp://") if who == "plain" else keys.address
    security = Security.temporary() if who == "with other keys" else Security(require_encryption=who != "plain", tls_ca_file=None)

    with pytest.raises((OSError, TimeoutError, ValueError, TypeError)):
        Client(address, security=security, timeout=2, set_as_default=False)


def test_no_port_answers_without_keys(own: JobCluster, keys: Keys) -> None:
    """Of all ports that own workers listen on, each is on loopback, and none serves a page."""
    assert own._own is not None
    family = [psutil.Process(own._own.pid), *psutil.Process(own._own.pid).children(recursive=True)]
    ports = {line.laddr for one in family for line in one.net_connections("tcp") if line.status == psutil.CONN_LISTEN}

    assert len(ports) >= 2
    assert {place.ip for place in ports} <= {"127.0.0.1", "::1"}
    for place in ports:
        for path in ("/status", "/info/main/workers.html", "/health", "/metrics", "/sysinfo"):
            assert _status(place.port, path) != 200, (place, path)
    assert own.dashboard is None
    assert keys.key not in repr(keys)


def _status(port: int, path: str) -> int:
    """Return the status of an answer; 0 where the other side talks no HTTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.settimeout(5)
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        try:
            found = re.match(rb"HTTP/1.1 (\d+)", line.recv(1000))
        except OSError:
            return 0
    return int(found[1]) if found else 0


def test_nothing_that_users_see_says_where_they_are(tmp_path: Path, data: Path) -> None:
    """Plan, job, events, answer and the page of the service hold no scheduler's address, and the job ran on the cluster."""
    with Service(tmp_path, data, "--small", "1kB", "--workers", "1") as service, service.client() as client:
        planned = client.plan(spec("tsqr"))
        job = rested(client, client.submit(spec("tsqr"))["id"])
        with httpx.Client(base_url=service.url, trust_env=False) as http:
            about = http.get("/v1/service").json()
        seen = json.dumps([planned, job, list(client.follow(job["id"])), client.solution(job["id"]), about], default=str)

    assert job["state"] == "solved", job["sentence"]
    assert "1 worker" in planned["text"]
    assert not re.search(r"(tcp|tls)://", seen)
    assert about["dashboard"] is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("lost tcp://10.0.0.1:8786, start it", "lost the service's cluster, start it"),
        ("at tls://[fe80::1%eth0]:8786.", "at the service's cluster."),
        ("A at s3://bucket/A.zarr and https://host/b", None),
    ],
)
def test_addresses_of_clusters_are_taken_out(text: str, left: Any) -> None:
    """Those of data stay."""
    assert hide_addresses(text) == (left or text)
