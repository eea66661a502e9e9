"""How a problem will be answered and what that costs: the candidates, the chosen one, and why the others lost."""

from dataclasses import dataclass
from typing import Any

from dsketch.cost import Estimate, Ground, Means, estimate
from dsketch.errors import PlanError, SpecError
from dsketch.matrix.rows import Rows
from dsketch.methods import METHODS
from dsketch.methods.base import Settings
from dsketch.methods.cholesky import CONTRACTION, rounding_of_gram
from dsketch.methods.gram import TRUSTED_CONDITION
from dsketch.probe import Probe
from dsketch.sketch import SKETCHES
from dsketch.system import Question
from dsketch.units import format_bytes, format_count, format_seconds

AUTO = ("cholesky", "gram", "whitened", "tsqr", "conjugate_gradient")
# TSQR needs no sketch and has nothing to fall back from: it is taken at a price up to this much above the cheapest.
TSQR_PREMIUM = 1.1
SMALL_SECONDS = 0.05  # below it no method is worth choosing over TSQR
SKETCHLESS = ("cholesky", "factored", "tsqr")  # methods that draw nothing
MEMORY_SHARE = 0.8  # of a worker's limit that a task may plan with


@dataclass(frozen=True)
class Plan:
    """The answer to "what will you do, and what will it cost me?".

    Attributes
    ----------
    method : str
    settings : Settings
        Tolerance, sketch, seed.
    estimate : Estimate
        Passes, seconds, memory of a task thread.
    rejected : dict of str to str
        The other methods and why each lost.
    matrix, means_text : str
        Data and machines in words.
    why : str
        What decided for the method.
    read_bytes : int
        Decoded bytes that all passes read.
    condition_hint : float
        Of the probed rows, columns scaled.
    memory_limit_bytes : int
        Of a task thread.
    problem : Question
    options : dict
        The cluster that was asked for.
    aim : str
        What the method stops at, in words, where it draws no sketch; empty for the backward error of the settings.
    details : tuple of str
        Further lines that belong to the method: degrees, sizes, stages.
    """

    method: str
    settings: Settings
    estimate: Estimate
    rejected: dict[str, str]
    matrix: str
    means_text: str
    why: str
    read_bytes: int
    condition_hint: float
    memory_limit_bytes: int
    problem: Question
    options: dict[str, Any]
    aim: str = ""
    details: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it."""
        return {
            "method": self.method,
            **vars(self.settings),
            **vars(self.estimate),
            "read_bytes": self.read_bytes,
            "condition_hint": self.condition_hint,
            "memory_limit_bytes": self.memory_limit_bytes,
            "matrix": self.matrix,
            "means": self.means_text,
            "why": self.why,
            "rejected": self.rejected,
            "details": list(self.details),
        }

    def __str__(self) -> str:
        """Return the plan as a short table."""
        e, s = self.estimate, self.settings
        drawn = self.method not in SKETCHLESS and not self.aim
        sketch = f", {s.sketch} sketch" + (f" of {s.sketch_rows} rows" if s.sketch_rows else "") if drawn else ""
        aim = self.aim or f"backward error {'of Householder QR' if s.tol is None else f'≤ {s.tol:.0e}'}"
        lines = [
            f"matrix   {self.matrix}",
            f"means    {self.means_text}",
            f"method   {self.method}{sketch}, seed {s.seed}, {aim}",
            f"cost     {e.passes} passes, {format_bytes(self.read_bytes)} read, about {format_seconds(e.seconds)}, "
            f"{format_bytes(e.memory_bytes)} of {format_bytes(self.memory_limit_bytes)} a thread",
            f"why      {self.why}",
        ]
        lines += [f"detail   {detail}" for detail in self.details]
        return "\n".join([*lines, *(f"not      {name}: {reason}" for name, reason in self.rejected.items())])


def matrix_words(rows: Rows, sides: int) -> str:
    """Return the data in words: ``Plan.matrix``."""
    n, d = rows.shape
    more = f", {sides} right-hand sides" if sides > 1 else ""
    beside = "".join(
        f" · {name} {matrix.meaning}"
        for name, matrix in (("b", rows.b), ("weights", rows.weights))
        if matrix is not None and matrix.meaning
    )
    return (
        f"{format_count(n)} × {format_count(d)} {rows.A.dtype}{more} · {format_bytes(rows.nbytes)} · {rows.A.describe()}{beside}"
    )


def means_words(ground: Ground, found: Probe | None = None) -> str:
    """Return the machines in words: ``Plan.means_text``."""
    read = "" if found is None else f" · reads {format_bytes(found.read_bytes_per_second)}/s a thread (probed)"
    return f"{ground.where} · {format_bytes(ground.memory_bytes)} a thread{read}"


def check_words(method: str, settings: Settings, columns: int) -> None:
    """Refuse unknown names and impossible numbers.

    Raises
    ------
    SpecError
        Naming the value and the choices.
    """
    if method != "auto" and method not in METHODS:
        raise SpecError(f"method must be one of auto, {', '.join(sorted(METHODS))}; got {method!r}.")
    if settings.sketch not in SKETCHES:
        raise SpecError(f"sketch must be one of {', '.join(sorted(SKETCHES))}; got {settings.sketch!r}.")
    if settings.tol is not None and not 0 < settings.tol < 1:
        raise SpecError(
            f"tol must lie between 0 and 1 (a relative backward error), or be None for the accuracy of QR; got {settings.tol!r}."
        )
    if settings.sketch_rows is not None and settings.sketch_rows < columns:
        raise SpecError(
            f"sketch_rows must be at least the {columns} columns (4 times as many is common); got {settings.sketch_rows!r}. "
            "Leave it out for the rule of dsketch.sketch.size."
        )
    if not isinstance(settings.seed, int) or settings.seed < 0:
        raise SpecError(f"seed must be an integer ≥ 0; got {settings.seed!r}.")


def choose(method: str, settings: Settings, means: Means, found: Probe) -> tuple[str, dict[str, Estimate], dict[str, str], str]:
    """Return the method, the estimates of all candidates, the rejections and the reason.

    Raises
    ------
    PlanError
        If no candidate (or not the one asked for) fits in memory; the message has both numbers.
    """
    names = AUTO if method == "auto" else (method,)
    estimates = {name: estimate(name, settings, means) for name in dict.fromkeys((*AUTO, *names))}
    room = MEMORY_SHARE * means.memory_bytes
    fitting = [name for name in names if estimates[name].memory_bytes <= room]
    if not fitting:
        raise PlanError(_too_large(names, estimates, means))
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
    if "cholesky" in fitting and len(fitting) > 1 and (found.is_deficient or not _is_safe(means.n, found)):
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


def room_words(memory_bytes: int) -> str:
    """Return how errors begin that say what does not fit into a thread."""
    return f"a task must fit in {format_bytes(MEMORY_SHARE * memory_bytes)} ({MEMORY_SHARE:.0%} of {format_bytes(memory_bytes)} a thread)"


def _too_large(names: tuple[str, ...], estimates: dict[str, Estimate], means: Means) -> str:
    needs = ", ".join(f"{name} {format_bytes(estimates[name].memory_bytes)}" for name in names)
    return (
        f"{room_words(means.memory_bytes)}; {needs} would be needed: {means.blocks} block(s) of "
        f"{format_bytes(means.block_bytes)} and the parts for {format_count(means.d)} columns. Give workers "
        "more memory or fewer threads, or store smaller chunks."
    )
