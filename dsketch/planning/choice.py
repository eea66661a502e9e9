"""How a problem will be answered and what that costs: the candidates, the chosen one, and why the others lost."""

from dataclasses import dataclass
from typing import Any

from dsketch._html import lines_table
from dsketch._units import format_bytes, format_count, format_counted, format_seconds
from dsketch.matrix.rows import Rows
from dsketch.planning.price import Estimate, Machines
from dsketch.planning.probe import Probe
from dsketch.planning.traffic import Traffic
from dsketch.settings import Settings

MEMORY_SHARE = 0.8  # the share of a worker's limit that a task may plan with


@dataclass(frozen=True)
class Choice:
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
    matrix, machines_text : str
        Data and machines in words.
    why : str
        What decided for the method.
    read_bytes : int
        Decoded bytes that all passes read.
    condition_hint : float
        Of the probed rows, columns scaled.
    memory_limit_bytes : int
        Of a task thread.
    aim : str
        What the method stops at, in words, where it draws no sketch; empty for the backward error of the settings.
    details : tuple of str
        Further lines that belong to the method: degrees, sizes, stages.
    takes : tuple of str
        The settings that the method reads besides ``tol`` and ``seed``.
    store : Traffic or None
        What is asked of stores on other machines, if data lie there.
    """

    method: str
    settings: Settings
    estimate: Estimate
    rejected: dict[str, str]
    matrix: str
    machines_text: str
    why: str
    read_bytes: int
    condition_hint: float
    memory_limit_bytes: int
    aim: str = ""
    details: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    store: Traffic | None = None

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
            "means": self.machines_text,
            "why": self.why,
            "rejected": self.rejected,
            "details": list(self.details),
            "store": None if self.store is None else self.store.to_dict(),
        }

    def __repr__(self) -> str:
        """Return the plan in one line."""
        cost = f"{format_counted(self.estimate.passes, 'pass', 'passes')}, about {format_seconds(self.estimate.seconds)}"
        return f"<{type(self).__name__} {self.method}: {cost}, {format_bytes(self.read_bytes)} read>"

    def _repr_html_(self) -> str:
        """Return the plan as a notebook shows it."""
        return lines_table(str(self))

    def __str__(self) -> str:
        """Return the plan as a short table."""
        e, s = self.estimate, self.settings
        is_drawn = "sketch" in self.takes and not self.aim
        sketch = f", {s.sketch} sketch" + (f" of {s.sketch_rows} rows" if s.sketch_rows else "") if is_drawn else ""
        aim = self.aim or f"backward error {'of Householder QR' if s.tol is None else f'≤ {s.tol:.0e}'}"
        lines = [
            f"matrix   {self.matrix}",
            f"means    {self.machines_text}",
            f"method   {self.method}{sketch}, seed {s.seed}, {aim}",
            f"cost     {format_counted(e.passes, 'pass', 'passes')}, "
            f"{format_bytes(self.read_bytes)} read, about {format_seconds(e.seconds)}, "
            f"{format_bytes(e.memory_bytes)} of {format_bytes(self.memory_limit_bytes)} a thread",
            f"why      {self.why}",
        ]
        lines += [] if self.store is None else [f"store    {self.store.describe()}"]
        lines += [f"detail   {detail}" for detail in self.details]
        return "\n".join([*lines, *(f"not      {name}: {reason}" for name, reason in self.rejected.items())])


def describe_data(rows: Rows, sides: int) -> str:
    """Return the data in words: ``Choice.matrix``."""
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


def describe_machines(machines: Machines, found: Probe | None = None) -> str:
    """Return the machines in words: ``Choice.machines_text``."""
    read = "" if found is None else f" · reads {format_bytes(found.read_bytes_per_second)}/s a thread (probed)"
    return f"{machines.where} · {format_bytes(machines.memory_bytes)} a thread{read}"


def describe_room(memory_bytes: int) -> str:
    """Return how errors begin that say what does not fit into a thread."""
    return f"a task must fit in {format_bytes(MEMORY_SHARE * memory_bytes)} ({MEMORY_SHARE:.0%} of {format_bytes(memory_bytes)} a thread)"
