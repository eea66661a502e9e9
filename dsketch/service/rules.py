"""What the service allows to whoever may come in."""

from dataclasses import dataclass, field

from dsketch.planning.traffic import Tariff
from dsketch.service.notices import NoticeHosts
from dsketch.service.uploads import UploadLimits


@dataclass(frozen=True)
class Rules:
    """What the service allows.

    Attributes
    ----------
    most_jobs : int
        That run at once.
    small_bytes : int
        Data below this need no cluster.
    most_seconds, most_memory_bytes : float, int or None
        Of a job that does not ask for less.
    most_result_bytes : int
        Of x.
    most_waiting : int
        Jobs of one owner in line.
    most_read_bytes : int or None
        That a job may read, over all its passes.
    most_planning_seconds : float
        Until the plan of a job is made.
    results_umask : int
        For results under declared folders, which others may be meant to read.
    notice_hosts : NoticeHosts
        That may be told of the end of a job.
    tariff : Tariff or None
        What the stores of data take, for plans to tell it in dollars.
    uploads : UploadLimits
        Of what an owner may send.
    """

    most_jobs: int = 2
    small_bytes: int = 256_000_000
    most_seconds: float | None = None
    most_memory_bytes: int | None = None
    most_result_bytes: int = 10_000_000_000
    most_waiting: int = 10_000
    most_read_bytes: int | None = 10_000_000_000_000
    most_planning_seconds: float = 300.0
    results_umask: int = 0o077
    notice_hosts: NoticeHosts = field(default_factory=NoticeHosts)
    tariff: Tariff | None = None
    uploads: UploadLimits = field(default_factory=UploadLimits)
