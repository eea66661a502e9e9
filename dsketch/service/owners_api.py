"""What owners use of the service, against what they may: for admins; no HTTP."""

from typing import Any

from dsketch.service.auth import Caller, Tokens
from dsketch.service.dispatch import Dispatcher
from dsketch.service.job import State
from dsketch.service.tokens_api import require_admin


def describe_owners(dispatcher: Dispatcher, tokens: Tokens, caller: Caller) -> dict[str, Any]:
    """Return every owner who has a token, a job, a table of its own, or used something today.

    Raises
    ------
    AccessError
        If the caller is no admin.
    """
    require_admin(caller)
    tally, quotas = dispatcher.store.tally(), dispatcher.quotas
    used = quotas.today()
    known = {token.owner for token in tokens.known()} | tally.keys() | used.keys() | quotas.owners.names() | {caller.owner}
    return {
        "is_counted": quotas.owners.are_declared,
        "owners": [_describe(dispatcher, owner, tally.get(owner, {}), used.get(owner, (0.0, 0.0))) for owner in sorted(known)],
    }


def _describe(dispatcher: Dispatcher, owner: str, jobs: dict[State, int], used: tuple[float, float]) -> dict[str, Any]:
    allowed, is_counted = dispatcher.quotas.owners.allowance(owner), dispatcher.quotas.owners.are_declared
    sent = dispatcher.uploads.use(owner)
    return {
        "owner": owner,
        "jobs": sum(jobs.values()),
        "running": sum(count for state, count in jobs.items() if state.is_active),
        "waiting": jobs.get(State.QUEUED, 0),
        "most_running": allowed.running_jobs,
        "read_bytes": int(used[0]) if is_counted else None,
        "most_read_bytes": allowed.bytes_a_day,
        "worked_seconds": used[1] if is_counted else None,
        "most_worked_seconds": allowed.seconds_a_day,
        "upload_bytes": sent.bytes,
        "most_upload_bytes": dispatcher.rules.uploads.owner_bytes,
        "uploads": sent.files,
        "most_uploads": dispatcher.rules.uploads.files,
    }
