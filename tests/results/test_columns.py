"""Names and levels travel with an answer and are compared where it meets other rows."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import zarr
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main
from dsketch.ingest.csr import write_csr
from dsketch.matrix.columns import Columns
from dsketch.matrix.head import Head
from dsketch.problems import ExpKernel, GramPower, RestrictedKernel

NAMES = ("age", "city=y", "city=z")
LEVELS = {"city": ["x", "y", "z"]}
EFFECTS = np.array([2.0, 10.0, 100.0])


def rows(levels: str) -> np.ndarray:
    """Return rows (i, city == y, city == z)."""
    return np.array([[float(i), level == "y", level == "z"] for i, level in enumerate(levels)])


def named(path: Path, A: np.ndarray, columns: Any, **attributes: Any) -> str:
    """Store A with names, and other attributes as ingest writes them."""
    array = zarr.create_array(str(path), shape=A.shape, chunks=(8, *A.shape[1:]), dtype="f8", overwrite=True)
    array[...] = A
    array.attrs.update({"columns": list(columns), **attributes})
    return str(path)


@pytest.fixture
def trained(tmp_path: Path) -> ds.Solution:
    """Solve for the effects with levels and a base level stored beside A."""
    A = rows("xyz" * 10)
    path = named(tmp_path / "A.zarr", A, NAMES, levels=LEVELS, base={"city": "x"})
    return ds.lstsq(path, A @ EFFECTS + 1.0, intercept=True)


def run(*words: Any) -> Any:
    """Run the command line."""
    return CliRunner().invoke(main, [str(word) for word in words])


KINDS: dict[str, Callable[[Path, np.ndarray, list[str]], Any]] = {
    "zarr": named,
    "csr": lambda path, A, names: write_csr(path, scipy.sparse.csr_array(A), attributes={"columns": names}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [False, True])
def test_same_names_in_another_order_are_put_in_order(tmp_path: Path, trained: ds.Solution, kind: str, intercept: bool) -> None:
    """Predictions go by name, whatever the order and the storage, in memory and written."""
    A = rows("xyz" * 10)
    solution = ds.lstsq(named(tmp_path / "T.zarr", A, NAMES), A @ EFFECTS + intercept, intercept=intercept)
    order = [2, 0, 1]
    swapped = KINDS[kind](tmp_path / "S.zarr", rows("zyx")[:, order], [NAMES[place] for place in order])

    np.testing.assert_allclose(solution.predict(swapped), rows("zyx") @ EFFECTS + intercept, atol=1e-9)
    written: Any = solution.predict(swapped, tmp_path / "y.zarr")
    np.testing.assert_allclose(written[...], rows("zyx") @ EFFECTS + intercept, atol=1e-9)


def test_what_was_put_in_order_is_said(tmp_path: Path, trained: ds.Solution, caplog: pytest.LogCaptureFixture) -> None:
    """A listener hears a note; where nobody listens, the log has a warning."""
    swapped = named(tmp_path / "S.zarr", rows("zyx")[:, ::-1], NAMES[::-1])
    heard: list[Any] = []

    trained.predict(swapped, progress=heard.append)
    with caplog.at_level(logging.WARNING, "dsketch"):
        trained.predict(swapped, progress=False)

    assert any("put in the order of x" in getattr(event, "text", "") for event in heard)
    assert "they came as 'city=z', 'city=y', 'age'" in caplog.text


@pytest.mark.parametrize(
    ("columns", "attributes", "message"),
    [
        (("height", *NAMES[1:]), {}, "column 'age' was expected.*the new rows have 'height' instead"),
        ((*NAMES[:2], "city=w"), {}, "column 'city=z' was expected.*'city=w' instead.*--like A.zarr"),
        (NAMES[:2], {}, "column 'city=z' was expected.*the new rows have 'age', 'city=y'"),
        ((*NAMES, "y"), {}, "the new rows also have 'y'. Leave that out"),
        ((*NAMES, "age"), {}, "the new rows also have one of .* twice"),
        (NAMES, {"levels": {"city": ["w", "y", "z"]}, "base": {"city": "w"}}, "the new rows also have 'w'"),
        (NAMES, {"levels": {"city": ["x", "y", "z"]}, "base": {"city": "y"}}, "reference level 'x' of 'city' was.*level 'y'"),
        (NAMES, {"levels": {"city": ["y", "z"]}}, "reference level 'x' of 'city' was.*no reference level"),
    ],
)
def test_other_names_and_levels_are_refused_by_name(
    tmp_path: Path, trained: ds.Solution, columns: tuple[str, ...], attributes: dict[str, Any], message: str
) -> None:
    """What x has no coefficient for is named, and so is what it expected; also where only the levels behind the names differ."""
    new = named(tmp_path / "N.zarr", np.ones((3, len(columns))), columns, **attributes)

    with pytest.raises(ds.DataError, match=message):
        trained.predict(new)


def test_new_rows_of_fewer_levels_are_taken(tmp_path: Path, trained: ds.Solution) -> None:
    """Levels that no new row has are no difference, as long as their columns are there."""
    new = named(tmp_path / "N.zarr", rows("xy"), NAMES, levels={"city": ["x", "y", "z"]}, base={"city": "x"})

    np.testing.assert_allclose(trained.predict(new), [1.0, 13.0], atol=1e-9)


def test_rows_without_names_go_by_place(trained: ds.Solution) -> None:
    """An array has no names to compare."""
    np.testing.assert_allclose(trained.predict(rows("zy")), rows("zy") @ EFFECTS + 1.0, atol=1e-9)


def test_names_stay_when_A_is_gone(tmp_path: Path) -> None:
    """A stored x and a solution compare names though A.zarr was removed; the answer as JSON has them too."""
    A = rows("xyz" * 10)
    path = named(tmp_path / "A.zarr", A, NAMES, levels=LEVELS, base={"city": "x"})
    b = named(tmp_path / "b.zarr", A @ EFFECTS, ["y"])
    told = json.loads(run("solve", "lstsq", path, b, "--out", tmp_path / "x.zarr", "--json").stdout)
    solution = ds.lstsq(path, b)
    shutil.rmtree(path)
    other = named(tmp_path / "N.zarr", A, ("height", *NAMES[1:]))
    foreign = named(tmp_path / "W.zarr", A, NAMES, levels={"city": ["w", "y", "z"]}, base={"city": "w"})
    swapped = named(tmp_path / "S.zarr", A[:, ::-1], NAMES[::-1])

    assert (told["columns"], told["levels"], told["base"]) == (list(NAMES), LEVELS, {"city": "x"})
    assert solution.names == NAMES
    for answer in (solution, tmp_path / "x.zarr"):
        with pytest.raises(ds.DataError, match="column 'age' was expected"):
            ds.predict(answer, other)
        with pytest.raises(ds.DataError, match="also have 'w'"):
            ds.predict(answer, foreign)
        np.testing.assert_allclose(ds.predict(answer, swapped), A @ EFFECTS, atol=1e-9)


def test_the_command_line_compares_too(tmp_path: Path) -> None:
    """``dsketch predict`` says what it put in order, and refuses other names with exit code 2."""
    A = rows("xyz" * 10)
    path, b = named(tmp_path / "A.zarr", A, NAMES), named(tmp_path / "b.zarr", A @ EFFECTS, ["y"])
    run("solve", "lstsq", path, b, "--out", tmp_path / "x.zarr")
    swapped = named(tmp_path / "S.zarr", A[:, ::-1], NAMES[::-1])
    other = named(tmp_path / "N.zarr", A, ("height", *NAMES[1:]))

    good, bad = run("predict", tmp_path / "x.zarr", swapped, "--json"), run("predict", tmp_path / "x.zarr", other)

    np.testing.assert_allclose(json.loads(good.stdout)["y"], A @ EFFECTS, atol=1e-9)
    assert "put in the order of x" in good.stderr
    assert bad.exit_code == 2
    assert "column 'age' was expected" in bad.stderr


@pytest.mark.parametrize("problem", [ExpKernel, RestrictedKernel])
def test_kernels_compare_names(tmp_path: Path, problem: Any) -> None:
    """An answer with a number for each row of A still belongs to A's columns: new rows are matched by name."""
    rng = np.random.default_rng(0)
    A = 0.5 * rng.standard_normal((30, 3))
    path = named(tmp_path / "A.zarr", A, NAMES)
    solution = ds.solve(problem(path, A[:, 0] ** 2, alpha=1e-3))
    swapped = named(tmp_path / "S.zarr", A[:5, ::-1], NAMES[::-1])

    np.testing.assert_allclose(solution.predict(swapped), solution.predict(A[:5]), rtol=1e-10)
    with pytest.raises(ds.DataError, match="column 'age' was expected"):
        solution.predict(named(tmp_path / "N.zarr", A, ("height", *NAMES[1:])))


@pytest.mark.parametrize("intercept", [False, True])
def test_check_puts_x_in_the_order_of_A(tmp_path: Path, intercept: bool) -> None:
    """An x of the same columns in another order is right; one of other columns is refused by name; from a solution and from disk."""
    rng = np.random.default_rng(0)
    A, order = rng.standard_normal((40, 3)), [2, 0, 1]
    b = named(tmp_path / "b.zarr", A @ EFFECTS + rng.standard_normal(40), ["y"])
    path = named(tmp_path / "A.zarr", A, NAMES)
    turned = named(tmp_path / "T.zarr", A[:, order], [NAMES[place] for place in order])
    other = named(tmp_path / "N.zarr", A, ("height", *NAMES[1:]))
    flags = ["--intercept"] if intercept else []
    run("solve", "lstsq", path, b, "--out", tmp_path / "x.zarr", *flags)

    for x in (ds.lstsq(path, b, intercept=intercept), str(tmp_path / "x.zarr")):
        assert ds.check(ds.LeastSquares(turned, b, intercept=intercept), x).backward_error[0] < 1e-14
        with pytest.raises(ds.DataError, match=r"column 'age' was expected.*those of A have 'height' instead"):
            ds.check(ds.LeastSquares(other, b, intercept=intercept), x)
    done = run("check", "lstsq", turned, b, tmp_path / "x.zarr", *flags)
    assert (done.exit_code, "put in the order of A's columns" in done.stderr) == (0, True)
    assert run("check", "lstsq", other, b, tmp_path / "x.zarr", *flags).exit_code == 2


def test_powers_check_by_name_too(tmp_path: Path) -> None:
    """The x of a power has a row for each column of A, which changes places with it."""
    A = np.random.default_rng(0).standard_normal((40, 3))
    x = ds.solve(GramPower(named(tmp_path / "A.zarr", A, NAMES), [1.0, 2.0, 3.0], power=2))
    turned = named(tmp_path / "T.zarr", A[:, ::-1], NAMES[::-1])

    assert ds.check(GramPower(turned, [3.0, 2.0, 1.0], power=2), x).backward_error[0] < 1e-12


def test_heads_have_their_columns_names(tmp_path: Path) -> None:
    """Columns of a stored A keep their names; projections have none."""
    A = ds.open_matrix(named(tmp_path / "A.zarr", np.eye(3), NAMES))

    assert Head(A, columns=(1, 3)).names == NAMES[1:]
    assert Head(A, projection=np.eye(3)).names is None


def test_columns_of_one_name_have_no_order() -> None:
    """Which of two columns of one name is which cannot be known."""
    with pytest.raises(ds.DataError, match="have one twice"):
        Columns(("a", "a", "b")).order_in(Columns(("a", "b", "a")))


# ---- rows that stayed --------------------------------------------------------------------------------------------------


def test_different_digests_of_rows_do_not_meet(tmp_path: Path) -> None:
    """A, b and weights that say that they have different rows of their source are refused; what says nothing is taken."""
    A = np.random.default_rng(0).standard_normal((40, 2))
    first = named(tmp_path / "A.zarr", A, "uv", rows_digest="0a")
    same = named(tmp_path / "b.zarr", A[:, 0], "b", rows_digest="0a")
    other = named(tmp_path / "w.zarr", np.ones(40), "w", rows_digest="0b")
    silent = named(tmp_path / "s.zarr", np.ones(40), "s")

    with pytest.raises(ds.DataError, match="A and b come from different rows"):
        ds.lstsq(first, other)
    with pytest.raises(ds.DataError, match="A and weights come from different rows"):
        ds.ridge(first, same, weights=other)
    with pytest.raises(ds.DataError, match="b and weights come from different rows"):
        ds.lstsq(A, same, weights=other)
    assert ds.lstsq(first, same, weights=silent).status.is_success
    assert run("solve", "lstsq", first, other).exit_code == 2
