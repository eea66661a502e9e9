"""How many rows a sketch needs, each rule with its source.

With m = γd Gaussian rows the singular values of S Q lie in 1 ± 1/√γ (Davidson and Szarek 2001), so cond(A R⁻¹) =
(1 + γ^-½)/(1 − γ^-½).  Sparse sign with z = 8 and block SRHT follow that law to 8 % in our tables, whatever A.
"""

import math

# γ by what the sketch is for.
FOR_WHITENING = 4  # cond(A R⁻¹) ≈ 3 is ten times less than what a Gram matrix of it could bear
FOR_GUARDING = 8  # two signs a row judge the condition of a Gram matrix beside it: distortion is at most 5 on coherent rows
FOR_ITERATING = 12  # the default of SPIR and FOSSILS: Epperly, Meier, Nakatsukasa, arXiv 2406.03468 (2024); rate 0.29 a step
FOR_SOLVING = 20  # sketch-and-solve: residual above the optimum by 1/(1 − 1/20) at most on average
LEAST_ROWS = 16  # the law above is not yet sharp for tiny d
_FAILING = 1e-8  # of all sketches, no more than this share stretch a direction farther than is claimed


def rows_for(columns: int, purpose: int, name: str) -> int:
    """Return the sketch size m for d columns.

    Parameters
    ----------
    columns : int
        d.
    purpose : int
        γ: one of ``FOR_WHITENING``, ``FOR_GUARDING``, ``FOR_ITERATING``, ``FOR_SOLVING``.
    name : str
        Name of the sketch.  CountSketch gets d² rows up to 40 d: its guarantee asks for d² (Clarkson and Woodruff 2013), memory
        for a multiple of d.

    Returns
    -------
    int
        A multiple of 8, so that eight stacked parts are of equal height.
    """
    wanted = purpose * columns + LEAST_ROWS
    if name == "count_sketch":
        wanted = max(wanted, min(columns * columns, 40 * columns))
    return 8 * math.ceil(wanted / 8)


def distortion(columns: int, size: int) -> float:
    """Return the embedding's distortion √(d/m) that the Gaussian law promises (at most 0.99)."""
    return min(math.sqrt(columns / size), 0.99)


def surest_distortion(columns: int, size: int) -> float:
    """Return the distortion that is exceeded upwards with a probability of 10⁻⁸ at most: √(d/m) and a deviation, which counts for small d.

    Davidson and Szarek 2001, Theorem II.13: σ(S Q) ≤ 1 + √(d/m) + t/√m but for exp(−t²/2).
    """
    return math.sqrt(columns / size) + math.sqrt(-2 * math.log(_FAILING) / size)
