"""Who may come in."""

import hashlib
from pathlib import Path

import pytest

import dsketch
from dsketch.service.auth import Caller, Tokens, is_loopback, new_token, require_safe_host
from dsketch.service.errors import TokenError
from dsketch.service.places import Roots
from dsketch.service.serve import ServiceOptions, serve


def test_a_token_opens_for_its_owner(tmp_path: Path) -> None:
    """Each token is one owner's, and an admin's says so."""
    file = tmp_path / "tokens"
    ann, boss = new_token(file, "ann"), new_token(file, "boss", is_admin=True)
    tokens = Tokens(file)

    assert tokens.caller(f"Bearer {ann}") == Caller("ann")
    assert tokens.caller(f"bearer {boss}") == Caller("boss", is_admin=True)
    assert tokens.caller(f"Bearer {ann}").sees == "ann"
    assert tokens.caller(f"Bearer {boss}").sees is None


def test_the_file_keeps_hashes_for_its_owner_only(tmp_path: Path) -> None:
    """Who reads the file can use none of the tokens, and others cannot even read it."""
    file = tmp_path / "tokens"
    token = new_token(file, "ann")

    assert token not in file.read_text()
    assert hashlib.sha256(token.encode()).hexdigest() in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic {}", "Bearer {}x", "{}", "Bearer x{}"])
def test_anything_else_is_refused_alike(tmp_path: Path, header: str | None) -> None:
    """No token, a wrong scheme, a wrong token: one message."""
    token = new_token(tmp_path / "tokens", "ann")

    with pytest.raises(TokenError, match="a valid bearer token was expected") as caught:
        Tokens(tmp_path / "tokens").caller(None if header is None else header.format(token))

    assert token not in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nobody\n", "ann\n", "ann:123:user\n", f"ann:{'0' * 64}:king\n", f":{'0' * 64}:user\n"])
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    """Half a line must not become an open door."""
    file = tmp_path / "tokens"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(dsketch.SpecError, match="expected"):
        Tokens(file)


def test_a_file_that_others_read_is_refused(tmp_path: Path) -> None:
    """Hashes of somebody's tokens are nobody else's business."""
    file = tmp_path / "tokens"
    new_token(file, "ann")
    for mode in (0o644, 0o660, 0o601):
        file.chmod(mode)
        with pytest.raises(dsketch.SpecError, match="chmod 600"):
            Tokens(file)
    file.chmod(0o640)  # as a secret is mounted for an account by its group
    assert Tokens(file).are_needed


def test_a_change_of_the_file_counts_at_once(tmp_path: Path) -> None:
    """A new line lets in, a line taken away does not any more; a broken file lets nobody in until it is mended."""
    file = tmp_path / "tokens"
    ann = f"Bearer {new_token(file, 'ann')}"
    tokens = Tokens(file)

    bob = f"Bearer {new_token(file, 'bob')}"
    assert tokens.caller(bob) == Caller("bob")

    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[1])
    assert tokens.caller(bob) == Caller("bob")
    for broken in ("half a line", ""):
        file.write_text(broken)
        with pytest.raises(TokenError):
            tokens.caller(bob)
    file.unlink()
    with pytest.raises(TokenError):
        tokens.caller(bob)
    assert tokens.are_needed

    file.write_text(lines[0])
    file.chmod(0o600)
    assert tokens.caller(ann) == Caller("ann")


@pytest.mark.parametrize("owner", ["", "a:b", "a b", "a\nb", "x" * 101])
def test_owners_have_plain_names(tmp_path: Path, owner: str) -> None:
    """A name that would break the line is refused."""
    with pytest.raises(dsketch.SpecError, match="owner"):
        new_token(tmp_path / "tokens", owner)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "solver.example.org"])  # noqa: S104 - to be refused
def test_others_need_a_token(tmp_path: Path, host: str) -> None:
    """A service that other machines reach is not started without tokens."""
    with pytest.raises(dsketch.SpecError, match="token file"):
        require_safe_host(host, Tokens(None))
    new_token(tmp_path / "tokens", "ann")
    require_safe_host(host, Tokens(tmp_path / "tokens"))


def test_loopback_needs_none() -> None:
    """Who reaches a loopback port is on this machine."""
    for host in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"):
        assert is_loopback(host)
        require_safe_host(host, Tokens(None))
    assert Tokens(None).caller(None) == Caller("local", is_admin=True)


@pytest.mark.parametrize(("reads", "writes"), [(["."], []), (["a", "a/link"], []), (["a"], ["b"])])
def test_owners_do_not_read_each_others_state(tmp_path: Path, reads: list[str], writes: list[str]) -> None:
    """With tokens no declared folder holds the state directory, not by a link either; nothing is made there before that is said."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "in").mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    new_token(tmp_path / "tokens", "ann")
    roots = Roots.of([str(tmp_path / place) for place in reads], [str(tmp_path / place) for place in writes])

    with pytest.raises(dsketch.SpecError, match="state directory outside of every"):
        serve(ServiceOptions(tmp_path / "b" / "in" / "state", token_file=tmp_path / "tokens", roots=roots))
    assert not (tmp_path / "b" / "in" / "state").exists()
