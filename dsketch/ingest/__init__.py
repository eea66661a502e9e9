"""Bring data in: NumPy files, CSV and Parquet of any size become Zarr arrays that dsketch can solve on.

::

    convert ── ingest(): the one public function
      ├── choice     which columns, which are the targets, what about nulls and levels
      ├── like       the columns and levels of a matrix that is there
      ├── remedy     what to do, for who has options and for who has the file alone
      ├── staged     write beside, rename when complete, never leave half a result
      ├── writer     rows in, full Zarr chunks out
      └── formats    the file name's ending → who reads it
            ├── array      .npy and .npz, memory-mapped
            ├── csr        .npz of scipy.sparse, and write_csr for matrices in memory
            └── table      record batches → blocks of floats      (pyarrow, from here down)
                  ├── delimited   .csv, .tsv, also packed; stream its bytes, heading its first lines
                  ├── parquet     and several files, their partitions: keys in paths
                  ├── survey      first pass: is it a number, which levels, which rows stay (tally)
                  ├── levels      is text a category at all: what it looks like (looks), which level is the base
                  └── encode      a column → floats: number, flag, one-hot

Nothing here reads a whole file into memory.  pyarrow is needed for CSV and Parquet only; it comes with
``pip install 'dsketch[ingest]'``.
"""

import sys
from types import ModuleType
from typing import Any

from dsketch.ingest.convert import Ingested, ingest
from dsketch.ingest.csr import write_csr
from dsketch.ingest.like import Like

__all__ = ["Ingested", "Like", "ingest", "write_csr"]


class _Callable(ModuleType):
    """A module that has the name of its function: ``dsketch.ingest(…)`` is a call of that."""

    def __call__(self, *sources: Any, **choices: Any) -> Ingested:
        return ingest(*sources, **choices)


sys.modules[__name__].__class__ = _Callable
