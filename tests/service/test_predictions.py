"""Predictions as a job: the bits of the library's, in the list with progress, cancelled and resumed as every job, refused in words."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main
from dsketch.client import Client
from dsketch.errors import DataError, ForbiddenMove, PlaceError, SpecError
from tests.service.conftest import slow
from tests.service.running import Service, rested, seen, solved

pytestmark = pytest.mark.cluster
ROWS = 3_000


@pytest.fixture(scope="module")
def arrays(data: Path) -> dict[str, Any]:
    """A with names, b, counts with an offset, targets with gaps, and new rows whose columns have another order."""
    rng = np.random.default_rng(6)
    A, new = rng.standard_normal((ROWS, 3)), rng.standard_normal((700, 3))
    gaps = A @ rng.standard_normal((3, 2)) + rng.standard_normal((ROWS, 2))
    gaps[::5, 0] = np.nan
    offset = 0.3 * rng.standard_normal(ROWS)
    made = {
        "A": A, "b": A @ [1.0, -2.0, 0.5] + 3 + rng.standard_normal(ROWS), "gaps": gaps, "offset": offset,
        "counts": rng.poisson(np.exp(0.3 * A[:, 0] + offset)).astype(float), "new": new[:, ::-1], "new-offset": offset[:700],
    }  # fmt: skip
    for name, array in made.items():
        stored = zarr.create_array(data / f"predict-{name}.zarr", data=array, chunks=(500, *array.shape[1:]), overwrite=True)
        if name in ("A", "new"):
            stored.attrs["columns"] = ["u", "v", "w"] if name == "A" else ["w", "v", "u"]
    return made


def test_new_rows_are_predicted_by_a_job(client: Client, arrays: dict[str, Any], data: Path) -> None:
    """Columns are matched by name, the intercept counts, the numbers are the library's; the job has progress, a ledger and a name."""
    first = solved(client, client.submit(problem="lstsq", A="predict-A.zarr", b="predict-b.zarr", intercept=True, name="fit"))
    made = client.predict(first, "predict-new.zarr")
    seen(client, made["id"], lambda event: event["event"] == "pass_finished")
    job = rested(client, solved(client, made))
    found = client.fetch(made["id"])
    fit = ds.lstsq(*(str(data / f"predict-{name}.zarr") for name in ("A", "b")), intercept=True, progress=False)
    assert np.array_equal(found, fit.predict(str(data / "predict-new.zarr")))
    assert (job["name"], job["sentence"]) == ("fit, predictions", "solved: 700 rows are predicted")
    assert (job["method"], len(client.solution(made["id"])["passes"])) == ("predict", 1)
    assert made["id"] in [one["id"] for one in client.list(search="predictions predict-new")]
    assert (
        client.predict(first, "predict-new.zarr", key="predicted once")["id"]
        == client.predict(first, "predict-new.zarr", key="predicted once")["id"]
    )


def test_the_data_of_the_fit_are_not_needed(client: Client, arrays: dict[str, Any], data: Path) -> None:
    """A linear answer predicts when what it was solved from is gone; without the answer the job says so."""
    shutil.copytree(data / "predict-b.zarr", data / "predict-gone.zarr")
    first = solved(client, client.submit(problem="ridge", A="predict-A.zarr", b="predict-gone.zarr", alpha=1.0))
    shutil.rmtree(data / "predict-gone.zarr")
    made = solved(client, client.predict(first, "predict-new.zarr"))
    x = np.asarray(client.fetch(first))
    assert np.allclose(np.asarray(client.fetch(made)), arrays["new"][:, ::-1] @ x, rtol=1e-13)
    for asked in ("errors", "predict"):
        with pytest.raises(SpecError):
            client._send("POST", f"/v1/jobs/{made}/{asked}", body={"A": "predict-new.zarr"} if asked == "predict" else {})
    with pytest.raises(ds.JobError, match="Fetch x"):
        client.residuals(made)


def test_means_of_counts_at_the_offset_of_new_rows(client: Client, arrays: dict[str, Any]) -> None:
    """A generalised linear model predicts means; without the offset that it was solved with a note says so."""
    spec = {
        "problem": "glm",
        "A": "predict-A.zarr",
        "y": "predict-counts.zarr",
        "offset": "predict-offset.zarr",
        "family": "poisson",
    }
    first = solved(client, client.submit(spec))
    eta = arrays["new"][:, ::-1] @ np.asarray(client.fetch(first))
    plain = solved(client, client.predict(first, "predict-new.zarr"))
    beside = solved(client, client.predict(first, "predict-new.zarr", offset="predict-new-offset.zarr"))
    assert np.allclose(np.asarray(client.fetch(plain)), np.exp(eta), rtol=1e-12)
    assert np.allclose(np.asarray(client.fetch(beside)), np.exp(eta + arrays["new-offset"]), rtol=1e-12)
    assert "these predictions are at offset 0" in client.solution(plain)["notes"][1]
    assert client.solution(beside)["notes"] == [note for note in client.solution(plain)["notes"] if "offset" not in note]


def test_answers_by_target_predict_each(client: Client, arrays: dict[str, Any]) -> None:
    """Targets that miss values are predicted by their own coefficients."""
    first = solved(client, client.submit(problem="lstsq", A="predict-A.zarr", b="predict-gaps.zarr", missing="drop"))
    made = solved(client, client.predict(first, "predict-new.zarr"))
    assert np.allclose(np.asarray(client.fetch(made)), arrays["new"][:, ::-1] @ np.asarray(client.fetch(first)), rtol=1e-12)


def test_a_kernel_reads_its_own_data_again(client: Client, arrays: dict[str, Any], data: Path) -> None:
    """An answer with a number for each row needs those rows: they are opened as declared places allow."""
    words = {"A": "predict-A.zarr", "b": "predict-b.zarr", "alpha": 1.0, "scale": 0.1}
    first = solved(client, client.submit(problem="exp-kernel", **words))
    made = solved(client, client.predict(first, "predict-new.zarr"))
    A, x = arrays["A"], np.asarray(client.fetch(first))
    expected = np.exp(0.1 * arrays["new"][:, ::-1] @ A.T) @ x
    assert np.allclose(np.asarray(client.fetch(made)), expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


def test_predictions_go_where_they_are_asked_for(client: Client, service: Service, arrays: dict[str, Any]) -> None:
    """Below a folder for results, as Zarr; elsewhere, and over what lies there, they are refused."""
    first = solved(client, client.submit(problem="lstsq", A="predict-A.zarr", b="predict-b.zarr"))
    out = service.folder / "out" / "y.zarr"
    made = solved(client, client.predict(first, "predict-new.zarr", out=str(out)))
    assert np.array_equal(np.asarray(zarr.open_array(str(out), mode="r")[...]), client.fetch(made))
    assert client.solution(made)["x"]["out"] == str(out)
    again = rested(client, client.predict(first, "predict-new.zarr", out=str(out))["id"])
    assert again["state"] == "failed"
    assert "y.zarr exists" in again["sentence"]
    for words in ({"out": "/etc/y.zarr"}, {"A": "/etc"}):
        with pytest.raises(PlaceError):
            client.predict(first, **{"A": "predict-new.zarr", **words})


@pytest.fixture(scope="module")
def unfit(data: Path, arrays: dict[str, Any]) -> None:
    """Things that are no new rows for three columns."""
    folder = data / "unfit"
    zarr.create_array(folder / "words.zarr", data=np.full((5, 3), "a", dtype="U1"), chunks=(5, 3), zarr_format=2, overwrite=True)
    zarr.create_array(folder / "complex.zarr", data=np.ones((5, 3), complex), chunks=(5, 3), overwrite=True)
    zarr.create_array(folder / "cube.zarr", data=np.ones((5, 3, 2)), chunks=(5, 3, 2), overwrite=True)
    (folder / "file.csv").write_text("u,v,w\n1,2,3\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"A": "unfit"}, "there is no Zarr array"),
        ({"A": "unfit/file.csv"}, "is a file"),
        ({"A": "unfit/none.zarr"}, "there is nothing"),
        ({"A": "unfit/words.zarr"}, "must hold real numbers"),
        ({"A": "unfit/complex.zarr"}, "its dtype is complex128"),
        ({"A": "unfit/cube.zarr"}, r"its shape is \(5, 3, 2\)"),
        ({"A": "predict-gaps.zarr"}, r"must have 3 columns, as the answer has; its shape is \(3000, 2\)"),
        ({"A": "predict-b.zarr"}, r"must have 3 columns, as the answer has; its shape is \(3000,\)"),
        ({"A": "predict-new.zarr", "offset": "predict-b.zarr"}, "each of the 700 new rows"),
    ],
)
@pytest.mark.usefixtures("unfit")
def test_what_is_no_new_rows_is_refused_at_once(fits: dict[str, str], client: Client, words: dict[str, str], said: str) -> None:
    """No folder, file, text, or matrix of another shape becomes a job, of whatever kind of answer; the error is at its field."""
    before = client._json("GET", "/v1/jobs", params={"search": "predict"})["counts"]
    field = "offset" if "offset" in words else "A"
    for id_ in fits.values():
        with pytest.raises(DataError, match=said):
            client.predict(id_, **words)
        answer = client._http.post(f"/v1/jobs/{id_}/predict", json=words)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert answer.json()["message"].startswith({"A": "Data matrix (A)", "offset": "Offset of rows (offset)"}[field])
    assert client._json("GET", "/v1/jobs", params={"search": "predict"})["counts"] == before


@pytest.fixture(scope="module")
def fits(client: Client, arrays: dict[str, Any]) -> dict[str, str]:
    """Solved jobs: one with an intercept, one whose answer has a number for each row."""
    linear = client.submit(problem="lstsq", A="predict-A.zarr", b="predict-b.zarr", intercept=True)
    kernel = client.submit(problem="exp-kernel", A="predict-A.zarr", b="predict-b.zarr", alpha=1.0, scale=0.1)
    return {"linear": solved(client, linear), "kernel": solved(client, kernel)}


def test_what_has_no_predictions_is_refused_at_once(client: Client, arrays: dict[str, Any]) -> None:
    """Scores predict nothing, and a job that runs has no answer yet."""
    scores = solved(client, client.submit(problem="leverage-scores", A="predict-A.zarr"))
    with pytest.raises(SpecError, match="leverage-scores does not"):
        client.predict(scores, "predict-new.zarr")
    running = client.submit(slow())["id"]
    with pytest.raises(ForbiddenMove):
        client.predict(running, "predict-new.zarr")
    client.cancel(running)


def test_a_job_whose_answer_was_deleted_says_so_and_resumes_no_further(client: Client, arrays: dict[str, Any]) -> None:
    """The answer is read when the job starts; resume tries again, and the sentence stays."""
    first = solved(client, client.submit(problem="lstsq", A="predict-A.zarr", b="predict-b.zarr", seed=5))
    running = client.submit(slow(priority=9))["id"]
    others = [client.submit(slow(priority=9))["id"], running]
    made = client.predict(first, "predict-new.zarr")["id"]
    client.rm(first)
    for id_ in others:
        client.cancel(id_)
    job = rested(client, made)
    assert (job["state"], "it is gone" in job["sentence"]) == ("failed", True)
    client.resume(made)
    assert rested(client, made)["state"] == "failed"


def test_predictions_on_the_command_line(
    service: Service, client: Client, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Handed in, followed, fetched into a file."""
    first = solved(client, client.submit(problem="lstsq", A="predict-A.zarr", b="predict-b.zarr", seed=7))
    monkeypatch.setenv("DSKETCH_URL", service.url)
    said = CliRunner().invoke(main, ["jobs", "predict", first, "predict-new.zarr", "--follow"])
    assert said.exit_code == 0, said.output
    assert "700 rows are predicted" in said.output
    id_ = said.stdout.splitlines()[0]
    assert CliRunner().invoke(main, ["jobs", "fetch", id_, "--out", str(tmp_path / "y.npy")]).exit_code == 0
    assert np.array_equal(np.load(tmp_path / "y.npy"), client.fetch(id_))
