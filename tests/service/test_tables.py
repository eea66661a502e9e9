"""Tables of coefficients over HTTP: the numbers of the library, from the form's own words, and never at the price of an answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main
from dsketch.client import Client
from dsketch.service.errors import PlaceError
from tests.service.running import Service, rested

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

ROWS = 300
GLM: dict[str, Any] = {"problem": "glm", "A": "A.zarr", "y": "y.zarr", "intercept": True, "method": "newton_qr"}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with A, labels, separated labels and groups; groups beside it that are nobody's business."""
    folder, rng = tmp_path_factory.mktemp("places"), np.random.default_rng(3)
    A = rng.standard_normal((ROWS, 3))
    arrays = {
        "data/A": A,
        "data/y": (rng.random(ROWS) < 0.5).astype(float),
        "data/separated": (A[:, 0] > 0).astype(float),
        "data/groups": rng.integers(0, 12, ROWS),
        "secret": np.arange(ROWS),
    }
    for name, array in arrays.items():
        zarr.create_array(store=str(folder / f"{name}.zarr"), data=array, chunks=(60, *array.shape[1:]))
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Iterator[Service]:
    """A service that may read the data root."""
    with Service(tmp_path_factory.mktemp("service"), places / "data", "--rate", "10000") as running:
        yield running


@pytest.mark.parametrize("words", [{"summary": True}, {"robust": "HC3"}, {"groups": "groups.zarr"}, {"information": "observed"}])
@pytest.mark.parametrize("name", ["glm", "lstsq"])
def test_a_table_has_the_numbers_of_the_library(client: Client, places: Path, name: str, words: dict[str, Any]) -> None:
    """Any word of a table asks for one: it stands in the answer's document, and in its text."""
    asked = GLM if name == "glm" else {"problem": "lstsq", "A": "A.zarr", "b": "y.zarr", "intercept": True, "method": "tsqr"}
    job = rested(client, client.submit({**asked, **words})["id"])

    A, y = (str(places / "data" / f"{word}.zarr") for word in ("A", "y"))
    kind: Any = ds.GLM if name == "glm" else ds.LeastSquares
    here = ds.solve(kind(A, y, intercept=True), method=asked["method"], cluster="serial", progress=False)
    given = {word: str(places / "data" / value) if word == "groups" else value for word, value in words.items()}
    given.pop("summary", None)
    expected, found = here.summary(**given), client.solution(job["id"])
    assert job["state"] == "solved", job["sentence"]
    assert found["summary"] == {**expected.to_dict(), "text": str(expected)}
    assert found["text"].endswith(str(expected))
    assert len(found["passes"]) == len(here.passes)
    assert job["passes"] == len(here.passes)


def test_the_command_line_asks_for_one(client: Client, service: Service, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``jobs submit --groups``: a path that is here is sent in full, and the table is what follow prints."""
    monkeypatch.chdir(places / "data")
    words = ["submit", "glm", "A.zarr", "y.zarr", "--groups", "groups.zarr", "--follow", "--url", service.url]

    ran = CliRunner().invoke(main, ["jobs", *words])
    refused = CliRunner().invoke(main, ["jobs", "submit", "ridge", "A.zarr", "y.zarr", "--summary", "--url", service.url])

    assert ran.exit_code == 0, ran.output
    assert "by 12 groups of rows" in ran.stdout
    assert client.show(ran.stdout.split()[0])["spec"]["groups"] == str(places / "data" / "groups.zarr")
    assert refused.exit_code == 2
    assert "this is ridge" in refused.stderr


def test_data_without_a_table_have_their_answer(client: Client) -> None:
    """Separated data: x is there, the table is null, and it is said why."""
    job = rested(client, client.submit({**GLM, "y": "separated.zarr", "summary": True})["id"])
    found = client.solution(job["id"])

    assert found["status"] == "separated"
    assert found["summary"] is None
    assert "the data are separated" in found["no_summary"]
    assert found["no_summary"] in found["text"]
    assert np.asarray(client.fetch(job["id"])).shape == (4,)


def test_a_table_that_cannot_be_is_refused_before_the_run(client: Client) -> None:
    """With the plan, and in the job before its first pass; of a problem without tables by the document."""
    penalized = {**GLM, "alpha": 1.0, "summary": True}
    with pytest.raises(ds.SpecError, match="need an unpenalized maximum"):
        client.plan(penalized)
    job = rested(client, client.submit(penalized)["id"])
    assert (job["state"], job["passes"]) == ("failed", 0)
    assert "need an unpenalized maximum" in job["sentence"]
    with pytest.raises(ds.SpecError, match=r"only known fields were expected; got spec\.ridge\.summary"):
        client.submit({"problem": "ridge", "A": "A.zarr", "b": "y.zarr", "summary": True})


def test_groups_must_be_under_a_declared_place(client: Client, places: Path) -> None:
    """As all that is read."""
    for address in (str(places / "secret.zarr"), "../secret.zarr"):
        for verb in (client.submit, client.plan):
            with pytest.raises(PlaceError, match=r"^Groups of rows \(groups\) was expected"):
                verb({**GLM, "groups": address})
