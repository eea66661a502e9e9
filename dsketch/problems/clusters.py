"""Errors for rows that depend on each other within groups: what the sums by group become.

With s_g = Σ_{i in g} wᵢ rᵢ aᵢ the covariance is T (Σ_g Tᵀs_g s_gᵀT) Tᵀ · G/(G − 1) · (n − 1)/(n − rank): as ``cov_type="cluster"`` of
statsmodels has it, and Stata.  n are the rows that count (frequencies count as many), G the groups that have one.  The errors rest on
the number of groups, not of rows: with few groups (below about 40) they are too small, and of rank below G.

References
----------
K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73, 1986.
A. C. Cameron, D. L. Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50, 2015, sections II and VI.
"""

from dsketch.errors import DataError
from dsketch.passes.group_scores import Groups

_TABLE_BYTES = 2**27  # of one table of sums; merging holds three of them, which a worker of 1 GiB has beside its blocks
_FEW = 40  # Cameron & Miller, section VI.A: 20 to 50 groups are where the errors begin to be right


def most_groups(columns: int, sides: int) -> int:
    """Return how many groups a table may have for d columns and k right-hand sides."""
    return max(_TABLE_BYTES // (8 * (columns * sides + 2)), 2)


def stretch_of(found: Groups, rank: int) -> float:
    """Return G/(G − 1) · (n − 1)/(n − rank).

    Raises
    ------
    DataError
        If there is one group only.
    """
    if found.groups < 2:
        raise DataError(
            "groups must be at least 2 that have a row of positive weight; all such rows are of one. Give each row the number of its own "
            "group, or leave groups out."
        )
    return found.groups / (found.groups - 1) * (found.rows - 1) / (found.rows - rank)


def remark_of(found: Groups, rank: int) -> tuple[str, ...]:
    """Return what is said of few groups."""
    if found.groups <= rank:
        return (f"{found.groups} groups for rank {rank}: their covariance is singular, so that errors of combinations may be 0",)
    if found.groups < _FEW:
        return (f"errors by group rest on many groups; {found.groups} are few, so that they may be too small",)
    return ()
