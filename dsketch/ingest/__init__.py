"""Bring data in: NumPy files, CSV and Parquet of any size become Zarr arrays that dsketch can solve on.

::

    convert ── ingest(): the one public function
      ├── choice     which columns, which is the target, what about nulls
      ├── staged     write beside, rename when complete, never leave half a result
      ├── writer     rows in, full Zarr chunks out
      └── formats    the file name's ending → who reads it
            ├── array      .npy and .npz, memory-mapped
            ├── csr        .npz of scipy.sparse, and write_csr for matrices in memory
            └── table      record batches → blocks of floats      (pyarrow, from here down)
                  ├── delimited   .csv, .tsv, also with .gz
                  ├── parquet     one file, a directory, a glob
                  ├── survey      first pass: is it a number, which levels, how many rows
                  └── encode      a column → floats: number, flag, one-hot

Nothing here reads a whole file into memory.  pyarrow is needed for CSV and Parquet only; it comes with
``pip install 'dsketch[ingest]'``.
"""

from dsketch.ingest.convert import Ingested, ingest
from dsketch.ingest.csr import write_csr

__all__ = ["Ingested", "ingest", "write_csr"]
