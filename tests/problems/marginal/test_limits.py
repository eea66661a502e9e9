"""Marginal regressions at their ends: perfect fits, no degree of freedom, columns near the covariates, dosages of three dimensions."""

from pathlib import Path

import mpmath
import numpy as np
import pytest
import zarr

import dsketch as ds


def test_a_perfect_fit_has_a_coefficient_and_no_errors() -> None:
    """Where a column explains a target but for rounding, errors, t and p are NaN as in a table, a note counts the column."""
    rng = np.random.default_rng(0)
    G, C = rng.integers(0, 3, (200, 10)).astype(np.int8), rng.standard_normal((200, 2))
    Y = np.column_stack([2.0 * G[:, 3] + C[:, 0] + 1e3, rng.standard_normal(200)])
    found = ds.marginal(G, Y, covariates=C)
    assert found.status is ds.Status.SOLVED
    assert found.beta[3, 0] == pytest.approx(2.0, rel=1e-12)
    assert np.isnan([found.standard_errors[3, 0], found.t[3, 0], found.p[3, 0]]).all()
    assert np.isfinite(np.delete(np.asarray(found.t).ravel(), 6)).all()
    assert found.notes == ("1 column explains a target but for rounding of the data: errors, t and p would be 0/0; they are NaN",)


def test_a_wrong_coefficient_of_a_perfect_fit_is_found_wrong() -> None:
    """Judged are coefficients whose residual is rounding too, by the size of what they explain."""
    G = np.random.default_rng(0).integers(0, 3, (50, 4)).astype(np.int8)
    problem = ds.Marginal(G, 2.0 * G[:, 1])
    x = np.array(ds.solve(problem).x)
    assert ds.check(problem, x).is_right(problem.accepted(None))
    x[1] *= 1.1
    assert ds.check(problem, x).backward_error[0] == pytest.approx(0.1)


def test_without_a_degree_of_freedom_coefficients_are_right() -> None:
    """n = q + 2 leaves a space of one dimension: coefficients are solved, errors are NaN."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        G, C, Y = (rng.standard_normal((22, width)) for width in (50, 20, 3))
        found = ds.marginal(G, Y, covariates=C)
        assert found.status is ds.Status.SOLVED
        exact = np.linalg.lstsq(np.column_stack([G[:, 7], np.ones(22), C]), Y, rcond=None)[0][0]
        np.testing.assert_allclose(found.beta[7], exact, rtol=1e-9)
        assert "50 columns have too few rows" in found.notes[0]


def test_columns_that_covariates_nearly_determine_are_solved() -> None:
    """Whatever share of a column is left, its coefficient is that of least squares to rounding, and the status says so."""
    rng = np.random.default_rng(1)
    C = rng.standard_normal((300, 3))
    shares = np.logspace(0, -4, 30)
    G = C @ rng.standard_normal((3, 30)) + shares * rng.standard_normal((300, 30))
    Y = G[:, :1] / shares[0] + 0.1 * rng.standard_normal((300, 1))
    assert ds.marginal(G, Y, covariates=C).status is ds.Status.SOLVED


def test_dosages_of_one_alternate_allele_are_taken(tmp_path: Path) -> None:
    """Floats of variants × samples × 1 are one number a sample, in memory and stored; more alleles are refused in a sentence."""
    rng = np.random.default_rng(2)
    dosage, Y = 2 * rng.random((6, 40)), rng.standard_normal((40, 2))
    dosage[2, 5] = np.nan
    wanted = ds.marginal(dosage, Y, samples="columns")
    group = zarr.create_group(str(tmp_path / "a.vcz"))
    group.create_array(
        "call_DS", data=dosage[:, :, None], chunks=(4, 15, 1), dimension_names=("variants", "samples", "alt_alleles")
    )
    for source in (dosage[:, :, None], tmp_path / "a.vcz"):
        assert np.asarray(ds.marginal(source, Y).beta).tobytes() == np.asarray(wanted.beta).tobytes()
    with pytest.raises(ds.DataError, match="the sum over the last dimension"):
        ds.marginal(np.repeat(dosage[:, :, None], 2, axis=2), Y)


@pytest.mark.parametrize("seed", range(24))
def test_no_distance_is_less_than_that_from_60_digits(seed: int) -> None:
    """Of covariates that lie far from 0, or all but depend on each other, and of targets far from 0: coefficient and t, all compared."""
    rng = np.random.default_rng(seed)
    n, q = int(rng.integers(6, 30)), int(rng.integers(1, 4))
    C = rng.standard_normal((n, q)) * 10.0 ** rng.uniform(-3, 3, q) + 10.0 ** rng.uniform(0, 7, q) * rng.integers(0, 2, q)
    C[:, -1] += 10.0 ** rng.uniform(0, 6) * C[:, 0]
    G, Y = rng.standard_normal((n, 4)), rng.standard_normal((n, 2))
    Y[:, 1] += 1e4
    G[:, 0] += 100 * (C[:, 0] - C[:, 0].mean()) / C[:, 0].std()
    Y[:, 0] = G[:, 1] + 10.0 ** rng.uniform(-6, 0) * Y[:, 0]

    found = ds.marginal(G, Y, covariates=C)

    with mpmath.workdps(60):
        Z = mpmath.matrix(np.column_stack([np.ones(n), C]).tolist())
        keep = (Z.T * Z) ** -1 * Z.T
        left = mpmath.matrix(np.column_stack([G, Y]).tolist())
        left -= Z * (keep * left)
        for j in range(4):
            for k in range(2):
                g, y = left[:, j], left[:, 4 + k]
                beta = mpmath.fdot(g, y) / mpmath.fdot(g, g)
                r = y - beta * g
                t = beta * mpmath.sqrt(mpmath.fdot(g, g) * (n - q - 2) / mpmath.fdot(r, r))
                off = abs(found.beta[j, k] - beta) * mpmath.norm(g) / mpmath.norm(y)
                assert off <= found.certificate.backward_error[k]
                assert abs(found.t[j, k] - t) / max(1, abs(t)) <= found.certificate.forward_error[k]
    assert found.certificate.compared == 4


def test_covariates_far_from_0_cost_no_digits() -> None:
    """Beside a constant, years and what is left of them span the same, and answers are those of centred covariates to rounding."""
    rng = np.random.default_rng(0)
    year, G, Y = np.arange(60.0), rng.standard_normal((60, 5)), rng.standard_normal((60, 2))
    near = ds.marginal(G, Y, covariates=year[:, None])
    for start in (1970.0, 2.0**30, 2.0**45):
        far = ds.marginal(G, Y, covariates=year[:, None] + start)
        np.testing.assert_allclose(far.t, near.t, rtol=1e-12)
        assert far.certificate.condition < 3
