"""Which directions of a layer softmax sees: a layer in these, about means.

Softmax does not feel a number added to all logits of a row, so X plays no part along u vᵀ where A₁u = 0 or A₂v is the same for all keys,
nor Y along v where A₃v = 0.  Without a penalty such directions are taken out beforehand, by a QR of [A₂ 1 A₃] and one of A₁: the answer is
the shortest.  Where a c has A₃c = 1, several heads share what c adds: c uᵀ may go from one Y to another.
"""

from dataclasses import replace

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import RANK_TOLERANCE, Factor
from dsketch._linalg.householder import householder
from dsketch.errors import DataError
from dsketch.matrix.rows import Rows
from dsketch.passes import JointTriangle, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.layer_sweep import Keys
from dsketch.passes.triangle import Reduced
from dsketch.problems.attention.layer_system import LayerSystem
from dsketch.problems.attention.visible_layer import VisibleLayer
from dsketch.problems.persisted import copy_persisted

# Of the root mean square of columns: with a penalty, directions with less spread than that are held by it anyway.
_DAMPED = 0.1


def see_all(system: LayerSystem) -> VisibleLayer:
    """Return a layer in its own columns, about 0."""
    d, e, p, _ = system.shapes
    keys, units = Keys(system.others, np.eye(e), np.eye(p), np.zeros(e), np.zeros(p)), (np.eye(d), np.eye(e))
    return VisibleLayer(system, np.eye(d), keys, np.ones((d, e)), units, (), 0, units)


def prepare(layer: LayerSystem) -> Flow[VisibleLayer]:
    """Return the layer in directions that can be seen, about means.  Two light looks, which name what is not finite.

    Raises
    ------
    DataError
        If A₁ or A₃ is 0, or all rows of A₂ are the same: no X and Y matter.
    """
    A2, A3 = (yield from copy_persisted(layer.A2)), (yield from copy_persisted(layer.A3))
    system = replace(layer, A2=A2, A3=A3)
    d, e, _, _ = layer.shapes
    beyond: Floats = (yield Look(JointTriangle(), Rows(A2, A3, intercept=True, names=("A2", "A3")))).R
    found: Reduced = yield Look(Triangle(), Rows(layer.A1, layer.B, names=("A1", "B")))
    R1 = found.R
    R = householder(np.concatenate([beyond[:, e : e + 1], beyond[:, :e], beyond[:, e + 1 :]], axis=1))
    mean = R[0, 1:] / R[0, 0]
    V1 = _basis_beyond(Factor.of(R1).null, d, "A1", "a row that is not 0")
    V2 = _basis_beyond(Factor.of(R[:, : e + 1]).null[1:], e, "A2", "rows that are not all the same")
    V3 = _basis_beyond(Factor.of(R[:, e + 1 :]).null, R.shape[1] - e - 1, "A3", "a row that is not 0")
    spare = 0 if layer.alpha else (layer.heads - 1) * layer.B.shape[1] * _count_constants(R, e, V3)
    notes = (*_tell_unseen(V1, V2, V3, heads=layer.heads, is_held=layer.alpha > 0), *_tell_shared(layer.heads, spare))
    if layer.alpha:
        V1, V2, V3 = np.eye(d), np.eye(e), np.eye(len(V3))
    own, other = R1 @ V1 / np.sqrt(layer.A1.shape[0]), R[1:, 1 : e + 1] @ V2 / np.sqrt(layer.A2.shape[0])
    spread = np.outer(np.sqrt((own**2).sum(axis=0)), np.sqrt((other**2).sum(axis=0)))
    units = (np.eye(V1.shape[1]), np.eye(V2.shape[1]))
    white = (_whiten(_damp(own)), _whiten(_damp(other))) if layer.alpha else (_whiten(own), _whiten(other))
    keys = Keys(system.others, V2, V3, mean[:e] @ V2, mean[e:] @ V3)
    is_idle = layer.alpha > 0 and not (found.z.any() or found.rr.any())
    if is_idle:
        notes = (*notes, "B is 0 and X and Y have a penalty: x = 0 is the one minimizer, and no step was needed")
    return VisibleLayer(system, V1, keys, spread, units if layer.alpha else white, notes, spare, white, is_idle)


def _basis_beyond(null: Floats, columns: int, name: str, wanted: str) -> Floats:
    """Return an orthonormal basis of what is not in the span of some vectors.

    Raises
    ------
    DataError
        If there is nothing.
    """
    if not null.shape[1]:
        return np.eye(columns)
    Q, R, _ = sl.qr(null, pivoting=True)
    sizes = np.abs(np.diagonal(R))
    seen: Floats = Q[:, int(np.count_nonzero(sizes > RANK_TOLERANCE * columns * max(sizes[0], 0.0))) :]
    if not seen.shape[1]:
        raise DataError(f"{name} must have {wanted}, or no X and Y change anything. Check the source of the data.")
    return np.ascontiguousarray(seen)


def _whiten(M: Floats) -> Floats:
    """Return W for which M W has orthonormal columns, to rounding times the condition of M."""
    W: Floats = sl.solve_triangular(Factor.of(M).R, np.eye(M.shape[1]))
    return W


def _count_constants(R: Floats, e: int, V3: Floats) -> int:
    """Return 1 if some values add up to the same number for all keys, else 0; R is of [1 A₂ A₃]."""
    seen = np.column_stack([R[:, 0] / np.linalg.norm(R[:, 0]), R[:, e + 1 :] @ V3])
    return int(Factor.of(householder(seen)).null.shape[1])


def _tell_shared(heads: int, spare: int) -> tuple[str, ...]:
    """Return what heads may do without a change of the layer."""
    if heads == 1:
        return ()
    notes = [f"the {heads} heads may change places: any order of them is the same layer"]
    if spare:
        notes.append(
            f"some values add up to the same for all keys: heads share them in {spare} direction(s) of Y, of which x is the shortest"
        )
    return tuple(notes)


def _damp(M: Floats) -> Floats:
    """Return M with rows below it that hold the directions in which it is small."""
    return np.concatenate([M, _DAMPED * np.sqrt((M**2).sum() / M.shape[1]) * np.eye(M.shape[1])])


def _tell_unseen(V1: Floats, V2: Floats, V3: Floats, *, heads: int, is_held: bool) -> tuple[str, ...]:
    """Return how many directions of X and Y play no part."""
    each = " of each head" if heads > 1 else ""
    of_x = len(V1) * len(V2) - V1.shape[1] * V2.shape[1]
    notes = []
    if of_x:
        why = [f"A1 has rank {V1.shape[1]} of {len(V1)}"] if V1.shape[1] < len(V1) else []
        lost = len(V2) - V2.shape[1]
        why += [f"{lost} direction(s) of A2's columns are the same for all keys"] if lost else []
        notes.append(f"softmax does not see {of_x} of the {len(V1) * len(V2)} directions of X{each} ({' and '.join(why)})")
    if V3.shape[1] < len(V3):
        notes.append(f"Y plays no part in {len(V3) - V3.shape[1]} direction(s){each}: A3 has rank {V3.shape[1]} of {len(V3)}")
    end = "the penalty makes them 0" if is_held else "they are 0 in the shortest x, which this is"
    return tuple(f"{note}; {end}" for note in notes)
