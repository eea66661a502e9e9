"""``dsketch jobs submit``: a command for each problem, with the words of ``dsketch solve``."""

from collections.abc import Callable
from typing import Any

import click

from dsketch._cli.jobs.follow import follow_events
from dsketch._cli.jobs.group import URL, full_path, jobs, open_client
from dsketch._cli.options import for_each_problem, option_of
from dsketch._cli.session import name_settings
from dsketch._cli.show import print_json
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS
from dsketch.problems.arguments import jsonable_numbers
from dsketch.problems.tables import TABLE, no_table_error, words_of_table
from dsketch.settings import JOB, OUT_DIR, Numbers


@jobs.group(short_help="Hand in a run; prints the id of its job.")
def submit() -> None:
    """Hand in a run with the words of dsketch solve; prints the id of its job.

    A path that is here is sent in full; any other one is taken under the service's first data root. Numbers that lie in a file (b of
    two-layer, --alpha, --start) are read here, not there, and sent as numbers.
    """


def _submit(name: str, **given: Any) -> int:
    as_json, follows, title = (given.pop(word) for word in ("as_json", "follow", "title"))
    tags = given.pop("tag")
    key, limits = given.pop("key"), {"seconds": given.pop("max_seconds"), "memory": given.pop("max_memory")}
    with open_client(given) as client:
        asked = PROBLEMS[name]
        data = {option: given.pop(option.name.lower()) for option in asked.inputs}  # arguments have names in lower case
        words = (*asked.options, *(TABLE if asked.has_table else ()))
        data |= {option: given.pop(option.name) for option in words if option.kind in _SENT}
        if not asked.has_table and words_of_table({option.name: given.pop(option.name) for option in TABLE}) is not None:
            raise no_table_error(name)
        sent = {option.name: _SENT[option.kind](option.name, value) for option, value in data.items()}
        name_settings(asked, given)
        spec = {"problem": name, **sent, **given, "limits": limits}
        job = client.submit(spec, name=title, key=key, tags=tags)
        if as_json and not follows:
            print_json(job)
        elif not as_json:
            click.echo(job["id"])
        return follow_events(client, job["id"], as_json) if follows else 0


def _numbers(name: str, text: str | None) -> Any:
    """Return the numbers of a text, or of a file that is here: they travel in the document."""
    return None if text is None else jsonable_numbers(name, text, "Give numbers with commas between.")


_SENT: dict[type, Callable[[str, Any], Any]] = {Matrix: full_path, Numbers: _numbers}  # how it is sent to a service


for_each_problem(
    submit,
    _submit,
    [
        *(option_of(option, of_service=True) for option in (*TABLE, OUT_DIR, *JOB)),
        click.Option(["--name", "title"], metavar="TEXT", default="", help="For people."),
        click.Option(["--tag"], metavar="TAG", multiple=True, help="To find it by; may be given several times."),
        click.Option(["--key"], metavar="KEY", help="The same key with the same run gives the same job. [default: a new one]"),
        click.Option(["--follow"], is_flag=True, help="Watch it until it rests."),
        *URL,
    ],
    "dsketch jobs submit {problem} {data} --follow",
    "The service reads the data; numbers that lie in a file are read here, and sent.",
)
