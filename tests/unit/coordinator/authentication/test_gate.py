"""How many questions are with the API server, whoever asks."""

import asyncio
import base64
from collections.abc import Coroutine
from typing import Any

import msgspec

from coordinator.authentication.gate import Gate
from nicfleet.names import TOKEN_AUDIENCE
from tests.unit.event_loop import at_rest


class Kube:
    """Does not answer, and counts who waits for it."""

    asked = 0

    async def review(self, *_: object) -> bytes:
        self.asked += 1
        await asyncio.Event().wait()
        return b""


async def test_agents_and_viewers_share_the_questions() -> None:
    kube = Kube()
    stub: Any = kube
    gate = Gate(stub, "system:serviceaccount:ns:agent")
    calls: list[Coroutine[Any, Any, object]] = [gate.agent(_token(number), "one") for number in range(50)]
    calls += [gate.viewer(_token(number), "another") for number in range(50)]
    calls += [gate.viewer(_token(number), "third") for number in range(50, 100)]
    waiting = [asyncio.ensure_future(call) for call in calls]
    await at_rest()
    assert kube.asked == 16
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)


def _token(number: int) -> str:
    claims = msgspec.json.encode({"aud": TOKEN_AUDIENCE, "exp": 1e12})
    return f"head.{base64.urlsafe_b64encode(claims).decode()}.{number}"
