"""Errors: what went wrong, the value found, and what to do.

::

    DsketchError
    ├── SpecError(ValueError)       what was asked is not well formed
    ├── DataError(ValueError)       the data is not as declared: shape, dtype, NaN, corrupt chunk
    │   └── MissingDataError(FileNotFoundError)   a matrix or a chunk of it is not there
    ├── PlanError(ValueError)       it cannot be done within these means
    ├── EngineError(RuntimeError)   the cluster failed: unreachable, lost, out of memory
    ├── JournalError(RuntimeError)  the record cannot be written, or is not of this run
    │   of the service, which its client raises too:
    ├── JobError(LookupError)       unknown job, forbidden move
    │   ├── UnknownJob              no such job, or not yours
    │   ├── ForbiddenMove           its state does not allow that
    │   └── KeyTaken                the idempotency key came with another request
    ├── AccessError(PermissionError)
    │   ├── TokenError              no token, or a wrong one
    │   └── PlaceError              data outside the declared places
    ├── SizeError(ValueError)       the request, or the answer asked for, is too large
    ├── RateError(RuntimeError)     too many requests, streams or jobs
    └── ServiceError(RuntimeError)  the service cannot do it now

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


class UnknownJob(JobError):  # noqa: N818 - reads as what it is
    """No job of this id that the caller may see."""


class ForbiddenMove(JobError):  # noqa: N818 - reads as what it is
    """The state of the job does not allow what was asked."""


class KeyTaken(JobError):  # noqa: N818 - reads as what it is
    """The idempotency key was used before, with another request."""


class AccessError(DsketchError, PermissionError):
    """The caller may not do that."""

    def __str__(self) -> str:
        # PermissionError formats (errno, strerror) pairs; ours is one sentence.
        return str(self.args[0]) if self.args else ""


class TokenError(AccessError):
    """No token came with the request, or one that nobody has."""


class PlaceError(AccessError):
    """The data lie outside the places that the service may open."""


class SizeError(DsketchError, ValueError):
    """The request, or the answer that it asks for, is too large."""


class RateError(DsketchError, RuntimeError):
    """Too much at once."""


class ServiceError(DsketchError, RuntimeError):
    """The service cannot do it at the moment."""
