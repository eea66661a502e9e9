"""Events: kept in order, whole, and missed by nobody who listens."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from dsketch.service.events import Hub

JOB = "0" * 20


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with the folder of one job."""
    (tmp_path / JOB).mkdir()
    return Hub(tmp_path)


def collected(hub: Hub, after: int = 0, rests: bool = True) -> list[dict[str, Any]]:
    """Return what a listener hears of a job that rests."""

    async def listen() -> list[dict[str, Any]]:
        return [event async for event in hub.follow(JOB, after, lambda: rests)]

    return asyncio.run(listen())


def test_events_count_from_one(hub: Hub) -> None:
    """Each kept event has the number after the last, also in the next process."""
    for number in range(3):
        hub.tell(JOB, "note", text=str(number))
    Hub(hub._jobs).tell(JOB, "note", text="3")

    assert [(event["id"], event["text"]) for event in hub.events_after(JOB)] == [(1, "0"), (2, "1"), (3, "2"), (4, "3")]
    assert [event["id"] for event in collected(hub, 2)] == [3, 4]
    assert collected(hub, 4) == []


def test_half_a_line_is_cut_off(hub: Hub, tmp_path: Path) -> None:
    """What a crash left of an event is no event, and the next one is whole."""
    hub.tell(JOB, "note", text="whole")
    with (tmp_path / JOB / "events.jsonl").open("ab") as file:
        file.write(b'{"id": 2, "ev')
    again = Hub(tmp_path)
    assert len(again.events_after(JOB)) == 1
    again.tell(JOB, "note", text="next")

    assert [event["text"] for event in again.events_after(JOB)] == ["whole", "next"]


def test_an_event_that_does_not_fit_leaves_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk an event is lost whole; the next one follows the last that was kept."""
    hub.tell(JOB, "note", text="first")

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("dsketch.service.events._append", full)
        hub.tell(JOB, "note", text="lost")
    hub.tell(JOB, "note", text="second")

    assert [(event["id"], event["text"]) for event in hub.events_after(JOB)] == [(1, "first"), (2, "second")]


def test_a_listener_hears_what_comes_while_it_listens(hub: Hub) -> None:
    """Kept events, progress, and the end; a listener that begins in the middle misses nothing."""
    hub.tell(JOB, "note", text="before")
    state = {"rests": False}

    async def listen() -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        async for event in hub.follow(JOB, 0, lambda: state["rests"]):
            heard.append(event)
            if event["event"] == "progress":
                state["rests"] = True
                await asyncio.to_thread(hub.tell, JOB, "note", text="last")
            elif event.get("text") == "before":
                await asyncio.to_thread(hub.show, JOB, {"number": 1})
        return heard

    heard = asyncio.run(asyncio.wait_for(listen(), 30))

    assert [event["event"] for event in heard] == ["note", "progress", "note"]
    assert "id" not in heard[1]


def test_closing_ends_everybody(hub: Hub) -> None:
    """A service that stops leaves nobody waiting."""

    async def listen() -> int:
        listening = asyncio.create_task(anext(hub.follow(JOB, 0, lambda: False), None))
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.close)
        return await asyncio.wait_for(listening, 30)

    assert asyncio.run(listen()) is None


def test_only_jobs_have_events(hub: Hub) -> None:
    """A name that is no id never becomes a path."""
    with pytest.raises(ValueError, match="id of a job"):
        hub.tell("../x", "note")
