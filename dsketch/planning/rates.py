"""How fast this machine does each kind of work: measured once on synthetic blocks, kept in the user's cache folder.

A rate is seconds per gigabyte of float64 rows in memory, one thread.  Between the measured widths it is interpolated on logarithmic
axes; beyond the widest, work of d flops a number grows with d.
"""

import json
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from dsketch._linalg.factor import Factor
from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.rows import Block
from dsketch.passes import Gradient, Gram, Normal, Pass, Sketching, Triangle, WhitenedGram
from dsketch.sketch import SKETCHES, SparseSign
from dsketch.sketch.size import FOR_GUARDING, FOR_ITERATING, FOR_WHITENING, rows_for

WIDTHS = (8, 32, 128, 512)
_BLOCK_BYTES = 8_000_000


def passes_to_time(d: int) -> dict[str, Pass[Any]]:
    """Return the kinds of work with a pass for each, at width d."""
    x = np.ones((d, 1))
    whitener = Factor(np.triu(np.random.default_rng(0).standard_normal((d, d))) + 4 * np.sqrt(d) * np.eye(d)).whitener
    table: dict[str, Pass[Any]] = {
        "gradient": Gradient(x),
        "gram": Gram(),
        "normal": Normal(x),
        "triangle": Triangle(),
        "whitened": WhitenedGram(whitener),
        "sketch_sparse_sign_guarding": Sketching(SparseSign(rows_for(d, FOR_GUARDING, "sparse_sign"), nonzeros=2)),
        "sketch_sparse_sign_whitening": Sketching(SparseSign(rows_for(d, FOR_WHITENING, "sparse_sign"), nonzeros=4)),
    }
    for name in ("sparse_sign", "count_sketch", "block_srht"):
        table[f"sketch_{name}"] = Sketching(SKETCHES[name](rows_for(d, FOR_ITERATING, name)))
    return table


def seconds_per_gigabyte(work: str, d: int) -> float:
    """Return the rate of a kind of work at width d.

    Parameters
    ----------
    work : str
        A key of :func:`passes_to_time`; unknown ones (the Gaussian sketch) are price_passes at 20 s.
    d : int
    """
    rates = _table()
    if f"{work}/{WIDTHS[0]}" not in rates:
        return 20.0 * max(d, 32) / 100
    known = np.log([rates[f"{work}/{width}"] for width in WIDTHS])
    beyond = max(0.0, np.log(d / WIDTHS[-1])) if work in ("gram", "triangle", "whitened") else 0.0
    return float(np.exp(np.interp(np.log(d), np.log(WIDTHS), known) + beyond))


@lru_cache(maxsize=1)
def _table() -> dict[str, float]:
    path = _cache_path()
    try:
        known = json.loads(path.read_text())
        if isinstance(known, dict):
            return known
    except (OSError, ValueError):
        pass
    measured = _measure()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(measured, indent=1))
        unfinished.replace(path)
    except OSError:
        pass  # a read-only home costs a second at the next start, nothing else
    return measured


def _cache_path() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return base / "dsketch" / f"rates-2-numpy{np.__version__}-scipy{scipy.__version__}.json"


def _measure() -> dict[str, float]:
    rates = {}
    rng = np.random.default_rng(0)
    with one_blas_thread():
        for d in WIDTHS:
            rows = max(_BLOCK_BYTES // (8 * d), 4 * d)
            A = rng.standard_normal((rows, d))
            block = Block(0, rows, A, rng.standard_normal((rows, 1)), None, False)
            for work, pass_ in passes_to_time(d).items():
                rates[f"{work}/{d}"] = min(_timed(pass_, block) for _ in range(2)) / (A.nbytes / 1e9)
    return rates


def _timed(pass_: Pass[Any], block: Block) -> float:
    began = time.perf_counter()
    pass_.map(block, None)
    return time.perf_counter() - began
