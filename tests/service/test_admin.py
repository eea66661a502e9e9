"""Tokens and use by owner over HTTP: what an admin sees and does, and nobody else."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dsketch.client import Client
from dsketch.errors import AccessError, ForbiddenMove, ServiceError, SpecError, TokenError, UnknownJob
from dsketch.service.auth import Caller, Tokens
from dsketch.service.token_use import TokenUse
from dsketch.service.tokens import new_token, read_tokens
from dsketch.service.tokens_api import TokenDesk
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen

BOSS = Caller("boss", is_admin=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of tokens of an admin and a user."""
    path = tmp_path / "tokens"
    new_token(path, "boss", is_admin=True)
    new_token(path, "ann", label="laptop")
    return path


def by_owner(told: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return tokens, or use, by owner."""
    return {one["owner"]: one for one in told}


def test_a_made_token_lets_in_until_it_is_ended(file: Path) -> None:
    """Told once, with role and end; ended it stays in the file, as expired, with its label, and in the same file."""
    tokens, inode = Tokens(file), file.stat().st_ino
    desk = TokenDesk(tokens)
    made = desk.make(BOSS, "eve", "reader", "wall", 2.0)
    header = f"Bearer {made['token']}"

    assert tokens.caller(header) == Caller("eve", is_reader=True)
    assert made["token"] not in json.dumps(desk.describe(BOSS))
    assert desk.end(BOSS, made["id"], 0)["is_expired"] is True
    with pytest.raises(TokenError):
        tokens.caller(header)
    assert desk.end(BOSS, made["id"], 30)["is_expired"] is False
    assert tokens.caller(header).owner == "eve"
    assert [(token.owner, token.label) for token in read_tokens(file)] == [("boss", ""), ("ann", "laptop"), ("eve", "wall")]
    assert file.stat().st_ino == inode
    desk.revoke(BOSS, made["id"])
    assert [token.owner for token in read_tokens(file)] == ["boss", "ann"]


def test_the_last_admin_stays(file: Path) -> None:
    """Neither revoked nor ended at once; with another one, who is not expired, it goes."""
    desk = TokenDesk(Tokens(file))
    last = by_owner(desk.describe(BOSS))["boss"]["id"]
    expired = desk.make(BOSS, "old", "admin", "", 1.0)["id"]
    desk.end(BOSS, expired, 0)
    for act in (lambda: desk.revoke(BOSS, last), lambda: desk.end(BOSS, last, 0)):
        with pytest.raises(ForbiddenMove, match="another admin"):
            act()
    desk.make(BOSS, "deputy", "admin", "", None)
    desk.revoke(BOSS, last)

    assert {token["owner"] for token in desk.describe(BOSS)} == {"ann", "old", "deputy"}


def test_a_file_that_cannot_be_written_is_no_fault_of_who_asks(tmp_path: Path, file: Path) -> None:
    """What was known is listed; making, ending and revoking say that the service cannot do it now."""
    tokens = Tokens(file)
    desk = TokenDesk(tokens)
    ann = by_owner(desk.describe(BOSS))["ann"]["id"]
    (tmp_path / "no folder").write_text("")
    moved = tmp_path / "no folder" / "tokens"
    tokens._path, tokens._read_if_changed = moved, lambda _: None  # type: ignore[method-assign]
    for act in (
        lambda: desk.make(BOSS, "eve", "user", "", None),
        lambda: desk.end(BOSS, ann, 1),
        lambda: desk.revoke(BOSS, ann),
    ):
        with pytest.raises(ServiceError, match="a token file was expected"):
            act()


def test_last_use_outlives_a_restart(tmp_path: Path, file: Path) -> None:
    """What was written is read again; a damaged file is begun anew; neither token nor hash stands in it; what is revoked is forgotten."""
    known = read_tokens(file)
    use = TokenUse(tmp_path / "use.json")
    for token in known:
        use.note(token)
    use.forget_others(known[:1])
    use.keep()
    again = TokenUse(tmp_path / "use.json")
    text = (tmp_path / "use.json").read_text()

    assert again.last(known[0]) == use.last(known[0]) is not None
    assert again.last(known[1]) is None
    assert not any(token.digest[:8] in text for token in known)
    for left in ("", "[]", '{"last": {"a": "b"}}'):
        (tmp_path / "use.json").write_text(left)
        assert TokenUse(tmp_path / "use.json").last(known[0]) is None


# ---- over HTTP -------------------------------------------------------------------------------------------------------

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service with tokens of an admin, two owners and one who reads, quotas, and an audit log."""
    folder = tmp_path_factory.mktemp("admin")
    tokens = {"boss": new_token(folder / "tokens", "boss", is_admin=True)}
    tokens |= {owner: new_token(folder / "tokens", owner) for owner in ("ann", "bob")}
    tokens["wall"] = new_token(folder / "tokens", "ann", is_reader=True)
    (folder / "owners.toml").write_text('["*"]\nrunning_jobs = 1\nbytes_a_day = "20GB"\n[carol]\nseconds_a_day = 60\n')
    words = ("--token-file", str(folder / "tokens"), "--owners", str(folder / "owners.toml"))
    with Service(folder, data, *words, "--audit-log", str(folder / "audit")) as service:
        yield service, tokens


@pytest.fixture
def boss(owned: tuple[Service, dict[str, str]]) -> Iterator[Client]:
    """The admin's client."""
    with owned[0].client(owned[1]["boss"]) as client:
        yield client


@pytest.mark.cluster
def test_an_admin_looks_after_tokens(owned: tuple[Service, dict[str, str]], boss: Client) -> None:
    """Made, listed with its last use, ended, revoked: each counts from the next request on, and stands in the audit log without it."""
    service, _ = owned
    made = boss.make_token("dora@example.com", label="laptop", days=7)
    with service.client(made["token"]) as dora:
        assert dora.about()["owner"] == "dora@example.com"
        listed = next(token for token in boss.tokens() if token["id"] == made["id"])
        assert listed["last_used"] is not None
        assert {name: made[name] for name in ("owner", "label", "role", "until")} == {
            name: listed[name] for name in ("owner", "label", "role", "until")
        }
        assert [token["owner"] for token in boss.tokens() if token["is_yours"]] == ["boss"]
        boss.end_token(made["id"])
        with pytest.raises(TokenError):
            dora.about()
        boss.end_token(made["id"], days=0.5)
        assert dora.about()["role"] == "user"
        boss.revoke_token(made["id"])
        with pytest.raises(TokenError):
            dora.about()
    with pytest.raises(UnknownJob):
        boss.revoke_token(made["id"])
    for owner, label in (("a b", ""), ("", ""), ("eve", "7"), ("x" * 101, "")):
        with pytest.raises(SpecError):
            boss.make_token(owner, label=label)
    lines = [json.loads(line) for line in (service.folder / "audit").read_text().splitlines()]
    acts = [line for line in lines if line.get("token") == made["id"]]
    assert [(line["method"], line["token_owner"], line["who"]) for line in acts] == [
        (method, "dora@example.com", "boss") for method in ("POST", "PATCH", "PATCH", "DELETE")
    ]
    kept = (service.folder / "audit").read_text() + service.log.read_text()
    assert made["token"] not in kept
    assert hashlib.sha256(made["token"].encode()).hexdigest()[:12] not in kept


@pytest.mark.cluster
def test_nobody_else_looks_after_tokens(owned: tuple[Service, dict[str, str]], boss: Client) -> None:
    """An owner and a reader are refused by every route of admins, whatever they ask; so is another site's page, with an admin's token."""
    service, tokens = owned
    id_ = next(token["id"] for token in boss.tokens() if token["owner"] == "bob")
    for who in ("ann", "wall"):
        with service.client(tokens[who]) as client:
            for act in (
                client.tokens,
                client.owners,
                lambda client=client: client.make_token("ann", role="admin"),
                lambda client=client: client.end_token(id_),
                lambda client=client: client.revoke_token(id_),
                lambda client=client: client.revoke_token("0" * 16),
            ):
                with pytest.raises(AccessError):
                    act()
    headers = {"Authorization": f"Bearer {tokens['boss']}", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=240, trust_env=False) as evil:
        assert evil.post("/v1/tokens", json={"owner": "evil", "role": "admin"}).status_code == 403
        assert evil.delete(f"/v1/tokens/{id_}").status_code == 403
    assert {token["owner"] for token in boss.tokens()} == {"boss", "ann", "bob"}


@pytest.mark.cluster
def test_an_admin_sees_what_owners_use(owned: tuple[Service, dict[str, str]], boss: Client, tmp_path: Path) -> None:
    """Jobs, bytes and seconds of today and uploads of each, with what each may use; of who has a table of its own and nothing else, too."""
    service, tokens = owned
    (tmp_path / "small.csv").write_text("a,b\n1,2\n3,5\n")
    with service.client(tokens["ann"]) as ann, service.client(tokens["bob"]) as bob:
        solved = rested(ann, ann.submit(spec("tsqr"))["id"])
        ann.upload(tmp_path / "small.csv")
        running, waiting = (bob.submit(slow(seed))["id"] for seed in (1, 2))
        seen(bob, running, in_pass(2))
        use = by_owner(boss.owners())
        for id_ in (waiting, running):
            bob.cancel(id_)
        read = ann.solution(solved["id"])["passes"]

    assert use.keys() == {"ann", "bob", "boss", "carol"}
    assert use["ann"]["read_bytes"] == sum(one["read_bytes"] for one in read)
    assert use["ann"]["worked_seconds"] > 0
    assert (use["ann"]["jobs"], use["ann"]["running"], use["ann"]["uploads"]) == (1, 0, 1)
    assert use["ann"]["upload_bytes"] >= 12
    assert (use["bob"]["running"], use["bob"]["waiting"], use["bob"]["most_running"]) == (1, 1, 1)
    assert use["bob"]["read_bytes"] > 0
    assert use["bob"]["most_read_bytes"] == 20_000_000_000
    assert (use["carol"]["most_worked_seconds"], use["carol"]["most_read_bytes"], use["carol"]["jobs"]) == (60.0, None, 0)


@pytest.mark.cluster
def test_an_open_service_has_no_tokens_to_look_after(service: Service) -> None:
    """Its one owner sees its use, uncounted; to make a token it is told what lacks."""
    with service.client() as client:
        assert client.tokens() == []
        assert by_owner(client.owners())["local"]["read_bytes"] is None
        with pytest.raises(AccessError, match="--token-file"):
            client.make_token("ann")
        with pytest.raises(AccessError, match="--token-file"):
            client.revoke_token("0" * 16)
