"""Answers of solved jobs: certificate, arrays, comparison, predictions, residuals, receipt."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dsketch.client.connection import PATIENT_SECONDS, Connection, Document, job_path
from dsketch.client.sendable import sendable_word
from dsketch.errors import DataError, DsketchError, UnknownJob

_DIGEST_NUMBERS = 1_000_000  # read at once


class Answers(Connection):
    """The verbs of answers."""

    def solution(self, id_: str) -> Document:
        """Return the answer without x: status, certificate, ledger."""
        return self._json("GET", f"{job_path(id_)}/solution")

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
        job_path(other)
        return self._json("GET", f"{job_path(id_)}/comparison", params={"other": other, "target": target})

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
        body = {word: sendable_word(word, value) for word, value in asked.items() if value is not None}
        return self._json("POST", f"{job_path(id_)}/predict", body=body, headers={"Idempotency-Key": key or uuid4().hex})

    def residuals(self, id_: str, column: str | None = None, *, target: int = 0, rows: int = 20_000, seed: int = 0) -> Document:
        """Return residuals of a random sample of the rows of a solved job, counted in hexagons.

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
            ``kind`` (response, or deviance of generalised linear models), ``rows``, ``of``, and ``pictures``: what lies across (``x``), the
            ``ends`` of both axes, ``hexagons`` as [column, line, count] on a lattice of ``columns`` × ``lines`` steps, odd lines half a
            column to the right, and ``means`` of the residuals in bands across, each of ``mean_rows`` rows.
        """
        body = {"target": target, "column": column, "rows": rows, "seed": seed}
        return self._json("POST", f"{job_path(id_)}/residuals", body=body, seconds=PATIENT_SECONDS)

    def receipt(self, id_: str) -> Document:
        """Return the receipt of a finished job, signed by the service; written as JSON, ``dsketch audit`` takes it."""
        return self._json("GET", f"{job_path(id_)}/receipt")

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
        address = f"{job_path(id_)}/solution/{path}"
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


def digest_of_array(array: "NDArray[Any]") -> str:
    """Return the SHA-256 of the numbers of an array in C order; one that lies in a file is read piece by piece."""
    state, flat = hashlib.sha256(), array.reshape(-1)
    for start in range(0, flat.size, _DIGEST_NUMBERS):
        state.update(np.ascontiguousarray(flat[start : start + _DIGEST_NUMBERS]).data)
    return state.hexdigest()
