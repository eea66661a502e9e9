"""Answers that a browser saves by itself: a ticket opens a part of an answer once, and stands in no log; the page never holds it."""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dsketch.service.auth import Tokens, new_token
from dsketch.service.errors import UnknownJob
from dsketch.service.tickets import TICKET_SECONDS, Tickets
from tests.service.browser import chromium, watched
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen

USED = f"a ticket that was not used, of the last {TICKET_SECONDS} seconds, was expected; there is none such. Ask for another."


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tokens of two owners and a reader; ``file`` is their file."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    made = {"ann": new_token(file, "ann"), "bob": new_token(file, "bob"), "wall": new_token(file, "ann", is_reader=True)}
    return {**made, "file": str(file)}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, data: Path, tokens: dict[str, str]) -> Iterator[tuple[Service, str]]:
    """A service that asks for tokens and keeps an audit log, and a solved job of ann's."""
    folder = tmp_path_factory.mktemp("downloads")
    words = ("--token-file", tokens["file"], "--rate", "10000", "--audit-log", str(folder / "audit"), "--log-level", "debug")
    with Service(folder, data, *words) as service, service.client(tokens["ann"]) as client:
        job = client.submit(spec("tsqr"), name="Miete, nach Zimmern")["id"]
        assert rested(client, job)["state"] == "solved"
        yield service, job


def opened(service: Service, token: str | None = None) -> httpx.Client:
    """Return a plain connection, with a token or without."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=service.url, headers=headers, timeout=240, trust_env=False)


def held(raw: bytes) -> Any:
    """Return what a download holds: of a ZIP file, which tells when it was made, its files."""
    if not raw.startswith(b"PK"):
        return raw
    with zipfile.ZipFile(io.BytesIO(raw)) as group:
        return {name: group.read(name) for name in group.namelist()}


@pytest.mark.cluster
@pytest.mark.parametrize("who", ["ann", "wall"])
def test_a_ticket_opens_once_without_a_token(guarded: tuple[Service, str], tokens: dict[str, str], who: str) -> None:
    """Each part of an answer comes whole, under the job's name, to whoever has the ticket; a second time there is none."""
    service, job = guarded
    with opened(service, tokens[who]) as http, opened(service) as nobody:
        wanted = {
            of: http.get(f"/v1/jobs/{job}/solution", params={"format": of}).content for of in ("npy", "csv", "parquet", "zarr")
        }
        parts = (
            ("x", "npy", "-x.npy"),
            ("csv", "csv", "-coefficients.csv"),
            ("parquet", "parquet", ".parquet"),
            ("zarr", "zarr", ".zarr.zip"),
        )
        for of, form, ending in parts:
            path = http.get(f"/v1/jobs/{job}/ticket", params={"of": of}).json()["path"]
            answer = nobody.get(f"/{path}")
            assert held(answer.content) == held(wanted[form])
            assert answer.headers["cache-control"] == "no-store"
            said = answer.headers["content-disposition"]
            assert said.startswith('attachment; filename="Miete-nach-Zimmern')
            assert said.endswith(f'{ending}"')
            again = nobody.get(f"/{path}")
            assert (again.status_code, again.json()["message"]) == (404, USED)


@pytest.mark.cluster
def test_only_who_may_see_the_answer_gets_a_ticket(guarded: tuple[Service, str], tokens: dict[str, str]) -> None:
    """Nobody without a token, no other owner, and none for what is not there yet: the answers of the route of x."""
    service, job = guarded
    with opened(service, tokens["ann"]) as ann, opened(service, tokens["bob"]) as bob, opened(service) as nobody:
        assert nobody.get(f"/v1/jobs/{job}/ticket", params={"of": "x"}).status_code == 401
        refused, unknown = (bob.get(f"/v1/jobs/{id_}/ticket", params={"of": "x"}) for id_ in (job, "0" * 20))
        assert (refused.status_code, unknown.status_code) == (404, 404)
        assert refused.json()["message"].replace(job, "0" * 20) == unknown.json()["message"]
        assert ann.get(f"/v1/jobs/{job}/ticket", params={"of": "fields/p"}).status_code == 404
        assert ann.get(f"/v1/jobs/{job}/ticket", params={"of": "../x"}).status_code == 422
        with service.client(tokens["ann"]) as client:
            running = client.submit(slow())["id"]
            seen(client, running, in_pass(1))
            assert ann.get(f"/v1/jobs/{running}/ticket", params={"of": "x"}).status_code == 409
            client.cancel(running)


@pytest.mark.cluster
def test_a_ticket_ends_with_its_token_and_its_answer(guarded: tuple[Service, str], tokens: dict[str, str], data: Path) -> None:
    """One that was given to a token that is revoked since opens nothing, nor one whose job was removed."""
    service, job = guarded
    brief = new_token(Path(tokens["file"]), "ann", label="brief")
    with opened(service, brief) as http, opened(service) as nobody, service.client(tokens["ann"]) as client:
        path = http.get(f"/v1/jobs/{job}/ticket", params={"of": "x"}).json()["path"]
        lines = Path(tokens["file"]).read_text().splitlines(keepends=True)
        Path(tokens["file"]).write_text("".join(line for line in lines if "brief" not in line))
        assert http.get("/v1/jobs").status_code == 401
        answer = nobody.get(f"/{path}")
        assert (answer.status_code, answer.json()["message"]) == (404, USED)
        gone = client.submit(spec("tsqr"))["id"]
        rested(client, gone)
        with opened(service, tokens["ann"]) as ann:
            path = ann.get(f"/v1/jobs/{gone}/ticket", params={"of": "x"}).json()["path"]
            client.rm(gone)
            assert nobody.get(f"/{path}").status_code == 404


@pytest.mark.cluster
def test_no_log_holds_a_ticket(guarded: tuple[Service, str], tokens: dict[str, str]) -> None:
    """The log names the route, the audit log whose download it was; what opens stands in neither."""
    service, job = guarded
    with opened(service, tokens["ann"]) as http, opened(service) as nobody:
        path = http.get(f"/v1/jobs/{job}/ticket", params={"of": "x"}).json()["path"]
        assert nobody.get(f"/{path}", headers={"X-Request-Id": "mine"}).status_code == 200
        assert nobody.get(f"/{path}").status_code == 404
        http.get("/healthz")
    kept = (service.folder / "audit").read_text()
    mine = next(line for line in map(json.loads, kept.splitlines()) if line.get("request") == "mine")

    assert (mine["who"], mine["route"], mine["job"]) == ("ann", "/v1/downloads/{ticket}", job)
    assert "dst_" not in kept
    assert "dst_" in service.log.read_text()
    assert path.rpartition("/")[2] not in service.log.read_text()


@pytest.mark.cluster
def test_the_page_saves_past_its_own_memory(guarded: tuple[Service, str], tokens: dict[str, str], tmp_path: Path) -> None:
    """With a token the browser fetches the file itself: no script asks for the answer, no blob is made, and no address has the token."""
    service, job = guarded
    asked: list[tuple[str, str]] = []
    with chromium() as browser, watched(browser, f"{service.url}/") as page:
        page.add_init_script("URL.createObjectURL = () => { throw new Error('a blob') }")
        page.evaluate("(token) => sessionStorage.setItem('dsketch.token', token)", tokens["ann"])
        page.on("request", lambda one: asked.append((one.resource_type, one.url)))
        page.goto(f"{service.url}/#/jobs/{job}")
        page.reload()
        for button, name in (("Download x", "Miete-nach-Zimmern-x.npy"), ("CSV", "Miete-nach-Zimmern-coefficients.csv")):
            with page.expect_download() as download:
                page.get_by_role("button", name=button, exact=True).click()
            assert download.value.suggested_filename == name
            download.value.save_as(tmp_path / name)
    with opened(service, tokens["ann"]) as http:
        x = np.load(io.BytesIO(http.get(f"/v1/jobs/{job}/solution/x").content))
        facts = http.get(f"/v1/jobs/{job}/solution").json()

    assert np.array_equal(np.load(tmp_path / "Miete-nach-Zimmern-x.npy"), x)
    assert hashlib.sha256(x.tobytes()).hexdigest() == facts["x"]["sha256"]
    assert (tmp_path / "Miete-nach-Zimmern-coefficients.csv").read_text().startswith("coefficient,value")
    assert not [
        url for kind, url in asked if kind == "fetch" and ("/downloads/" in url or "/solution/" in url or "format=" in url)
    ]
    assert not [url for _, url in asked if "dsk_" in url]


def scope_of(token: str) -> dict[str, Any]:
    """Return what a request with a token is to the service."""
    return {"headers": [(b"authorization", f"Bearer {token}".encode())], "client": ("127.0.0.1", 1)}


def test_old_tickets_and_too_many_give_way(tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute there is none; of an owner's 64 the oldest goes, of another owner's none."""
    known = Tokens(Path(tokens["file"]))
    tickets, caller = Tickets(known), {name: known.caller(f"Bearer {tokens[name]}") for name in ("ann", "bob")}
    hers = tickets.issue(caller["bob"], "0" * 20, "x", scope_of(tokens["bob"]))
    mine = [tickets.issue(caller["ann"], "0" * 20, "x", scope_of(tokens["ann"])) for _ in range(65)]

    with pytest.raises(UnknownJob, match="a ticket that was not used"):
        tickets.redeem(mine[0])
    assert tickets.redeem(hers).caller == caller["bob"]
    assert tickets.redeem(mine[1]).of == "x"
    now = time.monotonic
    monkeypatch.setattr("dsketch.service.tickets.time.monotonic", lambda: now() + TICKET_SECONDS + 1)
    with pytest.raises(UnknownJob, match="a ticket that was not used"):
        tickets.redeem(mine[2])
