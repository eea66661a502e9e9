"""Texts as users see them: without the addresses of schedulers and workers, which would run whatever somebody sent there."""

import json
import re
from typing import Any

_ADDRESS = re.compile(r"\b(?:tcp|tls|ucx|wss?|inproc)://[\w.%:\[\]/-]*[\w\]]")
_INSTEAD = "the service's cluster"


def hide_addresses(text: str) -> str:
    """Return a text without addresses.

    >>> hide_addresses("2 workers on 1 host at tls://127.0.0.1:40123; 1.2 GB from s3://bucket/A.zarr")
    "2 workers on 1 host at the service's cluster; 1.2 GB from s3://bucket/A.zarr"
    """
    return _ADDRESS.sub(_INSTEAD, text)


def hide_addresses_in(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without addresses in its texts.

    >>> hide_addresses_in({"plan": ["tcp://[::1]:80"], "seconds": 1.5})
    {'plan': ["the service's cluster"], 'seconds': 1.5}
    """
    found: dict[str, Any] = json.loads(hide_addresses(json.dumps(document)))
    return found
