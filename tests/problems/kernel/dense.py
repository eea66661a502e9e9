"""Rows, their dense kernel, and what a flow or a pass gives in this process."""

from typing import Any

import numpy as np

from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import Engine, SerialEngine
from dsketch.events import Converged, ignore
from dsketch.matrix.open import open_matrix
from dsketch.passes.base import Flow
from dsketch.problems.kernel.iteration import ConjugateGradients, Norm
from dsketch.problems.kernel.system import KernelSystem, guard_system

Floats = np.ndarray[Any, np.dtype[np.float64]]


def answered(flow: Flow[Any], engine: Engine | None = None) -> Any:
    """Return what a flow returns on an engine."""
    engine = engine or SerialEngine(1)
    with one_blas_thread():
        try:
            look = next(flow)
            while True:
                look = flow.send(None if isinstance(look, Converged) else look.pass_.finish(engine.run(look, ignore)))
        except StopIteration as end:
            return end.value


def data(family: str, n: int = 600, seed: int = 0) -> tuple[Floats, Floats]:
    """Return rows of a family and two right-hand sides."""
    rng = np.random.default_rng(seed)
    A = {
        "sphere": lambda: on_sphere(rng.standard_normal((n, 6))),
        "gaussian": lambda: rng.standard_normal((n, 5)) * 0.8,
        "clusters": lambda: (
            2.0 * on_sphere(rng.standard_normal((12, 10)))[rng.integers(12, size=n)] + 0.1 * rng.standard_normal((n, 10))
        ),
        "wide": lambda: 1.5 * on_sphere(rng.standard_normal((n, 40))),
    }[family]()
    return A, np.column_stack([np.sin(3 * A[:, 0]), rng.standard_normal(n)])


def on_sphere(A: Floats) -> Floats:
    """Return the rows at length 1."""
    return A / np.linalg.norm(A, axis=1)[:, None]


def kernel(A: Floats, B: Floats | None = None, scale: float = 1.0) -> Floats:
    """Return exp(s A Bᵀ)."""
    return np.exp(scale * (A @ (A if B is None else B).T))


def system(A: Floats, b: Floats, ridge: float, scale: float = 1.0) -> KernelSystem:
    """Return the guarded system with λ = ridge · mean diagonal."""
    alpha = ridge * float(np.mean(np.exp(scale * np.sum(A * A, axis=1))))
    return answered(guard_system(open_matrix(A), open_matrix(b), scale, alpha))


def dense(system: KernelSystem) -> Floats:
    """Return G + diag shift."""
    X = np.asarray(system.A.read(0, system.rows))
    return system.gaussian(X, X) + np.diag(system.shift[:, 0])


def matrix_of(P: Any, n: int) -> Floats:
    """Return P⁻¹ as a matrix."""
    return answered(P.apply(np.eye(n)))


def iterations(system: KernelSystem, P: Any, tol: float = 1e-8, most: int = 400) -> int:
    """Return the steps to a relative residual."""
    wanted = tol * np.linalg.norm(system.frame * system.beta, axis=0)
    steps = ConjugateGradients(system, P, Norm(system), system.beta, wanted, np.zeros_like(system.beta))
    answered(steps.advance(most))
    return steps.iterations
