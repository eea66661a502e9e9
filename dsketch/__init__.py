"""dsketch: certified least squares and ridge regression on Zarr matrices too tall for memory, in few passes.

>>> import numpy as np, dsketch
>>> A = np.random.default_rng(0).standard_normal((1000, 3))
>>> solution = dsketch.lstsq(A, A @ [1.0, 2.0, 3.0])
>>> solution.x.round(10), solution.status.name
(array([1., 2., 3.]), 'SOLVED')

Files become Zarr matrices with ``from dsketch.ingest import ingest`` (``dsketch.ingest(…)`` calls it too), or by ``dsketch ingest`` on
the command line; estimators stand in :mod:`dsketch.sklearn`.
"""

from dsketch._results.coreset import Coreset
from dsketch._results.findings import Audit
from dsketch._results.marginal import MarginalResult
from dsketch._results.plan import Plan
from dsketch._results.receipt import Receipt
from dsketch._results.solution import Solution
from dsketch._results.targets import TargetFit
from dsketch.api import (
    attention,
    attention_gradient,
    audit,
    check,
    coreset,
    elastic_net_path,
    glm,
    leverage_scores,
    lstsq,
    marginal,
    plan,
    predict,
    receipt,
    resume,
    ridge,
    solve,
)
from dsketch.client import Client
from dsketch.errors import (
    DataError,
    DsketchError,
    EngineError,
    JobError,
    JournalError,
    MissingDataError,
    PlanError,
    SpecError,
)
from dsketch.matrix.head import Head
from dsketch.matrix.open import open_matrix
from dsketch.problems import (
    GLM,
    Attention,
    AttentionGradient,
    AttentionLayer,
    Bounded,
    ElasticNet,
    ElasticNetPath,
    ExpKernel,
    GramExponential,
    GramPower,
    Heads,
    LeastSquares,
    LeverageDistribution,
    LeverageGradient,
    LeverageScores,
    Marginal,
    Multinomial,
    OddGramPower,
    Problem,
    RestrictedKernel,
    Ridge,
    SampledLeastSquares,
    SoftmaxRegression,
    SoftmaxResNet,
    TargetRegression,
    TwoLayer,
)
from dsketch.problems.linear.statistics import Summary
from dsketch.problems.outcome import Certificate, Status
from dsketch.problems.smooth.statistics import GLMSummary
from dsketch.version import __version__

__all__ = [
    "GLM",
    "Attention",
    "AttentionGradient",
    "AttentionLayer",
    "Audit",
    "Bounded",
    "Certificate",
    "Client",
    "Coreset",
    "DataError",
    "DsketchError",
    "ElasticNet",
    "ElasticNetPath",
    "EngineError",
    "ExpKernel",
    "GLMSummary",
    "GramExponential",
    "GramPower",
    "Head",
    "Heads",
    "JobError",
    "JournalError",
    "LeastSquares",
    "LeverageDistribution",
    "LeverageGradient",
    "LeverageScores",
    "Marginal",
    "MarginalResult",
    "MissingDataError",
    "Multinomial",
    "OddGramPower",
    "Plan",
    "PlanError",
    "Problem",
    "Receipt",
    "RestrictedKernel",
    "Ridge",
    "SampledLeastSquares",
    "SoftmaxRegression",
    "SoftmaxResNet",
    "Solution",
    "SpecError",
    "Status",
    "Summary",
    "TargetFit",
    "TargetRegression",
    "TwoLayer",
    "__version__",
    "attention",
    "attention_gradient",
    "audit",
    "check",
    "coreset",
    "elastic_net_path",
    "glm",
    "leverage_scores",
    "lstsq",
    "marginal",
    "open_matrix",
    "plan",
    "predict",
    "receipt",
    "resume",
    "ridge",
    "solve",
]


def __dir__() -> list[str]:
    """Return what is for users; rooms below are found by their paths."""
    return sorted([*__all__, "ingest"])
