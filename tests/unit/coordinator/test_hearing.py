"""Who is sent away is heard out: few at once, each for a moment."""

import asyncio

import pytest

from coordinator.fleet import hearing
from coordinator.fleet.hearing import Hearing
from coordinator.turns import TooManyWait
from tests.unit.event_loop import at_rest


class Strangers:
    """They speak when they are told to."""

    def __init__(self) -> None:
        self.speak = asyncio.Event()
        self.heard = 0
        self.listened_to = 0
        self.most_listened_to = 0

    async def read(self) -> bytes:
        self.listened_to += 1
        self.most_listened_to = max(self.most_listened_to, self.listened_to)
        try:
            await self.speak.wait()
        finally:
            self.listened_to -= 1
        self.heard += 1
        return b"first"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, a test that means an end of it says so."""
    monkeypatch.setattr(hearing, "_SECONDS", 60.0)
    monkeypatch.setattr(hearing, "_PATIENCE", 60.0)


async def test_few_are_listened_to_at_once_and_fewer_of_one_peer() -> None:
    strangers, hearing_ = Strangers(), Hearing()
    waiting = [asyncio.create_task(hearing_.hear(strangers.read, "flood")) for _ in range(100)]
    await at_rest()
    assert strangers.listened_to == 4
    waiting += [asyncio.create_task(hearing_.hear(strangers.read, f"other-{n}")) for n in range(100)]
    await at_rest()
    assert strangers.listened_to == 8
    strangers.speak.set()
    await asyncio.gather(*waiting)
    assert (strangers.heard, strangers.most_listened_to) == (200, 8)


async def test_who_stays_silent_keeps_nobody_waiting_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_SECONDS", 0.01)
    silent, speaking, hearing_ = Strangers(), Strangers(), Hearing()
    speaking.speak.set()
    waiting = [asyncio.create_task(hearing_.hear(silent.read, f"silent-{n}")) for n in range(16)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await hearing_.hear(speaking.read, "honest")
        await asyncio.gather(*waiting)
    assert (speaking.heard, silent.heard) == (1, 0)


async def test_nobody_waits_for_long_behind_the_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_PATIENCE", 0.01)
    strangers, hearing_ = Strangers(), Hearing()
    waiting = [asyncio.create_task(hearing_.hear(strangers.read, "one")) for _ in range(100)]
    async with asyncio.timeout(30):
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        await hearing_.hear_out(strangers.read, "one")
    assert all(isinstance(end, TooManyWait) for end in ends)
