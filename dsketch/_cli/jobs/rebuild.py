"""``dsketch jobs rebuild``: the index of a stopped service made anew."""

from pathlib import Path

import click

from dsketch._cli.jobs.group import jobs
from dsketch._cli.options import JSON, with_options
from dsketch._cli.serve import DEFAULT_STATE, require_service
from dsketch._cli.show import print_json
from dsketch.errors import SpecError


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
