"""A new method is one object and one line: the toy of ``dsketch.testing`` is added, found by every face, and gone again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dsketch as ds
from dsketch._cli.options import method_options
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.method import table_of
from dsketch.service.specs import model_of
from dsketch.sklearn import LinearRegression
from dsketch.testing.known import KNOWN, tall
from dsketch.testing.methods import MethodTests, solve_known
from dsketch.testing.toy import ByHand, add_method

TOY = ByHand.name


class TestContract(MethodTests):
    """What every method guarantees holds for the toy."""

    @pytest.fixture
    def method(self) -> Iterator[str]:
        """Add it for the time of a test."""
        with add_method(METHODS, ByHand()):
            yield TOY


@pytest.fixture
def toy() -> Iterator[None]:
    """Add the toy to the table for the time of a test."""
    with add_method(METHODS, ByHand()):
        yield


@pytest.mark.usefixtures("toy")
def test_it_is_planned_solved_and_resumed(tmp_path: Path) -> None:
    """Plans price it, a solve takes it by name with its own passes, a journal has them."""
    known = tall(500, 6, condition=10.0)
    problem = ds.LeastSquares(known.A, known.b)

    weighed = ds.plan(problem, cluster="serial")
    found = ds.solve(problem, method=TOY, cluster="serial", journal=tmp_path / "journal")
    again = ds.solve(problem, method=TOY, cluster="serial", journal=tmp_path / "journal")

    assert "passes" in weighed.rejected[TOY]
    assert TOY in str(found.plan)
    assert "sketch" not in str(found.plan)
    assert found.method == TOY
    assert [record.kind for record in found.passes] == ["triangle", "gradient", "gradient"]
    assert all(record.replayed for record in again.passes)
    assert np.array_equal(again.x, found.x)


@pytest.mark.usefixtures("toy")
def test_it_is_unfit_and_gives_way_with_its_own_sentences() -> None:
    """Beyond its limit of trust the plan says why not, and a solve by name goes on with its successor."""
    known = KNOWN["condition 1e10"]()

    assert "trusted to 1e+04" in ds.plan(ds.LeastSquares(known.A, known.b), cluster="serial").rejected[TOY]
    assert solve_known(known, TOY).notes[0].startswith(f"{TOY} gave way to tsqr: the condition number is")


@pytest.mark.usefixtures("toy")
def test_every_face_has_it() -> None:
    """The command line and the service offer it, an estimator takes it: nothing was said there."""
    known = tall(200, 4, condition=10.0)
    [option] = [option for option in method_options(ds.LeastSquares) if option.name == "method"]

    fitted = LinearRegression(method=TOY, fit_intercept=False).fit(known.A, known.b)

    assert TOY in option.type.to_info_dict()["choices"]
    assert model_of(ds.LeastSquares)(problem="lstsq", A="/A", b="/b", method=TOY).method == TOY
    assert np.allclose(fitted.coef_, known.x)


def test_it_is_gone_again() -> None:
    """Outside, its name is refused with the names there are; added twice it is refused at once."""
    known = tall(200, 4)
    with (
        add_method(METHODS, ByHand()),
        pytest.raises(ValueError, match="a name of its own"),
        add_method(METHODS, ByHand()),
    ):
        pass

    with pytest.raises(ds.SpecError, match=f"one of auto, cholesky, .*, whitened; got '{TOY}'"):
        ds.solve(ds.LeastSquares(known.A, known.b), method=TOY)


def test_a_table_has_names_of_its_own_and_knows_every_successor() -> None:
    """Two of one name, or a successor that is not there, are found when the table is made."""
    for methods in ((ByHand(),), (METHODS["tsqr"], METHODS["tsqr"])):
        with pytest.raises(ValueError, match="were expected"):
            table_of(methods)


def test_a_method_takes_settings_that_there_are() -> None:
    """A misspelt name in ``takes`` would hide the setting from every face; it is found when the table is made."""

    class Misspelt(ByHand):
        takes = ("scetch",)
        successor = None

    with pytest.raises(ValueError, match=r"must name settings.*got scetch"):
        table_of((Misspelt(),))
