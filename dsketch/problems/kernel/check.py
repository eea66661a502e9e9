"""What any x is worth, by sweeps of the exact kernel, whatever it was found with."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.passes.base import Flow
from dsketch.problems.kernel.answer import KernelAnswer, bound_condition, explain_rank, resolve_entries
from dsketch.problems.kernel.iteration import Norm
from dsketch.problems.kernel.system import KernelSystem


def check_answer(system: KernelSystem, x: Floats) -> Flow[KernelAnswer]:
    """Judge any x with products of its own: three sweeps, of which two are for ‖K + λ I‖ and for what is reducible."""
    frame, norm = system.frame, Norm(system)
    y = system.growth * x
    r = system.beta - (yield from norm.product(y))
    size, b_norm, x_norm = norms(frame * r), norms(frame * system.beta), norms(y / frame)
    # In least squares the residual need not vanish, but (K + λ I) r must.
    Kr = yield from norm.product(frame**2 * r)
    yield from norm.product(frame**2 * r)
    reducible = size if system.alpha else np.minimum(size, norms(frame * Kr) / norm.value)
    return KernelAnswer(
        x=x,
        residual_norm=size,
        reducible=reducible,
        x_norm=x_norm,
        b_norm=b_norm,
        norm=norm.value,
        condition=bound_condition(system, norm.value),
        rank=system.rows,
        rank_reason=explain_rank(system),
        is_scaled=not system.is_representable,
        resolution=resolve_entries(system),
        notes=system.notes,
    )
