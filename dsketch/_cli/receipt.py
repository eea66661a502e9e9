"""``dsketch receipt``: what a finished run can be held to."""

from typing import Any

import click

import dsketch.api as api
from dsketch.engine.journal import Journal
from dsketch.errors import SpecError


@click.command(short_help="Print the receipt of a finished run, signed if you like.")
@click.argument("journal")
@click.option("--sign", "key", metavar="KEY", help="Sign it with this Ed25519 key (PEM), and keep it so in the journal.")
@click.option("--signer", metavar="NAME", help="Who signs, in words that are signed too.")
@click.option("--json", "as_json", is_flag=True, help="The same: a receipt is one JSON object.")
def receipt(journal: str, key: str | None, signer: str | None, **given: Any) -> int:
    """Print the receipt of a finished run: a short JSON document that holds for every byte of its journal.

    JOURNAL is what was given with --journal. Whoever has the receipt can audit the run (dsketch audit).

    \b
    Example: dsketch receipt run1 > receipt.json
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    del given
    if (key is None) != (signer is None):
        raise SpecError("a key and who signs with it were expected together; got one of them. Give --sign KEY --signer NAME.")
    found = api.receipt(journal)
    if key is not None and signer is not None:
        found = found.sign(key, signer)
        if not journal.endswith(".json"):
            Journal(journal).keep_receipt(found.to_json().encode())
    click.echo(found.to_json(), nl=False)
    return 0
