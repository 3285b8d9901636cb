"""Questions merged, limited, and their answers kept for a while."""

import asyncio

import pytest

from coordinator.authentication.answers import Answers, Until
from coordinator.turns import TooManyWait, Turns
from nicfleet.reasons import Finding, Reason
from tests.unit.event_loop import at_rest

PEER = "10.0.0.1"
REFUSAL = Finding(Reason.IdentityUnproven, "no")


class Server:
    """Answers when it is told to, and counts."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.now = 0.0
        self.asked = 0
        self.with_it = 0
        self.most_with_it = 0
        self.open = asyncio.Event()
        self.seconds = seconds
        self.error: Exception | None = None

    async def ask(self) -> Until[int]:
        self.asked += 1
        self.with_it += 1
        self.most_with_it = max(self.most_with_it, self.with_it)
        await self.open.wait()
        self.with_it -= 1
        if self.error is not None:
            raise self.error
        return Until(self.asked, self.now + self.seconds)

    async def refuse(self) -> Until[Finding]:
        self.asked += 1
        return Until(REFUSAL, self.now + self.seconds)

    def answers(self, at_once: int = 2, most: int = 3) -> Answers[int]:
        return Answers(lambda: self.now, Turns(at_once, at_once, most), most, 2)


async def test_all_who_ask_the_same_get_one_answer_for_as_long_as_it_counts() -> None:
    server = Server()
    answers = server.answers()
    asking = [asyncio.create_task(answers.get(b"a", PEER, server.ask)) for _ in range(50)]
    await asyncio.sleep(0)
    server.open.set()
    assert set(await asyncio.gather(*asking)) == {1}
    server.now = 9.9
    assert await answers.get(b"a", PEER, server.ask) == 1
    server.now = 10.0
    assert await answers.get(b"a", PEER, server.ask) == 2


async def test_few_are_with_the_server_at_once_and_not_endlessly_many_wait() -> None:
    server = Server()
    answers = server.answers(at_once=2, most=1)
    asking = [asyncio.create_task(answers.get(key, PEER, server.ask)) for key in (b"a", b"b", b"c")]
    await at_rest()
    with pytest.raises(TooManyWait):
        await answers.get(b"d", PEER, server.ask)
    server.open.set()
    await asyncio.gather(*asking)
    assert (server.asked, server.most_with_it) == (3, 2)


async def test_refusals_are_kept_too_and_take_the_place_of_no_other_answer() -> None:
    server = Server()
    server.open.set()
    answers = server.answers(most=1)
    good = await answers.get(b"good", PEER, server.ask)
    for key in (b"a", b"b", b"c", b"c"):
        assert await answers.get(key, PEER, server.refuse) == REFUSAL
    assert server.asked == 4
    assert await answers.get(b"good", PEER, server.ask) == good
    await answers.get(b"a", PEER, server.refuse)
    assert server.asked == 5


async def test_the_oldest_answer_makes_room() -> None:
    server = Server()
    server.open.set()
    answers = server.answers(most=3)
    for key in (b"a", b"b", b"c", b"d"):
        await answers.get(key, PEER, server.ask)
    await answers.get(b"b", PEER, server.ask)
    assert server.asked == 4
    await answers.get(b"a", PEER, server.ask)
    assert server.asked == 5


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    server = Server()
    server.error = OSError("away")
    server.open.set()
    answers = server.answers()
    asking = [asyncio.create_task(answers.get(b"a", PEER, server.ask)) for _ in range(3)]
    assert all(isinstance(each, OSError) for each in await asyncio.gather(*asking, return_exceptions=True))
    server.error = None
    assert await answers.get(b"a", PEER, server.ask) == 2


async def test_a_question_that_is_asked_goes_on_when_nobody_waits_any_longer() -> None:
    server = Server()
    answers = server.answers()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await answers.get(b"a", PEER, server.ask)
    again = asyncio.create_task(answers.get(b"a", PEER, server.ask))
    server.open.set()
    assert await again == 1


async def test_a_question_that_nobody_waits_for_any_longer_is_not_asked() -> None:
    server = Server()
    answers = server.answers(at_once=1, most=1)
    first = asyncio.create_task(answers.get(b"first", PEER, server.ask))
    leaving = [asyncio.create_task(answers.get(b"a", PEER, server.ask)) for _ in range(2)]
    await asyncio.sleep(0)
    leaving[0].cancel()
    await asyncio.wait(leaving[:1])
    with pytest.raises(TooManyWait):  # the other one waits still
        await answers.get(b"b", PEER, server.ask)
    leaving[1].cancel()
    await asyncio.wait(leaving)
    again = asyncio.create_task(answers.get(b"b", PEER, server.ask))  # in the place that is free now
    await at_rest()
    server.open.set()
    assert (await first, await again) == (1, 2)
