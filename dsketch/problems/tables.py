"""What may be asked of a table of coefficients, whatever the problem: which errors, which names, how wide the intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from dsketch.errors import DataError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.settings import INFORMATION, ROBUST, SUMMARY, Option

GROUPS = Option(
    "groups",
    Matrix,
    None,
    "The table with errors for rows that depend on each other within groups: Zarr vector of each row's group, any numbers; one more pass. "
    "[default: rows are independent]",
    metavar="G",
    label="Groups of rows",
)
TABLE = (SUMMARY, ROBUST, GROUPS, INFORMATION)
CLUSTER = "cluster"  # the word of a table whose errors are those of groups of rows


@dataclass(frozen=True)
class SummaryOptions:
    """What the user asked of a summary, checked.

    Attributes
    ----------
    robust : str or None
        ``HC0`` to ``HC3``; None: the model's own errors, or those of ``groups``.
    level : float
        Of the intervals.
    names : tuple of str or None
        Of the columns of A.
    groups : Matrix or None
        The group of each row, shape (n, 1): errors that stay valid when rows of a group depend on each other.
    information : {"expected", "observed"}
        Fisher's, or the curvature at the answer: the same for least squares and for canonical links.
    """

    robust: str | None = None
    level: float = 0.95
    names: tuple[str, ...] | None = None
    groups: Matrix | None = None
    information: str = "expected"

    def __post_init__(self) -> None:
        """Check at the door."""
        if self.robust is not None and self.robust not in ROBUST.choices:
            raise SpecError(
                f"robust must be None or one of {', '.join(ROBUST.choices)}; got {self.robust!r}. Leave it out for equal variances."
            )
        if self.robust is not None and self.groups is not None:
            raise SpecError(
                f"robust or groups was expected; got robust={self.robust!r} and groups, whose errors are robust already. Leave one out."
            )
        if not (isinstance(self.level, Real) and 0 < self.level < 1):
            raise SpecError(f"level must lie between 0 and 1; got {self.level!r}. Use 0.95 for 95 % intervals.")
        if self.information not in INFORMATION.choices:
            raise SpecError(
                f"information must be one of {', '.join(INFORMATION.choices)}; got {self.information!r}. Leave it out."
            )

    @property
    def covariance(self) -> str | None:
        """The word of the covariance: ``HC0`` to ``HC3``, ``cluster``, or None for the model's own."""
        return self.robust if self.groups is None else CLUSTER


def words_of_table(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is asked of a table among the options of a run, but for ``summary`` itself; None where no table is asked for.

    Any option of a table asks for one.

    >>> words_of_table({"summary": False, "robust": "HC3", "seed": 0})
    {'robust': 'HC3'}
    """
    asked = {option.name: given[option.name] for option in TABLE if option.name in given}
    if all(asked[option.name] == option.default for option in TABLE if option.name in asked):
        return None
    return {name: value for name, value in asked.items() if name != SUMMARY.name}


def no_table_error(problem: str) -> SpecError:
    """Return the refusal of a table for a problem whose answers have none."""
    return SpecError(
        f"a table of coefficients needs least squares or a generalised linear model; this is {problem}. Leave the table out, or "
        "solve lstsq."
    )


def require_groups(groups: Matrix, rows: int) -> None:
    """Refuse groups that are no number for each row.

    Raises
    ------
    DataError
    """
    if groups.shape != (rows, 1):
        raise DataError(
            f"groups must have one number for each of the {rows} rows of A; its shape is {groups.shape}. Check that both come from the "
            "same data."
        )


def name_coefficients(
    own: tuple[str, ...] | None, asked: tuple[str, ...] | None, columns: int, intercept: bool
) -> tuple[str, ...]:
    """Return a name for each coefficient: those asked for, those stored with A, or x0, x1, …, then the intercept.

    Parameters
    ----------
    own : tuple of str or None
        Stored with A.
    asked : tuple of str or None
    columns : int
        Of A.
    intercept : bool
        Whether one follows.

    Raises
    ------
    SpecError
        If they do not fit.
    """
    names = (own or tuple(f"x{place}" for place in range(columns))) if asked is None else asked
    names = (*names, "intercept") if intercept and len(names) == columns else names
    if len(names) != columns + intercept:
        raise SpecError(
            f"names must be one for each of the {columns} columns of A; got {len(names)}. Leave them out for x0, x1, …."
        )
    return names
