"""``dsketch jobs list``, and what is done with one job: show, tag, follow, log, cancel, resume, rm."""

from collections.abc import Callable
from typing import Any

import click

from dsketch._cli.jobs.follow import follow_events
from dsketch._cli.jobs.group import URL, jobs, open_client
from dsketch._cli.jobs.told import job_line, silence_text, state_text
from dsketch._cli.options import JSON, with_options
from dsketch._cli.session import say
from dsketch._cli.show import print_json, worker_text
from dsketch.client import Client, Document


@with_options(URL, JSON)
@jobs.command("list", short_help="List jobs, newest first.")
@click.option("--state", metavar="STATE", help="Only those in this state: queued, running, solved, failed …")
@click.option(
    "--search", metavar="WORDS", default="", help="Only those with these words in name, owner, problem, data, tags or id."
)
@click.option("--tag", metavar="TAG", multiple=True, help="Only those with this tag; given several times, with all of them.")
@click.option(
    "--order",
    metavar="ORDER",
    default="newest",
    show_default=True,
    help="newest, oldest, active (what runs first, then what waits), state, name, problem, owner, passes or work; -name: from its end.",
)
@click.option("--limit", metavar="N", type=click.IntRange(1), default=50, help="At most so many.")
def _list(state: str | None, search: str, tag: tuple[str, ...], order: str, limit: int, as_json: bool, **given: Any) -> int:
    """List jobs, newest first.

    \b
    Example: dsketch jobs list --state running
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    with open_client(given) as client:
        found = [job for _, job in zip(range(limit), client.list(state, search=search, order=order, tags=tag), strict=False)]
    if as_json:
        print_json({"jobs": found})
    else:
        click.echo("\n".join(job_line(job) for job in found) or "no jobs")
    return 0


@with_options(URL, JSON)
@jobs.command(short_help="Give a job tags, or take some away.")
@click.argument("job")
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--remove", metavar="TAG", multiple=True, help="Take this tag away; may be given several times.")
def tag(job: str, tags: tuple[str, ...], remove: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Add each TAG to those of JOB; prints all that it has then.

    \b
    Example: dsketch jobs tag 01a201b91cb989bffd70 "paper 2" --remove draft
    """  # noqa: D301
    gone = {one.casefold() for one in remove}
    with open_client(given) as client:
        kept = [one for one in client.show(job).get("tags", ()) if one.casefold() not in gone]
        found = client.tag(job, [*kept, *tags])
    if as_json:
        print_json(found)
    else:
        click.echo(", ".join(found["tags"]) or "no tags")
    return 0


def _about_one(act: Callable[[Client, str, bool], int], name: str, short: str, text: str) -> None:
    def run(job: str, as_json: bool, **given: Any) -> int:
        with open_client(given) as client:
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
    lines = [job_line(job), *(f"  {step['at']}  {step['state']:<11}  {step['sentence']}" for step in job["history"])]
    lines += [f"  {worker_text(worker)}" for worker in job.get("workers") or ()]
    if job["plan"]:
        lines += ["", job["plan"]["text"]]
    if job["state"] in ("solved", "not_solved"):
        lines += ["", client.solution(id_)["text"]]
    click.echo("\n".join(lines))
    return 0


def _follow(client: Client, id_: str, as_json: bool) -> int:
    return follow_events(client, id_, as_json)


def _log(client: Client, id_: str, as_json: bool) -> int:
    parts = client.log(id_)
    if as_json:
        print_json({"log": "".join(parts)})
        return 0
    is_silent = True
    for part in parts:
        click.echo(part, nl=False)
        is_silent = is_silent and not part
    if is_silent:
        say(silence_text(client.show(id_)))
    return 0


def _cancel(client: Client, id_: str, as_json: bool) -> int:
    return _say_state(client.cancel(id_), as_json)


def _resume(client: Client, id_: str, as_json: bool) -> int:
    return _say_state(client.resume(id_), as_json)


def _say_state(job: Document, as_json: bool) -> int:
    if as_json:
        print_json(job)
    else:
        click.echo(state_text(job))
    return 0


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
        "Print what the process of JOB wrote, such as the stack trace of a defect; that it wrote nothing is said on standard error.",
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
