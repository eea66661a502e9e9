"""The Statistical Reference Datasets of NIST for linear regression: eleven sets on which programs lose their digits.

Data of the United States government, in the public domain: https://www.itl.nist.gov/div898/strd/lls/lls.shtml.  Certified values are
not copied: they are the solutions of the decimal data, which :func:`solve_decimals` computes as fractions, to any number of digits.

References
----------
J. W. Longley, "An appraisal of least squares programs for the electronic computer from the point of view of the user", J. Amer.
Statist. Assoc. 62, 1967.
R. H. Wampler, "A report of the accuracy of some widely used least squares computer programs", J. Amer. Statist. Assoc. 65, 1970.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.testing.rational import Exact, Row, echelon

_NORRIS = """
0.1 0.2 338.8 337.4 118.1 118.2 888 884.6 9.2 10.1 228.1 226.5 668.5 666.3 998.5 996.3 449.1 448.6 778.9 777 559.2 558.2 0.3
0.4 0.1 0.6 778.1 775.5 668.8 666.9 339.3 338 448.9 447.5 10.8 11.6 557.7 556 228.3 228.1 998 995.8 888.8 887.6 119.6 120.2
0.3 0.3 0.6 0.3 557.6 556.8 339.3 339.1 888 887.2 998.5 999 778.9 779 10.2 11.1 117.6 118.3 228.9 229.2 668.4 669.1 449.2
448.9 0.2 0.5
"""
_PONTIUS = """
0.11019 150000 0.21956 300000 0.32949 450000 0.43899 600000 0.54803 750000 0.65694 900000 0.76562 1050000 0.87487 1200000
0.98292 1350000 1.09146 1500000 1.20001 1650000 1.30822 1800000 1.41599 1950000 1.52399 2100000 1.63194 2250000 1.73947
2400000 1.84646 2550000 1.95392 2700000 2.06128 2850000 2.16844 3000000 0.11052 150000 0.22018 300000 0.32939 450000 0.43886
600000 0.54798 750000 0.65739 900000 0.76596 1050000 0.87474 1200000 0.983 1350000 1.0915 1500000 1.20004 1650000 1.30818
1800000 1.41613 1950000 1.52408 2100000 1.63159 2250000 1.73965 2400000 1.84696 2550000 1.95445 2700000 2.06177 2850000
2.16829 3000000
"""
_NOINT1 = """
130 60 131 61 132 62 133 63 134 64 135 65 136 66 137 67 138 68 139 69 140 70
"""
_NOINT2 = """
3 4 4 5 4 6
"""
_FILIP = """
0.8116 -6.860120914 0.9072 -4.324130045 0.9052 -4.358625055 0.9039 -4.358426747 0.8053 -6.955852379 0.8377 -6.661145254
0.8667 -6.355462942 0.8809 -6.118102026 0.7975 -7.115148017 0.8162 -6.815308569 0.8515 -6.519993057 0.8766 -6.204119983
0.8885 -5.853871964 0.8859 -6.109523091 0.8959 -5.79832982 0.8913 -5.482672118 0.8959 -5.171791386 0.8971 -4.851705903 0.9021
-4.517126416 0.909 -4.143573228 0.9139 -3.709075441 0.9199 -3.499489089 0.8692 -6.300769497 0.8872 -5.953504836 0.89
-5.642065153 0.891 -5.031376979 0.8977 -4.680685696 0.9035 -4.329846955 0.9078 -3.928486195 0.7675 -8.56735134 0.7705
-8.363211311 0.7713 -8.107682739 0.7736 -7.823908741 0.7775 -7.522878745 0.7841 -7.218819279 0.7971 -6.920818754 0.8329
-6.628932138 0.8641 -6.323946875 0.8804 -5.991399828 0.7668 -8.781464495 0.7633 -8.663140179 0.7678 -8.473531488 0.7697
-8.247337057 0.77 -7.971428747 0.7749 -7.676129393 0.7796 -7.352812702 0.7897 -7.072065318 0.8131 -6.774174009 0.8498
-6.478861916 0.8741 -6.159517513 0.8061 -6.835647144 0.846 -6.53165267 0.8751 -6.224098421 0.8856 -5.910094889 0.8919
-5.598599459 0.8934 -5.290645224 0.894 -4.974284616 0.8957 -4.64454848 0.9047 -4.290560426 0.9129 -3.885055584 0.9209
-3.408378962 0.9219 -3.13200249 0.7739 -8.726767166 0.7681 -8.66695597 0.7665 -8.511026475 0.7703 -8.165388579 0.7702
-7.886056648 0.7761 -7.588043762 0.7809 -7.283412422 0.7961 -6.995678626 0.8253 -6.691862621 0.8602 -6.392544977 0.8809
-6.067374056 0.8301 -6.684029655 0.8664 -6.378719832 0.8834 -6.065855188 0.8898 -5.752272167 0.8964 -5.132414673 0.8963
-4.811352704 0.9074 -4.098269308 0.9119 -3.66174277 0.9228 -3.2644011
"""
_LONGLEY = """
60323 83 234289 2356 1590 107608 1947 61122 88.5 259426 2325 1456 108632 1948 60171 88.2 258054 3682 1616 109773 1949 61187
89.5 284599 3351 1650 110929 1950 63221 96.2 328975 2099 3099 112075 1951 63639 98.1 346999 1932 3594 113270 1952 64989 99
365385 1870 3547 115094 1953 63761 100 363112 3578 3350 116219 1954 66019 101.2 397469 2904 3048 117388 1955 67857 104.6
419180 2822 2857 118734 1956 68169 108.4 442769 2936 2798 120445 1957 66513 110.8 444546 4681 2637 121950 1958 68655 112.6
482704 3813 2552 123366 1959 69564 114.2 502601 3931 2514 125368 1960 69331 115.7 518173 4806 2572 127852 1961 70551 116.9
554894 4007 2827 130081 1962
"""
_WAMPLER1 = """
1 6 63 364 1365 3906 9331 19608 37449 66430 111111 177156 271453 402234 579195 813616 1118481 1508598 2000719 2613660 3368421
"""
_WAMPLER2 = """
1 1.11111 1.24992 1.42753 1.65984 1.96875 2.38336 2.94117 3.68928 4.68559 6 7.71561 9.92992 12.75603 16.32384 20.78125
26.29536 33.05367 41.26528 51.16209 63
"""
_WAMPLER3 = """
760 -2042 2111 -1684 3888 1858 11379 17560 39287 64382 113159 175108 273291 400186 581243 811568 1121004 1506550 2002767
2611612 3369180
"""
_WAMPLER4 = """
75901 -204794 204863 -204436 253665 -200894 214131 -185192 221249 -138370 315911 -27644 455253 197434 783995 608816 1370781
1303798 2205519 2408860 3444321
"""
_WAMPLER5 = """
7590001 -20479994 20480063 -20479636 25231365 -20476094 20489331 -20460392 18417449 -20413570 20591111 -20302844 18651453
-20077766 21059195 -19666384 26348481 -18971402 22480719 -17866340 10958421
"""


@dataclass(frozen=True)
class Reference:
    """One set: decimals as they are published.

    Attributes
    ----------
    y : tuple of str
    columns : tuple of tuple of str
        Of the predictors.
    degree : int
        Of the polynomial in the one predictor; 0: the predictors themselves.
    has_constant : bool
    """

    y: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    degree: int = 0
    has_constant: bool = True

    def floats(self) -> tuple[Floats, Floats]:
        """Return A, with its column of ones, and b: powers are those of the float nearest to x, rounded."""
        x = np.array([[float(value) for value in column] for column in self.columns])
        return np.stack([x[0] ** power for power in range(self.degree + 1)], axis=1) if self.degree else self._with_ones(
            x.T
        ), self._b()

    def _with_ones(self, X: Floats) -> Floats:
        return np.concatenate([np.ones((len(X), 1)), X], axis=1) if self.has_constant else np.ascontiguousarray(X)

    def _b(self) -> Floats:
        return np.array([float(value) for value in self.y])

    def solve_floats(self) -> tuple[Row, Row]:
        """Return the exact minimizer for the floats, and its standard errors to 100 digits."""
        A, b = self.floats()
        return _solve([[Fraction(value) for value in row] for row in A.tolist()], [Fraction(value) for value in b.tolist()])

    def solve_decimals(self) -> tuple[Row, Row]:
        """Return the same for the decimals: the certified values."""
        columns = [[Fraction(value) for value in column] for column in self.columns]
        if self.degree:
            columns = [[value**power for value in columns[0]] for power in range(self.degree + 1)]
        elif self.has_constant:
            columns = [[Fraction(1)] * len(self.y), *columns]
        return _solve([list(row) for row in zip(*columns, strict=True)], [Fraction(value) for value in self.y])


def _solve(A: list[Row], b: Row) -> tuple[Row, Row]:
    n, d = len(A), len(A[0])
    exact = Exact(A, b, [Fraction(1)] * n, [Fraction(0)] * d)
    x, _ = exact.minimizer()
    whole, _ = echelon([[*row, *(Fraction(i == j) for j in range(d))] for i, row in enumerate(exact.gram)], d)
    variance = sum((r * r for r in exact.residual(x)), Fraction(0)) / (n - d)
    return x, [_root(variance * whole[j][d + j]) for j in range(d)]


def _root(square: Fraction) -> Fraction:
    """Return the root to 100 digits."""
    more = 1 << 400
    return Fraction(isqrt(square.numerator * square.denominator * more * more), square.denominator * more)


def _of(text: str, predictors: int = 1, **more: int | bool) -> Reference:
    """Return a set whose rows are y and the predictors."""
    numbers = tuple(text.split())
    y, *columns = (numbers[place :: predictors + 1] for place in range(predictors + 1))
    return Reference(y, tuple(columns), **more)  # type: ignore[arg-type]


def _wampler(text: str) -> Reference:
    y = tuple(text.split())
    return Reference(y, (tuple(str(place) for place in range(len(y))),), 5)


REFERENCES = {
    "Norris": _of(_NORRIS, degree=1),
    "Pontius": _of(_PONTIUS, degree=2),
    "NoInt1": _of(_NOINT1, has_constant=False),
    "NoInt2": _of(_NOINT2, has_constant=False),
    "Filip": _of(_FILIP, degree=10),
    "Longley": _of(_LONGLEY, 6),
    "Wampler1": _wampler(_WAMPLER1),
    "Wampler2": _wampler(_WAMPLER2),
    "Wampler3": _wampler(_WAMPLER3),
    "Wampler4": _wampler(_WAMPLER4),
    "Wampler5": _wampler(_WAMPLER5),
}


def digits(found: Floats, exact: Row) -> float:
    """Return the least number of right digits, −log₁₀ of the relative error (of the error where the truth is 0), 17 at most."""
    off = [_relative(value, truth) for value, truth in zip(found.tolist(), exact, strict=True)]
    worst = float(max(off))
    return min(-float(np.log10(worst)), 17.0) if worst else 17.0


def _relative(value: float, truth: Fraction) -> Fraction:
    """Return the relative error, the error itself where the truth is 0, 1 for what is no number."""
    if not np.isfinite(value):
        return Fraction(1)
    error = abs(Fraction(value) - truth)
    return error / abs(truth) if truth else error
