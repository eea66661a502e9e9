"""``dsketch jobs``: hand runs to a service, and watch, end, resume, fetch and remove them."""

import time
from collections.abc import Callable
from datetime import datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from dsketch._cli.compare import comparison_text
from dsketch._cli.options import JSON, for_each_problem, option_of, with_options
from dsketch._cli.program import Stopped
from dsketch._cli.residuals import residuals_text
from dsketch._cli.serve import DEFAULT_STATE, require_service
from dsketch._cli.session import listening, name_settings, say, text_of
from dsketch._cli.show import print_json, row_text, worker_text
from dsketch._results.format import OURS
from dsketch._results.group import array_in
from dsketch._results.output import Output
from dsketch._results.remote import RemoteOutput
from dsketch._units import format_bytes, format_seconds
from dsketch.client import DEFAULT_URL, Client, Document, event_from
from dsketch.errors import SpecError
from dsketch.ingest.failure import writing
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS
from dsketch.problems.arguments import jsonable_numbers
from dsketch.problems.outcome import ArrayOf
from dsketch.problems.tables import TABLE, no_table_error, words_of_table
from dsketch.settings import JOB, OUT_DIR, OVERWRITE, Numbers

_IN_MEMORY_BYTES = 64_000_000  # a larger answer passes through a file
_CODES = {"solved": 0, "not_solved": 1, "cancelled": 1, "failed": 2}

URL = [
    click.Option(
        ["--url"], metavar="URL", envvar="DSKETCH_URL", default=DEFAULT_URL, show_envvar=True, help="Where the service listens."
    ),
    click.Option(
        ["--token-from"],
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="File with your token. [default: DSKETCH_TOKEN of the environment, if it is set]",
    ),
]


@click.group(short_help="Hand runs to a service; watch, cancel, resume, fetch them.")
def jobs() -> None:
    """Hand runs to a service (dsketch serve), and watch, cancel, resume, fetch and remove them.

    Exit codes of follow: 0 solved, 1 not solved or cancelled, 2 failed.
    """


@jobs.group(short_help="Hand in a run; prints the id of its job.")
def submit() -> None:
    """Hand in a run with the words of dsketch solve; prints the id of its job.

    A path that is here is sent in full; any other one is taken under the service's first data root. Numbers that lie in a file (b of
    two-layer, --alpha, --start) are read here, not there, and sent as numbers.
    """


def _submit(name: str, **given: Any) -> int:
    as_json, follows, title = (given.pop(word) for word in ("as_json", "follow", "title"))
    key, limits = given.pop("key"), {"seconds": given.pop("max_seconds"), "memory": given.pop("max_memory")}
    with _client(given) as client:
        asked = PROBLEMS[name]
        data = {option: given.pop(option.name.lower()) for option in asked.inputs}  # arguments have names in lower case
        words = (*asked.options, *(TABLE if asked.has_table else ()))
        data |= {option: given.pop(option.name) for option in words if option.kind in _SENT}
        if not asked.has_table and words_of_table({option.name: given.pop(option.name) for option in TABLE}) is not None:
            raise no_table_error(name)
        sent = {option.name: _SENT[option.kind](option.name, value) for option, value in data.items()}
        name_settings(asked, given)
        spec = {"problem": name, **sent, **given, "limits": limits}
        job = client.submit(spec, name=title, key=key)
        if as_json and not follows:
            print_json(job)
        elif not as_json:
            click.echo(job["id"])
        return _follow_events(client, job["id"], as_json) if follows else 0


for_each_problem(
    submit,
    _submit,
    [
        *(option_of(option, of_service=True) for option in (*TABLE, OUT_DIR, *JOB)),
        click.Option(["--name", "title"], metavar="TEXT", default="", help="For people."),
        click.Option(["--key"], metavar="KEY", help="The same key with the same run gives the same job. [default: a new one]"),
        click.Option(["--follow"], is_flag=True, help="Watch it until it rests."),
        *URL,
    ],
    "dsketch jobs submit {problem} {data} --follow",
    "The service reads the data; numbers that lie in a file are read here, and sent.",
)


@with_options(URL, JSON)
@jobs.command("list", short_help="List jobs, newest first.")
@click.option("--state", metavar="STATE", help="Only those in this state: queued, running, solved, failed …")
@click.option("--search", metavar="WORDS", default="", help="Only those with these words in name, owner, problem, data or id.")
@click.option(
    "--order",
    metavar="ORDER",
    default="newest",
    show_default=True,
    help="newest, oldest, active (what runs first, then what waits), name, problem or owner.",
)
@click.option("--limit", metavar="N", type=click.IntRange(1), default=50, help="At most so many.")
def _list(state: str | None, search: str, order: str, limit: int, as_json: bool, **given: Any) -> int:
    """List jobs, newest first.

    \b
    Example: dsketch jobs list --state running
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    with _client(given) as client:
        found = [job for _, job in zip(range(limit), client.list(state, search=search, order=order), strict=False)]
    if as_json:
        print_json({"jobs": found})
    else:
        click.echo("\n".join(_job_line(job) for job in found) or "no jobs")
    return 0


def _about_one(act: Callable[[Client, str, bool], int], name: str, short: str, text: str) -> None:
    def run(job: str, as_json: bool, **given: Any) -> int:
        with _client(given) as client:
            return act(client, job, as_json)

    command = click.Command(
        name,
        params=[click.Argument(["job"])],
        callback=run,
        short_help=short,
        help=f"{text}\n\n\b\nExample: dsketch jobs {name} 01a201b91cb989bffd70",
    )
    jobs.add_command(with_options(URL, JSON)(command))


def _show(client: Client, id_: str, as_json: bool) -> int:
    job = client.show(id_)
    if as_json:
        print_json(job)
        return 0
    lines = [_job_line(job), *(f"  {step['at']}  {step['state']:<11}  {step['sentence']}" for step in job["history"])]
    lines += [f"  {worker_text(worker)}" for worker in job.get("workers") or ()]
    if job["plan"]:
        lines += ["", job["plan"]["text"]]
    if job["state"] in ("solved", "not_solved"):
        lines += ["", client.solution(id_)["text"]]
    click.echo("\n".join(lines))
    return 0


def _follow(client: Client, id_: str, as_json: bool) -> int:
    return _follow_events(client, id_, as_json)


def _follow_events(client: Client, id_: str, as_json: bool) -> int:
    """Draw what happens until the job rests, then say how it ended."""
    at = time.time()
    try:
        with listening(when=lambda: at) as tell:
            for event in client.follow(id_):
                at = _seconds_of(event)
                if (known := event_from(event)) is not None:
                    tell(known)
                elif event["event"] == "state":
                    say(f"{time.strftime('%H:%M:%S', time.localtime(at))} {_state_text(event)}")
    except KeyboardInterrupt as stop:
        raise Stopped(f"stopped watching; the job goes on. Watch it again with: dsketch jobs follow {id_}") from stop
    job = client.show(id_)
    if as_json:
        print_json(job)
    elif job["state"] in ("solved", "not_solved"):
        click.echo(client.solution(id_)["text"])
    return _CODES.get(job["state"], 2)


def _seconds_of(event: Document) -> float:
    """Return when an event happened, in seconds since 1970; one that the service does not keep happens now."""
    return datetime.fromisoformat(event["at"]).timestamp() if "at" in event else time.time()


def _log(client: Client, id_: str, as_json: bool) -> int:
    parts = client.log(id_)
    if as_json:
        print_json({"log": "".join(parts)})
        return 0
    for part in parts:
        click.echo(part, nl=False)
    return 0


def _cancel(client: Client, id_: str, as_json: bool) -> int:
    return _say_state(client.cancel(id_), as_json)


def _resume(client: Client, id_: str, as_json: bool) -> int:
    return _say_state(client.resume(id_), as_json)


def _rm(client: Client, id_: str, as_json: bool) -> int:
    client.rm(id_)
    if as_json:
        print_json({"removed": id_})
    return 0


for _word, _act, _short, _long in (
    ("show", _show, "Show a job: states, plan, certificate.", "Show JOB: its states, its plan, and its certificate when solved."),
    ("follow", _follow, "Watch a job until it rests.", "Watch JOB until it rests, with the bar of dsketch solve."),
    (
        "log",
        _log,
        "Print the log of a job's process.",
        "Print what the process of JOB wrote, such as the stack trace of a defect.",
    ),
    ("cancel", _cancel, "End a job that waits or runs.", "End JOB, which waits or runs. Recorded passes are kept for resume."),
    (
        "resume",
        _resume,
        "Put a failed or cancelled job in line again.",
        "Put JOB in line again; it goes on after its last recorded pass.",
    ),
    ("rm", _rm, "Remove a job that rests.", "Remove JOB, which rests, with its answer and its records."),
):
    _about_one(_act, _word, _short, _long)


@with_options([option_of(OVERWRITE)], URL, JSON)
@jobs.command(short_help="Fetch x of a solved job.")
@click.argument("job")
@click.option(
    "--out", metavar="X", type=click.Path(), help="Write x here: Zarr, or NumPy if it ends in .npy. [default: print it]"
)
@click.option(
    "--out-dir",
    metavar="FIT",
    type=click.Path(),
    help="Write all arrays of an answer by targets here, a Zarr group. [default: x alone]",
)
def fetch(job: str, out: str | None, out_dir: str | None, overwrite: bool, as_json: bool, **given: Any) -> int:
    """Fetch x of JOB, or all arrays of an answer that has several, and check that they came with the bits they were solved with.

    \b
    Example: dsketch jobs fetch 01a201b91cb989bffd70 --out x.zarr
    """  # noqa: D301
    with _client(given) as client:
        if out_dir is not None:
            return _fetch_group(client, job, Output.at(out_dir, overwrite=overwrite), as_json)
        facts = client.solution(job)
        x = _fetch_x(client, job, facts, None if out is None else Output.at(out, overwrite=overwrite))
    if as_json:
        print_json({**facts, "x": x if out is None else out})
    else:
        click.echo(facts["text"])
        click.echo(f"x           in {out}" if out is not None else _coefficients(x))
    return 0 if facts["is_success"] else 1


@with_options(URL, JSON)
@jobs.command(short_help="Compare two jobs side by side.")
@click.argument("job")
@click.argument("other")
@click.option(
    "--target", metavar="N", type=click.IntRange(0), default=0, help="Column of b whose coefficients are compared, from 0."
)
def compare(job: str, other: str, target: int, as_json: bool, **given: Any) -> int:
    """Compare JOB and OTHER: options that differ, plan, passes, certificate, and coefficients that differ by more than their errors.

    \b
    Example: dsketch jobs compare 01a201b91cb989bffd70 01a201b91d0289bffd71
    """  # noqa: D301
    with _client(given) as client:
        found = client.compare(job, other, target=target)
    if as_json:
        print_json(found)
    else:
        click.echo(comparison_text(found))
    return 0


@with_options(URL, JSON)
@jobs.command(short_help="Predict new rows by a solved job.")
@click.argument("job")
@click.argument("a", metavar="A")
@click.option(
    "--out", metavar="Y", help="Where the service writes them as Zarr, below its folders for results. [default: fetch them]"
)
@click.option("--offset", metavar="PATH", help="Of a generalised linear model: the new rows' own.")
@click.option("--name", "title", metavar="TEXT", default="", help="For people.")
@click.option("--key", metavar="KEY", help="The same key with the same request gives the same job. [default: a new one]")
@click.option("--follow", is_flag=True, help="Watch it until it rests.")
def predict(job: str, a: str, follow: bool, as_json: bool, **given: Any) -> int:
    """Hand in a job that predicts the rows of A by the answer of JOB; prints its id, by which fetch gives the predictions.

    \b
    Example: dsketch jobs predict 01a201b91cb989bffd70 A_new.zarr --follow
    """  # noqa: D301
    words = {"out": given.pop("out"), "offset": _full_path("offset", given.pop("offset"))}
    words |= {"name": given.pop("title"), "key": given.pop("key")}
    with _client(given) as client:
        made = client.predict(job, str(_full_path("A", a)), **words)
        if as_json and not follow:
            print_json(made)
        elif not as_json:
            click.echo(made["id"])
        return _follow_events(client, made["id"], as_json) if follow else 0


@with_options(URL, JSON)
@jobs.command(short_help="Draw residuals of a solved job.")
@click.argument("job")
@click.option("--column", metavar="NAME", help="Draw them against this column of A besides the fitted values.")
@click.option("--target", metavar="N", type=click.IntRange(0), default=0, help="Column of b, from 0.")
@click.option("--rows", metavar="N", type=click.IntRange(1), default=20_000, show_default=True, help="Drawn at random, at most.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True, help="The same seed draws the same rows."
)
def residuals(job: str, column: str | None, target: int, rows: int, seed: int, as_json: bool, **given: Any) -> int:
    """Draw residuals of a random sample of the rows of JOB against its fitted values, and against a column of A.

    \b
    Example: dsketch jobs residuals 01a201b91cb989bffd70 --column age
    """  # noqa: D301
    with _client(given) as client:
        found = client.residuals(job, column, target=target, rows=rows, seed=seed)
    if as_json:
        print_json(found)
    else:
        click.echo(residuals_text(found))
    return 0


@with_options(URL, JSON)
@jobs.command(short_help="Send a CSV, Parquet or NumPy file into your private folder there; or list what is there.")
@click.argument("file", required=False)
@click.option("--name", metavar="NAME", help="Under which it is kept. [default: its own]")
@click.option("--remove", metavar="NAME", help="Remove this upload instead, with the matrices made of it.")
def upload(file: str | None, name: str | None, remove: str | None, as_json: bool, **given: Any) -> int:
    """Send a CSV, TSV, Parquet, npy or npz file that runs of yours then read as upload:NAME; without FILE, list what was sent.

    \b
    Example: dsketch jobs upload cars.csv
    Then:    dsketch jobs submit lstsq upload:cars.csv 'upload:cars.csv#price' --follow
    """  # noqa: D301
    with _client(given) as client:
        if remove is not None:
            client.rm_upload(remove)
        found = client.uploads() if file is None else client.upload(file, name=name)
    if as_json:
        print_json(found)
    else:
        lines = [_upload_line(one) for one in (found["uploads"] if file is None else [found])]
        click.echo("\n".join(lines) or "no uploads")
    return 0


@with_options(JSON)
@jobs.command(short_help="Make the index of a state directory anew from its jobs.")
@click.option(
    "--state", metavar="DIR", type=click.Path(path_type=Path), default=DEFAULT_STATE, help="State directory of a stopped service."
)
def rebuild(state: Path, as_json: bool) -> int:
    """Make the index of a stopped service anew from the folders of its jobs; a service does so at its start, too.

    \b
    Example: dsketch jobs rebuild --state /var/lib/dsketch
    """  # noqa: D301
    require_service()
    from dsketch.service.store import Store

    place = state.expanduser().absolute()
    if not (place / "jobs").is_dir():
        raise SpecError(f"the state directory of a service was expected; {place} is none. Give it with --state.")
    store = Store(place)
    count = store.rebuild()
    store.close()
    if as_json:
        print_json({"jobs": count})
    else:
        click.echo(f"{count} jobs in the index of {place}")
    return 0


# ---- inside ----------------------------------------------------------------------------------------------------------


def _client(given: dict[str, Any]) -> Client:
    """Return the client that the options mean, which are taken out of ``given``."""
    file: Path | None = given.pop("token_from")
    try:
        token = None if file is None else file.read_text().strip()
    except OSError as error:
        raise SpecError(f"a file with a token was expected; {file} gave: {error.strerror}. Check the path.") from error
    return Client(given.pop("url"), token)


def _full_path(name: str, address: str | None) -> str | None:
    """Return a path that is here in full, any other address as it is."""
    del name
    is_here = address is not None and "://" not in address and Path(address).exists()
    return str(Path(str(address)).absolute()) if is_here else address


def _numbers(name: str, text: str | None) -> Any:
    """Return the numbers of a text, or of a file that is here: they travel in the document."""
    return None if text is None else jsonable_numbers(name, text, "Give numbers with commas between.")


_SENT: dict[type, Callable[[str, Any], Any]] = {Matrix: _full_path, Numbers: _numbers}  # how it is sent to a service


def _upload_line(about: Document) -> str:
    shown = ", ".join(about["columns"][:12]) + (", …" if about["column_count"] > 12 else "")
    return f"{about['address']}  {format_bytes(about['bytes'])}  {about['column_count']} columns: {shown}"


def _job_line(job: Document) -> str:
    ahead = f", {job['ahead']} before it" if job["ahead"] else ""
    name = f"  {job['name']}" if job["name"] else ""
    word = job.get("word", job["state"])  # a service of before has none
    return (
        f"{job['id']}  {word:<11}  {job['spec']['problem']:<10}  {job['passes']} passes, {format_seconds(job['seconds'])}{ahead}"
        f"  {job['owner']}{name}"
    )


def _state_text(told_of: Document) -> str:
    state, sentence = told_of["state"], told_of["sentence"]
    if state in ("solved", "not_solved"):  # the sentence is that of the answer's status, which may be another word
        return str(sentence)
    return sentence if sentence.startswith(f"{state}:") else f"{state.replace('_', ' ')}: {sentence}"


def _say_state(job: Document, as_json: bool) -> int:
    if as_json:
        print_json(job)
    else:
        click.echo(_state_text(job))
    return 0


def _fetch_x(client: Client, job: str, facts: Document, output: Output | RemoteOutput | None) -> Any:
    """Return x, written where it shall be; one that is large passes through a file beside that place.

    Raises
    ------
    SpecError
        If a large one is to be printed.
    """
    told = {"status": facts["status"], "method": facts["method"], "job": job, **OURS}
    if (size := facts["x"]["bytes"]) <= _IN_MEMORY_BYTES:
        x = client.fetch(job)
        if output is not None:
            output.write(x, told)
        return x
    if output is None:
        raise SpecError(f"a place for x was expected, as it has {format_bytes(size)}; got none. Give --out.")
    with _room_beside(output) as room:
        output.write(client.fetch(job, Path(room) / "x.npy"), told)
    return None


def _fetch_group(client: Client, job: str, output: Output | RemoteOutput, as_json: bool) -> int:
    """Write all arrays of an answer into a group, one after the other."""
    facts = client.solution(job)
    fields = facts.get("fields") or {}
    if not fields:
        raise SpecError(f"an answer of several arrays was expected in job {job}; it has x alone. Give --out.")
    names = ("column", *facts.get("dimensions", ("target",)))
    arrays = [
        ArrayOf(name, tuple(about["shape"]), tuple(about.get("chunks", about["shape"])), about["dtype"],
                names[len(names) - len(about["shape"]) :], f"{name} of job {job}")
        for name, about in fields.items()
    ]  # fmt: skip
    told = {"status": facts["status"], "method": facts["method"], "job": job, **OURS}
    with _room_beside(output) as room, output.fill_group(arrays, told) as group:
        for one in arrays:
            file = Path(room) / f"{one.name}.npy"
            _copy_chunks(client.fetch_field(job, one.name, file), array_in(group, one.name))
            file.unlink()
    if as_json:
        print_json({**facts, "out_dir": str(output.path)})
    else:
        click.echo(facts["text"])
        click.echo(f"arrays      {', '.join(fields)} in {text_of(str(output.path))}")
    return 0 if facts["is_success"] else 1


def _room_beside(output: Output | RemoteOutput) -> "TemporaryDirectory[str]":
    """Return a folder for what comes on its way to a place: beside it, where there is room for it."""
    if isinstance(output, RemoteOutput):
        return TemporaryDirectory(prefix=".dsketch-fetch-")
    with writing(output.path):
        output.path.parent.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".dsketch-fetch-", dir=output.path.parent)


def _copy_chunks(values: Any, array: Any) -> None:
    """Copy an array into a Zarr array, chunk by chunk."""
    for place in product(*(range(0, size, chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))):
        box = tuple(slice(at, at + chunk) for at, chunk in zip(place, array.chunks, strict=True))
        array[box] = values[box]


def _coefficients(x: np.ndarray, most: int = 20) -> str:
    rows = x.reshape(len(x), -1)
    more = [f"            and {len(x) - most} more: --out writes them"] if len(x) > most else []
    return "\n".join([*(f"x           x{place}  {row_text(values)}" for place, values in enumerate(rows[:most])), *more])
