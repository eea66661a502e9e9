"""Where a journal's files lie: a folder on a local disk, or a prefix of an object store; each file is put whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from dsketch._atomic import write_whole
from dsketch.errors import DataError, JournalError
from dsketch.matrix.access import package_for
from dsketch.matrix.retrying import persist

Put = Callable[[str, bytes], None]
Get = Callable[[str], bytes | None]


def open_place(address: str) -> tuple[Put, Get]:
    """Return what puts a file by its name, and what gets its bytes, or None if it is not there; both raise a JournalError.

    Raises
    ------
    JournalError
        If an address needs a package that is not installed.
    """
    return _remote(address) if "://" in address else _local(Path(address))


def _local(folder: Path) -> tuple[Put, Get]:
    def put(name: str, data: bytes) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, data)
        except OSError as error:
            raise JournalError(
                f"the journal {folder / name} ({len(data)} bytes) cannot be written: "
                f"{error.strerror or error}. Free space or choose another place; "
                "the records before it are whole, so the run can be resumed."
            ) from error

    def get(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise JournalError(f"the journal {folder / name} cannot be read: {error.strerror}. Check the permissions.") from error

    return put, get


def _remote(address: str) -> tuple[Put, Get]:
    try:
        import fsspec
    except ImportError as error:
        raise JournalError(
            f"a journal at {address} needs fsspec, which is not installed. {package_for(address)}, or use a local folder."
        ) from error
    try:
        system, root = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise JournalError(
            f"a journal at {address} cannot be opened: {error}. Check the URL, or {package_for(address)}."
        ) from error

    def put(name: str, data: bytes) -> None:
        try:
            persist(lambda: system.pipe_file(f"{root.rstrip('/')}/{name}", data), f"{address}/{name}")
        except DataError as error:  # it was tried again and again
            raise JournalError(str(error)) from error
        except Exception as error:
            raise JournalError(
                f"the journal {address}/{name} cannot be written: {error}. Check the access; the run can be resumed."
            ) from error

    def get(name: str) -> bytes | None:
        try:
            return bytes(persist(lambda: system.cat_file(f"{root.rstrip('/')}/{name}"), f"{address}/{name}"))
        except FileNotFoundError:
            return None
        except DataError as error:
            raise JournalError(str(error)) from error
        except Exception as error:
            raise JournalError(f"the journal {address}/{name} cannot be read: {error}. Check the access.") from error

    return put, get
