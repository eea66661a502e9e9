"""Problems with other inputs than A and b over HTTP: the library's bits, numbers in the document, only declared places."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main
from dsketch.client import Client
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS
from dsketch.service.errors import PlaceError
from dsketch.testing.examples import COLUMNS, data_of
from tests.others import OPTIONS, OTHERS
from tests.service.running import Service, rested

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a folder for each problem, and one array beside it that is nobody's business."""
    folder = tmp_path_factory.mktemp("places")
    for name in OTHERS:
        for word, array in data_of(PROBLEMS[name]).items():
            zarr.create_array(store=str(folder / "data" / name / f"{word}.zarr"), data=array, chunks=(20, *array.shape[1:]))
    bad = data_of(PROBLEMS["glm"])["y"]
    bad[17] = 2.0
    zarr.create_array(store=str(folder / "data" / "bad.zarr"), data=bad, chunks=(20,))
    zarr.create_array(store=str(folder / "secret.zarr"), data=np.ones(60))
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Iterator[Service]:
    """A service that may read the data root."""
    with Service(tmp_path_factory.mktemp("service"), places / "data", "--rate", "10000") as running:
        yield running


def here(places: Path, name: str, words: Mapping[str, Any]) -> ds.Solution:
    """Solve the same in this process."""
    kind: Any = PROBLEMS[name]
    full = {
        word: str(places / "data" / given) if isinstance(given, str) and given.endswith(".zarr") else given
        for word, given in words.items()
    }
    return ds.solve(kind(**full), cluster="serial", progress=False)


SHORTEST: dict[str, dict[str, Any]] = {
    name: {
        word: f"{name}/{word}.zarr" if option.kind is Matrix else array.tolist()
        for option in PROBLEMS[name].inputs
        for word, array in data_of(PROBLEMS[name]).items()
        if word == option.name
    }
    | OPTIONS.get(name, {})
    for name in OTHERS
}
RUNS: dict[str, dict[str, Any]] = {
    "glm": {
        "A": "glm/A.zarr",
        "y": "glm/y.zarr",
        "offset": "glm/y.zarr",
        "family": "poisson",
        "alpha": [0.5, 0.0, 2.0],
        "start": [0.1, 0.2, 0.3, 0.4],
        "intercept": True,
    },
    "multinomial": {"A": "multinomial/A.zarr", "y": "multinomial/y.zarr", "classes": 2, "alpha": 1.0},
    "bounded": {"A": "bounded/A.zarr", "b": "bounded/b.zarr", "lower": [0.0, None, -1.0], "upper": [None, 0.5, None]},
    "two-layer": {"A1": "two-layer/A1.zarr", "A2": "two-layer/A2.zarr", "b": [0.1, 0.2, 0.3]},
}
CLASSES = {"glm": {"family": "binomial"}, "multinomial": {"classes": 2}}
RUNS |= {name: SHORTEST[name] for name in OTHERS if name not in RUNS}


@pytest.mark.parametrize("name", RUNS)
def test_a_job_has_the_bits_of_the_library(client: Client, places: Path, name: str) -> None:
    """Submitted, followed, fetched; the document holds the numbers, and says the same again."""
    job = rested(client, client.submit(problem=name, **RUNS[name])["id"])

    wanted = here(places, name, RUNS[name])
    assert job["state"] == ("solved" if wanted.status.is_success else "not_solved"), job["sentence"]
    assert client.fetch(job["id"]).tobytes() == np.asarray(wanted.x).tobytes()
    assert {word: job["spec"][word] for word in RUNS[name] if not str(RUNS[name][word]).endswith(".zarr")} == {
        word: given for word, given in RUNS[name].items() if not str(given).endswith(".zarr")
    }


def test_python_sends_arrays_where_numbers_are_expected(client: Client, places: Path, tmp_path: Path) -> None:
    """An array, an earlier answer and a file that is here travel as lists; data do not."""
    earlier = here(places, "glm", {"A": "glm/A.zarr", "y": "glm/y.zarr"})
    np.save(tmp_path / "alpha.npy", [0.5, 0.0, 2.0])

    job = client.submit(problem="glm", A="glm/A.zarr", y="glm/y.zarr", alpha=tmp_path / "alpha.npy", start=earlier)

    assert job["spec"]["alpha"] == [0.5, 0.0, 2.0]
    assert job["spec"]["start"] == earlier.x.tolist()
    with pytest.raises(ds.SpecError, match="offset: a path was expected; got ndarray"):
        client.submit(problem="glm", A="glm/A.zarr", y="glm/y.zarr", offset=np.zeros(60))


def test_the_command_line_sends_the_same_document(
    client: Client, service: Service, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``dsketch jobs submit``: numbers with commas, and those of a file that is here, not there."""
    monkeypatch.chdir(places / "data")
    np.save(tmp_path / "start.npy", RUNS["glm"]["start"])
    words = ["submit", "glm", "glm/A.zarr", "glm/y.zarr", "--offset", "glm/y.zarr", "--family", "poisson", "--alpha", "0.5,0,2"]

    line = CliRunner().invoke(main, ["jobs", *words, "--start", str(tmp_path / "start.npy"), "--intercept", "--url", service.url])
    python = client.submit(problem="glm", **RUNS["glm"])

    assert line.exit_code == 0, line.output
    assert client.show(line.stdout.strip())["spec"] == python["spec"]


def test_no_bound_travels_as_null(client: Client, service: Service, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON has no infinity: what Python and the command line say as one is null in the document, alone or among numbers."""
    monkeypatch.chdir(places / "data")
    data = {"A": "bounded/A.zarr", "b": "bounded/b.zarr"}

    python = client.submit(problem="bounded", **data, lower=-np.inf, upper=np.array([1.0, np.inf, 2.0]))
    words = ["submit", "bounded", *data.values(), "--lower=-inf", "--upper", "1,inf,2", "--url", service.url]
    line = CliRunner().invoke(main, ["jobs", *words])

    assert (python["spec"]["lower"], python["spec"]["upper"]) == (None, [1.0, None, 2.0])
    assert line.exit_code == 0, line.output
    assert client.show(line.stdout.strip())["spec"] == python["spec"]
    wanted = here(places, "bounded", {**data, "lower": None, "upper": [1.0, np.inf, 2.0]})
    assert rested(client, python["id"])["state"] == "solved"
    assert client.fetch(python["id"]).tobytes() == wanted.x.tobytes()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        (name, option.name)
        for name in OTHERS
        for option in (*PROBLEMS[name].inputs, *PROBLEMS[name].options)
        if option.kind is Matrix and option.name != "A"
    ],
)
def test_every_matrix_must_be_under_a_declared_place(client: Client, places: Path, name: str, word: str) -> None:
    """Whatever its name: a full path, a path that climbs out, a link that was laid below the root."""
    (places / "data" / "link.zarr").unlink(missing_ok=True)
    (places / "data" / "link.zarr").symlink_to(places / "secret.zarr")
    for address in (str(places / "secret.zarr"), "../secret.zarr", "link.zarr"):
        for verb in (client.submit, client.plan):
            with pytest.raises(PlaceError, match=rf"^[\w ]+ \({word}\) was expected"):
                verb({"problem": name, **RUNS[name], word: address})


@pytest.mark.parametrize("word", ["alpha", "start"])
def test_a_document_names_no_file_for_numbers(service: Service, places: Path, word: str) -> None:
    """Over HTTP numbers are numbers: a text, which might be a path on the service's side, is refused before anything is opened."""
    secret = str(places / "secret.zarr")
    for value in (secret, [secret], "1,2,3", True, [[["1"]]]):
        document = {"problem": "glm", "A": "glm/A.zarr", "y": "glm/y.zarr", word: value}
        answer = httpx.post(f"{service.url}/v1/jobs", json={"spec": document}, timeout=60, trust_env=False)

        assert answer.status_code == 422, answer.text
        assert re.search(rf"^[\w ]+ \({word}\) (must be|is not as expected)", answer.json()["message"]), answer.text


def test_numbers_that_do_not_fit_fail_in_a_sentence(client: Client) -> None:
    """The job says which word, of which shape, and what to do."""
    job = rested(client, client.submit(problem="glm", A="glm/A.zarr", y="glm/y.zarr", alpha=[1.0, 2.0])["id"])

    assert job["state"] == "failed"
    assert f"Penalty (alpha) must be one number, or of shape ({COLUMNS},)" in job["sentence"]


@pytest.mark.parametrize("name", ["glm", "multinomial"])
def test_a_label_that_is_none_fails_by_its_row(client: Client, name: str) -> None:
    """The job ends with a sentence that names row and value."""
    job = rested(client, client.submit({"problem": name, **RUNS[name], "y": "bad.zarr", **CLASSES[name]})["id"])

    assert job["state"] == "failed"
    assert re.search(r"Observed response \(y\) must .*; row 17 (is|holds) 2\.", job["sentence"])
