"""The plan of attention: time a tile on a few rows, price the methods, choose."""

from dataclasses import replace

from dsketch._units import format_bytes, format_count
from dsketch.matrix.base import Matrix
from dsketch.passes.convolution import BLOCKS
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.attention.conv import Conv
from dsketch.problems.attention.conv_gradient import ConvGradient
from dsketch.problems.attention.features import Features
from dsketch.problems.attention.gradient_method import GradientCase
from dsketch.problems.attention.gradient_methods import GRADIENT_METHODS
from dsketch.problems.attention.gradient_system import GradientSystem
from dsketch.problems.attention.layer_method import LayerCase
from dsketch.problems.attention.layer_methods import LAYER_METHODS
from dsketch.problems.attention.layer_system import LayerSystem
from dsketch.problems.attention.method import AttentionCase
from dsketch.problems.attention.methods import METHODS
from dsketch.problems.attention.sample import sample_rows
from dsketch.problems.attention.system import AttentionSystem
from dsketch.problems.choose import plan_case
from dsketch.settings import Settings


def plan_attention(system: AttentionSystem, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan.

    Raises
    ------
    SpecError
        If the method that was asked for cannot do what is asked.
    PlanError
        If a block of rows does not fit into a worker.
    DataError
        If the first rows cannot be read or hold a NaN.
    """
    case = AttentionCase(settings, machines, system, sample_rows(Q=system.Q, K=system.K, V=system.V))
    choice = plan_case(METHODS, method, case, system.rows, machines)
    rows = system.rows
    light = 1 if system.degree is None else 2  # looks at each side before the answer's
    others, again = system.K.nbytes + system.V.nbytes, 1 if isinstance(METHODS[choice.method], Features) else len(rows.cuts) - 1
    if isinstance(METHODS[choice.method], Conv):
        light, others, again = 3, system.V.nbytes, BLOCKS // 2
    return replace(
        choice,
        matrix=describe(Q=system.Q, K=system.K, V=system.V),
        aim="to rounding",
        read_bytes=(light + 1) * rows.nbytes + (light + again) * others,
    )


def plan_gradient(system: GradientSystem, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan of a gradient.

    Raises
    ------
    PlanError
        If a block of rows does not fit into a worker.
    DataError
        If the first rows cannot be read or hold a NaN.
    """
    forward = system.forward
    data = {"Q": forward.Q, "K": forward.K, "V": forward.V, "dY": system.above}
    case = GradientCase(settings, machines, system, sample_rows(**data))
    choice = plan_case(GRADIENT_METHODS, method, case, system.rows, machines)
    sides = ((system.queries, forward.others), (system.rows, system.others))
    is_conv = isinstance(GRADIENT_METHODS[choice.method], ConvGradient)
    swept = sum(
        rows.nbytes + (BLOCKS // 2 if is_conv else len(rows.cuts) - 1) * sum(other.nbytes for other in others.matrices)
        for rows, others in sides
    )
    return replace(
        choice, matrix=describe(**data), aim="to rounding", read_bytes=swept + sum(one.nbytes for one in data.values())
    )


def plan_layer(system: LayerSystem, starts: int, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan of a layer that begins at so many points.

    Raises
    ------
    SpecError
        If the method asked for cannot answer it.
    PlanError
        If a block of rows does not fit into a worker.
    DataError
        If the first rows cannot be read or hold a NaN.
    """
    data = {"A1": system.A1, "A2": system.A2, "A3": system.A3, "B": system.B}
    case = LayerCase(settings, machines, system, sample_rows(**data), starts)
    choice = plan_case(LAYER_METHODS, method, case, system.rows, machines)
    rows, tol = system.rows, settings.tol
    swept = rows.nbytes + (len(rows.cuts) - 1) * (system.A2.nbytes + system.A3.nbytes)
    return replace(
        choice,
        matrix=describe(**data),
        aim="a stationary point to rounding" if tol is None else f"relative gradient or step ≤ {tol:.0e}",
        read_bytes=choice.estimate.passes * swept,
    )


def describe(**matrices: Matrix) -> str:
    """Return matrices in words."""
    return "; ".join(
        f"{name} {format_count(matrix.shape[0])} × {format_count(matrix.shape[1])} {matrix.dtype} · {format_bytes(matrix.nbytes)} · "
        f"{matrix.describe()}"
        for name, matrix in matrices.items()
    )
