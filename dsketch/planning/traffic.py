"""What passes ask of stores on other machines, and what that costs in money: requests, bytes, and a price for each."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dsketch._registry import Registry
from dsketch._units import format_bytes, format_count, format_seconds
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows

_PRICES = re.compile(r"\$?(?P<requests>\d+(\.\d+)?)/1000(,\$?(?P<bytes>\d+(\.\d+)?)/GB)?", re.IGNORECASE)
_GIGABYTE = 1e9


@dataclass(frozen=True)
class Tariff:
    """What a store takes, in dollars.

    Attributes
    ----------
    per_thousand : float
        For 1,000 requests that read.
    per_gigabyte : float
        For 10⁹ bytes that leave it.
    """

    per_thousand: float
    per_gigabyte: float = 0.0


# List prices in dollars, standard class, first tier, of the east of the US, as they were in 2025: aws.amazon.com/s3/pricing and
# cloud.google.com/storage/pricing-examples.  They change: own numbers come first.  Reading within the region costs requests alone.
TARIFFS: Registry[Tariff] = Registry(
    "price",
    {
        "s3": Tariff(0.0004),
        "s3-internet": Tariff(0.0004, 0.09),
        "gcs": Tariff(0.0004),
        "gcs-internet": Tariff(0.0004, 0.12),
    },
)


def tariff_of(text: str) -> Tariff:
    """Return the prices that a name or numbers mean.

    Raises
    ------
    SpecError

    Examples
    --------
    >>> tariff_of("0.0004/1000,0.09/GB")
    Tariff(per_thousand=0.0004, per_gigabyte=0.09)
    """
    if text in TARIFFS:
        return TARIFFS[text]
    found = _PRICES.fullmatch(text.replace(" ", ""))
    if found is None:
        raise SpecError(
            f"a price was expected, such as 0.0004/1000,0.09/GB (dollars for 1,000 requests and for a GB), or one of {', '.join(TARIFFS)}; "
            f"got {text!r}."
        )
    return Tariff(float(found["requests"]), float(found["bytes"] or 0.0))


@dataclass(frozen=True)
class Traffic:
    """What is asked of stores.

    Attributes
    ----------
    requests : int
    nbytes : int
        As they are stored; of compressed arrays by the size of one chunk.
    seconds : float
        That reading costs, the arithmetic apart; 0 where nobody has measured it.
    """

    requests: int
    nbytes: int
    seconds: float = 0.0

    def dollars(self, tariff: Tariff) -> float:
        """Return what that costs."""
        return self.requests / 1000 * tariff.per_thousand + self.nbytes / _GIGABYTE * tariff.per_gigabyte

    def describe(self) -> str:
        """Return it in words."""
        words = [f"{format_count(self.requests)} request{'s' * (self.requests != 1)}", f"{format_bytes(self.nbytes)} sent"]
        return ", ".join([*words, *([f"about {format_seconds(self.seconds)} of reading"] if self.seconds else [])])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return dict(vars(self))


@contextmanager
def asked_aside(rows: Rows) -> Iterator[Callable[[], list[tuple[int, int]]]]:
    """Yield what returns requests and stored bytes of a pass for each matrix on another machine; stores are asked meanwhile."""
    matrices = [matrix for matrix in rows.matrices() if matrix.is_remote]
    if not matrices:
        yield list
        return
    with ThreadPoolExecutor(len(matrices), thread_name_prefix="dsketch-traffic") as aside:
        coming = [aside.submit(matrix.traffic) for matrix in matrices]
        yield lambda: [found for future in coming if (found := future.result()) is not None]


def traffic_of(found: list[tuple[int, int]], nbytes: int, passes: int, cache_bytes: int, seconds: float) -> Traffic | None:
    """Return what passes ask of stores where so many decoded bytes are kept from one to the next; None where all data are near.

    Parameters
    ----------
    found : list of (int, int)
        Requests and stored bytes of one pass for each matrix.
    nbytes : int
        That all matrices decode to.
    passes : int
    cache_bytes : int
        On all workers together.
    seconds : float
        That reading costs in all passes.
    """
    if not found:
        return None
    kept = min(cache_bytes / max(nbytes, 1), 1.0)
    times = 1 + max(passes - 1, 0) * (1 - kept)
    return Traffic(
        round(sum(requests for requests, _ in found) * times), round(sum(nbytes for _, nbytes in found) * times), seconds
    )
