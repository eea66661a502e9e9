"""Certificates: no claim of any method, about its own x or any other, is better than the truth."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.problems.linear.certificate import LinearCertificate
from dsketch.problems.linear.methods import METHODS
from dsketch.testing.claims import FAMILIES, ClaimTests, require_honest
from tests.command_line import run

EPS = float(np.finfo(float).eps)


class TestTable(ClaimTests):
    """Every method of the table."""

    @pytest.fixture(params=sorted(METHODS))
    def method(self, request: pytest.FixtureRequest) -> str:
        """Return a name."""
        return str(request.param)


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("error", [0.0, 1e-13, 1e-6, 1e-3, 1.0])
def test_no_claim_about_a_foreign_x_is_better_than_the_truth(error: float, name: str) -> None:
    """``check`` claims no more of an x that was changed after the solve, nor of the same x."""
    family = FAMILIES[name]()
    x = ds.solve(family.problem(), cluster="serial").x
    x = x * (1 + error * np.linspace(-1, 1, len(x)))

    found = ds.check(family.problem(), x, cluster="serial")

    assert isinstance(found, LinearCertificate)
    assert found.coefficient_errors is not None
    require_honest(family, x, found, found.coefficient_errors[:, 0])


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"sketch_and_solve"}))
@pytest.mark.parametrize("units", [(1e8, 1.0, 1e-8), (1e-6, 1e-3, 1e12), (1.0, 1.0, 1e-100)])
def test_units_of_columns_do_not_change_what_is_solved(method: str, units: tuple[float, ...]) -> None:
    """Every coefficient is what it is in columns of one size, to rounding, by every method that calls it solved."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((2000, 3))
    b = A @ [1.0, 1.0, 1.0] + rng.standard_normal(2000)
    right = np.linalg.lstsq(A, b)[0]

    found = ds.lstsq(A * units, b, method=method, cluster="serial")

    assert found.status.is_success
    assert np.abs(found.x * units / right - 1).max() <= 1e4 * EPS


def test_check_tells_how_far_any_x_is() -> None:
    """The bound stands beside this x: 1e-3 for one that is a thousandth too long, 1 for twice the answer."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((2000, 3))
    b = A @ [1.0, 2.0, 3.0] + rng.standard_normal(2000)
    x = ds.lstsq(A, b).x

    found = {size: ds.check(ds.LeastSquares(A, b), x * (1 + size)).forward_error[0] for size in (1e-12, 1e-3, 1.0)}

    assert 1e-12 <= found[1e-12] <= 1e-11
    assert 1e-3 <= found[1e-3] <= 1.01e-3
    assert 1.0 <= found[1.0] <= 1.01


def test_a_loose_tolerance_is_said_not_certified() -> None:
    """With ``tol`` the bound is that of the x that came of it, and a note says what was given away."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((4000, 20)) * np.logspace(0, -6, 20)[rng.permutation(20)]
    b = A @ rng.standard_normal(20) + rng.standard_normal(4000)

    found = ds.lstsq(A, b, method="conjugate_gradient", tol=1e-2, cluster="serial")
    best = np.linalg.lstsq(A, b)[0]

    sizes = np.linalg.norm(A, axis=0)
    assert np.linalg.norm(sizes * (found.x - best)) <= found.certificate.forward_error[0] * np.linalg.norm(sizes * best)
    assert (np.abs(found.x - best) <= found.coefficient_errors).all()


def test_an_estimate_claims_nothing_about_x() -> None:
    """Without a slope there is no forward error: it is not measured, and said so."""
    rng = np.random.default_rng(2)
    A, b = rng.standard_normal((500, 3)), rng.standard_normal(500)

    found = ds.lstsq(A, b, method="sketch_and_solve", cluster="serial")

    assert np.isnan(found.certificate.forward_error).all()
    assert np.isnan(found.coefficient_errors).all()
    assert "forward error ≤ not measured" in str(found)


def test_the_command_line_tells_the_error_of_each_coefficient_when_asked(tmp_path: Path) -> None:
    """``check --by-column`` prints each coefficient with its bound; the JSON has the numbers only then."""
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((100, 2)), rng.standard_normal(100)
    for name, array in (("A", A), ("b", b)):
        zarr.save_array(str(tmp_path / f"{name}.zarr"), array)
    x = ds.lstsq(A, b).x
    np.save(tmp_path / "x.npy", x * (1 + 1e-3))
    words = ("check", "lstsq", *(tmp_path / name for name in ("A.zarr", "b.zarr", "x.npy")))

    text = run(*words, "--by-column")
    plain, asked = (json.loads(run(*words, "--json", *more).stdout) for more in ((), ("--by-column",)))

    assert text.exit_code == 1
    assert text.stdout.count(" ± ") == 2
    assert "coefficient_errors" not in plain
    assert np.all(np.abs(1e-3 * x) <= 1.001 * np.array(asked["coefficient_errors"])[:, 0])
