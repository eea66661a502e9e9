"""Values missing per target: what is left out, what cannot be answered, what is refused, and who needs a QR of its own."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr

import dsketch as ds
from dsketch.matrix.open_targets import open_targets
from dsketch.matrix.tiles import Grid, TileMatrix
from dsketch.problems.targets import alone
from dsketch.problems.targets.problem import TargetRegression
from tests.problems.targets.test_answers import fit as fit_of
from tests.problems.targets.test_answers import streamed

N, D, K = 40, 3, 24
RNG = np.random.default_rng(11)
A = RNG.standard_normal((N, D))
B = RNG.standard_normal((N, K)) + 1.0


def fit(b: Any, **asked: Any) -> ds.TargetFit:
    """Return the answers by tiles, with the rows of this file where none are given."""
    return fit_of(b, **{"A": A, **asked})


def lacking(share: float = 0.2) -> np.ndarray:
    """Return b with a share of its values missing."""
    return np.where(np.random.default_rng(1).random(B.shape) < share, np.nan, B)


def test_targets_without_an_answer_are_nan_and_counted() -> None:
    """No value at all, fewer rows than columns, rows that lost rank: NaN, a count, and a note that says how many and why."""
    X, b = A.copy(), lacking(0.0)
    X[4:, 2] = X[4:, 1]  # only the first four rows tell these columns apart
    b[:, 0], b[2:, 1], b[:4, 2] = np.nan, np.nan, np.nan
    for given in (b, streamed(b)):
        found = fit(given, A=X, missing="drop")
        assert np.isnan(found.x[:, :3]).all()
        assert not np.isnan(found.x[:, 3:]).any()
        assert found.counts[:4].tolist() == [0, 2, N - 4, N]
        assert found.status is ds.Status.SOLVED
        assert (found.certificate.targets, found.certificate.answered) == (K, K - 3)
        said = "\n".join(found.notes)
        for words in (
            "3 of 24 targets lack",
            "1 target has no value",
            "1 target has fewer than 3 rows",
            "1 target lacks just those",
        ):
            assert words in said


def test_a_row_of_a_with_a_nan_is_left_out_for_all() -> None:
    """It is counted and said; an infinity there is refused."""
    X, b = A.copy(), lacking()
    X[5, 1] = np.nan
    found = fit(b, A=X, missing="drop")
    b[5] = np.nan
    np.testing.assert_allclose(found.x, fit(b, missing="drop").x, rtol=1e-11)
    np.testing.assert_array_equal(found.counts, (~np.isnan(b)).sum(axis=0))
    assert "1 of 40 rows count for no target" in found.notes[0]
    X[5, 1] = np.inf
    with pytest.raises(ds.DataError, match=r"A must be finite, or NaN .* row 5, column 1 is inf"):
        fit(b, A=X, missing="drop")
    with pytest.raises(ds.DataError, match="every row has one"):
        fit(b, A=np.full_like(A, np.nan), missing="drop")


@pytest.mark.parametrize("whole", [True, False])
def test_what_stands_in_b_and_must_not_is_named(whole: bool) -> None:
    """Row and target of an infinity, and without missing='drop' of a NaN with the remedy; squares that overflow."""
    b = B.copy()
    b[17, 9] = np.nan
    with pytest.raises(ds.DataError, match=r"row 17, target 9 is nan\. .*missing='drop'"):
        fit(b if whole else _plain(b))
    b[17, 9] = -np.inf
    for missing in ("error", "drop"):
        with pytest.raises(ds.DataError, match="row 17, target 9 is -inf"):
            fit(b if whole else _plain(b, missing), missing=missing)
    b[17, 9] = 1e200
    for missing in ("error", "drop"):
        with pytest.raises(ds.DataError, match="squares of b must be finite"):
            fit(b if whole else _plain(b, missing), missing=missing)
    with pytest.raises(ds.DataError, match=r"row 1, target \(2, 3\) is inf"):
        fit(np.where(np.arange(N * K).reshape(N, 4, 6) == K + 15, np.inf, B.reshape(N, 4, 6)))


def _plain(b: np.ndarray, missing: str = "error") -> object:
    return TileMatrix(open_targets(b, missing=missing), Grid(b.shape, (16,), (8,), 7))


def test_masked_and_packed_values_are_missing(tmp_path: Path) -> None:
    """A mask, a CF fill value, a value out of range, an absent chunk of marks: all as a NaN, at every chunking."""
    packed = np.rint(B * 100).astype(np.int16)
    packed[3, 2], packed[7, 5], packed[:, 20:] = -999, 9000, -999
    b = np.where((packed == -999) | (packed == 9000), np.nan, packed * 0.01 + 5.0)
    expected = fit(b, missing="drop")
    for chunks, codec in (((N, K), None), ((8, 10), "auto"), ((1, K), None)):
        made = zarr.create_array(
            str(tmp_path / f"{chunks}.zarr"), shape=b.shape, chunks=chunks, dtype="int16", fill_value=-999, compressors=codec
        )
        made.attrs.update(scale_factor=0.01, add_offset=5.0, _FillValue=-999, valid_max=8000)
        made[...] = packed
        found = fit(str(tmp_path / f"{chunks}.zarr"), missing="drop")
        np.testing.assert_allclose(found.x, expected.x, rtol=1e-12)
        np.testing.assert_array_equal(found.counts, expected.counts)
        with pytest.raises(ds.DataError, match=r"target .* is -999, its _FillValue\..*missing='drop'|absent"):
            fit(str(tmp_path / f"{chunks}.zarr"))
    masked = np.ma.MaskedArray(np.nan_to_num(b), np.isnan(b))
    np.testing.assert_array_equal(fit(masked, missing="drop").x, expected.x)
    with pytest.raises(ds.DataError, match=r"masked at row 0, target \(20,\)"):
        fit(masked)


def test_a_slice_of_one_pattern_is_one_factor() -> None:
    """Rows that all targets lack are left out once, with the answers that each pattern by itself has."""
    b = B.copy()
    b[[3, 4, 30]] = np.nan
    found, kept = fit(b, missing="drop"), np.delete(np.arange(N), [3, 4, 30])
    np.testing.assert_allclose(found.x, fit(B[kept], A=A[kept]).x, rtol=1e-12)


@pytest.mark.parametrize("whole", [True, False])
def test_a_target_whose_rows_lost_their_condition_is_answered_by_qr(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """Where the missing rows held what tells columns apart, QR of the others answers: as exact as that, one factor a pattern."""
    X = np.column_stack([np.ones(N), 1 + 1e-7 * RNG.standard_normal(N)])
    X[:3, 1] = [5.0, -3.0, 8.0]
    b = X @ np.ones((2, K)) + 1e-3 * B
    b[:3, :6] = np.nan
    patterns = []
    answer = alone._answer
    monkeypatch.setattr(alone, "_answer", lambda *given: patterns.append(1) or answer(*given))
    found = fit(b if whole else streamed(b), A=X, missing="drop")
    assert len(patterns) == (1 if whole else 3)  # seven rows of 16 targets at once are all rows of two: three batches
    for target in (0, 5):
        exact = _exact(X[3:], b[3:, target])
        kappa = np.linalg.cond(X[3:])
        assert np.linalg.norm(found.x[:, target] - exact) <= 1e-16 * kappa * (1 + kappa * 1e-3) * np.linalg.norm(exact)
    assert not np.isnan(found.standard_errors).any()


def _exact(X: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the minimizer for two columns by fractions."""
    rows = [[Fraction(float(value)) for value in row] for row in X]
    right = [Fraction(float(value)) for value in b]
    p, q, r = (sum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    u, v = (sum(row[i] * value for row, value in zip(rows, right, strict=True)) for i in (0, 1))
    return np.array([float((r * u - q * v) / (p * r - q * q)), float((p * v - q * u) / (p * r - q * q))])


def test_an_exact_fit_has_no_errors() -> None:
    """A residual of nothing but rounding gives no variance, and a note; a target that does not vary has no R²."""
    b = A @ RNG.standard_normal((D, K))
    b[2, 1] = np.nan
    found = fit(b, missing="drop", intercept=True)
    assert np.isnan(found.residual_variance).all()
    assert any("of 24 targets the residual is rounding" in note for note in found.notes)
    flat = fit(np.full((N, 2), 3.0), missing="drop", intercept=True)
    assert np.isnan(flat.r_squared).all()


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"b": B[:-1]}, ds.DataError, "one row for each of the 40 rows"),
        ({"A": A[:2], "b": B[:2]}, ds.DataError, "must be tall"),
        ({"b": B, "alpha": -1.0}, ds.SpecError, "alpha must be ≥ 0"),
        ({"b": B, "alpha": np.ones(5)}, ds.SpecError, "alpha must be one number, one for each of the 3 columns"),
        ({"b": B[:, :3], "alpha": np.ones(3)}, ds.SpecError, "could be one for each of the 3 targets or of the 3 columns"),
        ({"b": B, "missing": "impute"}, ds.SpecError, "'error', 'fill' or 'drop'"),
        ({"b": B, "weights": -np.ones(N)}, ds.DataError, "weights must be ≥ 0"),
        ({"b": B, "weights": np.zeros(N)}, ds.DataError, "positive for at least one row"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: dict[str, object], error: type[Exception], words: str) -> None:
    """Each with what was expected, what was found, and what to do."""
    with pytest.raises(error, match=words):
        ds.solve(TargetRegression(**{"A": A, **given}))  # type: ignore[arg-type]


def test_too_little_memory_says_what_helps() -> None:
    """Smaller chunks of b make no room for the rows of A; where they are too many, the sentence says what does."""
    with pytest.raises(ds.PlanError, match="read by blocks"):
        ds.lstsq(np.ones((100_000, 8)), np.ones((100_000, 2)), missing="drop", memory_limit="60MB", cluster="serial")


def test_a_penalty_makes_no_answer_of_nothing() -> None:
    """Ridge of a target without a value is NaN as least squares is, and the note that says so is true; one row will do."""
    b = lacking(0.0)
    b[:, 0], b[1:, 1] = np.nan, np.nan
    for given in (b, streamed(b)):
        found = fit(given, alpha=0.5, missing="drop")
        assert np.isnan(found.x[:, 0]).all()
        assert np.isnan(found.backward_error[0])
        np.testing.assert_allclose(found.x[:, 1], A[0] * b[0, 1] / (A[0] @ A[0] + 0.5), rtol=1e-12)
        assert "1 target has no value at all: its answers are NaN" in found.notes


def test_rows_that_a_lacks_are_left_out_however_it_says_so(tmp_path: Path) -> None:
    """NaN in a table, its NA, a mask and a fill value of A are what NaN in an array is."""
    holes = np.where(np.random.default_rng(2).random(A.shape) < 0.05, np.nan, A)
    expected = fit(lacking(), A=holes, missing="drop")
    filled = np.where(np.isnan(holes), -99.0, holes)
    stored = zarr.create_array(tmp_path / "A.zarr", data=filled, attributes={"_FillValue": -99.0})
    table = pd.DataFrame(holes, columns=list("abc"))
    for given in (table, table.convert_dtypes(), np.ma.masked_equal(filled, -99.0), stored):
        found = ds.lstsq(given, lacking(), missing="drop", cluster="serial")
        np.testing.assert_array_equal(found.x, expected.x)
        assert found.counts.tolist() == expected.counts.tolist()
    assert ds.lstsq(table, lacking(), missing="drop", cluster="serial").columns.names == ("a", "b", "c")


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("lacks", [False, True])
def test_columns_of_zeros_explain_nothing(columns: int, lacks: bool) -> None:
    """A has rank 0: x is 0 of every target, with all rows for degrees of freedom; an infinity in b is refused all the same."""
    B = np.random.default_rng(0).standard_normal((7, 4))
    B[2, 1] = np.nan if lacks else B[2, 1]

    found = ds.lstsq(np.zeros((7, columns)), B, missing="drop", cluster="serial", progress=False)

    assert not found.x.any()
    assert found.x.shape == (columns, 4)
    assert found.degrees_of_freedom.tolist() == [7, 7 - lacks, 7, 7]
    np.testing.assert_allclose(found.residual_variance, np.nanmean(B**2, axis=0), rtol=1e-12)
    B[3, 0] = np.inf
    with pytest.raises(ds.DataError, match="row 3, target 0"):
        ds.lstsq(np.zeros((7, columns)), B, missing="drop", cluster="serial", progress=False)


@pytest.mark.parametrize("offset", [1e4, 1e6, 2.9e7, 1e8, 1e9])
def test_a_column_far_from_0_is_no_constant(offset: float) -> None:
    """R² is about 0 for both answers where no column is constant, however little it varies for its size; with a constant about the mean."""
    rng = np.random.default_rng(1)
    A, b = rng.standard_normal((40, 3)), rng.standard_normal(40) + 30
    for far in (A + offset * (np.arange(3) == 0), np.where(np.arange(3) == 0, offset, A)):
        plain = ds.lstsq(far, b, cluster="serial", progress=False).summary()

        found = ds.lstsq(far, b[:, None], missing="drop", cluster="serial", progress=False)

        assert found.r_squared[0] == pytest.approx(plain.r_squared, abs=1e-6)  # 0.999 or 0.0001
