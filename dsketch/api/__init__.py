"""What users call: the verbs, a shorthand for a problem, a file for each family of them.

Drawn upwards: ``verbs`` stands on a run (:mod:`dsketch._results.run`), shorthands on the verbs.
"""

from dsketch._results.predict import predict
from dsketch.api.ledger import audit, receipt
from dsketch.api.linear import coreset, lstsq, marginal, ridge
from dsketch.api.rows import attention, attention_gradient, leverage_scores
from dsketch.api.smooth import elastic_net_path, glm
from dsketch.api.verbs import check, plan, resume, solve
from dsketch.matrix.open import open_matrix

__all__ = [
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
