"""Errors: what went wrong, the value found, and what to do.

::

    DsketchError
    ├── SpecError(ValueError)       what was asked is not well formed
    ├── DataError(ValueError)       the data is not as declared: shape, dtype, NaN, corrupt chunk
    │   └── MissingDataError(FileNotFoundError)   a matrix or a chunk of it is not there
    ├── PlanError(ValueError)       it cannot be done within these means
    ├── EngineError(RuntimeError)   the cluster failed: unreachable, lost, out of memory
    ├── JournalError(RuntimeError)  the record cannot be written, or is not of this run
    └── JobError(LookupError)       unknown job, forbidden move

Every message has three short parts: what was expected, what was found, what to do.  Not converging is not an error;
a :class:`~dsketch._results.solution.Solution` has a status.
"""


class DsketchError(Exception):
    """Root of all errors that dsketch raises on purpose."""

    exit_code = 2


class SpecError(DsketchError, ValueError):
    """What was asked is not well formed: an unknown method, a negative alpha, a bad option."""


class DataError(DsketchError, ValueError):
    """The data is not as declared: shape, dtype, NaN or infinity, a corrupt chunk."""


class MissingDataError(DataError, FileNotFoundError):
    """A matrix, or a chunk of it, is not where it should be."""

    def __new__(cls, *args: object) -> "MissingDataError":
        """Make it by OSError's rule: one that comes back from a worker is made by name, and the first base's cannot hold it."""
        return FileNotFoundError.__new__(cls, *args)

    def __str__(self) -> str:
        # FileNotFoundError formats (errno, strerror) pairs; ours is one sentence.
        return str(self.args[0]) if self.args else ""


class PlanError(DsketchError, ValueError):
    """The question is fine but cannot be answered within these means (memory, workers)."""


class EngineError(DsketchError, RuntimeError):
    """The cluster failed: unreachable, lost its workers, ran out of memory."""

    exit_code = 3


class JournalError(DsketchError, RuntimeError):
    """The record of a run cannot be written or read, or belongs to another run."""


class JobError(DsketchError, LookupError):
    """An unknown job, or a move that its state forbids."""
