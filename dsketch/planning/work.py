"""Kinds of work that passes do to every row: how each is timed, how it grows with the width, what it takes of sparse rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.factor import Factor
from dsketch._linalg.whitener import dense
from dsketch.losses.binomial import Logit
from dsketch.matrix.beside import Places
from dsketch.passes import Gradient, Gram, Normal, Pass, Sketching, Squares, Triangle, WhitenedGram
from dsketch.passes.exact_gram import ExactGram, Peaks
from dsketch.passes.fold_grams import FoldGrams
from dsketch.passes.leverages import Leverages
from dsketch.passes.linked import Linked
from dsketch.settings import Settings
from dsketch.sketch import CountSketch, Gaussian, SparseSign
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_GUARDING, FOR_ITERATING, FOR_WHITENING

# Of one stored number of CSR rows, one thread, d = 50 … 2000 (benchmarks/csr.py): both products of a light pass, the first side and
# each further one; a sign of a sparse sketch, most of it waiting for memory; a Gram matrix, besides and for each number of the same row,
# where the d² numbers stay in the cache and where they do not (d = 500 and 2000, 5 and 20 a row).
_LIGHT_SECONDS, _SIDE_SECONDS = 2e-9, 1e-9
_SIGN_SECONDS = 12e-9
_GRAM_SECONDS, _PAIR_SECONDS, _FAR_PAIR_SECONDS = 20e-9, 2e-9, 11e-9
_CACHE_BYTES = 32_000_000  # of d² numbers: from so many on each is met outside of the cache
_SQUARE_SECONDS = 4e-9  # of the columns, and their products with b
# Of one number of b beside few columns, one thread (benchmarks/targets.py): read, its residual, the square of that; a flop of its products;
# the signs of a sketch.
_SIDE_NUMBER, _SIDE_FLOP, _SIDE_SIGNS = 1.3e-9, 0.04e-9, 8e-9
# Of smooth problems of m outputs, one row, one thread, d = 6 … 60 and m = 3 … 49: for each of the m² curvatures; for each entry of the
# Hessian, of which a quarter is computed; and of passes over its m tangent rows, for each of their m · (d m) numbers.
_CURVATURE_SECONDS, _ENTRY_SECONDS = 6e-9, 0.25e-9
_TANGENT_SECONDS, _TANGENT_SKETCH_SECONDS, _TANGENT_TRIANGLE_SECONDS = 25e-9, 60e-9, 200e-9


@dataclass(frozen=True)
class Kind:
    """One kind of work.

    Attributes
    ----------
    name : str
        By which its measured speed is kept.
    sample : callable
        Makes, for d columns, a pass to time.
    grows : bool
        Whether the work of a number grows with d beyond the widest width measured.
    sparse_seconds : callable or None
        Seconds of one stored number of sparse rows, from the numbers of sides, of stored ones in a row, and of columns; None: slices are
        made dense.
    may_be_dense : bool
        Whether slices of sparse rows are made dense where that is cheaper.
    outputs_seconds : callable or None
        Seconds of one row of a smooth problem of several outputs, from the number of its coefficients and that of outputs; None: no such
        problem asks for it.
    side, side_flops : float, int
        Seconds of a number of b beyond its first column, and the flops besides for each column of A.
    """

    name: str
    sample: Callable[[int], Pass[Any]]
    grows: bool = False
    sparse_seconds: Callable[[int, float, int], float] | None = None
    may_be_dense: bool = False
    outputs_seconds: Callable[[int, int], float] | None = None
    side: float = _SIDE_NUMBER
    side_flops: int = 4

    def side_seconds(self, columns: int) -> float:
        """Return the seconds of one number of b beyond its first column, beside so many columns of A."""
        return self.side + self.side_flops * columns * _SIDE_FLOP


class Work(NamedTuple):
    """Passes of a method: what each does to every row, in one reading, and how many there are.

    ``beside`` says whether b is read too, ``share`` which part of the rows.
    """

    kinds: tuple[Kind, ...]
    times: int = 1
    beside: bool = True
    share: float = 1.0


def _light_seconds(sides: int, in_row: float, columns: int) -> float:
    del in_row, columns
    return _LIGHT_SECONDS + _SIDE_SECONDS * (sides - 1)


def _pair_seconds(sides: int, in_row: float, columns: int) -> float:
    del sides
    far = min(8 * columns**2 / _CACHE_BYTES, 1.0)
    return _GRAM_SECONDS + (_PAIR_SECONDS + (_FAR_PAIR_SECONDS - _PAIR_SECONDS) * far) * in_row


def _linked_seconds(coefficients: int, outputs: int) -> float:
    return _CURVATURE_SECONDS * outputs**2 + _ENTRY_SECONDS * coefficients**2


def _linked_light_seconds(coefficients: int, outputs: int) -> float:
    return _CURVATURE_SECONDS * outputs**2 + _LIGHT_SECONDS * coefficients


def _tangent_seconds(coefficients: int, outputs: int) -> float:
    return _TANGENT_SECONDS * coefficients * outputs


def _tangent_sketch_seconds(coefficients: int, outputs: int) -> float:
    return _TANGENT_SKETCH_SECONDS * coefficients * outputs


def _tangent_triangle_seconds(coefficients: int, outputs: int) -> float:
    return _TANGENT_TRIANGLE_SECONDS * coefficients * outputs


def _linked_pass(d: int, *, has_gram: bool) -> Linked:
    return Linked(Logit(), Places(("y",)), np.zeros((d, 1)), has_gram=has_gram)


def _factor(d: int) -> Factor:
    return Factor(np.triu(np.random.default_rng(0).standard_normal((d, d))) + 4 * np.sqrt(d) * np.eye(d))


def _narrow(d: int) -> Pass[Any]:
    T = np.random.default_rng(0).standard_normal((d, min(d, 64)))
    return Leverages(dense(T, T.T))


GRADIENT = Kind(Gradient.kind, lambda d: Gradient(np.ones((d, 1))), sparse_seconds=_light_seconds)
GRADIENT_WIDE = Kind(f"{Gradient.kind}_wide", lambda d: Gradient(np.ones((d, 60))), sparse_seconds=_light_seconds)  # of a path
NORMAL = Kind(Normal.kind, lambda d: Normal(np.ones((d, 1))), sparse_seconds=_light_seconds, outputs_seconds=_tangent_seconds)
GRAM = Kind(Gram.kind, lambda _: Gram(), grows=True, sparse_seconds=_pair_seconds, may_be_dense=True, side_flops=2)
# Of logistic regression; other row functions cost the same but for a few nanoseconds a row.
LINKED = Kind(
    Linked.kind,
    lambda d: _linked_pass(d, has_gram=True),
    grows=True,
    sparse_seconds=_pair_seconds,
    may_be_dense=True,
    outputs_seconds=_linked_seconds,
)
LINKED_LIGHT = Kind(
    f"{Linked.kind}_light",
    lambda d: _linked_pass(d, has_gram=False),
    sparse_seconds=_light_seconds,
    outputs_seconds=_linked_light_seconds,
)
SQUARES = Kind(Squares.kind, lambda _: Squares(), sparse_seconds=lambda *_: _SQUARE_SECONDS, side=0.0)
PEAKS = Kind(Peaks.kind, lambda _: Peaks())
EXACT_GRAM = Kind(ExactGram.kind, lambda d: ExactGram(np.full(d + 1, 4.0), np.zeros(1), d), grows=True)
TRIANGLE = Kind(Triangle.kind, lambda _: Triangle(), grows=True, outputs_seconds=_tangent_triangle_seconds)
FOLD_GRAMS = Kind(FoldGrams.kind, lambda _: FoldGrams(5, 0), grows=True, sparse_seconds=_pair_seconds, may_be_dense=True)
WHITENED_GRAM = Kind(WhitenedGram.kind, lambda d: WhitenedGram(_factor(d).whitener), grows=True)
LEVERAGES = Kind(Leverages.kind, lambda d: Leverages(_factor(d).whitener), grows=True)
LEVERAGES_NARROW = Kind(f"{Leverages.kind}_narrow", _narrow)  # 64 numbers a row in place of d

# Sparse signs are fewer a row where a Gram matrix follows: another kind of work, with a name of its own.
_NAMES = {FOR_GUARDING: "_guarding", FOR_WHITENING: "_whitening"}


def sketching_kind(family: str, purpose: int = FOR_ITERATING, nonzeros: int = 8) -> Kind:
    """Return the work of drawing and applying a sketch.

    Parameters
    ----------
    family : str
        Name of the sketch.
    purpose, nonzeros : int
        As :func:`dsketch.sketch.draw.draw_sketch` takes them; the speed of any family but sparse sign is that of a sketch for iterating.
    """
    is_sparse_sign = family == SparseSign.name
    purpose, name = (purpose, _NAMES.get(purpose, "")) if is_sparse_sign else (FOR_ITERATING, "")
    signs = {SparseSign.name: nonzeros, CountSketch.name: 1}.get(family)
    return Kind(
        f"{Sketching.kind}_{family}{name}",
        lambda d: Sketching(draw_sketch(Settings(sketch=family), d, purpose, nonzeros=nonzeros)),
        grows=family == Gaussian.name,
        sparse_seconds=None if signs is None else lambda *_: _SIGN_SECONDS * signs,
        outputs_seconds=_tangent_sketch_seconds,
        side=_SIDE_SIGNS,
        side_flops=0,
    )
