"""What a job's process is to do, and what it needs for that: data that it may open, an engine, the plan as it goes out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsketch._jsonable import plain
from dsketch._results.plan import Plan
from dsketch._units import format_bytes
from dsketch.engine import Engine, connect_engine
from dsketch.engine.connect import is_small
from dsketch.matrix.rows import Rows
from dsketch.planning.traffic import Tariff
from dsketch.service.errors import SizeError
from dsketch.service.hidden import hide_addresses_in
from dsketch.service.job_pipe import Link
from dsketch.service.places import Roots
from dsketch.service.residuals import ResidualWish
from dsketch.service.specs import Spec, spec_of
from dsketch.service.upload_data import Making, UploadPlace, bring_in
from dsketch.service.watch import watching

_WITHOUT_PENALTY = ("lstsq", "glm")  # where levels of text that add up to the intercept would leave no coefficient determined


@dataclass(frozen=True)
class JobWork:
    """What a process is to do.

    Attributes
    ----------
    spec : dict
        The document of the run.
    folder : Path or None
        Of the job; None: only plan.
    roots : Roots
    small_bytes : int
        Data below this are solved in the process itself, larger ones on the cluster.
    memory_bytes : int or None
        That the process may use.
    most_result_bytes : int
        Of x.
    most_read_bytes : int or None
        That all passes together may read.
    results_umask : int
        For results outside of the job's folder.
    sign_key : Path or None
        The service's private key, by which the receipt is signed; None: not signed.
    residuals : ResidualWish or None
        Draw these of a solved job in place of a plan.
    tariff : Tariff or None
        What the stores of the data take.
    uploads : UploadPlace or None
        Of the owner.
    """

    spec: dict[str, Any]
    folder: Path | None
    roots: Roots
    small_bytes: int
    memory_bytes: int | None
    most_result_bytes: int
    most_read_bytes: int | None = None
    results_umask: int = 0o077
    sign_key: Path | None = None
    residuals: ResidualWish | None = None
    tariff: Tariff | None = None
    uploads: UploadPlace | None = None


def admit(work: JobWork, link: Link, like: Mapping[str, Any] | None = None) -> Spec:
    """Return the spec with the data's full addresses, uploads made into matrices, after a look at what lies there.

    Parameters
    ----------
    like : mapping, optional
        What an answer says of its columns, for uploads of new rows.
    """
    spec = spec_of(work.spec)
    spec.require_bounded()
    if work.uploads is not None:
        is_plain = spec.problem in _WITHOUT_PENALTY and not getattr(spec, "alpha", 0)
        making = Making(drops_first=is_plain and getattr(spec, "intercept", False), like=like)
        spec = spec.model_copy(update=bring_in(spec.addresses(), work.uploads, link.hear, making))
    places = {name: work.roots.admit(address, name) for name, address in spec.addresses().items()}
    for name, address in places.items():
        work.roots.screen(address, name)
    return spec.model_copy(update=places)


def require_small(size: int, shape: tuple[int, ...], most_bytes: int) -> None:
    """Refuse an answer that is too large.

    Raises
    ------
    SizeError
    """
    if size > most_bytes:
        raise SizeError(
            f"an answer of at most {format_bytes(most_bytes)} was expected; x of shape {shape} has {format_bytes(size)}. Ask "
            "for fewer right-hand sides at once, or for a larger --max-result."
        )


@contextmanager
def engine_for(work: JobWork, rows: Rows, link: Link, replicas: int = 1) -> Iterator[Engine]:
    """Yield the engine: this process for small data that no workers shall compare, else the service's cluster; both give the same bits."""
    where = "serial" if replicas == 1 and is_small(rows, work.small_bytes) else link.cluster()
    threads = 1 if where == "serial" else None
    with connect_engine(where, rows, threads=threads, replicas=replicas) as engine, watching(engine, link.tell):
        yield engine


def describe_plan(made: Plan, tariff: Tariff | None) -> dict[str, Any]:
    """Return a plan as it goes out, in dollars where the stores' tariff is known."""
    money = {"dollars": made.store.dollars(tariff)} if made.store is not None and tariff is not None else {}
    return hide_addresses_in(plain({**made.to_dict(), **money, "text": str(made)}))
