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
from dsketch.service.listing import Look, back_of, passes_of, problem_of, rank_of, title_of, words_of, work_of
from dsketch.service.tags import lines_of

log = logging.getLogger("dsketch.service")

_FORMAT = 4  # of the tables; others are thrown away, as the folders have all that they held
_TABLES = ("jobs", "documents", "tally")
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS jobs (
        id TEXT PRIMARY KEY, back TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL, key TEXT, rank INTEGER NOT NULL,
        title TEXT NOT NULL, problem TEXT NOT NULL, words TEXT NOT NULL, tags TEXT NOT NULL, passes INTEGER NOT NULL, work REAL NOT NULL
    ) WITHOUT ROWID""",
    # Apart, so that what has to look at every job reads short rows.
    "CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, document TEXT NOT NULL)",
    # Counting the rows of a state would read all of them.
    "CREATE TABLE IF NOT EXISTS tally (owner TEXT, state TEXT, jobs INTEGER NOT NULL, PRIMARY KEY (owner, state)) WITHOUT ROWID",
    "CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_key ON jobs (owner, key) WHERE key IS NOT NULL",
    *(
        f"CREATE INDEX IF NOT EXISTS jobs_by_{'_'.join(columns)} ON jobs ({', '.join(columns)}, back)"
        for column in ("state", "rank", "title", "problem", "passes", "work")
        for columns in ((column,), ("owner", column))
    ),
    "CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (back)",
    "CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, back)",
    """CREATE TRIGGER IF NOT EXISTS tally_more AFTER INSERT ON jobs BEGIN
        INSERT INTO tally VALUES (new.owner, new.state, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
    END""",
    """CREATE TRIGGER IF NOT EXISTS tally_less AFTER DELETE ON jobs BEGIN
        UPDATE tally SET jobs = jobs - 1 WHERE owner = old.owner AND state = old.state;
        DELETE FROM documents WHERE id = old.id;
    END""",
)
_INSERT = (
    "INSERT INTO jobs VALUES (:id, :back, :owner, :state, :key, :rank, :title, :problem, :words, :tags, :passes, :work)",
    "INSERT INTO documents VALUES (:id, :document)",
)
_DELETE = "DELETE FROM jobs WHERE id = ?"


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
            self._writer.execute(_DELETE, (job.id,))  # REPLACE would not tell the tally
            self._insert(_row(job))

    def forget(self, id_: str) -> None:
        """Forget a job."""
        with self._writer:
            self._writer.execute(_DELETE, (id_,))

    def replace(self, jobs: Iterable[Job]) -> dict[str, str]:
        """Forget all jobs and note these; return why, by id, of those that cannot stand beside the others."""
        left_out = {}
        with self._writer:
            _begin_anew(self._writer)
            for job in jobs:
                try:
                    self._insert(_row(job))
                except (
                    sqlite3.IntegrityError,
                    sqlite3.ProgrammingError,
                    sqlite3.InterfaceError,
                    OverflowError,
                    ValueError,
                ) as error:
                    left_out[job.id] = self._why(job, error)
        return left_out

    def _insert(self, row: dict[str, Any]) -> None:
        for statement in _INSERT:
            self._writer.execute(statement, row)

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

    def page(self, look: Look) -> list[Job]:
        """Return the jobs that are looked for, in their order, no more than its limit."""
        ids = self._grown_ids(look) if look.grown else [id_ for (id_,) in self._rows("id", *look.clause())]
        found = {job.id: job for job in self._jobs(f"WHERE id IN ({', '.join('?' * len(ids))})", *ids)}
        return [found[id_] for id_ in ids if id_ in found]

    def in_states(self, states: Iterable[State]) -> list[Job]:
        """Return the jobs in some states, oldest first."""
        values = [state.value for state in states]
        return self._jobs(f"WHERE state IN ({', '.join('?' * len(values))}) ORDER BY id", *values)

    def counts(self, owner: str | None = None, search: str = "", tags: tuple[str, ...] = ()) -> dict[State, int]:
        """Return how many jobs are in each state, of an owner or of all; with words or tags, which cost a look at every job, of some."""
        terms, values = Look(owner=owner, search=search, tags=tags).terms()
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        number, table = ("COUNT(*)", "jobs") if search.strip() or tags else ("SUM(jobs)", "tally")
        query = f"SELECT state, {number} FROM {table}{where} GROUP BY state"  # noqa: S608 - our own words, values are bound
        found = dict(self._reader().execute(query, values).fetchall())
        return {state: found.get(state.value, 0) for state in State}

    def tally(self) -> dict[str, dict[State, int]]:
        """Return how many jobs each owner has in each state."""
        found: dict[str, dict[State, int]] = {}
        for owner, state, jobs in self._reader().execute("SELECT owner, state, jobs FROM tally WHERE jobs > 0").fetchall():
            found.setdefault(owner, {})[State(state)] = jobs
        return found

    def owners(self) -> int:
        """Return how many owners have jobs."""
        ((found,),) = self._reader().execute("SELECT COUNT(DISTINCT owner) FROM tally WHERE jobs > 0").fetchall()
        return int(found)

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
        query = f"SELECT document FROM jobs JOIN documents USING (id) {clause}"  # noqa: S608 - clauses are our own words, values are bound
        return [_job(document) for (document,) in self._reader().execute(query, values).fetchall()]

    def _grown_ids(self, look: Look) -> list[str]:
        """Return the ids of a page by what grows: those under way stand by what they have done by now, all others by what is recorded."""
        resting = self._rows(f"{look.order.column}, back, id", *look.clause())
        under_way = [(look.grown[id_], back_of(id_), id_) for (id_,) in self._rows("id", *look.grown_clause())]
        later = [place for place in under_way if look.is_later(place[0], place[2])]
        return [id_ for _, _, id_ in sorted([*resting, *later], reverse=look.order.is_backward)[: look.limit]]

    def _rows(self, columns: str, clause: str, values: list[Any]) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM jobs {clause}"  # noqa: S608 - clauses are our own words, values are bound
        return self._reader().execute(query, values).fetchall()

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
    connection.execute("PRAGMA page_size = 1024")  # of a new file: a change of state touches a page of every index
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # the folders are the truth; the index need not survive a power cut
    with connection:
        if connection.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
            _begin_anew(connection)
    return connection


def _begin_anew(connection: sqlite3.Connection) -> None:
    """Make the tables without anything in them; another version's may have other columns."""
    for statement in (*(f"DROP TABLE IF EXISTS {name}" for name in _TABLES), *_SCHEMA, f"PRAGMA user_version = {_FORMAT}"):
        connection.execute(statement)


def _row(job: Job) -> dict[str, Any]:
    return {
        **{name: getattr(job, name) for name in ("id", "owner", "key")},
        "back": back_of(job.id),
        "state": job.state.value,
        "rank": rank_of(job.state),
        "title": title_of(job),
        "problem": problem_of(job),
        "words": words_of(job),
        "tags": lines_of(job.tags),
        "passes": passes_of(job),
        "work": work_of(job),
        "document": json.dumps({**vars(job), "history": [step.to_dict() for step in job.history]}),
    }


def _job(document: str) -> Job:
    fields = json.loads(document)
    return Job(**{**fields, "history": tuple(StateChange.of(step) for step in fields["history"]), "tags": tuple(fields["tags"])})
