"""Deviance and Pearson's residual of rows whose mean is 0 or 1 in float64, against 60 digits; and a table over such rows."""

import mpmath
import numpy as np
import pytest

import dsketch as ds
from dsketch.losses.table import loss_of

FAR = (-650.0, -40.0, -9.0, -1.0, 0.0, 0.7, 2.0, 6.0, 40.0, 290.0)


def exact(link: str, eta: float, y: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return deviance and squared Pearson residual."""
    with mpmath.workdps(700):  # 1 − 1e-290 is no 1
        t = mpmath.mpf(eta)
        if link == "logit":
            p, q = 1 / (1 + mpmath.exp(-t)), 1 / (1 + mpmath.exp(t))
        elif link == "probit":
            p, q = mpmath.ncdf(t), mpmath.ncdf(-t)
        else:
            q = mpmath.exp(-mpmath.exp(t))
            p = -mpmath.expm1(-mpmath.exp(t))
        deviance = 2 * sum(part * mpmath.log(part / mean) for part, mean in ((y, p), (1 - mpmath.mpf(y), q)) if part)
        return deviance, (y * q - (1 - y) * p) ** 2 / (p * q)


@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
@pytest.mark.parametrize(
    ("link", "etas"),
    [("logit", FAR), ("probit", (-20.0, -9.0, -1.0, 0.5, 9.0, 20.0)), ("cloglog", (-300.0, -40.0, -1.0, 0.5, 6.0))],
)
def test_both_are_right_where_the_mean_has_rounded(link: str, etas: tuple[float, ...], y: float) -> None:
    """To 1e-10 of their size; a residual beyond 1e200 is that large."""
    loss, eta = loss_of("binomial", link), np.array(etas)[:, None]
    deviance, pearson = loss.deviance_at(eta, np.full(len(eta), y)), loss.pearson_at(eta, np.full(len(eta), y))
    for place, t in enumerate(etas):
        wanted, squared = exact(link, t, y)
        assert abs(deviance[place] - wanted) <= 1e-10 * max(wanted, 1e-5)
        if 1e-190 < squared < 1e190:
            assert abs(pearson[place] - squared) <= 1e-10 * max(squared, 1e-5)
        else:
            assert pearson[place] >= 1e190 if squared > 1 else pearson[place] <= 1e-190


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_a_table_over_rows_that_are_certain(link: str) -> None:
    """Some rows lie so far out that their mean is 1: they count nothing, and spoil nothing."""
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((400, 2)), (rng.random(400) < 0.5).astype(float)
    certain = np.arange(400) < 5
    A[certain], y[certain] = 0.0, 1.0
    asked = {"family": "binomial", "link": link, "intercept": True}
    plain = ds.solve(ds.GLM(A[~certain], y[~certain], **asked), progress=False)
    far = ds.solve(ds.GLM(A, y, offset=np.where(certain, 120.0, 0.0), **asked), progress=False)

    one, two = plain.summary(), far.summary()

    np.testing.assert_allclose(far.x, plain.x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(two.standard_errors, one.standard_errors, rtol=1e-9)
    np.testing.assert_allclose([two.deviance, two.pearson], [one.deviance, one.pearson], rtol=1e-9)
    assert np.isfinite(two.null_log_likelihood)


def test_a_count_of_nothing_where_nothing_is_expected() -> None:
    """Of a Poisson row whose mean underflows, y = 0 leaves nothing."""
    rng = np.random.default_rng(1)
    A, y = rng.standard_normal((300, 2)), rng.poisson(2.0, 300).astype(float)
    offset = np.zeros(300)
    offset[:4], y[:4] = -900.0, 0.0

    table = ds.solve(ds.GLM(A, y, family="poisson", intercept=True, offset=offset), progress=False).summary()

    assert np.isfinite([table.deviance, table.pearson, table.log_likelihood, table.null_log_likelihood]).all()
