"""Judge any rows of attention: a sweep of its own, compared where the rows lie."""

from dsketch._linalg.arrays import Floats
from dsketch.matrix.array import ArrayMatrix
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.rows_gap import Gap, RowsGap
from dsketch.problems.attention.certificate import AttentionCertificate, judged_certificate
from dsketch.problems.attention.sweep import sweep_answer
from dsketch.problems.attention.system import AttentionSystem


def check_attention(system: AttentionSystem, x: Floats) -> Flow[AttentionCertificate]:
    """Return how far rows are from the judge's own.  Three passes, of which the last is a sweep.

    Parameters
    ----------
    x : ndarray, shape (n, k)
    """
    measured = yield from system.measure()
    answer = yield from sweep_answer(measured)
    found: Gap = yield Look(RowsGap(answer.pass_), measured.system.beside(ArrayMatrix(x)))
    return judged_certificate(answer, found.gap)
