"""The rows that the kernel's experiments are about, and what a study with dense kernels had of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOISE = 0.1
CENTRES, TIGHTNESS = 20, 0.95  # of the clusters: how many, and their share of ‖a‖²


@dataclass(frozen=True)
class Family:
    """A recipe for rows.

    Parameters
    ----------
    kind : {"sphere", "Gaussian", "clusters"}
    d : int
    size : float
        Mean ‖a‖².
    """

    kind: str
    d: int
    size: float

    @property
    def name(self) -> str:
        """Kind, mean ‖a‖² and columns."""
        return f"{self.kind}, ‖a‖² = {self.size:g}, d = {self.d}"

    def rows(self, n: int) -> tuple[Floats, Floats]:
        """Return A and b."""
        rng = np.random.default_rng([n, self.d])
        if self.kind == "sphere":
            A = np.sqrt(self.size) * _unit(rng.standard_normal((n, self.d)))
        elif self.kind == "Gaussian":
            A = np.sqrt(self.size / self.d) * rng.standard_normal((n, self.d))
        else:
            centres = _unit(rng.standard_normal((CENTRES, self.d)))[rng.integers(CENTRES, size=n)]
            noise = rng.standard_normal((n, self.d)) / np.sqrt(self.d)
            A = np.sqrt(self.size) * (np.sqrt(TIGHTNESS) * centres + np.sqrt(1 - TIGHTNESS) * noise)
        smooth = np.sin(3 * A @ _unit(rng.standard_normal((1, self.d)))[0])
        smooth /= np.std(smooth)
        return A, smooth + NOISE * rng.standard_normal(n)


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1)[:, None])


# Rows, tau, and what the study had of n = 4000: its sketch with the residual diagonal (1022 columns), pivoted Cholesky with 1024, Taylor
# with it, iterations to 1e-6/1e-10 of at most 160.
STUDY: tuple[tuple[Family, float, str, str, str], ...] = (
    (Family("sphere", 8, 1.0), 1e-2, "64/110", "7/12", "q = 5: 4/7"),
    (Family("sphere", 8, 1.0), 1e-4, "–", "58/93", "q = 5: 21/35"),
    (Family("Gaussian", 8, 4.0), 1e-2, "33/54", "17/29", "q = 5: 23/37"),
    (Family("Gaussian", 8, 4.0), 1e-4, "125/–", "111/–", "q = 5: 49/77"),
    (Family("clusters", 16, 2.0), 1e-2, "101/–", "16/26", "q = 3: 39/63"),
    (Family("clusters", 16, 2.0), 1e-4, "–", "118/–", "–"),
    (Family("sphere", 32, 1.0), 1e-2, "–", "24/38", "q = 2: 18/30"),
    (Family("sphere", 32, 1.0), 1e-4, "–", "37/71", "q = 2: 22/37"),
    (Family("Gaussian", 32, 4.0), 1e-2, "74/126", "24/40", "q = 2: 10/17"),
    (Family("Gaussian", 32, 4.0), 1e-4, "139/–", "29/48", "q = 2: 10/17"),
    (Family("sphere", 128, 1.0), 1e-2, "134/–", "18/27", "q = 1: 16/26"),
    (Family("sphere", 128, 4.0), 1e-2, "102/–", "12/19", "q = 1: 6/11"),
)
