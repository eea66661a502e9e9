"""What a role may do: a reader looks, an admin sees who may come in."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dsketch.service.auth import new_token
from dsketch.service.errors import UnknownJob
from tests.service.conftest import slow, spec
from tests.service.running import Service, rested

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tokens of an owner, her reader and an admin; ``file`` is their file."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    made = {"ann": new_token(file, "ann"), "boss": new_token(file, "boss", is_admin=True)}
    return {**made, "wall": new_token(file, "ann", is_reader=True, label="wall"), "file": str(file)}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, data: Path, tokens: dict[str, str]) -> Iterator[Service]:
    """A service that asks for tokens."""
    with Service(tmp_path_factory.mktemp("roles"), data, "--token-file", tokens["file"]) as service:
        yield service


def opened(service: Service, token: str) -> httpx.Client:
    """Return a plain connection with a token."""
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=240, trust_env=False)


def test_a_token_that_reads_changes_nothing(guarded: Service, tokens: dict[str, str]) -> None:
    """It sees its owner's job, answer and events; every other route of the document that is no GET is refused in one sentence."""
    wall = opened(guarded, tokens["wall"])
    with guarded.client(tokens["ann"]) as ann, guarded.client(tokens["wall"]) as looking:
        job = ann.submit(spec("tsqr"))["id"]
        assert rested(looking, job)["state"] == "solved"
        before = ann.show(job)
    document = wall.get("/openapi.json").json()["paths"]
    routes = [(path, method) for path, methods in document.items() for method in methods if method != "get"]
    answers = [wall.request(method, path.replace("{id}", job), json={"spec": slow()}) for path, method in routes]

    assert len(routes) >= 5
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["message"] for answer in answers} == {
        "a token that may change something was expected; this one of ann only reads. Use another token."
    }
    assert all("403" in document[path][method]["responses"] for path, method in routes)
    assert wall.get(f"/v1/jobs/{job}/solution").json()["is_success"] is True
    assert wall.get(f"/v1/jobs/{job}").json() == before
    assert wall.get("/v1/service").json()["role"] == "reader"


def test_tokens_are_told_to_admins_without_what_opens(guarded: Service, tokens: dict[str, str]) -> None:
    """Owner, label, role, end and last use; neither a token, nor its hash, nor a piece of it."""
    told = opened(guarded, tokens["boss"]).get("/v1/tokens")
    refused = [opened(guarded, tokens[owner]).get("/v1/tokens").status_code for owner in ("ann", "wall")]

    assert refused == [403, 403]
    about = {"owner": "ann", "label": "wall", "role": "reader", "until": None, "is_expired": False, "is_yours": False}
    assert any(about.items() <= token.items() for token in told.json()["tokens"])
    for token in (made for name, made in tokens.items() if name != "file"):
        digest = hashlib.sha256(token.encode()).hexdigest()
        assert digest[:8] not in told.text
        assert token[4:12] not in told.text


def test_jobs_of_two_owners_are_compared_by_none_but_an_admin(guarded: Service, tokens: dict[str, str]) -> None:
    """A job of somebody else is as unknown in a comparison as by itself, on either side, and its answer predicts for nobody else."""
    with guarded.client(tokens["ann"]) as ann, guarded.client(tokens["boss"]) as boss, guarded.client(tokens["wall"]) as wall:
        mine, theirs = ann.submit(spec("tsqr"))["id"], boss.submit(spec("tsqr"))["id"]
        for client, id_ in ((ann, mine), (boss, theirs)):
            assert rested(client, id_)["state"] == "solved"
        assert boss.compare(mine, theirs)["coefficients"]["counts"]["differs"] == 0
        assert wall.compare(mine, mine)["options"] == []
        for act in (
            lambda: ann.compare(mine, theirs),
            lambda: ann.compare(theirs, mine),
            lambda: ann.predict(theirs, "A.zarr"),
            lambda: ann.residuals(theirs),
        ):
            with pytest.raises(UnknownJob):
                act()
