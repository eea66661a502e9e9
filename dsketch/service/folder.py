"""The folder of a job: the truth about it; the index of :mod:`dsketch.service.store` only repeats what lies here.

::

    jobs/<id>/job.json        id, owner, name, key: never changed
              spec.json       the document of the run: never changed
              state.json      every change of state, replaced whole
              tags.json       what people find it by, replaced whole; there once it has had a tag
              plan.json       what was planned
              events.jsonl    what happened, a line each (:mod:`dsketch.service.events`)
              journal/        a record of each finished pass (:mod:`dsketch.engine.journal`)
              x.npy | x.zarr  the answer, put in place whole
              fields/         each array of an answer that has several, as .npy
              fit.zarr        answers of several arrays, where no out_dir was given
              coefficients.json, .npz   names, errors, tests, intervals (:mod:`dsketch.service.coefficients`)
              answer.json     what must be known to predict with x.npy
              solution.json   status, certificate, ledger; there only when x is
              lock            held by the process that works on the job, for as long as it lives
              log             what that process printed
"""

import contextlib
import shutil
from pathlib import Path
from typing import Any

from dsketch._atomic import flush_folder
from dsketch.service.files import get_json, put_json, write_json
from dsketch.service.job import ID, Job, StateChange
from dsketch.service.specs import complete_document
from dsketch.service.tags import kept_tags

_WORDS: tuple[tuple[str, str | None], ...] = (("owner", None), ("name", ""), ("key", None), ("digest", None))


FIT = "fit.zarr"  # the group of an answer of several arrays in a job's folder


class Folder:
    """One job on disk.

    Guarantees: after :meth:`publish` returned, the job is there for every later process, whole; a state is changed by replacing
    one file; what :meth:`hide` took away never comes back.

    Parameters
    ----------
    path : Path
        Named after the job's id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Path:
        """Where the passes are recorded."""
        return self.path / "journal"

    @property
    def events(self) -> Path:
        """Where the events are kept."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """Where what its processes printed is kept."""
        return self.path / "log"

    @property
    def passes(self) -> int:
        """How many passes are recorded."""
        try:
            return sum(path.name.startswith("pass-") for path in self.journal.iterdir())
        except FileNotFoundError:
            return 0

    def prepare(self, job: Job, records: "Folder | None" = None) -> Path:
        """Write a new job where nobody sees it yet, and return the place for :meth:`publish`; with a copy of another's records, if given.

        Raises
        ------
        OSError
            If it cannot be written; nothing is left then.
        """
        part = self.path.with_name(f".new-{job.id}")
        about = {"id": job.id, "owner": job.owner, "name": job.name, "created": job.created, "key": job.key, "digest": job.digest}
        try:
            part.mkdir()
            for name, value in (
                ("job", about),
                ("spec", job.spec),
                ("state", _history(job)),
                *([("tags", _tags(job))] if job.tags else []),
            ):
                write_json(part / f"{name}.json", value)
            if records is not None:
                shutil.copytree(records.journal, part / "journal")
            flush_folder(part)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        return part

    def publish(self, part: Path) -> None:
        """Let a prepared job appear, in one rename."""
        part.rename(self.path)
        flush_folder(self.path.parent)

    def record(self, job: Job) -> None:
        """Write the job's states; what else another version wrote beside them is kept."""
        put_json(self.path / "state.json", {**(get_json(self.path / "state.json") or {}), **_history(job)})

    def keep_tags(self, job: Job) -> None:
        """Write the job's tags."""
        put_json(self.path / "tags.json", _tags(job))

    def tags(self) -> tuple[str, ...]:
        """Return the tags; none if their file lacks or is damaged, as a job without them is still to be seen."""
        try:
            return kept_tags((get_json(self.path / "tags.json") or {}).get("tags"))
        except (OSError, ValueError, AttributeError, RecursionError):
            return ()

    def read(self) -> Job:
        """Return the job, whatever version wrote it: what this one does not know is left alone, what lacks gets its default.

        Raises
        ------
        OSError, ValueError, TypeError, KeyError, AttributeError
            If the files are not those of a job.
        """
        about, spec, states = (get_json(self.path / f"{name}.json") for name in ("job", "spec", "state"))
        if about is None or spec is None or states is None:
            raise ValueError(f"job.json, spec.json and state.json were expected in {self.path}; not all are there.")
        history = tuple(StateChange.of(step) for step in states["history"])
        owner, name, key, digest = (_text(about, word, default) for word, default in _WORDS)
        if owner is None or name is None or not history:
            raise ValueError(f"an owner and a history were expected in {self.path}; they lack.")
        return Job(
            str(about["id"]),
            owner,
            name,
            complete_document(spec),
            float(about.get("created", history[0].at)),
            history,
            key,
            digest,
            self.tags(),
        )

    def last_sign(self) -> float:
        """Return when a process last wrote something about its work, in seconds since 1970; 0 if nobody knows."""
        times = [0.0]
        for path in (self.events, self.journal, self.path / "plan.json"):
            with contextlib.suppress(OSError):
                times.append(path.stat().st_mtime)
        return max(times)

    def solution(self) -> dict[str, Any] | None:
        """Return the answer without x, or None if there is none yet."""
        found: dict[str, Any] | None = get_json(self.path / "solution.json")
        return found

    def plan(self) -> dict[str, Any] | None:
        """Return what was planned, or None if nothing was."""
        found: dict[str, Any] | None = get_json(self.path / "plan.json")
        return found

    def x(self) -> Path | None:
        """Return where the answer lies, or None if there is none yet."""
        return next((path for path in (self.path / "x.npy", self.path / "x.zarr", self.path / FIT) if path.exists()), None)

    def stored_answer(self) -> Path | None:
        """Return where the answer lies in chunks, or None if it does not lie here so."""
        return next((path for path in (self.path / "x.zarr", self.path / FIT) if path.exists()), None)

    def place_of_field(self, name: str) -> Path:
        """Return where an array of an answer of several lies, or would."""
        return self.path / "fields" / f"{name}.npy"

    def hide(self) -> Path:
        """Remove the job, in one rename, and return what is left to be taken from the disk."""
        gone = self.path.with_name(f".gone-{self.path.name}")
        self.path.rename(gone)
        flush_folder(gone.parent)
        return gone


def _text(about: dict[str, Any], word: str, default: str | None) -> str | None:
    """Return a text of a document.

    Raises
    ------
    TypeError, ValueError
        If it is something else, or cannot be written as UTF-8.
    """
    found = about.get(word, default)
    if found is not None and not isinstance(found, str):
        raise TypeError(f"text was expected for {word}; got {found!r:.100}.")
    return None if found is None else found.encode().decode()


def _history(job: Job) -> dict[str, Any]:
    return {"history": [step.to_dict() for step in job.history]}


def _tags(job: Job) -> dict[str, Any]:
    return {"tags": list(job.tags)}


def sweep(jobs: Path) -> list[Folder]:
    """Remove what a crash left half made or half removed, and return the folders of jobs, oldest first."""
    found = []
    for path in sorted(jobs.iterdir()):
        if path.name.startswith((".new-", ".gone-")):
            shutil.rmtree(path, ignore_errors=True)
        elif ID.fullmatch(path.name) and path.is_dir():
            found.append(Folder(path))
    return found
