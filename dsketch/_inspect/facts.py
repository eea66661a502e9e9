"""What a stored matrix is like: shape, chunks, bytes, and the pieces of a pass."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Advice:
    """Something about the storage that costs time or may surprise, and the remedy.

    Attributes
    ----------
    subject : str
        One word or two, for programs.
    finding : str
    remedy : str
        Empty where there is nothing to do.
    """

    subject: str
    finding: str
    remedy: str = ""


@dataclass(frozen=True)
class Storage:
    """How a matrix is stored and read; of CSR, chunks and codecs are those of ``data``.

    Attributes
    ----------
    address : str
    shape : tuple of int
    dtype : str
    zarr_format : int
    chunks : tuple of int
    shards : tuple of int, or None
    codecs : tuple of str
        Filters, serializer and compressors, in the order of writing.
    decoded_bytes : int
        What a pass reads and computes with.
    stored_bytes : int or None
        On the disk or in the object store; None if that cannot be listed.
    stored_objects : int
        Files of a complete array (chunks, or shards).
    missing_objects : int or None
        How many of them are not there; None if not counted (not a local disk).
    reading : str
        ``"raw"`` (the rows' own bytes, a slice at a time) or ``"decoded"`` (through zarr-python, a block at a time).
    blocks, panels : int
        Pieces of a pass: a block is in memory at once, a panel is the least that a task takes.
    block_bytes : int
        Of the largest block.
    columns : tuple of str
        Names of the columns, where the writer left them.
    advice : tuple of Advice
    nonzeros : int or None
        Stored numbers of a CSR matrix, whose chunks are counted in them; None: the array is dense.
    density : float
        Share of all numbers that is stored.
    fill : str
        What an absent chunk would read as; ``"null"`` for nothing.
    is_fill_missing : bool
        Whether such a number stands for a missing value, so that it would be refused.
    packing : str
        How the numbers that are read come from those that are stored, in words; empty where they are the same.
    time : str
        Units and calendar where the numbers count time since a date.
    requests : int or None
        That a pass makes to a store on another machine; None where it is near.
    """

    address: str
    shape: tuple[int, ...]
    dtype: str
    zarr_format: int
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    codecs: tuple[str, ...]
    decoded_bytes: int
    stored_bytes: int | None
    stored_objects: int
    missing_objects: int | None
    reading: str
    blocks: int
    panels: int
    block_bytes: int
    columns: tuple[str, ...]
    advice: tuple[Advice, ...] = ()
    nonzeros: int | None = None
    density: float = 1.0
    fill: str = ""
    is_fill_missing: bool = False
    packing: str = ""
    time: str = ""
    requests: int | None = None

    @property
    def extent(self) -> tuple[int, ...]:
        """Sizes of what is cut into chunks: the array, or the stored numbers of a CSR matrix."""
        return self.shape if self.nonzeros is None else (self.nonzeros,)


@dataclass(frozen=True)
class StoredAnswers:
    """What a group of answers, as workers of ours write it, says about itself.

    Attributes
    ----------
    address : str
    problem, status, method : str
        The name of the problem, how it ended, by which method.
    arrays : dict of str to tuple
        Of each array its shape and dtype.
    chunks : tuple of int
        Of the first array.
    decoded_bytes : int
        Of all arrays.
    worst : float or None
        The largest backward error of any target.
    sources : dict of str to str or None
        Where the data lay.
    certificate : dict
        As it was written.
    notes : tuple of str
    """

    address: str
    problem: str
    status: str
    method: str
    arrays: dict[str, tuple[tuple[int, ...], str]]
    chunks: tuple[int, ...]
    decoded_bytes: int
    worst: float | None
    sources: dict[str, str | None]
    certificate: dict[str, Any]
    notes: tuple[str, ...]
