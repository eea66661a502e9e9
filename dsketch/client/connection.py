"""The way to a service: requests with the token, sent again while it does not answer, and its refusals as errors of dsketch."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

from dsketch.errors import DsketchError, EngineError, SpecError, UnknownJob

DEFAULT_URL = "http://127.0.0.1:8750"
FIRST_PAUSE_SECONDS = 0.5  # each later pause is twice as long
_SILENT_SECONDS = 60.0  # a stream says something every 15 seconds
PATIENT_SECONDS = 300.0  # a plan, a picture or a file may take so long
_PARTIAL = 206  # the status of a part of what lies at an address

Document = dict[str, Any]


class Connection:
    """A service at an address; parameters and errors are those of :class:`dsketch.Client`."""

    def __init__(self, url: str | None = None, token: str | None = None, *, attempts: int = 5) -> None:
        try:
            import httpx
        except ImportError as error:
            raise SpecError("the client needs httpx, which is not installed. pip install 'dsketch[service]'.") from error
        self.url = (url or os.environ.get("DSKETCH_URL") or DEFAULT_URL).rstrip("/")
        token = token or os.environ.get("DSKETCH_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._attempts = attempts
        self._unreachable = (httpx.TransportError,)
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=httpx.Timeout(30.0), trust_env=False)
        except (httpx.InvalidURL, ValueError) as error:
            raise SpecError(f"the URL of a service was expected; got {self.url!r}. Write it as http://host:8750.") from error

    def __enter__(self) -> Self:
        """Return itself; the connection is closed at the end of the block."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # ---- for the verbs -----------------------------------------------------------------------------------------------

    def _json(self, method: str, path: str, **more: Any) -> Document:
        found: Document = self._send(method, path, **more).json()
        return found

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Document | None = None,
        params: Document | None = None,
        headers: Document | None = None,
        seconds: float | None = None,
    ) -> Any:
        """Return the response; what may be sent twice is sent again while the service does not answer."""
        timeout = self._http.timeout if seconds is None else seconds
        request = self._http.build_request(method, path, json=body, params=params, headers=headers, timeout=timeout)
        may_repeat = method in ("GET", "DELETE") or "idempotency-key" in request.headers
        for attempt in range(self._attempts):
            try:
                response = self._http.send(request)
                break
            except self._unreachable as error:
                if not may_repeat or attempt == self._attempts - 1:
                    raise self._unreachable_error(error) from error
                time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        require_success(response)
        return response

    def _download(self, address: str, to: Path) -> None:
        """Write what lies at an address into a file as it comes; what broke off goes on where it stopped."""
        to.parent.mkdir(parents=True, exist_ok=True)
        failures = 0
        with to.open("wb") as file:
            while True:
                begun = file.tell()
                try:
                    self._receive(address, file)
                    return
                except self._unreachable as error:
                    failures = 0 if file.tell() > begun else failures + 1
                    if failures >= self._attempts:
                        raise self._unreachable_error(error) from error
                    time.sleep(FIRST_PAUSE_SECONDS * 2**failures)

    def _receive(self, address: str, file: BinaryIO) -> None:
        """Append what is not in the file yet."""
        begun = file.tell()
        headers = {"Range": f"bytes={begun}-"} if begun else {}
        with self._http.stream("GET", address, headers=headers) as response:
            if response.status_code >= 400:
                response.read()
            require_success(response)
            if begun and response.status_code != _PARTIAL:  # all of it comes again
                file.seek(0)
                file.truncate()
            for piece in response.iter_bytes():
                file.write(piece)

    def _stream(self, id_: str, after: int) -> Iterator[Document]:
        headers = {"Last-Event-ID": str(after)} if after else {}
        with self._http.stream("GET", f"{job_path(id_)}/events", headers=headers, timeout=_SILENT_SECONDS) as response:
            if response.status_code >= 400:
                response.read()
            require_success(response)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    def _unreachable_error(self, error: Exception) -> DsketchError:
        said = str(error) or type(error).__name__
        return EngineError(
            f"a service was expected at {self.url}; it did not answer ({said}). Start it with dsketch serve, or set --url."
        )


def job_path(id_: str) -> str:
    """Return the path of a job.

    Raises
    ------
    UnknownJob
        If it cannot be the id of one.
    """
    if not id_.isalnum():
        raise UnknownJob(f"the id of a job was expected; got {id_!r}. dsketch jobs list shows them.")
    return f"/v1/jobs/{id_}"


def require_success(response: Any) -> None:
    """Raise the error that the service named.

    Raises
    ------
    DsketchError
    """
    if response.status_code < 400:
        return
    try:
        trouble = response.json()
        name, message = str(trouble["error"]), str(trouble["message"])
    except (ValueError, KeyError, TypeError):
        raise EngineError(
            f"an answer of dsketch was expected from {response.request.url}; it is {response.status_code}. Check the URL."
        ) from None
    kind: type[DsketchError] = next((kind for kind in _all_errors(DsketchError) if kind.__name__ == name), EngineError)
    raise kind(message)


def _all_errors(root: type[DsketchError]) -> Iterator[type[DsketchError]]:
    yield root
    for child in root.__subclasses__():
        yield from _all_errors(child)
