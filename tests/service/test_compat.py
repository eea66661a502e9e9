"""What we need of uvicorn beyond what it documents: its protocol has the parts that ours refines."""

import asyncio
from typing import Any

import uvicorn

from dsketch.service.compat import Http11
from dsketch.service.serve import Server


class Transport(asyncio.Transport):
    """A connection to nobody."""

    is_closed = False

    def close(self) -> None:
        """Note it."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """As noted."""
        return self.is_closed

    def write(self, data: Any) -> None:
        """Lose it."""
        del data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Know nothing."""
        del name
        return default


def test_a_request_is_under_way_from_its_head_to_its_answer() -> None:
    """Half a head is none; a timer closes the connection."""

    async def talk() -> tuple[bool, bool, bool]:
        answered = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            del scope, receive
            await answered.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        config = uvicorn.Config(app, lifespan="off", log_config=None)
        config.load()
        transport = Transport()
        protocol = Http11(config, uvicorn.server.ServerState(), {})
        protocol.connection_made(transport)
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n")
        half = protocol.is_answering
        protocol.data_received(b"\r\n")
        whole = protocol.is_answering
        answered.set()
        while protocol.is_answering:
            await asyncio.sleep(0)
        protocol.close_after(0)
        while not transport.is_closed:
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        return half, whole, protocol.is_answering

    assert asyncio.run(asyncio.wait_for(talk(), 30)) == (False, True, False)


def test_the_server_has_the_handler_that_ours_replaces() -> None:
    """A handler of another name would end the process before jobs are interrupted."""
    assert callable(uvicorn.Server.handle_exit)
    assert Server.handle_exit is not uvicorn.Server.handle_exit
