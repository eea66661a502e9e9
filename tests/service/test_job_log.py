"""The log of a job's process: in parts, without what nobody may know, for its owner alone."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dsketch._cli import main
from dsketch.errors import SpecError, UnknownJob
from dsketch.service.auth import new_token
from dsketch.service.job_log import MOST_BYTES, read_log
from dsketch.service.pace import Paces
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen


def read_all(path: Path, *, is_final: bool = True) -> tuple[str, int]:
    """Return the text of all parts, and where the last one ended."""
    text, after = "", 0
    while (part := read_log(path, after, is_final=is_final)).next != after:
        text, after = text + part.text, part.next
    return text, after


def test_parts_are_the_whole(tmp_path: Path) -> None:
    """Lines of all lengths come once, in parts of a bounded size; one without an end comes when nothing more is written."""
    path = tmp_path / "log"
    lines = [f"{number} {'é' * (number % 700)}\n" for number in range(2_000)]
    path.write_text("".join(lines) + "the last")

    assert read_all(path) == ("".join(lines) + "the last", path.stat().st_size)
    assert read_all(path, is_final=False) == ("".join(lines), path.stat().st_size - len("the last"))
    assert len(read_log(path, 0, is_final=True).text.encode()) <= MOST_BYTES
    assert read_log(tmp_path / "none", 5, is_final=True).size == 0


def test_no_part_tells_an_address(tmp_path: Path) -> None:
    """Wherever a part begins, also in the midst of an address, none of its digits goes out."""
    path = tmp_path / "log"
    line = "a worker at tls://10.1.2.3:40123 left\n"
    path.write_text(line * 3)
    parts = [read_log(path, after, is_final=is_final).text for after in range(3 * len(line) + 9) for is_final in (True, False)]

    assert not any(re.search(r"10\.1|2\.3|401|123", part) for part in parts)
    assert parts[0] == "a worker at the service's cluster left\n" * 3


def test_a_line_without_end_is_left_out(tmp_path: Path) -> None:
    """More bytes than a part holds without an end of line are named, and what follows is read on."""
    path = tmp_path / "log"
    path.write_bytes(b"begin\n" + b"x" * (3 * MOST_BYTES) + b"\nthe end\n")
    text, _ = read_all(path)

    assert text.startswith("begin\n[part of a line of more than 65,536 bytes is left out]\n")
    assert text.endswith("the end\n")
    assert "x" * 100 not in text


def test_a_terminal_is_not_obeyed(tmp_path: Path) -> None:
    """Control characters and bytes that are no text come as a mark."""
    path = tmp_path / "log"
    path.write_bytes(b"red \x1b[31m\xff\tok\r\n")

    assert read_log(path, 0, is_final=True).text == "red \ufffd[31m\ufffd\tok\n"


@pytest.mark.cluster
def test_a_log_is_its_owners(tmp_path: Path, data: Path) -> None:
    """The owner reads it from Python and the command line; for others there is no such job."""
    tokens = tmp_path / "tokens"
    alice, bob = (new_token(tokens, owner) for owner in ("alice", "bob"))
    with Service(tmp_path, data, "--token-file", str(tokens)) as service:
        with service.client(alice) as client:
            id_ = client.submit(spec("tsqr"))["id"]
            rested(client, id_)
            (service.state / "jobs" / id_ / "log").write_text("one\ntwo\n")
            assert "".join(client.log(id_)) == "one\ntwo\n"
            with pytest.raises(SpecError):
                client._send("GET", f"/v1/jobs/{id_}/log", params={"after": -1})
        with service.client(bob) as other, pytest.raises(UnknownJob):
            list(other.log(id_))
        (tmp_path / "alice").write_text(alice)
        said = CliRunner().invoke(main, ["jobs", "log", id_, "--url", service.url, "--token-from", str(tmp_path / "alice")])
        assert (said.exit_code, said.stdout) == (0, "one\ntwo\n")


@pytest.mark.cluster
def test_a_silent_process_is_told_apart_from_an_error(service: Service) -> None:
    """On standard error, with the state of the job; standard output stays empty, and is one object when that is asked for."""
    with service.client() as client:
        done = client.submit(spec("tsqr"))["id"]
        rested(client, done)
        begun = client.submit(slow(seed=3))["id"]
        seen(client, begun, in_pass(1))

        def log(*words: str) -> Result:
            return CliRunner().invoke(main, ["jobs", "log", *words, "--url", service.url])

        said = log(done)
        assert (said.exit_code, said.stdout) == (0, "")
        assert said.stderr == f"the job's process printed nothing; {client.show(done)['sentence']}\n"
        assert log(begun).stderr.startswith("the job's process printed nothing so far; running: ")
        as_json = log(done, "--json")
        assert (json.loads(as_json.stdout), as_json.stderr) == ({"log": ""}, "")
        client.cancel(begun)


@pytest.mark.cluster
def test_what_happened_is_followed_with_its_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that ended is followed with the times at which its passes ended, not with the time of now."""
    with service.client() as client:
        id_ = client.submit(spec("tsqr"))["id"]
        rested(client, id_)
        events = list(client.follow(id_))
    monkeypatch.setitem(os.environ, "TZ", "UTC-14")  # no clock of this machine says so
    time.tzset()
    try:
        said = CliRunner().invoke(main, ["jobs", "follow", id_, "--url", service.url])
    finally:
        monkeypatch.undo()
        time.tzset()
    told: list[Any] = [event for event in events if event["event"] in ("state", "pass_finished")]
    hours = [f"{(int(event['at'][11:13]) + 14) % 24:02d}{event['at'][13:19]}" for event in told]
    assert re.findall(r"^\d\d:\d\d:\d\d", said.stderr, re.MULTILINE) == hours


def test_time_left_is_of_all_passes() -> None:
    """The rest of this pass, and for each one to come what those made took; before any is made, this one's own pace."""
    paces = Paces()
    plan = {"passes": 4, "seconds": 40.0}
    paces.hear("j", "planned", {"plan": plan}, now=0.0)
    assert paces.tell("j", None, now=1.0) == {"expected_passes": 4, "seconds_left": 40.0, "quiet_seconds": 1.0}

    first = {"number": 1, "expected_passes": 4, "done_bytes": 10, "total_bytes": 2_000_000_000, "gigabytes_per_second": 1.0}
    paces.hear("j", "progress", {**first, "seconds_left": 1.5}, now=2.0)
    assert paces.tell("j", {**first, "seconds_left": 1.5}, now=2.0)["seconds_left"] == 1.5 + 3 * 2.0
    paces.hear("j", "progress", {**first, "seconds_left": 1.5}, now=9.0)
    assert paces.tell("j", first | {"seconds_left": 1.5}, now=13.0)["quiet_seconds"] == 11.0

    paces.hear("j", "pass_finished", {"number": 1, "seconds": 6.0, "replayed": False}, now=14.0)
    assert paces.tell("j", None, now=14.0)["seconds_left"] == 18.0
    paces.forget("j")
    assert paces.tell("j", None, now=14.0)["seconds_left"] is None
