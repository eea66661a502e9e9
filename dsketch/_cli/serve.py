"""``dsketch serve`` and ``dsketch token``: run the service, and let somebody in."""

import json
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsketch._cli.options import JSON, PRICE, SIZE, Interval, with_options
from dsketch._cli.session import say
from dsketch._cli.show import print_json
from dsketch.errors import SpecError

if TYPE_CHECKING:
    from dsketch.service.tokens import Token

_MOST_DAYS = 36_600  # as over HTTP: a hundred years
_NEEDED = ("cryptography", "fastapi", "fastapi_offline", "prometheus_client", "pydantic", "uvicorn")
_OWNER = "\0"  # the value of --revoke or --expire without one: the OWNER of the command
DEFAULT_STATE = Path("~/.local/state/dsketch")


def require_service() -> None:
    """Go on only with the packages of the service.

    Raises
    ------
    SpecError
        Naming what lacks.
    """
    if lacking := [name for name in _NEEDED if find_spec(name) is None]:
        raise SpecError(
            f"the service needs packages that are not installed: {', '.join(lacking)}. pip install 'dsketch[service]'."
        )


@with_options(PRICE, JSON)
@click.command(short_help="Run the solver service: HTTP, a queue of jobs, a web page.")
@click.option("--scheduler", metavar="ADDR", help="Address or scheduler file of a running Dask cluster. [default: own workers]")
@click.option("--workers", metavar="N", type=click.IntRange(1), help="Own worker processes. [default: one a processor]")
@click.option("--threads", metavar="N", type=click.IntRange(1), help="Task threads of each own worker. [default: 1]")
@click.option("--memory", type=SIZE, help="Memory limit of each own worker, such as 4GiB. [default: an equal share]")
@click.option("--dashboard", metavar="URL", help="Where people see the dashboard of --scheduler.")
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=DEFAULT_STATE,
    help="Where jobs, records and answers are kept.",
)
@click.option("--host", default="127.0.0.1", help="Where to listen; other than loopback only with --token-file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8750, help="0 takes a free one.")
@click.option("--token-file", metavar="FILE", type=click.Path(path_type=Path), help="Who may come in; dsketch token makes it.")
@click.option(
    "--owners",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="TOML with a table for each owner: data_roots, running_jobs, bytes_a_day, seconds_a_day; '*' is for all others.",
)
@click.option(
    "--trust-header", metavar="NAME", help="Header by which a proxy says who logged in there, such as X-Forwarded-User."
)
@click.option(
    "--trust-from",
    metavar="ADDRESS",
    multiple=True,
    help="Address or network from which that header is believed; may be repeated. [default: this machine]",
)
@click.option(
    "--data-root", metavar="PLACE", multiple=True, help="Folder or URL prefix that jobs may read under; may be repeated."
)
@click.option("--out-root", metavar="DIR", multiple=True, help="Folder that jobs may write results under; may be repeated.")
@click.option(
    "--allowed-host",
    metavar="NAME",
    multiple=True,
    help="Name by which a proxy reaches the service, or *.example.com; may be repeated. [default: any with tokens, else this machine's]",
)
@click.option("--root-path", metavar="/PREFIX", default="", help="Prefix under which a proxy shows the service.")
@click.option(
    "--keep-days",
    metavar="N",
    type=Interval(0, min_open=True),
    help="Remove jobs and their answers so long after they ended. [default: never]",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="What goes to standard error: from info on who asked what, and what became of jobs.",
)
@click.option(
    "--audit-log",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Append a line of JSON for every request and change of a job: who, what, which data, outcome. [default: none]",
)
@click.option(
    "--notify-host",
    metavar="NAME[:PORT]",
    multiple=True,
    help="Host to which jobs may send a notice when they end; may be repeated. [default: none]",
)
@click.option("--max-jobs", metavar="N", type=click.IntRange(1, 1000), default=2, help="Jobs that run at once.")
@click.option("--max-waiting", metavar="N", type=click.IntRange(1), default=10_000, help="Waiting jobs of one owner.")
@click.option(
    "--max-seconds",
    metavar="S",
    type=Interval(0, min_open=True),
    default=86_400.0,
    help="Time limit of a job's work; inf for none.",
)
@click.option(
    "--max-memory",
    type=SIZE,
    help="Memory limit of a job's own process. [default: half of the machine's or container's, shared by --max-jobs]",
)
@click.option("--max-result", type=SIZE, default="10GB", help="Largest x.")
@click.option("--max-bytes", type=SIZE, default="10TB", help="Bytes that a job may read, over all its passes.")
@click.option(
    "--max-planning",
    metavar="S",
    type=Interval(0, min_open=True),
    default=300.0,
    help="Seconds until a job is planned.",
)
@click.option("--max-upload", type=SIZE, default="100MB", help="Largest file that may be uploaded.")
@click.option(
    "--max-uploaded", type=SIZE, default="1GB", help="Bytes of all uploads of one owner, with the matrices made of them."
)
@click.option("--max-uploads", metavar="N", type=click.IntRange(1), default=100, help="Uploads of one owner.")
@click.option("--max-body", type=SIZE, default="1MB", help="Largest request.")
@click.option(
    "--patience",
    metavar="S",
    type=Interval(0, min_open=True),
    default=20.0,
    help="Seconds that a request may take to arrive.",
)
@click.option("--rate", metavar="N", type=Interval(0, min_open=True), default=100.0, help="Requests a second of one owner.")
@click.option(
    "--small",
    "small",
    type=SIZE,
    default="256MB",
    help="Data below this are solved in the job's own process, without the cluster.",
)
def serve(state: Path, host: str, port: int, token_file: Path | None, as_json: bool, **given: Any) -> int:
    """Run the solver service until Ctrl-C: submit, watch, cancel, resume and fetch solves over HTTP; the web page is at /.

    Jobs may only read what lies under a --data-root. Running jobs are interrupted when the service stops, or is killed, and go on
    after their last recorded pass when it runs again.

    \b
    Example: dsketch serve --data-root /data --state /var/lib/dsketch
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    require_service()
    from dsketch.service import serve as service
    from dsketch.service.logs import begin
    from dsketch.service.middleware import RequestBounds
    from dsketch.service.trust import TrustedHeader

    state = state.expanduser().absolute()
    begin(given["log_level"])

    def announce(address: str) -> None:
        say(f"dsketch serves at {address} (state in {state}); stop with Ctrl-C")
        if as_json:
            print_json({"address": address, "state": str(state)})

    places = given["data_root"], given["out_root"]
    cluster = {name: given[name] for name in ("scheduler", "workers", "threads", "memory", "dashboard")}
    bounds = RequestBounds(given["max_body"], given["patience"], given["rate"])
    limits = ("jobs", "waiting", "seconds", "memory", "result", "bytes", "planning", "upload", "uploaded", "uploads")
    most = {name: given[f"max_{name}"] for name in limits}
    more = {"allowed_hosts": given["allowed_host"], "root_path": given["root_path"].rstrip("/"), "keep_days": given["keep_days"]}
    more |= {
        "audit_log": given["audit_log"],
        "notice_hosts": given["notify_host"],
        "owners": given["owners"],
        "price": given["price"],
    }
    more |= {"trusted": TrustedHeader.of(given["trust_header"], given["trust_from"])}
    service.run(state, host, port, token_file, places, cluster, most, given["small"], bounds, announce, **more)
    return 0


@click.command(short_help="Make, list, expire or revoke tokens that let somebody use the service.")
@click.argument("owner", required=False)
@click.option(
    "--token-file", metavar="FILE", required=True, type=click.Path(path_type=Path), help="File of the service; made if need be."
)
@click.option("--admin", "is_admin", is_flag=True, help="Let it see and change the jobs of all owners.")
@click.option("--reader", "is_reader", is_flag=True, help="Let it look at its owner's jobs, and change nothing.")
@click.option("--label", metavar="TEXT", default="", help="What its owner calls it, such as laptop.")
@click.option(
    "--days",
    metavar="N",
    type=Interval(0, _MOST_DAYS, min_open=True),
    help="Let it be good for so long, from now on. [default: until revoked; with --expire not at all]",
)
@click.option(
    "--list", "is_list", is_flag=True, help="List the tokens: owner, role, id, until when, label; never the token itself."
)
@click.option(
    "--expire",
    metavar="[OWNER|ID|LABEL]",
    is_flag=False,
    flag_value=_OWNER,
    help="Let tokens that are there end in --days, or now: those of an owner, or of an id or label of --list. They stay listed.",
)
@click.option(
    "--revoke",
    metavar="[OWNER|ID|LABEL]",
    is_flag=False,
    flag_value=_OWNER,
    help="Let nobody in any more with the tokens of an owner, or with the one of an id or label of --list.",
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object on standard output.")
def token(
    owner: str | None, token_file: Path, as_json: bool, revoke: str | None, expire: str | None, is_list: bool, **given: Any
) -> int:
    """Make a token for OWNER and print it, once: the file keeps only its hash.

    A running service that reads this same file takes it at once, and no longer lets in whom --revoke or --expire names. A service that
    was given a copy of the file (LoadCredential= of systemd) has to be started again for each. Change the file with this command only:
    where a container sees it through a mount of the one file, an editor puts another file in its place, which the container does not
    see.

    \b
    Example: dsketch token alice --token-file /etc/dsketch/tokens --days 90
             dsketch token alice --token-file /etc/dsketch/tokens --reader --label dashboard
             dsketch token --list --token-file /etc/dsketch/tokens
             dsketch token --expire dashboard --token-file /etc/dsketch/tokens --days 7
             dsketch token --revoke alice --token-file /etc/dsketch/tokens
    """  # noqa: D301
    require_service()
    from dsketch.service.tokens import new_token

    if sum((is_list, revoke is not None, expire is not None)) > 1:
        raise SpecError("one of --list, --expire and --revoke was expected; there are several. Give them one after another.")
    if is_list:
        _list(token_file, owner, as_json)
    elif expire is not None:
        _expire(token_file, _require_owner(owner) if expire == _OWNER else expire, given["days"] or 0.0, as_json)
    elif revoke is not None:
        _revoke(token_file, _require_owner(owner) if revoke == _OWNER else revoke, as_json)
    else:
        made = new_token(token_file, _require_owner(owner), **given)
        click.echo(json.dumps({"owner": owner, "token": made}) if as_json else made)
    return 0


def _require_owner(owner: str | None) -> str:
    if owner is None:
        raise SpecError("an OWNER was expected; there is none. Write dsketch token OWNER --token-file FILE.")
    return owner


def _list(path: Path, owner: str | None, as_json: bool) -> None:
    from dsketch.service.tokens import read_tokens

    found = [token for token in read_tokens(path) if owner in (None, token.owner)]
    if as_json:
        print_json({"tokens": [_describe(token) for token in found]})
        return
    for token in found:
        click.echo(f"{token.owner:20} {token.role:6} {token.id}  {_end_of(token)}  {token.label}".rstrip())


def _describe(token: "Token") -> dict[str, Any]:
    return {
        "owner": token.owner,
        "role": token.role,
        "id": token.id,
        "until": _until(token),
        "is_expired": token.is_expired(time.time()),
        "label": token.label,
    }


def _until(token: "Token") -> str | None:
    return None if token.until is None else datetime.fromtimestamp(token.until, UTC).isoformat(timespec="minutes")


def _end_of(token: "Token") -> str:
    end = _until(token)
    return "until revoked" if end is None else f"{'ended' if token.is_expired(time.time()) else 'until'} {end}"


def _expire(path: Path, who: str, days: float, as_json: bool) -> None:
    from dsketch.service.tokens import expire

    ended = expire(path, who, days)
    if as_json:
        print_json({"tokens": [_describe(token) for token in ended]})
    for token in () if as_json else ended:
        click.echo(f"{token.owner} {token.id} {_end_of(token)}")


def _revoke(path: Path, who: str, as_json: bool) -> None:
    from dsketch.service.tokens import revoke

    gone = revoke(path, who)
    if as_json:
        print_json({"revoked": [{"owner": token.owner, "id": token.id} for token in gone]})
    else:
        click.echo(f"revoked {len(gone)} of {gone[0].owner}: {', '.join(token.id for token in gone)}")
