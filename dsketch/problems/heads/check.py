"""Any x of all heads judged in lockstep."""

from collections.abc import Sequence

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.problems.base import Problem
from dsketch.problems.heads.certificate import join_certificates
from dsketch.problems.heads.lockstep import advance_together
from dsketch.problems.outcome import Certificate


def check_heads(problems: Sequence[Problem], parts: Sequence[Floats]) -> Flow[Certificate]:
    """Return the certificate of all heads, each of whose problems judges its own rows of x by the data."""
    found = yield from advance_together([problem.judge(part) for problem, part in zip(problems, parts, strict=True)])
    return join_certificates(found)
