"""Files that owners send to a running service: kept privately, within a quota, and read by their runs under the names of columns."""

import io
import os
import socket
import struct
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from dsketch._cli import main
from dsketch.service.auth import new_token
from dsketch.service.uploads import UploadLimits, Uploads, size_of
from tests.service.conftest import slow
from tests.service.running import Service, in_pass, rested, seen, waited

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(40)]

CSV = b"price,rooms,area,town\n" + b"".join(
    b"%d,%d,%d,%s\n" % (100 + 30 * i + 2 * (i * i % 17) + 50 * (i % 2), i, i * i % 17, [b"ash", b"elm"][i % 2]) for i in range(40)
)
LIMITS = ("--max-upload", "200kB", "--max-uploaded", "500kB", "--max-uploads", "5", "--patience", "1")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service with small quotas, and the tokens of four owners and a reader."""
    folder = tmp_path_factory.mktemp("uploads")
    file = folder / "tokens"
    tokens = {name: new_token(file, name) for name in ("ann", "bob", "cat", "dan")} | {
        "wall": new_token(file, "ann", is_reader=True)
    }
    with Service(folder, data, "--token-file", str(file), "--rate", "10000", "--max-jobs", "1", *LIMITS) as running:
        yield running, tokens


def http_of(served: tuple[Service, dict[str, str]], who: str) -> httpx.Client:
    """Return a client with somebody's token."""
    service, tokens = served
    headers = {"Authorization": f"Bearer {tokens[who]}"}
    return httpx.Client(base_url=service.url, headers=headers, timeout=60, trust_env=False)


def send(http: httpx.Client, name: str, body: Any, **headers: str) -> httpx.Response:
    """Upload some bytes."""
    return http.post("/v1/uploads", params={"name": name}, content=body, headers=headers)


def packed(array: Any, **options: Any) -> bytes:
    """Return an array as a NumPy file."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def left_in(served: tuple[Service, dict[str, str]]) -> list[str]:
    """Return what is half sent on the disk."""
    return [place.name for place in (served[0].state / "uploads").glob("*/.coming-*")]


def test_a_csv_becomes_coefficients_with_names(served: tuple[Service, dict[str, str]]) -> None:
    """Upload, a run that names the file and its target, names of columns in the answer; the next run reads the same matrix."""
    service, tokens = served
    with http_of(served, "ann") as http, service.client(tokens["ann"]) as client:
        about = send(http, "houses.csv", CSV).json()
        assert about["columns"] == ["price", "rooms", "area", "town"]
        assert about["address"] == "upload:houses.csv"
        assert send(http, "houses.csv", CSV).status_code == 200
        assert send(http, "houses.csv", CSV + b"1,1,1,ash\n").status_code == 409
        spec = {"problem": "lstsq", "A": "upload:houses.csv", "b": "upload:houses.csv#price"}
        plan = http.post("/v1/plans", json={"spec": spec})
        assert plan.status_code == 200, plan.text

        job = rested(client, client.submit(spec)["id"])

        assert job["state"] == "solved", job
        found = http.get(f"/v1/jobs/{job['id']}/coefficients").json()
        assert found["names"] == ["rooms", "area", "town=ash", "town=elm"]
        assert found["columns"]["value"] == pytest.approx([30, 2, 100, 150])
        notes = [event["text"] for event in client.follow(job["id"]) if event["event"] == "note"]
        assert not any("is a matrix of" in text for text in notes), "the plan has made the matrix"
        mine = next((service.state / "uploads").glob("*/houses.csv/matrices"))
        assert len(list(mine.iterdir())) == 1
        assert client.submit({**spec, "b": "upload:houses.csv#rooms"})["state"] == "queued"
        assert http.delete("/v1/uploads/houses.csv").status_code == 409
        listed = waited(
            lambda: None if http.delete("/v1/uploads/houses.csv").status_code == 409 else http.get("/v1/uploads"), "rest"
        )
        assert listed.json()["uploads"] == []
        assert listed.json()["used_bytes"] == 0


def test_wrong_columns_are_refused_at_once(served: tuple[Service, dict[str, str]]) -> None:
    """An upload that is not there, a column that it has not, a name that is a path."""
    with http_of(served, "bob") as http:
        send(http, "d.csv", CSV)
        for words, sentence in (
            ({"A": "upload:none.csv", "b": "upload:d.csv#price"}, "there is no none.csv"),
            ({"A": "upload:d.csv", "b": "upload:d.csv#prize"}, "got 'prize'. Choose one of 'price'"),
            ({"A": "upload:../../jobs", "b": "upload:d.csv#price"}, "was expected as upload:NAME"),
        ):
            answer = http.post("/v1/jobs", json={"spec": {"problem": "lstsq", **words}})
            assert answer.status_code == 422
            assert sentence in answer.json()["message"]


def test_nobody_meets_anothers_upload(served: tuple[Service, dict[str, str]]) -> None:
    """Another owner neither lists, reads, nor removes it, by no name and no path; a reader sends and removes nothing."""
    service, _ = served
    with http_of(served, "cat") as cat, http_of(served, "dan") as dan, http_of(served, "wall") as wall:
        assert send(cat, "secret.csv", CSV).status_code == 201
        assert dan.get("/v1/uploads").json()["uploads"] == []
        assert dan.delete("/v1/uploads/secret.csv").status_code == 404
        path = str(next((service.state / "uploads").glob("*/secret.csv")))
        for A in ("upload:secret.csv", path):
            answer = dan.post("/v1/jobs", json={"spec": {"problem": "lstsq", "A": A, "b": "b.zarr"}})
            assert answer.status_code in (403, 422)
        assert send(wall, "x.csv", CSV).status_code == 403
        assert wall.delete("/v1/uploads/secret.csv").status_code == 403
        for folder in (service.state / "uploads").rglob("*"):
            assert folder.stat().st_mode & 0o077 == 0
        assert cat.delete("/v1/uploads/secret.csv").status_code == 204


@pytest.mark.parametrize(
    "given",
    ["../../../tmp/evil.csv", "/etc/evil.csv", "..\\..\\evil.csv", "%2e%2e%2fevil.csv", ".evil.csv", "evil.csv\0/../x.csv"],
)
def test_names_lead_nowhere(served: tuple[Service, dict[str, str]], given: str) -> None:
    """Whatever folders a name has, the file lies in its owner's own."""
    with http_of(served, "dan") as http:
        name = send(http, given, CSV).json()["name"]

        assert "/" not in name
        assert not name.startswith(".")
        found = {place.relative_to(served[0].state / "uploads").parts[1:] for place in served[0].state.rglob("*evil*.csv")}
        assert all(parts[0] in (name, f"{name}") for parts in found)
        assert http.delete(f"/v1/uploads/{name}").status_code == 204
        assert http.delete("/v1/uploads/..%2f..%2fjobs").status_code in (404, 405, 422)


def bombs() -> dict[str, tuple[str, bytes, int]]:
    """Return files that nobody wants: name, bytes, status."""
    zipped, declared = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A.npy", packed(np.zeros((1000, 100))))
    with zipfile.ZipFile(declared, "w") as archive:
        archive.writestr("A.npy", packed(np.zeros((4, 2)))[:-32])
    runs = io.BytesIO()
    parquet.write_table(pa.table({"a": np.zeros(1_000_000)}), runs)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for place in range(30):
            archive.writestr(f"{place}.npy", packed(np.zeros(2)))
    huge = b"\x93NUMPY\x01\x00" + struct.pack("<H", 70) + b"{'descr': '<f8', 'fortran_order': False, 'shape': (10**0,)}".ljust(70)
    lies = packed(np.zeros((4, 2))).replace(b"(4, 2)", b"(9, 9)")
    return {
        "pickle": ("p.npy", packed(np.array([{}, None], dtype=object), allow_pickle=True), 422),
        "zip bomb": ("z.npz", zipped.getvalue(), 413),
        "zip with half an array": ("h.npz", declared.getvalue(), 422),
        "parquet bomb": ("p.parquet", runs.getvalue(), 413),
        "many members": ("m.npz", many.getvalue(), 422),
        "head that is no head": ("n.npy", huge, 422),
        "shape that lies": ("l.npy", lies, 422),
        "shape without end": ("e.npy", packed(np.zeros((4, 2))).replace(b"(4, 2), }  ", b"(4,2**9),}"), 422),
        "cut parquet": ("c.parquet", runs.getvalue()[:-9], 422),
        "no parquet": ("n.parquet", b"PAR1" + b"\xff" * 50 + b"PAR1", 422),
        "no zip": ("n.npz", b"PK\x03\x04" + bytes(50), 422),
        "zip called csv": ("z.csv", zipped.getvalue(), 422),
        "empty": ("e.csv", b"", 422),
        "script": ("x.html", b"<script>", 422),
        "packed": ("x.csv.gz", b"\x1f\x8b", 422),
    }


@pytest.mark.parametrize("what", list(bombs()))
def test_what_is_no_plain_table_is_refused(served: tuple[Service, dict[str, str]], what: str) -> None:
    """In one sentence, without a trace on the disk, and before anything is unpacked."""
    name, body, status = bombs()[what]
    with http_of(served, "dan") as http:
        answer = send(http, name, body)

        assert answer.status_code == status, answer.text
        assert answer.json()["message"].count("; ") == 1
        assert answer.json()["try"]
        assert http.get("/v1/uploads").json()["used_bytes"] == 0
    assert left_in(served) == []


def test_the_quota_holds(served: tuple[Service, dict[str, str]]) -> None:
    """Bytes of a file, of an owner, number of files, whether a length is declared or not; deletion frees it."""
    row = b"1.25,2.5\n"
    body = b"a,b\n" + row * (180_000 // len(row))
    with http_of(served, "dan") as http:
        assert send(http, "large.csv", body * 2).status_code == 413
        assert send(http, "large.csv", iter([body, body])).status_code == 413
        assert [send(http, f"{place}.csv", body).status_code for place in range(3)] == [201, 201, 413]
        assert send(http, "2.csv", iter([body[:90_000], body[:90_000]])).status_code == 413
        assert [send(http, f"s{place}.csv", CSV).status_code for place in range(4)] == [201, 201, 201, 413]
        for upload in http.get("/v1/uploads").json()["uploads"]:
            assert http.delete(f"/v1/uploads/{upload['name']}").status_code == 204
        assert http.get("/v1/uploads").json()["used_bytes"] == 0
        assert send(http, "2.csv", body).status_code == 201
        spec = {"problem": "lstsq", "A": "upload:2.csv", "b": "upload:2.csv#b"}
        with served[0].client(served[1]["dan"]) as client:
            assert rested(client, client.submit(spec)["id"])["state"] in ("solved", "not_solved", "failed")
            wide = b"t,b\n" + b"".join(b"w%d,%d\n" % (place % 900, place) for place in range(9_000))
            assert send(http, "wide.csv", wide).status_code == 201
            job = rested(client, client.submit({**spec, "A": "upload:wide.csv", "b": "upload:wide.csv#b"})["id"])
        assert job["state"] == "failed"
        assert "matrices included" in job["sentence"]
        assert not list(served[0].state.glob("uploads/*/wide.csv/matrices/*/*"))
        for name in ("2.csv", "wide.csv"):
            assert http.delete(f"/v1/uploads/{name}").status_code == 204
    assert size_of(served[0].state / "uploads" / "none") == 0
    assert left_in(served) == []


def test_another_page_sends_nothing(served: tuple[Service, dict[str, str]]) -> None:
    """A browser that another page told to is refused, as for every other route."""
    with http_of(served, "dan") as http:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            assert send(http, "x.csv", CSV, **headers).status_code == 403
            assert http.delete("/v1/uploads/x.csv", headers=headers).status_code == 403


def test_a_slow_or_broken_sender_leaves_nothing(served: tuple[Service, dict[str, str]]) -> None:
    """It is told so, what came is gone, and its owner may send again; meanwhile a second file of the owner waits its turn."""
    service, tokens = served
    host, port = service.url.removeprefix("http://").split(":")
    head = f"POST /v1/uploads?name=s.csv HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {tokens['dan']}\r\nContent-Length: 90\r\n\r\na,b"
    with http_of(served, "dan") as http:
        with closing(socket.create_connection((host, int(port)), timeout=60)) as sender:
            sender.sendall(head.encode())
            waited(lambda: left_in(served) or None, "the half-sent file")
            assert send(http, "t.csv", CSV).status_code == 429
            assert b" 408 " in sender.recv(100)
        assert left_in(served) == []
        with closing(socket.create_connection((host, int(port)), timeout=60)) as sender:
            sender.sendall(head.encode())
            waited(lambda: left_in(served) or None, "the half-sent file")
        waited(lambda: None if left_in(served) else True, "its end")
        assert send(http, "t.csv", CSV).status_code == 201
        assert http.delete("/v1/uploads/t.csv").status_code == 204


def test_ingest_is_cancelled_with_its_job(served: tuple[Service, dict[str, str]]) -> None:
    """A job that waits is cancelled; what was half made by a kill is made anew; the job's notes say what became of the file."""
    service, tokens = served
    with http_of(served, "ann") as http, service.client(tokens["ann"]) as client:
        assert send(http, "k.npy", packed(np.vander(np.linspace(1, 2, 50), 3))).status_code == 201
        spec = {"problem": "lstsq", "A": "upload:k.npy", "b": "upload:k.npy#x2"}
        first = client.submit(slow())
        seen(client, first["id"], in_pass(1))
        waiting = client.submit(spec)
        assert client.cancel(waiting["id"])["state"] == "cancelled"
        client.cancel(first["id"])
        id_ = client.submit(spec)["id"]
        texts = [event.get("text", "") for event in client.follow(id_)]
        assert client.show(id_)["state"] == "solved"
        assert any("k.npy is a matrix of 50 × 2 now, its target x2" in text for text in texts)
        made = next(service.state.glob("uploads/*/k.npy/matrices/*/made.json"))
        made.unlink()  # as a kill leaves it
        assert rested(client, client.submit(spec, key="again")["id"])["state"] == "solved"
        assert made.is_file()
        assert http.delete("/v1/uploads/k.npy").status_code == 204


def test_the_command_sends_lists_and_removes(served: tuple[Service, dict[str, str]], tmp_path: Path) -> None:
    """A file that is here, under its name; a solve of it; its removal."""
    service, tokens = served
    (tmp_path / "cars.csv").write_bytes(CSV)
    (tmp_path / "token").write_text(tokens["bob"])
    where = ["--url", service.url, "--token-from", str(tmp_path / "token")]

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, ["jobs", *words, *where])
        assert done.exit_code == 0, done.output
        return done.output

    assert run("upload", str(tmp_path / "cars.csv")).startswith("upload:cars.csv  ")
    assert "cars.csv" in run("upload")
    assert "solved" in run("submit", "lstsq", "upload:cars.csv", "upload:cars.csv#price", "--follow")
    assert "cars.csv" not in run("upload", "--remove", "cars.csv")


def test_what_nobody_asks_for_is_removed_after_its_days(tmp_path: Path) -> None:
    """But not what a job reads, and not what was asked for since; what was half sent goes at the next start."""
    uploads = Uploads(tmp_path, UploadLimits())
    for name in ("old.csv", "read.csv", "asked.csv"):
        with closing(uploads.begin("ann", name, len(CSV))) as coming:
            coming.write(CSV)
            coming.keep()
        os.utime(uploads.folder("ann") / name / "about.json", (1.0, 1.0))
    uploads.admit("ann", "upload:asked.csv", "A")

    assert uploads.remove_unused(1e9, lambda owner, name: (owner, name) == ("ann", "read.csv")) == ["old.csv"]
    uploads.begin("ann", "half.csv", None)
    Uploads(tmp_path, UploadLimits()).sweep()
    assert sorted(place.name for place in uploads.folder("ann").iterdir()) == ["asked.csv", "read.csv"]
