"""Whether matrices that should belong to the same rows do, as far as their storage says which rows they have."""

from typing import Protocol

from dsketch.errors import DataError

INDEX = "index "  # so begins the digest of the row labels of a table in memory; those of stored rows are hex
DEFAULT, SHUFFLED = "0 1 2 …", "0 1 2 … in another order"  # begin what follows, where labels are just row numbers


class OfRows(Protocol):
    """What may know its rows: a :class:`~dsketch.matrix.base.Matrix`, or :class:`~dsketch.matrix.targets.Targets`."""

    rows_digest: str | None


def require_same_rows(**matrices: OfRows | None) -> None:
    """Refuse matrices that come from different rows; what says nothing of its rows is taken to fit.

    Parameters
    ----------
    **matrices : OfRows or None
        By the names that errors use.

    Raises
    ------
    DataError
        Naming two that differ.
    """
    told = [(name, matrix.rows_digest) for name, matrix in matrices.items() if matrix is not None and matrix.rows_digest]
    for place, (first, ours) in enumerate(told):
        for second, theirs in told[place + 1 :]:
            if ours != theirs and _are_comparable(ours or "", theirs or ""):
                raise DataError(_sentence(first, second, (ours or "").startswith(INDEX)))


def _are_comparable(ours: str, theirs: str) -> bool:
    """Whether two digests that differ say that rows do: both of stored rows, or both of labels that somebody gave."""
    if ours.startswith(INDEX) != theirs.startswith(INDEX):
        return False
    bare = [digest for digest in (ours, theirs) if digest.removeprefix(INDEX) == DEFAULT]
    return not bare or any(digest.removeprefix(INDEX).startswith(SHUFFLED) for digest in (ours, theirs))


def _sentence(first: str, second: str, are_labels: bool) -> str:
    if are_labels:
        return (
            f"{first} and {second} must have the same rows in the same order; the labels of their rows (their index) differ. Align them, "
            f"for example with reindex, or pass {second}.to_numpy() if the order is right."
        )
    return (
        f"{first} and {second} come from different rows: dsketch ingest left out other rows of their sources (nulls) for each. Make them "
        "in one run: dsketch ingest … --target COL --weights COL."
    )
