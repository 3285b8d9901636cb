"""All tags of an image, asked of its registry by HTTP: pages, tokens, and what it answers instead, as values.

Source: the OCI distribution specification, "Content discovery", and the specification of token authentication of the
CNCF's distribution.
"""

import asyncio
import os
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from coordinator.proxies import proxy_for
from coordinator.registry.challenge import Challenge, challenge_in
from coordinator.registry.credentials import Credentials, matching
from coordinator.registry.repository import Repository
from coordinator.states.driver_tags import Away, Known, Refused
from coordinator.verdicts.text import one_line

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds for all that is asked for one image."""

PAGE: Final = 1000
"""Tags asked for at once; registries may give fewer."""

LONGEST_BODY: Final = 16 << 20
"""Bytes of one answer. A page of a thousand tags, at most 128 characters each, has 140 kB."""

_BUSY: Final = frozenset({408, 425, 429})
_ACCEPT: Final = {"Accept": "application/json", "User-Agent": "nicfleet-coordinator"}


class _Refusal(Exception):
    """The registry answers and does not tell."""


class _NoAnswer(Exception):
    """What comes is no answer."""


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...] | None = None


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] | None = None


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


async def tags_of(
    session: aiohttp.ClientSession,
    image_name: str,
    start: str,
    credentials: Iterable[Credentials],
    deadline: float = DEADLINE,
) -> Known | Refused | Away:
    """The tags that begin with `start`, or why they are not known. Takes `deadline` seconds at most.

    Of several credentials for the registry the first that it accepts counts; without any it is asked as anybody.
    """
    repository = Repository.of(image_name)
    fitting = tuple(matching(credentials, repository))
    try:
        async with asyncio.timeout(deadline):
            return Known(
                frozenset(tag for tag in await _first_list(session, repository, fitting) if tag.startswith(start))
            )
    except _Refusal as refusal:
        hint = "" if fitting else "; no pull Secret has credentials for it"
        return Refused(f"{refusal}{hint}")
    except _NoAnswer as missing:
        return Away(str(missing))
    except TimeoutError:
        return Away(f"{repository.host} gave no complete answer within {deadline:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Away(f"{repository.host} is not reached: {_why(error)}")


async def _first_list(
    session: aiohttp.ClientSession, repository: Repository, credentials: tuple[Credentials, ...]
) -> list[str]:
    for each in credentials[:-1]:
        try:
            return await _list(session, repository, each)
        except _Refusal:
            continue
    return await _list(session, repository, credentials[-1] if credentials else None)


async def _list(session: aiohttp.ClientSession, repository: Repository, credentials: Credentials | None) -> list[str]:
    base, *plaintext = repository.bases
    try:
        return await _Conversation(session, repository, base, credentials).all_tags()
    except aiohttp.ClientConnectorCertificateError:
        raise  # it speaks TLS, and somebody may be in between
    except aiohttp.ClientConnectorError:
        if not plaintext:
            raise
    try:
        return await _Conversation(session, repository, plaintext[0], None).all_tags()
    except _Refusal as refusal:
        raise _Refusal(f"{refusal}; credentials are not sent without TLS") from refusal


class _Conversation:
    """Requests to one registry, and the authorization that it asked for."""

    def __init__(
        self, session: aiohttp.ClientSession, repository: Repository, base: str, credentials: Credentials | None
    ) -> None:
        self._session = session
        self._repository = repository
        self._base = URL(base)
        self._credentials = credentials
        self._authorization: str | None = None

    async def all_tags(self) -> list[str]:
        """All pages. Raises _Refusal, _NoAnswer, and what aiohttp raises."""
        found: list[str] = []
        first = self._base.joinpath("v2", *self._repository.path.split("/"), "tags", "list")
        url: URL | None = first.with_query(n=PAGE)
        while url is not None:
            tags, url = await self._page(url)
            found += tags
        return found

    async def _page(self, url: URL) -> tuple[tuple[str, ...], URL | None]:
        async with self._get(url, self._authorization) as response:
            if response.status != 401 or self._authorization is not None:
                return await self._read_page(response)
            challenge = challenge_in(response.headers.getall("WWW-Authenticate", ()))
            if challenge is None:
                return await self._read_page(response)
        self._authorization = await self._authorize(challenge)
        async with self._get(url, self._authorization) as response:
            return await self._read_page(response)

    async def _read_page(self, response: aiohttp.ClientResponse) -> tuple[tuple[str, ...], URL | None]:
        await _check(response, self._repository.host)
        page = await _decoded(response, _Tags, self._repository.host)
        following = response.links.get("next")
        if following is None or "url" not in following:
            return page.tags or (), None
        url = URL(following["url"])
        if url.origin() != self._base.origin():  # the authorization is for this registry alone
            raise _NoAnswer(f"{self._repository.host} continues its list of tags on another host")
        return page.tags or (), url

    async def _authorize(self, challenge: Challenge) -> str:
        """The Authorization header that answers the challenge."""
        basic = self._credentials.basic if self._credentials else None
        if challenge.scheme == "basic":
            if basic is None:
                raise _Refusal(f"{self._repository.host} answers 401")
            return basic
        url = URL(challenge.token_url(self._repository.path))
        if not url.host or (url.scheme != "https" and url.scheme != self._base.scheme):
            raise _NoAnswer(f"{self._repository.host} gives tokens at an address that is not used: {url.host or '?'}")
        async with self._get(url, basic) as response:
            await _check(response, url.host)
            token = await _decoded(response, _Token, url.host)
        return f"Bearer {token.token or token.access_token}"

    def _get(self, url: URL, authorization: str | None) -> Any:
        headers = _ACCEPT | ({"Authorization": authorization} if authorization else {})
        return self._session.get(url, headers=headers, proxy=proxy_for(url, os.environ))


async def _check(response: aiohttp.ClientResponse, host: str) -> None:
    """Raise what an answer that is no good one means."""
    if response.status < 300:
        return
    said = _said(await _body(response))
    sentence = f"{host} answers {response.status}{f' ({said})' if said else ''}"
    if response.status < 400 or response.status >= 500 or response.status in _BUSY:
        raise _NoAnswer(sentence)
    raise _Refusal(sentence)


async def _decoded(response: aiohttp.ClientResponse, kind: type[T], host: str) -> T:
    try:
        return msgspec.json.decode(await _body(response), type=kind)
    except msgspec.MsgspecError as error:
        raise _NoAnswer(f"{host} answers with something else than what was asked for") from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise _NoAnswer(f"{response.url.host} answers with more than {LONGEST_BODY >> 20} MiB")
    return bytes(body)


def _said(body: bytes) -> str:
    """The first error's message, where the body is a registry's."""
    try:
        errors = msgspec.json.decode(body, type=_Errors).errors or ()
    except msgspec.MsgspecError:
        return ""
    return one_line(errors[0].message, 100) if errors else ""


def _why(error: Exception) -> str:
    """In words that are the same on every attempt."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({one_line(str(error.certificate_error), 150)})"
        case aiohttp.ClientSSLError():
            return "it does not speak TLS"
        case aiohttp.ClientConnectorError():
            return os.strerror(error.errno) if error.errno else "no connection"
        case _:
            return one_line(str(error)) or type(error).__name__
