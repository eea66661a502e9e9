"""What a certificate of kernel regression on centres claims of exact kernel values, by 120 digits, and that judging agrees with solving."""

import mpmath as mp
import numpy as np
import pytest

import dsketch as ds


def distance_of(problem: ds.RestrictedKernel, solution: ds.Solution, b: np.ndarray) -> float:
    """Return ‖D (v − v*)‖/‖D v*‖, v = Lᵀ w and D the norms of the columns of K L⁻ᵀ, K and L exact."""
    with mp.workdps(120):
        kept, s = problem._kept[0], mp.mpf(problem.scale)
        A, C = (
            mp.matrix(np.asarray(rows, np.float64).tolist()) for rows in (problem.A.read(0, len(b)), problem.centre_rows[kept])
        )
        K, G = (mp.matrix(left * C.T * s).apply(mp.exp) for left in (A, C))
        L = mp.cholesky(G)
        F, exact = K * (L.T**-1), mp.lu_solve(K.T * K + problem.alpha * G, K.T * mp.matrix(b.tolist()))
        D = [mp.sqrt(sum(value**2 for value in F[:, j]) + problem.alpha) for j in range(len(kept))]
        wide = [mp.norm([size * entry for size, entry in zip(D, L.T * w, strict=True)]) for w in
                (mp.matrix(solution.x[kept].tolist()) - exact, exact)]  # fmt: skip
        return float(wide[0] / wide[1])


@pytest.mark.parametrize(
    ("spread", "scale", "alpha"), [(1e-3, 0.02, 1e-10), (1e-3, 1.0, 0.0), (1e-3, 0.3, 1e-4), (1.0, 1.0, 1e-3), (0.3, 0.5, 0.0)]
)
def test_the_distance_holds_what_rounded_kernels_move(spread: float, scale: float, alpha: float) -> None:
    """Centres that nearly depend on each other: v of exact values is up to a fifth away, which was told as 1e-14."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        A, b = spread * rng.standard_normal((24, 1)), rng.standard_normal(24)
        problem = ds.RestrictedKernel(A, b, alpha=alpha, scale=scale, centres=7)
        solution = ds.solve(problem, cluster="serial", progress=False)
        judged = ds.check(problem, solution.x, cluster="serial", progress=False)

        truth = distance_of(problem, solution, b)
        assert truth <= solution.certificate.forward_error[0]
        assert truth <= judged.forward_error[0]
        assert any("leaves x open" in note for note in solution.notes) == bool(solution.certificate.forward_error[0] >= 1)


@pytest.mark.parametrize("seed", [12, 15, 21, 22, 24, 25])
def test_judging_agrees_where_rows_are_long(seed: int) -> None:
    """exp(s‖a‖²/2) differs by 1e20 from row to row: what rounding of w may move is of the rows' own size."""
    rng = np.random.default_rng(seed)
    A, b = 5 * rng.standard_normal((13, 2)), rng.standard_normal(13)
    problem = ds.RestrictedKernel(A, b, alpha=1e-4, scale=1.0, centres=7, draw=seed)
    solution = ds.solve(problem, cluster="serial", progress=False)

    judged = ds.check(problem, solution.x, cluster="serial", progress=False)
    assert judged.is_right(problem.accepted(None, solution.x[:, None])) == solution.status.is_success
