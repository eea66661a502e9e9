"""Problems: what is asked; a wing for each family, a class for each problem, one line in the table."""

from dsketch._registry import Registry
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
    "TwoLayer",
]
