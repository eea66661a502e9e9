"""What to do where an address cannot be opened: the package that it needs, who may read it, what a file is turned into."""

from pathlib import Path
from typing import Any

import zarr

# Who speaks the protocol of a URL; fsspec itself comes with each but aiohttp.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "'dsketch[s3]'"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "adl", "az"), "adlfs"),
    **dict.fromkeys(("http", "https"), "fsspec aiohttp"),
    **dict.fromkeys(("ssh", "sftp"), "fsspec paramiko"),
    **dict.fromkeys(("hdfs", "webhdfs"), "fsspec pyarrow"),
    **dict.fromkeys(("zip", "tar", "file", "memory", "simplecache", "filecache", "blockcache"), "fsspec"),
}
_INGESTED = (".npy", ".npz", ".csv", ".tsv", ".parquet", ".pq", ".parq")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_DEEPEST = 4  # groups within groups are looked through to this depth
_MOST_NAMED = 8


def package_for(address: str) -> str:
    """Return how to install what a URL needs; of a chain of them, what the innermost does.

    >>> package_for("simplecache::gs://bucket/A.zarr")
    'pip install gcsfs'
    """
    protocol = address.split("::")[-1].split("://")[0].lower() if "://" in address.split("::")[-1] else address.split("://")[0]
    package = _PACKAGES.get(protocol)
    return "install the package that it names" if package is None else f"pip install {package}"


def remedy_for(error: BaseException) -> str:
    """Return what to do about an error that a store raised."""
    if type(error).__name__ == "NoCredentialsError":
        return (
            "Give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile; for a public bucket set FSSPEC_S3_ANON=true in the "
            "environment, here and of the workers"
        )
    return "Check the address and the access"


def first_line_of(error: BaseException) -> str:
    """Return the first line of what an error says: some list every place where they looked."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def remedy_for_file(path: str, what: str) -> str:
    """Return how to make a Zarr array of a file, by its ending.

    >>> remedy_for_file("/data/A.zip", "A")
    'If it holds a Zarr array, open zip://::/data/A.zip, or unpack it.'
    """
    endings = [ending.lower() for ending in Path(path).suffixes]
    last = endings[-1] if endings else ""
    plain = endings[-2] if last in _COMPRESSED and len(endings) > 1 else last
    if last == ".zip":
        return f"If it holds a Zarr array, open zip://::{path}, or unpack it."
    if last == ".h5ad":
        return f"Write it again with anndata.read_h5ad({path!r}).write_zarr('{what}.zarr'), then open {what}.zarr/X."
    if plain in _INGESTED:
        return f"Turn it into Zarr with dsketch ingest {path} --to {what}.zarr."
    return f"Write it again as Zarr, or as one of {', '.join(_INGESTED)} for dsketch ingest."


def arrays_in(group: "zarr.Group", is_matrix: Any) -> str:
    """Return the paths of the matrices in a group, however deep, as words; ``is_matrix`` says of a group whether it is one."""
    found: list[str] = []
    _collect(group, "", _DEEPEST, is_matrix, found)
    if not found:
        return "no arrays"
    more = f" … and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"the arrays: {', '.join(sorted(found)[:_MOST_NAMED])}{more}"


def _collect(group: "zarr.Group", path: str, depth: int, is_matrix: Any, found: list[str]) -> None:
    for name, member in sorted(group.members()):
        if isinstance(member, zarr.Array) or is_matrix(member):
            found.append(f"{path}{name}")
        elif depth > 1 and len(found) <= _MOST_NAMED:
            _collect(member, f"{path}{name}/", depth - 1, is_matrix, found)


def require_memory(error: BaseException) -> None:
    """Go on with an error of the data; the process's own lack of memory is no fault of theirs.

    Raises
    ------
    MemoryError
        If the error is one, or says that no thread could be started: its stack is memory that a limited process does not get.
    """
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        raise MemoryError(str(error)) from error
