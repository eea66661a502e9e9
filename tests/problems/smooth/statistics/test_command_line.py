"""The tables of generalised linear models on the command line: the numbers of Python, to the bit."""

from collections.abc import Callable

import numpy as np

import dsketch as ds
from tests.command_line import found, good, run
from tests.problems.smooth.statistics.oracle import Case


def test_tables_on_the_command_line(stored: Callable[..., str]) -> None:
    """--summary prints the table; --groups, --robust and --information choose its errors; a wrong word, or alpha, is a bad request."""
    case = Case.draw("gamma")
    A, y, groups = stored("A", case.A, 100), stored("y", case.y, 100), stored("g", case.groups, 100)
    asked = ("solve", "glm", A, y, "--family", "gamma", "--intercept", "--method", "newton")
    solution = ds.solve(ds.GLM(A, y, family="gamma", intercept=True), method="newton", cluster="serial")

    assert "P>|t|" in good(*asked, "--summary").stdout
    observed = found(*asked, "--information", "observed")["summary"]
    grouped = found(*asked, "--groups", groups)["summary"]
    robust = found(*asked, "--robust", "HC3")["summary"]

    np.testing.assert_array_equal(observed["standard_errors"], solution.summary(information="observed").standard_errors)
    np.testing.assert_array_equal(grouped["standard_errors"], solution.summary(groups=case.groups).standard_errors)
    np.testing.assert_array_equal(robust["standard_errors"], solution.summary(robust="HC3").standard_errors)
    assert (grouped["groups"], observed["information"], robust["robust"]) == (45, "observed", "HC3")
    assert run(*asked, "--robust", "HC9").exit_code == 2
    assert run(*asked, "--summary", "--alpha", "2").exit_code == 2
