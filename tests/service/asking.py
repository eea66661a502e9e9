"""Requests to an application in this process, from whatever address a test wants."""

import asyncio
from typing import Any

import httpx


def ask(app: Any, method: str, path: str, headers: Any = None, *, peer: str = "127.0.0.1", **more: Any) -> httpx.Response:
    """Return the answer to a request that comes from ``peer``."""

    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.request(method, path, headers=headers, **more)

    return asyncio.run(asking())
