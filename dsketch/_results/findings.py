"""What an audit says: what is false, what was looked at, and how likely what was not looked at would have been caught."""

import math
from dataclasses import dataclass
from typing import Any

from dsketch._results.receipt import Receipt
from dsketch._units import format_bytes


@dataclass(frozen=True)
class Fault:
    """Something that is false.

    Attributes
    ----------
    where : str
        One of ``receipt, signature, header, record, out, sum, panel, data, answer``.
    text : str
    record, panel : int or None
        Which, counted from 1 and from 0.
    """

    where: str
    text: str
    record: int | None = None
    panel: int | None = None


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    receipt : Receipt or None
        None if it cannot be read.
    faults : tuple of Fault
    records : int
        Whose links were checked.
    is_replayed : bool
        Whether the driver's steps were run again to the bits of x.
    sums : int
        Records whose sum was compared with those of its panels.
    drawn, panels : int
        Panels made again from the data, of those that the chain holds.
    read_bytes, solve_bytes : int
        Decoded bytes that the audit, and the passes of the run, read.
    notes : tuple of str
        What was not checked, and why.
    """

    receipt: Receipt | None
    faults: tuple[Fault, ...]
    records: int = 0
    is_replayed: bool = False
    sums: int = 0
    drawn: int = 0
    panels: int = 0
    read_bytes: int = 0
    solve_bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing false was found."""
        return not self.faults

    def catches(self, share: float) -> float:
        """Return the probability that the panels drawn hold a false one, if this share of all is false.

        Examples
        --------
        >>> round(Audit(None, (), drawn=50, panels=100_000).catches(0.05), 3), Audit(None, (), drawn=9, panels=9).catches(0.01)
        (0.923, 1.0)
        """
        return catch_probability(self.panels, math.ceil(share * self.panels), self.drawn)

    def to_dict(self) -> dict[str, Any]:
        """Return what was found, as JSON can hold it."""
        told = {name: value for name, value in vars(self).items() if name not in ("receipt", "faults")}
        return {
            "is_clean": self.is_clean,
            "faults": [vars(fault) for fault in self.faults],
            **told,
            "catches": {f"{share:g}": self.catches(share) for share in (0.01, 0.05, 0.2)},
            "receipt": None if self.receipt is None else self.receipt.to_dict(),
        }

    def __str__(self) -> str:
        """Return what was found, in a few lines."""
        lines = [] if self.receipt is None else [str(self.receipt)]
        lines.append(f"links     {self.records} records")
        lines.append(f"steps     {'replayed to the bits of x' if self.is_replayed else 'not replayed to x'}")
        lines.append(f"sums      of {self.sums} records are those of their panels")
        if self.drawn:
            share = f" = {self.read_bytes / self.solve_bytes:.1%} of what the solve read" if self.solve_bytes else ""
            lines.append(f"panels    {self.drawn} of {self.panels} made again; read {format_bytes(self.read_bytes)}{share}")
            lines.append(
                f"          false panels are caught: 1 % of all with {self.catches(0.01):.2g}, 5 % with {self.catches(0.05):.3g}"
            )
        lines += [f"note      {note}" for note in self.notes]
        lines += [f"FALSE     {fault.where}: {fault.text}" for fault in self.faults]
        return "\n".join(
            [*lines, "audit     nothing false was found" if self.is_clean else "audit     the run is not what its receipt says"]
        )


def catch_probability(panels: int, false: int, drawn: int) -> float:
    """Return 1 − C(N − m, s)/C(N, s): the probability that s panels drawn of N hold one of m.

    Examples
    --------
    >>> catch_probability(4, 1, 2)
    0.5
    """
    missed = 1.0
    for place in range(min(drawn, panels)):
        missed *= max(panels - false - place, 0) / (panels - place)
    return 1.0 - missed
