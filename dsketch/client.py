"""A client of the service: the verbs of ``dsketch jobs`` in Python.

::

    from dsketch import Client

    client = Client("http://solver:8750", token="…")
    job = client.submit(problem="ridge", A="A.zarr", b="b.zarr", alpha=0.5, name="tuesday")
    for event in client.follow(job["id"]):
        print(event["event"])
    x = client.fetch(job["id"])
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dsketch import events
from dsketch.errors import DataError, DsketchError, EngineError, MissingDataError, SpecError, UnknownJob
from dsketch.problems import PROBLEMS
from dsketch.problems.arguments import jsonable_numbers
from dsketch.settings import Numbers

DEFAULT_URL = "http://127.0.0.1:8750"
_FIRST_PAUSE_SECONDS = 0.5  # each later pause is twice as long
_LONGEST_PAUSE_SECONDS = 5.0  # no pause of one who follows a job is longer
_RESTART_SECONDS = 120.0  # one who follows a job waits so long for a service that was there
_SILENT_SECONDS = 60.0  # a stream says something every 15 seconds
_PLAN_SECONDS = 300.0
_PARTIAL = 206  # the status of a part of what lies at an address
_DIGEST_NUMBERS = 1_000_000  # read at once

Document = dict[str, Any]


class Client:
    """A service, from afar.

    Parameters
    ----------
    url : str, optional
        None: ``DSKETCH_URL`` of the environment, else http://127.0.0.1:8750.
    token : str, optional
        None: ``DSKETCH_TOKEN`` of the environment, if it is set.
    attempts : int
        How often a request that may be sent twice is sent while nobody answers (the service may be starting again).

    Raises
    ------
    SpecError
        If httpx is not installed (``pip install 'dsketch[service]'``).

    Notes
    -----
    Every verb raises what the service answered, as the error of dsketch that it names, and EngineError if the service cannot be
    reached.  A submit that got no answer is sent again under the same key, and makes one job.
    """

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

    def __enter__(self) -> "Client":
        """Return itself; the connection is closed at the end of the block."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # ---- verbs -------------------------------------------------------------------------------------------------------

    def about(self) -> Document:
        """Return what the service offers: places of data, problems with their options."""
        return self._json("GET", "/v1/service")

    def plan(self, spec: Document | None = None, /, **options: Any) -> Document:
        """Return how a run would be made, as :meth:`dsketch.Plan.to_dict`; parameters as in :meth:`submit`."""
        return self._json("POST", "/v1/plans", body={"spec": _sendable({**(spec or {}), **options})}, seconds=_PLAN_SECONDS)

    def submit(self, spec: Document | None = None, /, *, name: str = "", key: str | None = None, **options: Any) -> Document:
        """Hand in a run and return its job.

        Parameters
        ----------
        spec : dict, optional
            The document of the run (:mod:`dsketch.service.specs`).
        name : str
            For people.
        key : str, optional
            The same key with the same run gives the same job; None: a new one.
        **options
            Of the document, instead of or over ``spec``: ``problem, A, b, alpha, method, tol, seed, out, priority, limits`` ….
            Data are named by the path or URL that the service reads.

        Returns
        -------
        dict
            The job; its ``id`` is for the other verbs.

        Raises
        ------
        SpecError
            If a word is data itself, or what the service refuses.
        """
        headers = {"Idempotency-Key": key or uuid4().hex}
        body = {"spec": _sendable({**(spec or {}), **options}), "name": name}
        return self._json("POST", "/v1/jobs", body=body, headers=headers)

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
                    timeout=_PLAN_SECONDS,
                )
        except OSError as error:
            raise MissingDataError(f"a file was expected at {place}; it gave: {error.strerror}. Correct the path.") from error
        except self._unreachable as error:
            raise self._unreachable_error(error) from error
        _require_success(found)
        about: Document = found.json()
        return about

    def uploads(self) -> Document:
        """Return your uploads, newest first, with the bytes that they use and may use."""
        return self._json("GET", "/v1/uploads")

    def rm_upload(self, name: str) -> None:
        """Remove an upload with the matrices made of it, unless a job that waits or runs reads it."""
        self._send("DELETE", f"/v1/uploads/{quote(name, safe='')}")

    def list(self, state: str | None = None, *, search: str = "", order: str = "newest") -> Iterator[Document]:
        """Yield the jobs that the token may see.

        Parameters
        ----------
        state : str, optional
            Only those in this state.
        search : str
            Only those with all these words in name, owner, problem, data or id.
        order : str
            ``newest``, ``oldest``, ``active`` (what runs first, then what waits), ``name``, ``problem`` or ``owner``.
        """
        asked = {"state": state, "search": search or None, "order": None if order == "newest" else order}
        after: str | None = None
        while True:
            given = {name: value for name, value in {**asked, "after": after}.items() if value is not None}
            page = self._json("GET", "/v1/jobs", params=given)
            yield from page["jobs"]
            after = page["next"]
            if after is None:
                return

    def show(self, id_: str) -> Document:
        """Return a job: state, progress, plan, history."""
        return self._json("GET", _job_path(id_))

    def follow(self, id_: str, after: int = 0) -> Iterator[Document]:
        """Yield the events of a job as they come, until it rests; kept ones are yielded once, also over a broken connection.

        Parameters
        ----------
        id_ : str
        after : int
            Number of the last event that is known already.
        """
        failures, patience, heard_at = 0, 0.0, time.monotonic()
        while True:
            try:
                for event in self._stream(id_, after):
                    failures, patience, heard_at = 0, _RESTART_SECONDS, time.monotonic()
                    after = event.get("id", after)
                    yield event
                if self.show(id_)["state"] in ("solved", "not_solved", "failed", "cancelled"):
                    return
            except (EngineError, *self._unreachable) as error:
                failures += 1
                if failures >= self._attempts and time.monotonic() - heard_at > patience:
                    raise self._unreachable_error(error) from error
            time.sleep(min(_FIRST_PAUSE_SECONDS * 2 ** max(failures - 1, 0), _LONGEST_PAUSE_SECONDS))

    def cancel(self, id_: str) -> Document:
        """End a job that waits or runs, and return it ended."""
        return self._json("POST", f"{_job_path(id_)}/cancel")

    def resume(self, id_: str) -> Document:
        """Put a failed or cancelled job in line again, and return it."""
        return self._json("POST", f"{_job_path(id_)}/resume")

    def solution(self, id_: str) -> Document:
        """Return the answer without x: status, certificate, ledger."""
        return self._json("GET", f"{_job_path(id_)}/solution")

    def compare(self, id_: str, other: str, *, target: int = 0) -> Document:
        """Return two jobs side by side: options that differ, plan, ledger, certificate, coefficients that differ by more than their errors.

        Parameters
        ----------
        id_, other : str
        target : int
            Column of b whose coefficients are compared, counted from 0.

        Returns
        -------
        dict
            ``options, plan, run, certificate``: facts with a pair of values each; ``coefficients``: the rows of both by name, those that
            differ first; a difference is claimed only where the errors do not allow it.
        """
        _job_path(other)
        return self._json("GET", f"{_job_path(id_)}/comparison", params={"other": other, "target": target})

    def predict(
        self, id_: str, A: str, *, out: str | None = None, offset: str | None = None, name: str = "", key: str | None = None
    ) -> Document:
        """Hand in a job that predicts new rows by the answer of a solved one, and return it; :meth:`fetch` gives the predictions.

        Parameters
        ----------
        id_ : str
            Of the solved job.
        A : str
            Path or URL of the new rows, which the service reads.
        out : str, optional
            Where the service writes them as a Zarr array, below one of its folders for results.
        offset : str, optional
            Of a generalised linear model: the new rows' own.
        name, key : str
            As in :meth:`submit`.
        """
        asked = {"A": A, "out": out, "offset": offset, "name": name}
        body = {word: _sendable_word(word, value) for word, value in asked.items() if value is not None}
        return self._json("POST", f"{_job_path(id_)}/predict", body=body, headers={"Idempotency-Key": key or uuid4().hex})

    def residuals(self, id_: str, column: str | None = None, *, target: int = 0, rows: int = 20_000, seed: int = 0) -> Document:
        """Return residuals of a random sample of the rows of a solved job, counted in cells.

        Parameters
        ----------
        id_ : str
        column : str, optional
            Name of a column of A, against which they are drawn besides the fitted values.
        target : int
            Column of b, counted from 0.
        rows : int
            At most so many are drawn; the service reads the blocks that they lie in.
        seed : int
            The same seed draws the same rows.

        Returns
        -------
        dict
            ``kind`` (response, or deviance of generalised linear models), ``rows``, ``of``, and ``pictures``: ``x``, ``ends``, ``counts``,
            ``means``.
        """
        body = {"target": target, "column": column, "rows": rows, "seed": seed}
        return self._json("POST", f"{_job_path(id_)}/residuals", body=body, seconds=_PLAN_SECONDS)

    def log(self, id_: str) -> Iterator[str]:
        """Yield what the process of a job has printed so far, some lines at a time."""
        after, size = 0, 1
        while after < size:
            response = self._send("GET", f"{_job_path(id_)}/log", params={"after": after})
            yield response.text
            before, after, size = after, *(int(response.headers[name]) for name in ("dsketch-next", "dsketch-size"))
            if after == before:
                return

    def receipt(self, id_: str) -> Document:
        """Return the receipt of a finished job, signed by the service; written as JSON, ``dsketch audit`` takes it."""
        return self._json("GET", f"{_job_path(id_)}/receipt")

    def fetch(self, id_: str, to: str | os.PathLike[str] | None = None) -> NDArray[np.float64]:
        """Return x, checked against the bits that were solved.

        Parameters
        ----------
        id_ : str
        to : path, optional
            Of a NumPy file to be written, for an x that is larger than memory: what comes back is a view of the file.  None: in memory.

        Raises
        ------
        DataError
            If what came is not what the service holds, or the file cannot be written.
        """
        x: NDArray[np.float64] = self._fetch_array(id_, "x", "x", self.solution(id_)["x"], to)
        return x

    def fetch_fields(self, id_: str, to: str | os.PathLike[str] | None = None) -> "dict[str, NDArray[Any]]":
        """Return all arrays of an answer that has several (of targets, of marginal regressions) by name; {} of one that has x alone.

        Parameters
        ----------
        id_ : str
        to : path, optional
            A folder for a NumPy file of each, as of :meth:`fetch`.

        Raises
        ------
        DataError
            As :meth:`fetch`.
        """
        fields: Document = self.solution(id_).get("fields") or {}
        return {name: self.fetch_field(id_, name, None if to is None else Path(to) / f"{name}.npy") for name in fields}

    def fetch_field(self, id_: str, name: str, to: str | os.PathLike[str] | None = None) -> "NDArray[Any]":
        """Return one array of an answer that has several, as :meth:`fetch` does.

        Raises
        ------
        UnknownJob
            If the answer has no such array.
        DataError
            As :meth:`fetch`.
        """
        facts = (self.solution(id_).get("fields") or {}).get(name)
        if facts is None:
            raise UnknownJob(f"an array of the answer of job {id_} was expected; it has no {name}. Correct the name.")
        found: NDArray[Any] = self._fetch_array(id_, f"fields/{name}", name, facts, to)
        return found

    def _fetch_array(self, id_: str, path: str, name: str, facts: Document, to: str | os.PathLike[str] | None) -> Any:
        """Return an array as it came, if it has the bits that the service says."""
        address = f"{_job_path(id_)}/solution/{path}"
        try:
            if to is None:
                found = np.load(io.BytesIO(self._send("GET", address).content), allow_pickle=False)
            else:
                self._download(address, Path(to))
                found = np.load(to, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            if isinstance(error, DsketchError):
                raise
            raise DataError(f"{name} was expected from {self.url}; what came cannot be read: {error}. Fetch it again.") from error
        if facts["sha256"] not in (None, digest_of_array(found)):  # None: an earlier service did not say
            raise DataError(f"{name} of job {id_} was expected as it was solved; it came with other bits. Fetch it again.")
        return found

    def rm(self, id_: str) -> None:
        """Remove a job that rests, with its answer."""
        self._send("DELETE", _job_path(id_))

    # ---- inside ------------------------------------------------------------------------------------------------------

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
                time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
        _require_success(response)
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
                    time.sleep(_FIRST_PAUSE_SECONDS * 2**failures)

    def _receive(self, address: str, file: BinaryIO) -> None:
        """Append what is not in the file yet."""
        begun = file.tell()
        headers = {"Range": f"bytes={begun}-"} if begun else {}
        with self._http.stream("GET", address, headers=headers) as response:
            if response.status_code >= 400:
                response.read()
            _require_success(response)
            if begun and response.status_code != _PARTIAL:  # all of it comes again
                file.seek(0)
                file.truncate()
            for piece in response.iter_bytes():
                file.write(piece)

    def _stream(self, id_: str, after: int) -> Iterator[Document]:
        headers = {"Last-Event-ID": str(after)} if after else {}
        with self._http.stream("GET", f"{_job_path(id_)}/events", headers=headers, timeout=_SILENT_SECONDS) as response:
            if response.status_code >= 400:
                response.read()
            _require_success(response)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    def _unreachable_error(self, error: Exception) -> DsketchError:
        said = str(error) or type(error).__name__
        return EngineError(
            f"a service was expected at {self.url}; it did not answer ({said}). Start it with dsketch serve, or set --url."
        )


def digest_of_array(array: "NDArray[Any]") -> str:
    """Return the SHA-256 of the numbers of an array in C order; one that lies in a file is read piece by piece."""
    state, flat = hashlib.sha256(), array.reshape(-1)
    for start in range(0, flat.size, _DIGEST_NUMBERS):
        state.update(np.ascontiguousarray(flat[start : start + _DIGEST_NUMBERS]).data)
    return state.hexdigest()


def event_from(event: Document) -> events.Event | None:
    """Return an event of the service as a listener of a run knows it; None for one that only the service has."""
    kinds: dict[str, Any] = {
        "pass_started": events.PassStarted,
        "progress": events.Progress,
        "pass_finished": events.PassFinished,
        "converged": events.Converged,
        "note": events.Note,
    }
    kind = kinds.get(event["event"])
    return None if kind is None else kind(**{name: event[name] for name in kind.__dataclass_fields__})


def _sendable(spec: Document) -> Document:
    """Return a document as JSON can hold it: paths as text, NumPy's numbers as numbers; of what may be several numbers a list.

    Raises
    ------
    SpecError
        If a word is what only this process has, such as an array.
    """
    several = _names_of_numbers(spec.get("problem"))
    return {
        name: _sendable_numbers(name, value) if name in several else _sendable_word(name, value) for name, value in spec.items()
    }


def _names_of_numbers(problem: Any) -> set[str]:
    """Return the words of a problem that may be several numbers; none of one that only the service knows."""
    asked = PROBLEMS.get(str(problem))
    return set() if asked is None else {word.name for word in (*asked.inputs, *asked.options) if word.kind is Numbers}


def _sendable_numbers(name: str, value: Any) -> Any:
    """Return a number or a list: of an array, an earlier answer, a text with commas or a file that is here."""
    return None if value is None else jsonable_numbers(name, value, "Give a number or several.")


def _sendable_word(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sendable_word(f"{name}.{key}", part) for key, part in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        raise SpecError(f"{name}: a finite number was expected; got {value}. Leave it out for the default.")
    if value is None or isinstance(value, str | int | float):
        return value
    shape = getattr(value, "shape", None)
    found = type(value).__name__ + (f" of shape {shape}" if isinstance(shape, tuple) else "")
    raise SpecError(
        f"{name}: a path was expected; got {found}. Write the data to a Zarr array below a data root of the service, and send its path "
        "(dsketch.solve takes data in memory)."
    )


def _job_path(id_: str) -> str:
    if not id_.isalnum():
        raise UnknownJob(f"the id of a job was expected; got {id_!r}. dsketch jobs list shows them.")
    return f"/v1/jobs/{id_}"


def _require_success(response: Any) -> None:
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
