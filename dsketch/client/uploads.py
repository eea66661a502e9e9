"""Files that are sent to a service, as data of runs there."""

import os
from urllib.parse import quote

from dsketch.client.connection import PATIENT_SECONDS, Connection, Document, require_success
from dsketch.errors import MissingDataError


class Uploads(Connection):
    """The verbs of uploads."""

    def upload(self, path: str | os.PathLike[str], *, name: str | None = None) -> Document:
        """Send a file that is here into your private folder, and return what the service found in it.

        Parameters
        ----------
        path : path
            A CSV, TSV, Parquet, npy or npz file; it is sent piece by piece.
        name : str, optional
            Under which it is kept; None: its own.

        Returns
        -------
        dict
            ``address``, which a run names as A, and with ``#COLUMN`` behind it as b or weights; ``columns``.  The same bytes under
            the same name may be sent again.

        Raises
        ------
        MissingDataError
            If there is no such file.
        SizeError
            If a quota has no room for it.
        """
        place = os.fspath(path)
        try:
            with open(place, "rb") as file:  # noqa: PTH123 - a path may be any path-like
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(os.fstat(file.fileno()).st_size)}
                found = self._http.post(
                    "/v1/uploads",
                    params={"name": name or os.path.basename(place)},  # noqa: PTH119
                    content=file,
                    headers=headers,
                    timeout=PATIENT_SECONDS,
                )
        except OSError as error:
            raise MissingDataError(f"a file was expected at {place}; it gave: {error.strerror}. Correct the path.") from error
        except self._unreachable as error:
            raise self._unreachable_error(error) from error
        require_success(found)
        about: Document = found.json()
        return about

    def uploads(self) -> Document:
        """Return your uploads, newest first, with the bytes that they use and may use."""
        return self._json("GET", "/v1/uploads")

    def rm_upload(self, name: str) -> None:
        """Remove an upload with the matrices made of it, unless a job that waits or runs reads it."""
        self._send("DELETE", f"/v1/uploads/{quote(name, safe='')}")
