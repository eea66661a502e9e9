"""Smooth problems have the same bits on every engine and after every interruption, and the same answer for any chunks."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import zarr

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.problems.smooth.methods import METHODS
from tests.problems.smooth.cases import draw, model, rows, solve

EPS = np.finfo(float).eps


@pytest.fixture
def parts(stored: Any) -> dict[str, Any]:
    """Return A, y, offset and weights on disk, in chunks of their own."""
    A = rows(3000)
    numbers = {
        "A": A,
        "y": draw("poisson", A),
        "offset": np.linspace(-0.5, 0.5, 3000),
        "weights": np.arange(3000) % 4 + 0.5,
    }
    return {name: stored(name, values, chunk_rows=170 + 31 * place) for place, (name, values) in enumerate(numbers.items())}


def counts(parts: dict[str, Any], **options: Any) -> ds.GLM:
    """Return the problem."""
    return ds.GLM(**parts, family="poisson", intercept=True, **options)


@pytest.mark.cluster
@pytest.mark.parametrize("method", METHODS)
def test_every_engine_has_the_same_bits(client: Any, parts: dict[str, Any], method: str) -> None:
    """Serial or two processes, whatever the method: x, certificate and notes are equal bit for bit."""
    here = solve(counts(parts), method=method)
    there = ds.solve(counts(parts), method=method, cluster=client, progress=False)

    assert np.array_equal(here.x, there.x)
    assert vars(here.certificate) == vars(there.certificate)
    assert here.notes == there.notes


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_was_cut_short_goes_on_with_the_same_bits(tmp_path: Path, parts: dict[str, Any], method: str) -> None:
    """Whatever number of records is left, resume gives the x of the whole run, made again from the journal alone."""
    whole = solve(
        counts(parts, alpha=[0.5, 0.0, 1.0, 0.0], start=[0.1, 0.0, 0.0, 0.0, 0.2]), method=method, journal=tmp_path / "whole"
    )
    total = len(whole.passes)

    for kept in sorted({1, total // 2, total}):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for number in range(kept + 1, total + 1):
            (cut / f"pass-{number:04d}.npz").unlink()

        found = ds.resume(cut, cluster="serial", progress=False)

        assert np.array_equal(found.x, whole.x)
        assert [record.replayed for record in found.passes] == [number < kept for number in range(total)]


def test_other_chunks_change_last_bits_alone(stored: Any, parts: dict[str, Any]) -> None:
    """The chunk law: within some √n u standard errors."""
    A = zarr.open_array(parts["A"], mode="r")[:]
    again = {**parts, "A": stored("again", A, chunk_rows=911)}
    first, second = solve(counts(parts)), solve(counts(again))

    assert np.allclose(first.x, second.x, rtol=1e-13)


def test_numbers_from_integer_and_narrow_storage(stored: Any) -> None:
    """Labels as bool or int8, A as float32: the answer for the numbers that are stored."""
    A = rows().astype(np.float32)
    y = draw("logit", rows())
    expected = solve(model("logit", A.astype(float), y)).x

    for kind in (bool, np.int8, np.uint64):
        found = solve(model("logit", stored(f"A {kind.__name__}", A, chunk_rows=100), y.astype(kind)))
        assert np.allclose(found.x, expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["A", "y", "offset", "weights"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_row(name: str, bad: float) -> None:
    """With the name of the part and the row."""
    A = rows()
    given = {"A": A.copy(), "y": draw("logit", A), "offset": np.zeros(600), "weights": np.ones(600)}
    given[name].reshape(600, -1)[321, 0] = bad

    with pytest.raises(DataError, match=rf"{name} must be finite; row 321.*is {bad}"):
        solve(ds.GLM(**given))


def test_masked_labels_are_refused() -> None:
    """A masked array hides no number."""
    y = np.ma.masked_array(draw("logit", rows()), mask=np.arange(600) == 77)
    with pytest.raises(DataError, match="77"):
        ds.GLM(rows(), y)


def test_the_domain_is_checked_by_row() -> None:
    """A label of 2, a count of −1: the row and the value, from any chunk."""
    A = rows()
    y = draw("logit", A)
    y[555] = 2
    with pytest.raises(DataError, match="row 555 is 2"):
        solve(model("logit", A, y))
    with pytest.raises(DataError, match=r"row 555 holds -1"):
        solve(model("poisson", A, np.where(np.arange(600) == 555, -1.0, y)))


def test_nonsense_is_refused_at_the_door() -> None:
    """Unknown families and links, parameters of others, penalties below 0, a start or parts that do not fit."""
    A, y = rows(), draw("logit", rows())
    for options, text in (
        ({"family": "cauchy"}, "family must be one of"),
        ({"link": "log"}, "link of family binomial must be one of logit, probit, cloglog"),
        ({"theta": 1.0}, "family binomial has no theta"),
        ({"family": "tweedie"}, "power was expected"),
        ({"alpha": -1.0}, "alpha must be numbers ≥ 0"),
        ({"alpha": [1.0, 2.0]}, r"alpha must be one number, or of shape \(4,\)"),
        ({"start": [1.0, 2.0]}, "start must be"),
        ({"intercept": 3}, "intercept must be True or False"),
    ):
        with pytest.raises(SpecError, match=text):
            ds.GLM(A, y, **options)
    with pytest.raises(DataError, match="offset must have one row for each of the 600 rows of A"):
        ds.GLM(A, y, offset=np.zeros(5))
    with pytest.raises(DataError, match="all are 0"):
        solve(ds.GLM(A, y, weights=np.zeros(600)))


def test_predictions_are_means(stored: Any, parts: dict[str, Any]) -> None:
    """μ for new rows, at offset 0, in memory and written."""
    found = solve(counts(parts))
    new = rows(50, seed=9)

    expected = np.exp(new @ found.x[:-1] + found.x[-1])
    assert np.allclose(found.predict(new), expected, rtol=1e-13)
    assert np.allclose(found.predict(scipy.sparse.csr_array(new)), expected, rtol=1e-13)
    with pytest.raises(DataError, match="4 columns"):
        found.predict(new[:, :3])


def test_a_plan_says_what_it_will_cost() -> None:
    """About seven passes; the words for what nobody can know before."""
    made = ds.plan(model("logit", rows(), draw("logit", rows())), method="newton", cluster="serial")

    assert made.estimate.passes == 7
    assert "about 7 passes" in str(made)
