"""Gate: whether a token is let through, asked of the API server and remembered.

An API server that does not answer is no refusal: nobody is let in by it, and nobody is told that he may not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, TypeVar

from coordinator.authentication import rules
from coordinator.authentication.answers import Answers, Until
from coordinator.authentication.claims import claims_of
from coordinator.authentication.reviews import may_view, whose
from coordinator.authentication.rules import Agent, Viewer
from coordinator.kube.client import Kube
from coordinator.kube.errors import KubeError
from coordinator.turns import TooManyWait, Turns
from nicfleet.names import TOKEN_AUDIENCE
from nicfleet.reasons import Finding

PATIENCE: Final = 8.0
"""Seconds for an answer. A question that has its turn goes on: who comes back finds the answer to it."""

AGENT_SECONDS: Final = 300.0
"""For so long an agent may come back without a question to the API server."""
VIEWER_SECONDS: Final = 60.0
"""For so long a right that was taken away still counts."""
REFUSED_SECONDS: Final = 10.0
"""For so long a right that was given does not count yet."""

_AT_ONCE: Final = 16
"""Questions in flight. 10,000 reviews are 3 s of the API server's time, all at once or not."""
_OF_ONE: Final = 8
"""Of them for one address. All agents may have one, behind a NAT."""
_WAITING: Final = 20_000
_MOST: Final = 20_000
_MOST_REFUSED: Final = 4096

T = TypeVar("T")


class Unchecked(Exception):
    """It is not known whether the token is good; the text says why, and that one may try again."""


class Gate:
    """Answers for whoever shows a token. All methods raise Unchecked."""

    def __init__(self, kube: Kube, agent_account: str, clock: Callable[[], float] = time.time) -> None:
        """`agent_account` is the user name that agents have: "system:serviceaccount:NAMESPACE:NAME"."""
        self._kube = kube
        self._agent_account = agent_account
        self._clock = clock
        turns = Turns(_AT_ONCE, _OF_ONE, _WAITING)
        self._agents = Answers[Agent](clock, turns, _MOST, _MOST_REFUSED)
        self._viewers = Answers[Viewer](clock, turns, _MOST, _MOST_REFUSED)

    @property
    def reachable(self) -> bool:
        """Whether the API server answers, as far as is known: without it no new token can be checked."""
        return self._kube.reachability.ok

    async def agent(self, token: str, peer: str) -> Agent | Finding:
        """Which agent shows this token. `peer` is the address from which it does."""
        if (why_not := rules.unfit_for_agents(token)) is not None:
            return why_not
        expires = rules.end_of_agents(claims_of(token), self._clock())
        if isinstance(expires, Finding):
            return expires
        return await _patiently(self._agents.get(_key(token), peer, lambda: self._ask_for_agent(token, expires)))

    async def viewer(self, token: str, peer: str) -> Viewer | Finding:
        """Who shows this token and may read the fleet. `peer` is the address from which he does."""
        if (why_not := rules.unfit_for_viewers(token)) is not None:
            return why_not
        expires = rules.end_of_viewers(claims_of(token), self._clock())
        if isinstance(expires, Finding):
            return expires
        return await _patiently(self._viewers.get(_key(token), peer, lambda: self._ask_for_viewer(token, expires)))

    async def _ask_for_agent(self, token: str, expires: float) -> Until[Agent] | Until[Finding]:
        reviewed = await whose(self._kube, token, TOKEN_AUDIENCE)
        found = rules.agent_of(reviewed, self._agent_account, expires)
        if isinstance(found, Finding):
            return self._refused(found)
        return Until(found, min(self._clock() + AGENT_SECONDS, expires))

    async def _ask_for_viewer(self, token: str, expires: float | None) -> Until[Viewer] | Until[Finding]:
        reviewed = await whose(self._kube, token, TOKEN_AUDIENCE)
        if reviewed.user is None or TOKEN_AUDIENCE not in reviewed.audiences:
            reviewed = await whose(self._kube, token)  # what kubectl sends is made for the API server
        user = reviewed.user
        if user is None:
            return self._refused(rules.unknown_viewer(reviewed))
        if not await may_view(self._kube, user):
            return self._refused(rules.forbidden(user))
        until = self._clock() + VIEWER_SECONDS
        return Until(Viewer(user.name, expires), until if expires is None else min(until, expires))

    def _refused(self, why: Finding) -> Until[Finding]:
        return Until(why, self._clock() + REFUSED_SECONDS)


async def _patiently(question: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(PATIENCE):
            return await question
    except TimeoutError as error:
        raise Unchecked(f"the token is not checked yet: no answer of the API server in {PATIENCE:g} s") from error
    except TooManyWait as error:
        raise Unchecked("the token is not checked yet: too many others wait for it") from error
    except KubeError as error:
        raise Unchecked(f"the token cannot be checked now: {error}") from error


def _key(token: str) -> bytes:
    """Tokens are secrets: they are not kept."""
    return sha256(token.encode()).digest()
