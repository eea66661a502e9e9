"""The file of tokens: made, listed, revoked where they stand, good for so long."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

import dsketch
from dsketch._cli import main
from dsketch.service import auth, tokens
from dsketch.service.app import application
from dsketch.service.auth import Caller, Tokens
from dsketch.service.dispatch import Dispatcher, Rules
from dsketch.service.errors import TokenError
from dsketch.service.events import Hub
from dsketch.service.jobs_api import Desk
from dsketch.service.metrics import Metrics
from dsketch.service.places import Roots
from dsketch.service.specs import spec_of
from dsketch.service.store import Store
from dsketch.service.tokens import new_token, read_tokens, revoke
from dsketch.service.workers import JobCluster
from tests.service.conftest import spec
from tests.service.running import DEADLINE_SECONDS, Service


def is_in(known: Tokens, token: str) -> bool:
    """Whether a token opens."""
    try:
        known.caller(f"Bearer {token}")
    except TokenError:
        return False
    return True


def command(*words: str) -> Result:
    """Run ``dsketch token``."""
    return CliRunner().invoke(main, ["token", *words])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the tokens are."""
    return tmp_path / "tokens"


def test_a_revoked_token_opens_no_more(file: Path) -> None:
    """Of an owner all, of an id one; who has the file open sees it, for it stays the same file of the same size."""
    made = [new_token(file, "ann"), new_token(file, "bob"), new_token(file, "ann")]
    known, inode = Tokens(file), file.stat().st_ino
    with file.open("rb", buffering=0) as held:
        size = file.stat().st_size
        assert [token.owner for token in revoke(file, "ann")] == ["ann", "ann"]
        assert hashlib.sha256(made[0].encode()).hexdigest().encode() not in held.read()
    assert (file.stat().st_ino, file.stat().st_size) == (inode, size)
    assert [is_in(known, token) for token in made] == [False, True, False]

    again = new_token(file, "ann")
    assert is_in(known, again)
    assert [token.owner for token in revoke(file, read_tokens(file)[1].id)] == ["ann"]
    assert [is_in(known, token) for token in (again, made[1])] == [False, True]
    revoke(file, "bob")
    assert not is_in(known, made[1])
    assert "there is none" in str(known.trouble())


def test_two_changes_within_one_tick_are_both_seen(file: Path) -> None:
    """A file system may give both the same time; a revoked token of the second one must not open for ever."""
    token, _ = new_token(file, "ann"), new_token(file, "bob")
    known = Tokens(file)
    assert is_in(known, token)
    before = file.stat()
    revoke(file, "ann")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    known._read_at = auth.version_of(file)  # as if nothing told the change from what was read

    assert not is_in(known, token)


@pytest.mark.parametrize("who", ["eve", "", "an", "#", "ann:"])
def test_nobody_is_revoked_by_mistake(file: Path, who: str) -> None:
    """A name that is nobody's is said, with the names that there are, and the file stays."""
    new_token(file, "ann")
    before = file.read_bytes()

    with pytest.raises(dsketch.SpecError, match="it has: ann"):
        revoke(file, who)
    assert file.read_bytes() == before


def test_a_token_is_good_for_its_days(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is a wrong one, without anybody touching the file; others are as good as before."""
    short, long = new_token(file, "ann", days=1.5, is_admin=True), new_token(file, "bob")
    known, now = Tokens(file), tokens.time.time()
    assert known.caller(f"Bearer {short}") == Caller("ann", is_admin=True)

    monkeypatch.setattr(auth.time, "time", lambda: now + 1.4 * 86_400)
    assert is_in(known, short)
    monkeypatch.setattr(auth.time, "time", lambda: now + 1.6 * 86_400)
    assert not is_in(known, short)
    assert is_in(known, long)


@pytest.mark.parametrize("end", ["x", "-1", "1.5", "1:2", ":", ":a:b", "1:", "99999999999999999999x"])
def test_an_end_that_is_none_is_refused(file: Path, end: str) -> None:
    """Half a line must not become a token without end."""
    file.write_text(f"ann:{'0' * 64}:user:{end}\n")
    file.chmod(0o600)

    with pytest.raises(dsketch.SpecError, match="line 1"):
        read_tokens(file)


@pytest.mark.parametrize(
    ("mode", "is_taken"), [(0o600, True), (0o640, True), (0o400, True), (0o440, True), (0o644, False), (0o660, False)]
)
def test_a_group_may_read(file: Path, mode: int, is_taken: bool) -> None:
    """So the service's account needs no copy of root's file; nobody else may, and a group may not write."""
    new_token(file, "ann")
    file.chmod(mode)
    if is_taken:
        assert Tokens(file).trouble() is None
        return
    with pytest.raises(dsketch.SpecError, match="open to others"):
        Tokens(file)


def test_a_token_has_a_line_of_its_own(file: Path) -> None:
    """Also behind a last line that an editor left without an end, and the mode of the file stays."""
    token = new_token(file, "ann")
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    file.chmod(0o640)
    other = new_token(file, "bob")

    assert [is_in(Tokens(file), one) for one in (token, other)] == [True, True]
    assert file.stat().st_mode & 0o777 == 0o640


def test_the_command_lists_and_revokes(file: Path) -> None:
    """What it prints names owner, role, id and end, never a token; OWNER may stand before or after --revoke."""
    where = ("--token-file", str(file))
    ann = command("ann", *where, "--days", "7").stdout.strip()
    boss = json.loads(command("boss", *where, "--admin", "--json").stdout)["token"]
    listed, described = command("--list", *where), json.loads(command("--list", *where, "--json").stdout)["tokens"]

    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [["ann", "user"], ["boss", "admin"]]
    assert "until revoked" in listed.stdout
    assert [(one["owner"], one["role"], one["until"] is None) for one in described] == [
        ("ann", "user", False),
        ("boss", "admin", True),
    ]
    assert not any(token in listed.stdout for token in (ann, boss))
    assert command("ann", *where, "--revoke").stdout.startswith("revoked 1 of ann")
    assert command("--revoke", described[1]["id"], *where).stdout.startswith("revoked 1 of boss")
    nobody = command(*where)
    assert (nobody.exit_code, nobody.stderr) == (
        2,
        "dsketch: error: an OWNER was expected; there is none. Write dsketch token OWNER --token-file FILE.\n",
    )


def test_the_command_ends_what_is_there(file: Path) -> None:
    """Now or in some days, of an owner, an id or a label; ended it stays listed, and opens again if its end is put off."""
    where = ("--token-file", str(file))
    made = [command("ann", *where, "--label", label).stdout.strip() for label in ("laptop", "wall")]
    known = Tokens(file)

    assert " ended " in command("--expire", "wall", *where).stdout
    assert [is_in(known, token) for token in made] == [True, False]
    described = json.loads(command("--list", *where, "--json").stdout)["tokens"]
    assert sorted((one["label"], one["is_expired"], one["until"] is None) for one in described) == [
        ("laptop", False, True),
        ("wall", True, False),
    ]
    again = command("--expire", next(one["id"] for one in described if one["label"] == "wall"), *where, "--days", "2")
    assert " until " in again.stdout
    assert is_in(known, made[1])
    assert [one["is_expired"] for one in json.loads(command("ann", "--expire", *where, "--json").stdout)["tokens"]] == [
        True,
        True,
    ]
    assert [is_in(known, token) for token in made] == [False, False]
    assert "it has: ann" in command("--expire", "eve", *where).stderr
    assert "one of --list" in command("--expire", "ann", "--revoke", "ann", *where).stderr
    assert (command("bob", *where, "--days", "1e300").exit_code, len(read_tokens(file))) == (2, 2)


def test_the_id_of_the_audit_log_names_a_token(file: Path) -> None:
    """What the page, HTTP and the audit log call it is as good as the id of the list."""
    new_token(file, "ann", label="laptop")
    new_token(file, "ann", label="wall")

    assert [token.label for token in revoke(file, read_tokens(file)[1].handle)] == ["wall"]


def test_roles_and_labels_are_of_the_file(file: Path) -> None:
    """A label may stand with or without an end, revokes its token alone, and is a plain name; nobody has two roles."""
    made = [
        new_token(file, "ann", is_reader=True, label="wall"),
        new_token(file, "ann", label="laptop", days=1),
        new_token(file, "wall"),
    ]
    known = Tokens(file)
    assert known.caller(f"Bearer {made[0]}") == Caller("ann", is_reader=True)
    assert [(token.role, token.label) for token in read_tokens(file)] == [("reader", "wall"), ("user", "laptop"), ("user", "")]
    assert [token.owner for token in revoke(file, "wall")] == ["wall"]  # an owner of the name goes first
    assert [token.label for token in revoke(file, "wall")] == ["wall"]
    assert [is_in(known, token) for token in made] == [False, True, False]
    for wrong in ("9", "a:b", "a b", "x" * 101):
        with pytest.raises(dsketch.SpecError, match="a label was expected"):
            new_token(file, "ann", label=wrong)
    with pytest.raises(dsketch.SpecError, match="one role was expected"):
        new_token(file, "ann", is_admin=True, is_reader=True)


def test_a_stream_ends_with_its_token(tmp_path: Path, file: Path) -> None:
    """Who follows a job as the token is revoked hears nothing of what comes after."""
    token, store = new_token(file, "ann"), Store(tmp_path / "state")
    hub = Hub(store.jobs)
    app = application(Desk(Dispatcher(store, hub, JobCluster(), Roots(), Metrics(), Rules())), Tokens(file))
    job, _ = store.accept("ann", "", spec_of(spec("tsqr")).document(), None, "")
    hub.tell(job.id, "state", sentence="before")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "query_string": b"",
    }
    scope |= {"path": f"/v1/jobs/{job.id}/events", "headers": [(b"authorization", f"Bearer {token}".encode())]}

    async def heard() -> bytes:
        pieces: list[bytes] = []
        silent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()  # the client stays

        async def send(message: Any) -> None:
            pieces.append(message.get("body", b""))
            if b"before" in pieces[-1]:
                revoke(file, "ann")
                hub.tell(job.id, "state", sentence="after")

        async def receive() -> Any:
            return await silent

        await asyncio.wait_for(app(scope, receive, send), DEADLINE_SECONDS)
        return b"".join(pieces)

    text = asyncio.run(heard())
    store.close()
    assert b"before" in text
    assert b"after" not in text


@pytest.mark.cluster
def test_a_running_service_takes_both_at_once(tmp_path: Path, data: Path, file: Path) -> None:
    """A token that is made opens, one that is revoked does not, and readiness tells of a file that cannot be used."""
    ann = new_token(file, "ann")
    with (
        Service(tmp_path / "s", data, "--token-file", str(file)) as service,
        httpx.Client(base_url=service.url, trust_env=False) as http,
    ):

        def status(token: str) -> int:
            return http.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code

        assert status(ann) == 200
        bob = new_token(file, "bob")
        assert status(bob) == 200
        revoke(file, "ann")
        assert (status(ann), status(bob)) == (401, 200)
        file.chmod(0o644)
        assert (status(bob), http.get("/readyz").status_code, http.get("/healthz").status_code) == (401, 503, 200)
        file.chmod(0o640)
        assert (status(bob), http.get("/readyz").status_code) == (200, 200)
