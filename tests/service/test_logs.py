"""What the service writes of itself: who asked what, what became of jobs, a line each."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dsketch.service.auth import new_token
from dsketch.service.logs import OneLine
from service.conftest import spec
from service.running import Service, rested


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
        rf"INFO dsketch\.service\.audit ann submitted job {id_}: lstsq of .*A\.zarr and .*b\.zarr",
        rf"INFO dsketch\.service\.audit job {id_} of ann is planning: ",
        rf"INFO dsketch\.service\.audit job {id_} of ann is solved: ",
        rf"INFO dsketch\.service\.audit ann removed job {id_}",
    ):
        assert re.search(wanted, log), wanted
    assert "healthz" not in log
    assert token not in log
    assert "Traceback" not in log


@pytest.mark.cluster
@pytest.mark.parametrize(("level", "words"), [("warning", []), ("debug", ["/healthz"])])
def test_the_level_is_chosen(tmp_path: Path, data: Path, level: str, words: list[str]) -> None:
    """Less than info is silence about what goes well; debug tells of probes too."""
    with Service(tmp_path, data, "--log-level", level) as service:
        httpx.get(f"{service.url}/healthz", trust_env=False)
        service.stop()
    told = [line for line in service.log.read_text().splitlines() if "serves at" not in line]

    assert all(any(word in line for line in told) for word in words)
    assert bool(told) == bool(words)


def test_a_message_is_one_line() -> None:
    """Whatever stands in it, a second line cannot be forged, nor a terminal be written to; other scripts stay readable."""
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb\r\x1b[2J\u2028 größer %s", ("\n",), None)

    assert OneLine("%(message)s").format(record) == "a\\nb\\r\\x1b[2J\\u2028 größer \\n"


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_a_data_root_that_is_no_folder_is_refused_at_the_start(tmp_path: Path, kind: str) -> None:
    """Every job would fail later; the state directory is not even made."""
    root = tmp_path / "root"
    if kind == "file":
        root.touch()
    words = ["serve", "--state", str(tmp_path / "state"), "--data-root", str(root), "--port", "0"]
    done = subprocess.run([sys.executable, "-m", "dsketch", *words], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert f"a folder was expected as --data-root; at {root} there is" in done.stderr
    assert not (tmp_path / "state").exists()
