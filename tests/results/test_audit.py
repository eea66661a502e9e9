"""Audits: a changed byte, record, sum or panel is named; an honest run is clean, for every problem that keeps a journal."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results.findings import catch_probability
from dsketch.engine.journal import Journal
from tests.engine.unchained import unchain
from tests.results.forging import change_panel, forge, read_facts, scale_sum

RNG = np.random.default_rng(8)
A, B = RNG.standard_normal((4000, 6)), RNG.standard_normal(4000)


def write(path: Path, values: Any) -> str:
    """Store an array in chunks of 250 rows, of which a block is one: the array is wide enough in bytes for panels of its own."""
    array = zarr.create_array(str(path), shape=values.shape, chunks=(250, *values.shape[1:]), dtype="f8", compressors=None)
    array[...] = values
    return str(path)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """Return paths of A and b, and the journal of a run on them."""
    folder = tmp_path_factory.mktemp("data")
    places = write(folder / "A.zarr", A), write(folder / "b.zarr", B)
    ds.ridge(*places, 0.5, method="whitened", journal=folder / "run")
    return *places, folder / "run"


@pytest.fixture
def run(stored: tuple[str, str, Path], tmp_path: Path) -> Path:
    """Return a copy of the journal that a test may change."""
    return Path(shutil.copytree(stored[2], tmp_path / "run"))


def test_an_honest_run_is_clean(stored: tuple[str, str, Path]) -> None:
    """All links, all steps to the bits of x, all sums; with data all panels."""
    found = ds.audit(stored[2], panels=50)

    assert found.is_clean
    assert found.is_replayed
    assert found.records == found.sums == 3
    assert found.drawn == found.panels == 3
    assert found.read_bytes == found.solve_bytes > 0
    assert found.catches(0.01) == 1.0


def test_without_data_no_row_is_read(run: Path, stored: tuple[str, str, Path], tmp_path: Path) -> None:
    """Also where A and b are not there any more: what the journal says of them is enough to replay."""
    header = json.loads((run / "header.json").read_text())
    assert header["sources"]["A"] == stored[0]
    hidden = tmp_path / "hidden"
    shutil.move(Path(stored[0]).parent / "A.zarr", hidden)
    try:
        found = ds.audit(run)
    finally:
        shutil.move(hidden, Path(stored[0]).parent / "A.zarr")

    assert found.is_clean
    assert found.is_replayed
    assert found.drawn == found.read_bytes == 0


def test_one_flipped_byte_is_found_at_its_record(run: Path) -> None:
    """Anywhere in header, records, receipt or the place for x, 1,000 of 1,000, and it is said which."""
    Journal(run).keep_out("/data/x.zarr", overwrite=True)
    rng, files = np.random.default_rng(5), sorted(path.name for path in run.iterdir())
    for _ in range(1000):
        name = files[rng.integers(len(files))]
        whole = (run / name).read_bytes()
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        (run / name).write_bytes(damaged)

        first = ds.audit(run).faults[0]

        where = {"header.json": ("header", 0), "receipt.json": ("receipt", None), "out.json": ("out", None)}.get(name) or (
            "record",
            int(name[5:9]),
        )
        assert (first.where, first.record) == where
        (run / name).write_bytes(whole)
    assert ds.audit(run).is_clean


def test_a_lost_record_is_named(run: Path) -> None:
    """Also the last one, after which no record follows."""
    (run / "pass-0003.npz").unlink()

    assert [(fault.where, fault.record) for fault in ds.audit(run).faults] == [("record", 3)]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_forged_sum_is_named(run: Path, number: int) -> None:
    """One entry changed by 1e-9 of itself, with all digests right again: it is not the sum of what the panels said."""
    forge(run, number, scale_sum)

    faults = ds.audit(run).faults

    assert ("sum", number) in {(fault.where, fault.record) for fault in faults}


def test_a_forged_panel_is_named(run: Path) -> None:
    """Its digest is changed and all else is right again: the data show it, bit for bit."""
    forge(run, 3, change_panel(0))

    assert ds.audit(run).is_clean
    faults = ds.audit(run, panels=3).faults
    assert [(fault.where, fault.record, fault.panel) for fault in faults] == [("panel", 3, 0)]
    assert "what rows 0:4000 come to" in faults[0].text


def test_signs_of_later_sums_change_with_a_forged_record(run: Path) -> None:
    """They are drawn from the record before: whoever changes a record must know the parts of all later panels."""
    forge(run, 1, change_panel(0))

    first = ds.audit(run).faults[0]
    assert (first.where, first.record) == ("sum", 2)


def test_other_data_are_told_from_a_false_panel(run: Path, tmp_path: Path) -> None:
    """Data whose fingerprint differs are named; rows that were changed behind a fingerprint too."""
    other = A.copy()
    other[0, 0] += 1.0
    place = write(tmp_path / "other.zarr", other)

    faults = ds.audit(run, data=place).faults

    assert {fault.where for fault in faults} >= {"data", "panel"}
    assert "A is 4000x6 float64" in faults[0].text


def test_another_answer_is_named(run: Path) -> None:
    """A receipt, right in itself, that claims another x."""
    receipt = ds.receipt(run)
    claimed = ds.Receipt(**{**vars(receipt), "answer": {**receipt.answer, "sha256": "0" * 64}})

    assert [fault.where for fault in ds.audit(claimed, journal=run).faults] == [
        "receipt",
        "answer",
    ]  # and not the one in the journal


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (ds.LeastSquares(A, B), {"method": "tsqr"}),
        (ds.LeastSquares(A + 1e6, B, intercept=True), {}),
        (ds.Ridge(A, B, alpha=1.0, weights=np.abs(B)), {"method": "gradient_descent"}),
        (ds.GLM(A, (B > 0).astype(float), family="binomial", intercept=True), {}),
        (ds.ElasticNet(A, B, alpha=0.1), {}),
        (ds.Multinomial(A, np.arange(4000) % 3), {}),
        (ds.GramPower(A, np.ones(6), power=2), {}),
        (ds.GramPower(A, np.ones((6, 2), np.float32), power=3), {}),
        (ds.GramExponential(A / 30, np.ones(6)), {}),
        (ds.OddGramPower(A, B, power=3), {}),
        (ds.ExpKernel(A[:200] / 30, B[:200], alpha=1e-2), {}),
        (ds.LeverageScores(A), {}),
    ],
    ids=lambda value: value.name if isinstance(value, ds.Problem) else "",
)
def test_every_problem_s_steps_are_replayed(tmp_path: Path, problem: ds.Problem, options: dict[str, Any]) -> None:
    """A flow is a generator of looks: the recorded results give x again, with and without data."""
    ds.solve(problem, journal=tmp_path, **options)

    alone, beside = ds.audit(tmp_path), ds.audit(tmp_path, data=problem, panels=4)

    assert alone.is_clean, alone.faults
    assert beside.is_clean, beside.faults
    assert beside.is_replayed
    assert alone.is_replayed


def test_what_the_driver_read_is_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other numbers behind a fingerprint are refused; a journal without them goes on, and its steps ask for the data."""
    problem = ds.GramPower(A, np.ones(6), power=2)
    wanted = ds.solve(problem, journal=tmp_path / "with").x
    with monkeypatch.context() as before:
        before.setattr("dsketch._results.run_header._KEPT_BYTES", 0)
        ds.solve(problem, journal=tmp_path / "without")

    found = ds.audit(tmp_path / "without")

    assert found.is_clean
    assert not found.is_replayed
    assert "driver itself reads rows: rows 0:6 of b" in found.notes[0]
    header = json.loads((tmp_path / "with" / "header.json").read_text())
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "header.json").write_text(json.dumps({key: value for key, value in header.items() if key != "values"}))
    np.testing.assert_array_equal(ds.solve(problem, journal=lacking).x, wanted)
    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "header.json").write_text(json.dumps({**header, "values": {"b": "AAAA"}}))
    with pytest.raises(ds.JournalError, match="its b had other numbers"):
        ds.solve(problem, journal=changed)


def test_a_journal_from_before_is_audited_as_far_as_it_goes(run: Path) -> None:
    """Without digests of panels there are steps to replay and nothing to draw; that is said."""
    unchain(run)
    ds.resume(run)

    found = ds.audit(run, panels=5)

    assert found.is_clean
    assert found.is_replayed
    assert found.drawn == found.panels == 0
    assert "1, 2, 3 are of a version that kept no digests" in found.notes[0]


def test_the_draw_catches_as_often_as_it_says(run: Path) -> None:
    """1 − C(N − m, s)/C(N, s) is at least 1 − (1 − m/N)^s, and with one false panel of three the share of draws that show it is s/N."""
    for panels, false, drawn in [(100, 5, 50), (1000, 50, 50), (7, 7, 1), (10, 0, 10)]:
        assert catch_probability(panels, false, drawn) >= 1 - (1 - false / panels) ** drawn - 1e-12
    forge(run, 3, change_panel(0))

    caught = [not ds.audit(run, panels=1, seed=seed).is_clean for seed in range(60)]

    # Binomial(60, 1/3): outside of 8 … 33 with probability 5e-4; the seeds are fixed.
    assert 8 <= sum(caught) <= 33


def test_a_share_bounds_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many panels are drawn as the share holds, and what they catch is said; of a share smaller than a panel none."""
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 6 * 8 * 250)
    places = write(tmp_path / "A.zarr", A), write(tmp_path / "b.zarr", B)
    ds.ridge(*places, 0.5, method="whitened", sketch_rows=60, journal=tmp_path / "run")

    found, few, none = (
        ds.audit(tmp_path / "run", share=0.25),
        ds.audit(tmp_path / "run", share=0.25, panels=2),
        ds.audit(tmp_path / "run", share=1e-3),
    )

    assert found.is_clean
    assert (found.panels, found.drawn) == (3 * 16, 12)
    assert found.read_bytes <= 0.25 * found.solve_bytes
    assert found.catches(0.05) == catch_probability(48, 3, 12)
    assert "12 panels are what 25.0% of the solve's reading allows" in found.notes[0]
    assert (few.drawn, few.notes) == (2, ())
    assert (none.drawn, none.is_clean) == (0, True)
    with pytest.raises(ds.SpecError, match="share must be a part"):
        ds.audit(tmp_path / "run", share=5)


def test_receipt_and_journal_may_lie_apart(run: Path, tmp_path: Path) -> None:
    """A receipt knows where its journal lay; where it has moved, one says so."""
    kept = tmp_path / "receipt.json"
    kept.write_text(ds.receipt(run).to_json())

    assert ds.audit(kept, journal=run).is_clean
    moved = json.loads(kept.read_text())["journal"]
    assert ds.audit(kept).is_clean == Path(moved).exists()
    with pytest.raises(ds.JournalError, match="a receipt, or the journal of a finished run, was expected"):
        ds.audit(tmp_path / "nothing")


def test_records_say_what_they_hold(run: Path) -> None:
    """The facts of a record are JSON that anybody can read with NumPy."""
    facts = read_facts(run / "pass-0002.npz")

    assert facts["previous"] == Journal(run).digest_of(1)
    assert {"kind", "digest", "seconds", "part", "panels", "root"} <= facts.keys()
