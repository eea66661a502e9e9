"""The group of commands, the options that all of them have, and the client that these mean."""

from pathlib import Path
from typing import Any

import click

from dsketch.client import DEFAULT_URL, Client
from dsketch.errors import SpecError

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


def open_client(given: dict[str, Any]) -> Client:
    """Return the client that the options mean, which are taken out of ``given``.

    Raises
    ------
    SpecError
        If the file of the token cannot be read.
    """
    file: Path | None = given.pop("token_from")
    try:
        token = None if file is None else file.read_text().strip()
    except OSError as error:
        raise SpecError(f"a file with a token was expected; {file} gave: {error.strerror}. Check the path.") from error
    return Client(given.pop("url"), token)


def full_path(name: str, address: str | None) -> str | None:
    """Return a path that is here in full, any other address as it is."""
    del name
    is_here = address is not None and "://" not in address and Path(address).exists()
    return str(Path(str(address)).absolute()) if is_here else address
