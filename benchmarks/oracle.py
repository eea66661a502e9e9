"""Judges that share no code with the library: exact solutions, backward errors in extended precision, LAPACK's answers.

Exact solution
    AᵀA and Aᵀb of float64 data without any rounding (integer slices whose products fit in 53 bits, summed as Python integers), then
    the normal equations in 120 digits.  Good for every condition number that float64 data can have.
Backward error
    Karlson–Waldén estimate, as the norm of a projection: with K = [A; η I], η = ‖r‖/‖x‖, it is ‖P_K [r; 0]‖ / ‖x‖, hence
    ‖R_K⁻ᵀ Aᵀr‖ / ‖x‖.  Residual, gradient and R in 80-bit arithmetic resolve it down to about 1e-19 ‖A‖.

References
----------
K. Ozaki, T. Ogita, S. Oishi, S. M. Rump, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication and its applications", Numerical Algorithms 59, 2012.
R. Karlson, B. Waldén, "Estimation of optimal backward perturbation bounds for the linear least squares problem", BIT 37, 1997.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Long = np.longdouble
DIGITS = 120  # the Gram matrix of the worst case here has a condition number of 1e54


def exact_gram(A: Floats, B: Floats) -> "mpmath.matrix":
    """Return AᵀB without rounding.

    Parameters
    ----------
    A, B : ndarray, shapes (n, p) and (n, q)
        Finite; entries of one column may span any range.
    """
    bits = (53 - int(np.ceil(np.log2(A.shape[0])))) // 2
    left, right = _slices(A, bits), _slices(B, bits)
    total = np.zeros((A.shape[1], B.shape[1]), dtype=object)
    deepest = len(left) + len(right) - 2
    for i, P in enumerate(left):
        for j, Q in enumerate(right):
            product = (P.T @ Q).astype(np.int64).astype(object)  # integers below 2⁵³: no rounding
            total = total + product * (1 << bits * (deepest - i - j))
    top = np.add.outer(_exponents(A), _exponents(B)) - bits * (deepest + 2)
    with mpmath.workdps(DIGITS):
        return mpmath.matrix(
            [[mpmath.ldexp(int(total[i, j]), int(top[i, j])) for j in range(B.shape[1])] for i in range(A.shape[1])]
        )


def _exponents(A: Floats) -> NDArray[np.int64]:
    return np.frexp(np.abs(A).max(axis=0))[1].astype(np.int64)


def _slices(A: Floats, bits: int) -> list[Floats]:
    """Return integer matrices P₁, P₂, … with A = Σ Pₜ 2^(e − t·bits), e by column, |Pₜ| ≤ 2^bits."""
    rest, pieces, t = A.copy(), [], 0
    exponents = _exponents(A)
    while not pieces or rest.any():
        t += 1
        unit = np.ldexp(1.0, (exponents - t * bits).astype(np.int32))
        piece = np.rint(rest / unit)
        rest = rest - piece * unit
        pieces.append(piece)
    return pieces


def exact_solution(A: Floats, b: Floats, combination: Floats | None = None) -> Floats:
    """Return the minimizer of ‖A x − b‖, of minimum norm, rounded once.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    b : ndarray, shape (n,)
    combination : ndarray, shape (r, d - r), optional
        E with A = A[:, :r] [I E] exactly; None: A has full rank.
    """
    rank = A.shape[1] if combination is None else combination.shape[0]
    C = np.ascontiguousarray(A[:, :rank])
    with mpmath.workdps(DIGITS):
        y = mpmath.cholesky_solve(exact_gram(C, C), exact_gram(C, b[:, None]))
        if combination is None:
            return np.array([float(value) for value in y])
        W = mpmath.matrix(np.hstack([np.eye(rank), combination]).tolist())
        x = W.T * mpmath.cholesky_solve(W * W.T, y)
        return np.array([float(value) for value in x])


def triangle(A: NDArray[Any]) -> NDArray[Any]:
    """Return R of a Householder QR in the precision of A (LAPACK has none for 80 bits)."""
    T = A.copy()
    n, d = T.shape
    for j in range(min(n, d)):
        v = T[j:, j].copy()
        size = np.sqrt(v @ v)
        if size == 0:
            continue
        v[0] += np.copysign(size, v[0])
        v /= np.sqrt(v @ v)
        T[j:, j:] -= np.outer(2 * v, v @ T[j:, j:])
    return np.triu(T[:d])


def solve_transposed(R: NDArray[Any], g: NDArray[Any]) -> NDArray[Any]:
    """Return R⁻ᵀ g by forward substitution in the precision of R."""
    w = g.copy()
    for i in range(R.shape[0]):
        w[i] = (w[i] - R[:i, i] @ w[:i]) / R[i, i]
    return w


@dataclass(frozen=True)
class Judge:
    """Measures answers of one problem in extended precision.

    Attributes
    ----------
    A, b : ndarray
    R : ndarray, shape (d, d)
        Of A, 80 bits.
    scaled : ndarray, shape (d, d)
        Of A with columns of norm one.
    """

    A: NDArray[Any]
    b: NDArray[Any]
    R: NDArray[Any]
    scaled: NDArray[Any]

    @classmethod
    def of(cls, A: Floats, b: Floats) -> "Judge":
        """Factor A."""
        wide = A.astype(Long)
        R = triangle(wide)
        return cls(wide, b.astype(Long), R, R / _column_norms(R))

    def errors(self, x: Floats) -> dict[str, float]:
        """Return backward error (normwise, and with columns of norm one) and relative residual of x."""
        if not np.isfinite(x).all():
            return {"backward": np.inf, "columns": np.inf, "residual": np.inf}
        r = self.b - self.A @ x.astype(Long)
        g = r @ self.A
        length = _column_norms(self.R)
        size = np.sqrt(self.b @ self.b)
        return {
            "backward": karlson_walden(self.R, x.astype(Long), g, np.sqrt(r @ r)),
            "columns": karlson_walden(self.scaled, x.astype(Long) * length, g / length, np.sqrt(r @ r)),
            "residual": float(np.sqrt(r @ r) / size) if size else 0.0,
        }


def karlson_walden(R: NDArray[Any], x: NDArray[Any], g: NDArray[Any], residual: Any) -> float:
    """Return the backward error of x relative to ‖A‖_F, from R of A, the gradient g = Aᵀr and ‖r‖."""
    size = np.sqrt((R * R).sum())
    length = np.sqrt(x @ x)
    if length == 0 or size == 0:  # ‖Aᵀr‖ / (‖r‖ ‖A‖): all that a change of A can do about x = 0
        return float(np.sqrt(g @ g) / (residual * size)) if residual and size else 0.0
    eta = residual / length
    if eta == 0:
        return 0.0
    below = triangle(np.vstack([R, eta * np.eye(R.shape[0], dtype=R.dtype)]))
    w = solve_transposed(below, g)
    return float(np.sqrt(w @ w) / (length * size))


def _column_norms(R: NDArray[Any]) -> NDArray[Any]:
    norms = np.sqrt((R * R).sum(axis=0))
    return np.where(norms > 0, norms, 1)


def judge_stored(blocks: Callable[[], Any], R: Floats | None, x: Floats) -> tuple[float, Floats]:
    """Return the backward error of x for rows that are read block by block, and R of A for the next call.

    Residual and gradient are summed in 80 bits; R is LAPACK's, block by block, which decides singular values to u relative to the
    largest: enough for condition numbers up to about 1e14.
    """
    rr, g, pieces = Long(0), np.zeros(len(x), Long), []
    for A, b in blocks():
        wide = A.astype(Long)
        r = b.astype(Long) - wide @ x.astype(Long)
        rr, g = rr + r @ r, g + r @ wide
        if R is None:
            pieces.append(np.linalg.qr(A, mode="r"))
    R = np.linalg.qr(np.vstack(pieces), mode="r") if R is None else R
    return karlson_walden(R.astype(Long), x.astype(Long), g, np.sqrt(rr)), R


def householder(A: Floats, b: Floats) -> Floats:
    """Return x by LAPACK's Householder QR without pivoting (geqrf, ormqr, trtrs)."""
    d = A.shape[1]
    (factored, tau), R = sl.qr(np.asfortranarray(A), mode="raw")
    (ormqr,) = sl.get_lapack_funcs(("ormqr",), (factored,))
    column = np.asfortranarray(b[:, None])
    size = int(ormqr("L", "T", factored, tau, column, -1)[1][0])
    projected = ormqr("L", "T", factored, tau, column, size)[0][:d, 0]
    try:
        return np.asarray(sl.solve_triangular(R[:d], projected))
    except sl.LinAlgError:  # an exact zero on the diagonal
        return np.full(d, np.nan)


LAPACK: dict[str, Callable[[Floats, Floats], Floats]] = {
    "LAPACK QR": householder,
    "LAPACK gelsd": lambda A, b: np.linalg.lstsq(A, b, rcond=None)[0],
    "LAPACK gelsy": lambda A, b: sl.lstsq(A, b, lapack_driver="gelsy")[0],
}
