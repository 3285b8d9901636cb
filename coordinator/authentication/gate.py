"""Gate: whether a token is let through, asked of the API server and remembered.

An API server that does not answer is no refusal: nobody is let in by it, and nobody is told that he may not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, TypeVar

from coordinator.authentication import rules
from coordinator.authentication.answers import Answers, TooManyQuestions, Until
from coordinator.authentication.claims import expiry
from coordinator.authentication.reviews import may_view, whose
from coordinator.authentication.rules import Agent, Viewer
from coordinator.kube.client import Kube
from coordinator.kube.errors import KubeError
from nicfleet.names import TOKEN_AUDIENCE
from nicfleet.reasons import Finding

PATIENCE: Final = 8.0
"""Seconds for an answer. An agent waits 10 for that to its greeting."""

AGENT_SECONDS: Final = 300.0
"""For so long an agent may come back without a question to the API server."""
VIEWER_SECONDS: Final = 60.0
"""For so long a right that was taken away still counts."""
REFUSED_SECONDS: Final = 10.0
"""For so long a right that was given does not count yet."""

_AT_ONCE: Final = 16
"""Questions in flight. 10,000 reviews are 3 s of the API server's time, all at once or not."""
_MOST: Final = 20_000

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
        self._agents = Answers[Agent | Finding](clock, _AT_ONCE, _MOST)
        self._viewers = Answers[Viewer | Finding](clock, _AT_ONCE, _MOST)

    @property
    def reachable(self) -> bool:
        """Whether the API server answers, as far as is known: without it no new token can be checked."""
        return self._kube.reachability.ok

    async def agent(self, token: str) -> Agent | Finding:
        """Which agent shows this token."""
        if not token:
            return rules.NO_AGENT_TOKEN
        return await _patiently(self._agents.get(_key(token), lambda: self._ask_for_agent(token)))

    async def viewer(self, token: str) -> Viewer | Finding:
        """Who shows this token and may read the fleet."""
        if not token:
            return rules.NO_VIEWER_TOKEN
        return await _patiently(self._viewers.get(_key(token), lambda: self._ask_for_viewer(token)))

    async def _ask_for_agent(self, token: str) -> Until[Agent | Finding]:
        reviewed = await whose(self._kube, token, TOKEN_AUDIENCE)
        now = self._clock()
        found = rules.agent_of(reviewed, self._agent_account, expiry(token), now)
        if isinstance(found, Finding):
            return Until(found, now + REFUSED_SECONDS)
        return Until(found, min(now + AGENT_SECONDS, found.expires))

    async def _ask_for_viewer(self, token: str) -> Until[Viewer | Finding]:
        reviewed = await whose(self._kube, token, TOKEN_AUDIENCE)
        if reviewed.user is None or TOKEN_AUDIENCE not in reviewed.audiences:
            reviewed = await whose(self._kube, token)  # what kubectl sends is made for the API server
        user, now, expires = reviewed.user, self._clock(), expiry(token)
        if user is None or (expires is not None and expires <= now):
            return Until(rules.unknown_viewer(reviewed), now + REFUSED_SECONDS)
        if not await may_view(self._kube, user):
            return Until(rules.forbidden(user), now + REFUSED_SECONDS)
        until = now + VIEWER_SECONDS
        return Until(Viewer(user.name, expires), until if expires is None else min(until, expires))


async def _patiently(question: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(PATIENCE):
            return await question
    except TimeoutError as error:
        raise Unchecked(f"the token is not checked yet: no answer of the API server in {PATIENCE:g} s") from error
    except TooManyQuestions as error:
        raise Unchecked("the token is not checked yet: too many others wait for it") from error
    except KubeError as error:
        raise Unchecked(f"the token cannot be checked now: {error}") from error


def _key(token: str) -> bytes:
    """Tokens are secrets: they are not kept."""
    return sha256(token.encode()).digest()
