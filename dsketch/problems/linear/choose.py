"""Which method answers a linear system: the cheapest that fits and can reach the tolerance."""

from dsketch._units import format_bytes, format_count, format_seconds
from dsketch.errors import PlanError
from dsketch.planning.choice import MEMORY_SHARE, SMALL_SECONDS, TSQR_PREMIUM, describe_room
from dsketch.planning.price import Estimate, Workload
from dsketch.planning.probe import Probe
from dsketch.problems.linear.cholesky import CONTRACTION, rounding_of_gram
from dsketch.problems.linear.gram import TRUSTED_CONDITION
from dsketch.problems.linear.price import estimate
from dsketch.settings import Settings

AUTO = ("cholesky", "gram", "whitened", "tsqr", "conjugate_gradient")


def choose(
    method: str, settings: Settings, workload: Workload, found: Probe
) -> tuple[str, dict[str, Estimate], dict[str, str], str]:
    """Return the method, the estimates of all candidates, the rejections and the reason.

    Raises
    ------
    PlanError
        If no candidate (or not the one asked for) fits in memory; the message has both numbers.
    """
    names = AUTO if method == "auto" else (method,)
    estimates = {name: estimate(name, settings, workload) for name in dict.fromkeys((*AUTO, *names))}
    room = MEMORY_SHARE * workload.memory_bytes
    fitting = [name for name in names if estimates[name].memory_bytes <= room]
    if not fitting:
        raise PlanError(_too_large(names, estimates, workload))
    if method != "auto":
        return method, estimates, {}, "asked for"
    rejected = {
        name: f"needs {format_bytes(estimates[name].memory_bytes)} of {format_bytes(room)} a thread"
        for name in names
        if name not in fitting
    }
    if "gram" in fitting and len(fitting) > 1 and (found.is_deficient or found.condition > TRUSTED_CONDITION):
        fitting.remove("gram")
        hint = "lack rank" if found.is_deficient else f"have condition {found.condition:.0e}"
        rejected["gram"] = f"the probed rows {hint}; a Gram matrix is trusted to {TRUSTED_CONDITION:.0e}"
    if "cholesky" in fitting and len(fitting) > 1 and (found.is_deficient or not _is_safe(workload.n, found)):
        fitting.remove("cholesky")
        rejected["cholesky"] = (
            f"the probed rows have condition {found.condition:.0e}: rounding could hide in AᵀA"
            if not found.is_deficient
            else "the probed rows lack rank"
        )
    best = min(fitting, key=lambda name: estimates[name].seconds)
    why = f"the cheapest of {len(fitting)} that can reach the tolerance"
    limit = max(TSQR_PREMIUM * estimates[best].seconds, SMALL_SECONDS)
    if "tsqr" in fitting and best != "tsqr" and estimates["tsqr"].seconds <= limit:
        best, why = "tsqr", "stable for every A, at a price near the cheapest"
    for name in fitting:
        if name != best:
            cost = estimates[name]
            rejected[name] = f"about {format_seconds(cost.seconds)} in {cost.passes} passes"
    return best, estimates, rejected, why


def _is_safe(rows: int, found: Probe) -> bool:
    """Whether a Gram matrix of rows like the probed ones would vouch for itself."""
    return rounding_of_gram(rows, found.trace) * found.condition**2 <= CONTRACTION


def _too_large(names: tuple[str, ...], estimates: dict[str, Estimate], workload: Workload) -> str:
    needs = ", ".join(f"{name} {format_bytes(estimates[name].memory_bytes)}" for name in names)
    return (
        f"{describe_room(workload.memory_bytes)}; {needs} would be needed: {workload.blocks} block(s) of "
        f"{format_bytes(workload.block_bytes)} and the parts for {format_count(workload.d)} columns. Give workers "
        "more memory or fewer threads, or store smaller chunks."
    )
