"""Two owners with folders of their own: neither learns what is in the other's, its names, its sizes, or whether anything is there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import zarr

from dsketch.service.auth import new_token
from dsketch.service.errors import PlaceError
from dsketch.service.owners import Owners
from dsketch.service.places import Roots
from tests.service.running import Service, rested

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

ROWS = 4_321  # of what is hidden: a number that nothing else has
HIDDEN = "payroll"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a folder of ann's and one of bob's, and links that lead from his to hers and to his own."""
    folder = tmp_path_factory.mktemp("neighbours") / "root"
    rng = np.random.default_rng(0)
    for who, rows in (("ann", 50), ("bob", ROWS)):
        (folder / who).mkdir(parents=True)
        for name, shape in (("A" if who == "ann" else HIDDEN, (rows, 3)), ("b", (rows,))):
            zarr.create_array(folder / who / f"{name}.zarr", data=rng.random(shape), chunks=shape)
    (folder / "bob" / f"{HIDDEN}.csv").write_text("a,b\n1,2\n")
    (folder / "bob" / "to_ann").symlink_to(folder / "ann")
    (folder / "ann" / "to_bob").symlink_to(folder / "bob")
    (folder / "ann" / "to_file.zarr").symlink_to(folder / "bob" / f"{HIDDEN}.zarr")
    (folder / "ann" / "to_nothing.zarr").symlink_to(folder / "bob" / "nothing.zarr")
    return folder


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service where each owner has a folder, and their tokens."""
    tokens, owners = root.parent / "tokens", root.parent / "owners.toml"
    owners.write_text("".join(f'[{who}]\ndata_roots = ["{root / who}"]\n' for who in ("ann", "bob")))
    made = {who: new_token(tokens, who) for who in ("ann", "bob")}
    words = ("--token-file", str(tokens), "--owners", str(owners), "--rate", "10000")
    with Service(root.parent / "service", root, *words) as service:
        yield service, made


def http_of(served: tuple[Service, dict[str, str]], who: str) -> httpx.Client:
    """Return a connection with somebody's token."""
    service, tokens = served
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {tokens[who]}"}, timeout=120, trust_env=False)


# Pairs of paths that ann may try: where bob has something, and where there is nothing.
PAIRS = [
    ("../bob/payroll.zarr", "../bob/nothing.zarr"),
    ("../bob/payroll.csv", "../bob/nothing.csv"),
    ("../bob", "../eve"),
    ("{root}/bob/payroll.zarr", "{root}/bob/nothing.zarr"),
    ("{root}/bob/payroll.zarr/zarr.json", "{root}/bob/payroll.zarr/none.json"),
    ("to_bob/payroll.zarr", "to_bob/nothing.zarr"),
    ("to_bob/payroll.csv", "to_bob/nothing.csv"),
    ("to_file.zarr", "to_nothing.zarr"),
    ("../bob/to_ann/A.zarr", "../bob/nothing/A.zarr"),
    ("../bob/to_ann/../ann/A.zarr", "../bob/nothing/../ann/A.zarr"),
    ("../bob/payroll.zarr/../../ann/A.zarr", "../bob/nothing.zarr/../../ann/A.zarr"),
    ("to_bob/to_ann/A.zarr", "to_bob/nothing/A.zarr"),
    ("{root}/./ann/../bob//payroll.zarr", "{root}/./ann/../bob//nothing.zarr"),
    ("file://{root}/bob/payroll.zarr", "file://{root}/bob/nothing.zarr"),
    ("%2e%2e/bob/payroll.zarr", "%2e%2e/bob/nothing.zarr"),
    ("..%2fbob%2fpayroll.zarr", "..%2fbob%2fnothing.zarr"),
]


def ask_all(http: httpx.Client, place: str) -> list[tuple[int, str]]:
    """Return the status and text of every route that takes a path: browse, facts, check (a plan), a job."""
    spec = {"problem": "lstsq", "A": place, "b": "b.zarr"}
    answers = [
        http.get("/v1/data", params={"place": place}),
        http.get("/v1/data/facts", params={"place": place}),
        http.post("/v1/plans", json={"spec": spec}),
        http.post("/v1/plans", json={"spec": {**spec, "A": "A.zarr", "b": place}}),
        http.post("/v1/jobs", json={"spec": spec}),
    ]
    return [(answer.status_code, answer.text) for answer in answers]


@pytest.mark.parametrize("pair", PAIRS)
def test_there_and_not_there_are_the_same(served: tuple[Service, dict[str, str]], root: Path, pair: tuple[str, str]) -> None:
    """Each route answers with one status and one sentence, but for the path that was typed, whether bob has something there or not."""
    with http_of(served, "ann") as http:
        there, nowhere = (place.format(root=root) for place in pair)
        found = ask_all(http, there)
        other = ask_all(http, nowhere)

    assert [(status, text.replace(there, "PLACE")) for status, text in found] == [
        (status, text.replace(nowhere, "PLACE")) for status, text in other
    ]
    assert {status for status, _ in found} <= {403, 422}
    assert not [text for _, text in found if str(ROWS) in text or '"shape"' in text]


def test_encodings_lead_nowhere(served: tuple[Service, dict[str, str]]) -> None:
    """As the address has it: dots and slashes encoded once and twice, a null character, another slash."""
    with http_of(served, "ann") as http:
        for place in (
            "..%2Fbob",
            "%2e%2e%2Fbob%2Fpayroll.zarr",
            "%252e%252e%252Fbob",
            "..%5Cbob",
            "to_bob%2F",
            "..%2Fbob%00",
            "%c0%ae%c0%ae/bob",
        ):
            for route in ("/v1/data", "/v1/data/facts"):
                answer = http.get(f"{route}?place={place}")
                assert answer.status_code in (403, 422), (route, place)
                assert not re.search(rf"{ROWS}|entries|shape", answer.text), (route, place)


def test_lists_name_own_things_alone(served: tuple[Service, dict[str, str]], root: Path) -> None:
    """The places, what is in them, and what the service tells of itself: of the owner's folder, links out of it left out."""
    with http_of(served, "ann") as ann, http_of(served, "bob") as bob:
        assert [entry["address"] for entry in ann.get("/v1/data").json()["entries"]] == [str(root / "ann")]
        told = ann.get("/v1/data", params={"place": "."}).json()
        assert [entry["name"] for entry in told["entries"]] == ["A.zarr", "b.zarr"]
        assert told["parent"] is None
        assert {entry["name"] for entry in bob.get("/v1/data", params={"place": "."}).json()["entries"]} == {
            "b.zarr",
            f"{HIDDEN}.csv",
            f"{HIDDEN}.zarr",
        }
        assert bob.get("/v1/data/facts", params={"place": f"{HIDDEN}.zarr"}).json()["shape"] == [ROWS, 3]
        everything = [ann.get(route).text for route in ("/v1/service", "/v1/data", "/v1/data?place=.", "/v1/uploads", "/v1/jobs")]
    assert not [text for text in everything if re.search(rf"{HIDDEN}|/bob|{ROWS}", text)]


def test_jobs_of_the_other_are_as_unknown_as_none(served: tuple[Service, dict[str, str]]) -> None:
    """Whatever is asked of an id, alone or beside an own job: the same status and sentence for bob's and for one that never was."""
    service, tokens = served
    with service.client(tokens["bob"]) as his, service.client(tokens["ann"]) as hers, http_of(served, "ann") as http:
        theirs = his.submit(problem="lstsq", A=f"{HIDDEN}.zarr", b="b.zarr", name=HIDDEN)["id"]
        own = hers.submit(problem="lstsq", A="A.zarr", b="b.zarr")["id"]
        assert {rested(his, theirs)["state"], rested(hers, own)["state"]} == {"solved"}
        routes = [
            ("GET", ""),
            ("GET", "/log"),
            ("GET", "/events"),
            ("GET", "/solution"),
            ("GET", "/solution/x"),
            ("GET", "/coefficients"),
            ("GET", "/receipt"),
            ("GET", "/ticket?of=x"),
            ("GET", f"/comparison?other={own}"),
            ("POST", "/cancel"),
            ("POST", "/resume"),
            ("POST", "/errors"),
            ("POST", "/predict"),
            ("POST", "/residuals"),
            ("DELETE", ""),
        ]
        unknown = "0" * 20
        for method, path in routes:
            body = {"A": "A.zarr"} if path == "/predict" else {}
            more = {"json": body} if method == "POST" else {}
            one, other = (http.request(method, f"/v1/jobs/{id_}{path}", **more) for id_ in (theirs, unknown))
            assert (one.status_code, other.status_code) == (404, 404), (method, path)
            assert one.text.replace(theirs, unknown) == other.text, (method, path)
        compared = [http.get(f"/v1/jobs/{own}/comparison", params={"other": id_}) for id_ in (theirs, unknown)]
        assert compared[0].text.replace(theirs, unknown) == compared[1].text
        spec = {"problem": "predict", "A": "A.zarr"}
        asked = [http.post("/v1/jobs", json={"spec": {**spec, "job": id_}}) for id_ in (theirs, unknown)]
        assert asked[0].status_code == asked[1].status_code >= 400
        assert asked[0].text.replace(theirs, unknown) == asked[1].text
        assert http.get("/v1/jobs", params={"search": HIDDEN}).json()["jobs"] == []


@pytest.mark.parametrize(
    "place", ["{root}/bob/to_ann/A.zarr", "../bob/to_ann/../ann/A.zarr", "to_bob/to_ann/A.zarr", "loop/A.zarr"]
)
def test_another_owners_folder_is_not_even_looked_into(root: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call of the system names a path below it, so that no time taken can tell."""
    owners = root.parent / "some.toml"
    owners.write_text(f'[ann]\ndata_roots = ["{root / "ann"}"]\n')
    roots = Owners(owners, Roots.of([str(root)])).roots("ann")
    if not (root / "ann" / "loop").is_symlink():
        (root / "ann" / "loop").symlink_to(root / "ann" / "loop")
    looked: list[str] = []
    for name in ("lstat", "stat", "readlink"):
        plain = getattr(os, name)
        monkeypatch.setattr(
            f"os.{name}", lambda path, *more, plain=plain, **how: (looked.append(str(path)), plain(path, *more, **how))[1]
        )

    with pytest.raises(PlaceError, match="lies elsewhere"):
        roots.admit(place.format(root=root))
    assert looked
    assert not [path for path in looked if path.startswith(f"{root}/bob/")]
