"""What the service writes of itself: who asked what, what became of jobs, a line each."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import dsketch
from dsketch.service.access import Access
from dsketch.service.auth import Tokens, new_token
from dsketch.service.logs import OneLine
from dsketch.service.metrics import Metrics
from dsketch.service.places import Roots
from dsketch.service.serve import require_folders
from tests.service.conftest import spec
from tests.service.running import Service, rested


@pytest.fixture
def tokens(tmp_path: Path) -> tuple[str, str]:
    """A token file, and a token of its only owner."""
    file = tmp_path / "tokens"
    return str(file), new_token(file, "ann")


@pytest.mark.cluster
def test_the_log_says_who_did_what(tmp_path: Path, data: Path, tokens: tuple[str, str]) -> None:
    """Requests and refusals with owner and address, jobs with their states; no probes, no token, no line that a client made."""
    file, token = tokens
    with Service(tmp_path / "s", data, "--token-file", file) as service:
        with service.client(token) as client:
            id_ = client.submit(spec("tsqr"), name="secret name")["id"]
            rested(client, id_)
            client.rm(id_)
        httpx.get(f"{service.url}/v1/jobs?x=%0aINFO%20forged", trust_env=False)
        httpx.get(f"{service.url}/healthz", trust_env=False)
        service.stop()
    log = service.log.read_text()

    for wanted in (
        r"INFO dsketch\.service\.access 127\.0\.0\.1 ann POST /v1/jobs 201 \d+ ms",
        r"WARNING dsketch\.service\.access 127\.0\.0\.1 - GET /v1/jobs\?x=%0aINFO%20forged 401 \d+ ms",
        rf"INFO dsketch\.service\.acts ann submitted job {id_}: lstsq of .*A\.zarr and .*b\.zarr",
        rf"INFO dsketch\.service\.acts job {id_} of ann is planning: ",
        rf"INFO dsketch\.service\.acts job {id_} of ann is solved: ",
        rf"INFO dsketch\.service\.acts ann removed job {id_}",
    ):
        assert re.search(wanted, log), wanted
    assert "healthz" not in log
    assert token not in log
    assert "Traceback" not in log


@pytest.mark.cluster
def test_the_level_is_chosen(tmp_path: Path, data: Path) -> None:
    """Less than info is silence about what goes well."""
    with Service(tmp_path, data, "--log-level", "warning") as service:
        httpx.get(f"{service.url}/v1/jobs", trust_env=False)
        service.stop()

    assert [line for line in service.log.read_text().splitlines() if "serves at" not in line] == []


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [("/v1/jobs", 200, "INFO"), ("/v1/jobs", 403, "WARNING"), ("/v1/jobs", 503, "WARNING"), ("/healthz", 200, "DEBUG")],
)
def test_what_is_routine_is_for_debugging(caplog: pytest.LogCaptureFixture, path: str, status: int, level: str) -> None:
    """Probes come every few seconds; refusals and failures are worth a look."""
    caplog.set_level(logging.DEBUG, "dsketch.service.access")
    scope = {"type": "http", "path": f"/p{path}", "root_path": "/p", "method": "GET", "headers": [], "client": ("10.0.0.1", 1)}

    async def answer(*given: Any) -> None:
        await given[2]({"type": "http.response.start", "status": status})

    async def nothing(*given: Any) -> Any:
        return given

    asyncio.run(Access(answer, Tokens(None), Metrics())(scope, nothing, nothing))

    assert [record.levelname for record in caplog.records] == [level]
    assert caplog.messages[0].startswith(f"10.0.0.1 local GET /p{path} {status} ")


def test_a_message_is_one_line() -> None:
    """Whatever stands in it, a second line cannot be forged, nor a terminal be written to; other scripts stay readable."""
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb\r\x1b[2J\u2028 größer %s", ("\n",), None)

    assert OneLine("%(message)s").format(record) == "a\\nb\\r\\x1b[2J\\u2028 größer \\n"


@pytest.mark.parametrize(("kind", "found"), [("nothing", "nothing"), ("file", "something else"), ("folder", None)])
def test_a_data_root_that_is_no_folder_is_refused_at_the_start(tmp_path: Path, kind: str, found: str | None) -> None:
    """Every job would fail later; folders of results are made when they are needed."""
    root = tmp_path / "root"
    if kind == "file":
        root.touch()
    if kind == "folder":
        root.mkdir()
    if found is None:
        require_folders(Roots.of([str(root), "s3://bucket"], [str(root), str(tmp_path / "out")]))
        return
    with pytest.raises(dsketch.SpecError, match=f"a folder was expected as --data-root; at {root} there is {found}"):
        require_folders(Roots.of([str(root)]))
