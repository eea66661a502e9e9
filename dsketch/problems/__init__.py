"""Problems: what is asked; a wing for each family, a class for each problem, one line in the table."""

from collections.abc import Mapping
from typing import Any

from dsketch._registry import Registry
from dsketch.errors import SpecError
from dsketch.problems.attention.gradient import AttentionGradient
from dsketch.problems.attention.layer import AttentionLayer
from dsketch.problems.attention.problem import Attention
from dsketch.problems.base import Problem
from dsketch.problems.heads.problem import Heads
from dsketch.problems.inversion.distribution import LeverageDistribution
from dsketch.problems.inversion.problem import LeverageGradient
from dsketch.problems.kernel.problem import ExpKernel
from dsketch.problems.kernel.restricted import RestrictedKernel
from dsketch.problems.leverage.problem import LeverageScores
from dsketch.problems.leverage.sampled import SampledLeastSquares
from dsketch.problems.linear.least_squares import LeastSquares
from dsketch.problems.linear.problem import LinearProblem
from dsketch.problems.linear.ridge import Ridge
from dsketch.problems.marginal.problem import Marginal
from dsketch.problems.nonlinear.softmax_regression import SoftmaxRegression
from dsketch.problems.nonlinear.softmax_resnet import SoftmaxResNet
from dsketch.problems.nonlinear.two_layer import TwoLayer
from dsketch.problems.outcome import Outcome
from dsketch.problems.penalized.bounded import Bounded
from dsketch.problems.penalized.elastic_net import ElasticNet
from dsketch.problems.penalized.elastic_net_path import ElasticNetPath
from dsketch.problems.powers.gram_exponential import GramExponential
from dsketch.problems.powers.gram_power import GramPower
from dsketch.problems.powers.odd_gram_power import OddGramPower
from dsketch.problems.smooth.glm import GLM
from dsketch.problems.smooth.multinomial import Multinomial
from dsketch.problems.targets.problem import TargetRegression

_KINDS: tuple[type[Problem], ...] = (
    LeastSquares,
    Ridge,
    GramPower,
    OddGramPower,
    GramExponential,
    ExpKernel,
    RestrictedKernel,
    GLM,
    Multinomial,
    LeverageScores,
    SampledLeastSquares,
    ElasticNet,
    ElasticNetPath,
    Bounded,
    LeverageGradient,
    LeverageDistribution,
    SoftmaxRegression,
    SoftmaxResNet,
    TwoLayer,
    Attention,
    AttentionGradient,
    AttentionLayer,
    Marginal,
)
PROBLEMS: Registry[type[Problem]] = Registry("problem", {kind.name: kind for kind in _KINDS})

__all__ = [
    "GLM",
    "PROBLEMS",
    "Attention",
    "AttentionGradient",
    "AttentionLayer",
    "Bounded",
    "ElasticNet",
    "ElasticNetPath",
    "ExpKernel",
    "GramExponential",
    "GramPower",
    "Heads",
    "LeastSquares",
    "LeverageDistribution",
    "LeverageGradient",
    "LeverageScores",
    "LinearProblem",
    "Marginal",
    "Multinomial",
    "OddGramPower",
    "Outcome",
    "Problem",
    "RestrictedKernel",
    "Ridge",
    "SampledLeastSquares",
    "SoftmaxRegression",
    "SoftmaxResNet",
    "TargetRegression",
    "TwoLayer",
    "kind_of",
]


def kind_of(parameters: Mapping[str, Any], *, by_targets: bool = False) -> type[Problem]:
    """Return the class of a problem by its parameters: one of the table, or the one that answers its right-hand sides as targets.

    Parameters
    ----------
    parameters : mapping
        ``{"problem": name, …options}``.
    by_targets : bool
        Whether answers go into a group of arrays by target; ``missing="drop"`` asks for that too, unless a problem has a meaning of its
        own for it.

    Raises
    ------
    SpecError
        If the problem has no such answers.
    """
    name = parameters["problem"]
    if name == TargetRegression.name:
        return TargetRegression
    kind = PROBLEMS[name]
    drops = parameters.get("missing") == "drop" and (kind.is_by_targets or "drop" not in kind.missing_option.choices)
    if not (by_targets or drops):
        return kind
    if not kind.is_by_targets:
        able = ", ".join(other.name for other in _KINDS if other.is_by_targets)
        raise SpecError(
            f"out_dir and missing='drop' answer right-hand sides as targets, as {able} can; {name} cannot. Leave them out, or give out."
        )
    return TargetRegression
