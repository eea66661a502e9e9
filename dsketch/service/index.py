"""The index of jobs in SQLite: finds them by owner, state and key; holds nothing that the folders do not hold."""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsketch.service.job import Job, State, StateChange

log = logging.getLogger("dsketch.service")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, key TEXT, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, id);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, id);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_key ON jobs (owner, key) WHERE key IS NOT NULL;
"""


class Index:
    """The index.

    Guarantees: readers wait for nobody (write-ahead log, a connection a thread); a damaged file is thrown away and begun anew.  Writing
    is for one thread at a time: :class:`~dsketch.service.store.Store` sees to it.

    Parameters
    ----------
    path : Path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local, self._readers = threading.local(), list[sqlite3.Connection]()
        self._writer = self._open()

    # ---- change ------------------------------------------------------------------------------------------------------

    def put(self, job: Job) -> None:
        """Note a job as it is now."""
        with self._writer:
            self._writer.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)", _row(job))

    def forget(self, id_: str) -> None:
        """Forget a job."""
        with self._writer:
            self._writer.execute("DELETE FROM jobs WHERE id = ?", (id_,))

    def replace(self, jobs: Iterable[Job]) -> dict[str, str]:
        """Forget all jobs and note these; return why, by id, of those that cannot stand beside the others."""
        left_out = {}
        with self._writer:
            for statement in ("DROP TABLE IF EXISTS jobs", *_SCHEMA.split(";")):  # another version's table may have other columns
                self._writer.execute(statement)
            for job in jobs:
                try:
                    self._writer.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?)", _row(job))
                except (
                    sqlite3.IntegrityError,
                    sqlite3.ProgrammingError,
                    sqlite3.InterfaceError,
                    OverflowError,
                    ValueError,
                ) as error:
                    left_out[job.id] = self._why(job, error)
        return left_out

    def _why(self, job: Job, error: Exception) -> str:
        """Return why a job cannot be noted."""
        query = "SELECT id FROM jobs WHERE owner = ? AND key = ?"
        is_twice = isinstance(error, sqlite3.IntegrityError) and job.key is not None
        found = self._writer.execute(query, (job.owner, job.key)).fetchone() if is_twice else None
        return str(error) if found is None else f"it has the key {job.key!r} of job {found[0]}, of which it seems to be a copy"

    # ---- look --------------------------------------------------------------------------------------------------------

    def job(self, id_: str) -> Job | None:
        """Return a job."""
        return next(iter(self._jobs("WHERE id = ?", id_)), None)

    def by_key(self, owner: str, key: str) -> Job | None:
        """Return the job that an owner's key made."""
        return next(iter(self._jobs("WHERE owner = ? AND key = ?", owner, key)), None)

    def page(self, owner: str | None, state: State | None, after: str | None, limit: int) -> list[Job]:
        """Return jobs, newest first, those before ``after`` only."""
        wanted = {"owner = ?": owner, "state = ?": None if state is None else state.value, "id < ?": after}
        named = {clause: value for clause, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(named)} " if named else ""
        return self._jobs(f"{where}ORDER BY id DESC LIMIT ?", *named.values(), limit)

    def in_states(self, states: Iterable[State]) -> list[Job]:
        """Return the jobs in some states, oldest first."""
        values = [state.value for state in states]
        return self._jobs(f"WHERE state IN ({', '.join('?' * len(values))}) ORDER BY id", *values)

    def counts(self) -> dict[State, int]:
        """Return how many jobs are in each state."""
        found = dict(self._reader().execute("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall())
        return {state: found.get(state.value, 0) for state in State}

    def first(self, state: State) -> str | None:
        """Return the id of the oldest job in a state."""
        query = "SELECT MIN(id) FROM jobs WHERE state = ?"
        ((found,),) = self._reader().execute(query, (state.value,)).fetchall()
        return None if found is None else str(found)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._readers, self._writer):
            connection.close()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _jobs(self, clause: str, *values: Any) -> list[Job]:
        query = f"SELECT document FROM jobs {clause}"  # noqa: S608 - clauses are our own words, values are bound
        return [_job(document) for (document,) in self._reader().execute(query, values).fetchall()]

    def _reader(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(self.path, check_same_thread=False)
            self._readers.append(self._local.connection)
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self.path)
        except sqlite3.DatabaseError:
            log.warning("the index %s was damaged and is made anew", self.path)
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            return _connect(self.path)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # before SQLite, whose side files have the mode of this one
    path.chmod(0o600)
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # the folders are the truth; the index need not survive a power cut
    connection.executescript(_SCHEMA)
    return connection


def _row(job: Job) -> tuple[str, str, str, str | None, str]:
    document = {**vars(job), "history": [step.to_dict() for step in job.history]}
    return job.id, job.owner, job.state.value, job.key, json.dumps(document)


def _job(document: str) -> Job:
    fields = json.loads(document)
    return Job(**{**fields, "history": tuple(StateChange.of(step) for step in fields["history"])})
