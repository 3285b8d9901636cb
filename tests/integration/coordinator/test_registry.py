"""Tags of driver images, asked of a real registry's HTTP; Lookups with pull Secrets of a real API server."""

import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from coordinator.kube.client import Kube
from coordinator.registry import lookups
from coordinator.registry.credentials import Credentials
from coordinator.registry.listing import LONGEST_BODY, tags_of
from coordinator.registry.lookups import Lookups
from coordinator.states.driver_tags import Away, DriverImage, Known, Pending, Refused, Tags
from nicfleet.names import DEFAULT_NAMESPACE
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually, running
from tests.integration.coordinator.registry_server import Registry, errors, serving

PATH = "nvidia/mellanox/doca-driver"
VERSION = "25.07-0.9.7.0-0"
TAGS = [f"{VERSION}-{kernel}-generic-ubuntu22.04-amd64" for kernel in range(5)]
OTHERS = ["25.04-0.6.1.0-2-ubuntu22.04-amd64", "latest", "sha256-0123.sig"]
USER = ("$oauthtoken", "key:with:colons")


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with serving(Registry({PATH: TAGS + OTHERS})) as found:
        yield found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


def own(registry: Registry, user: tuple[str, str] = USER) -> Credentials:
    return Credentials(f"127.0.0.1:{registry.port}", *user)


async def asked(session: aiohttp.ClientSession, registry: Registry, *credentials: Credentials, **options: Any) -> Tags:
    return await tags_of(session, registry.image(PATH), f"{VERSION}-", credentials, **options)


async def test_all_pages_are_read_and_the_versions_tags_kept(
    registry: Registry, session: aiohttp.ClientSession
) -> None:
    assert await asked(session, registry) == Known(frozenset(TAGS))
    assert len(registry.asked) == 4  # eight tags in pages of two


async def test_a_list_without_tags(registry: Registry, session: aiohttp.ClientSession) -> None:
    registry.tags[PATH] = []
    assert await asked(session, registry) == Known(frozenset())


@pytest.mark.parametrize("user", [pytest.param(None, id="anybody"), pytest.param(USER, id="by-password")])
async def test_tokens(registry: Registry, session: aiohttp.ClientSession, user: tuple[str, str] | None) -> None:
    registry.access, registry.user = "token", user
    assert await asked(session, registry, *([own(registry)] if user else [])) == Known(frozenset(TAGS))
    assert registry.scopes == [f"repository:{PATH}:pull"]  # one token for all pages


async def test_passwords(registry: Registry, session: aiohttp.ClientSession) -> None:
    registry.access, registry.user = "basic", USER
    assert await asked(session, registry, own(registry)) == Known(frozenset(TAGS))


async def test_the_first_credentials_that_are_accepted_count(
    registry: Registry, session: aiohttp.ClientSession
) -> None:
    registry.access, registry.user = "token", USER
    elsewhere, expired = Credentials("registry.example.com", "a", "b"), own(registry, ("old", "key"))
    assert await asked(session, registry, elsewhere, expired, own(registry)) == Known(frozenset(TAGS))


@pytest.mark.parametrize(
    ("access", "credentials", "why"),
    [
        pytest.param(
            "token",
            [],
            "127.0.0.1 answers 401 (incorrect username or password); no pull Secret has credentials for it",
            id="token-without-credentials",
        ),
        pytest.param(
            "token",
            [("old", "key")],
            "127.0.0.1 answers 401 (incorrect username or password)",
            id="token-with-wrong-ones",
        ),
        pytest.param(
            "basic", [], "127.0.0.1:{port} answers 401; no pull Secret has credentials for it", id="no-password"
        ),
        pytest.param(
            "basic", [("old", "key")], "127.0.0.1:{port} answers 401 (authentication required)", id="wrong-password"
        ),
    ],
)
async def test_refused_for_want_of_credentials(
    registry: Registry,
    session: aiohttp.ClientSession,
    access: str,
    credentials: list[tuple[str, str]],
    why: str,
) -> None:
    registry.access, registry.user = access, USER
    given = [own(registry, user) for user in credentials]
    assert await asked(session, registry, *given) == Refused(why.format(port=registry.port))


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        pytest.param(errors(403, "denied: pull access"), Refused, " answers 403 (denied: pull access); no", id="403"),
        pytest.param(errors(404, "name unknown"), Refused, " answers 404 (name unknown); no pull", id="404"),
        pytest.param(web.Response(status=405), Refused, " answers 405; no pull Secret", id="no-lists"),
        pytest.param(web.Response(status=401), Refused, " answers 401; no pull Secret", id="401-and-no-way"),
        pytest.param(errors(429, "too many"), Away, " answers 429 (too many)", id="too-many-requests"),
        pytest.param(web.Response(status=500, body=b"<html>"), Away, " answers 500", id="failure"),
        pytest.param(web.Response(status=503), Away, " answers 503", id="not-now"),
        pytest.param(web.Response(body=b"<html>Sign in</html>"), Away, " answers with something else", id="no-json"),
        pytest.param(web.json_response({"tags": "x"}), Away, " answers with something else", id="no-list"),
        pytest.param(
            web.Response(body=b" " * (LONGEST_BODY + 1)), Away, " answers with more than 16 MiB", id="endless"
        ),
    ],
)
async def test_other_answers(
    registry: Registry, session: aiohttp.ClientSession, answer: web.Response, kind: type, why: str
) -> None:
    registry.answer = answer
    found = await asked(session, registry)
    assert isinstance(found, kind)
    assert isinstance(found, Refused | Away)
    assert found.why.removeprefix("127.0.0.1").removeprefix(f":{registry.port}").startswith(why)


async def test_a_slow_registry_is_not_waited_for(registry: Registry, session: aiohttp.ClientSession) -> None:
    registry.silent = True
    found = await asked(session, registry, deadline=0.2)
    assert found == Away(f"127.0.0.1:{registry.port} gave no complete answer within 0.2 s")


async def test_nobody_listens(session: aiohttp.ClientSession, free_port: int) -> None:
    found = await tags_of(session, f"127.0.0.1:{free_port}/{PATH}", VERSION, ())
    assert found == Away(f"127.0.0.1:{free_port} is not reached: Connection refused")


class _NoneKnown(AbstractResolver):
    """As getaddrinfo answers at once; where no name server answers, it takes its time."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        pass


async def test_a_name_that_nobody_knows() -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=_NoneKnown())) as session:
        found = await tags_of(session, f"registry.invalid/{PATH}", VERSION, ())
    assert found == Away("registry.invalid is not reached: its name is not known")


async def test_the_authorization_goes_to_no_other_host(registry: Registry, session: aiohttp.ClientSession) -> None:
    async with serving(Registry({PATH: TAGS})) as other:
        registry.access, registry.user, registry.next_host = "basic", USER, f"http://127.0.0.1:{other.port}"
        found = await asked(session, registry, own(registry))
        assert other.asked == []
    assert found == Away(f"127.0.0.1:{registry.port} continues its list of tags on another host")


async def test_tokens_are_not_fetched_from_anywhere(registry: Registry, session: aiohttp.ClientSession) -> None:
    registry.access, registry.realm = "token", "file:///etc/passwd"
    found = await asked(session, registry)
    assert isinstance(found, Away)
    assert found.why.endswith("gives tokens at an address that is not used: ?")


class _AllHere(AbstractResolver):
    """Every name is this machine's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        here = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)
        return [here]

    async def close(self) -> None:
        pass


@pytest.fixture
async def elsewhere() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=_AllHere())) as found:
        yield found


async def test_a_registry_nearby_may_speak_plaintext(registry: Registry, elsewhere: aiohttp.ClientSession) -> None:
    name = f"registry.local:{registry.port}/{PATH}"
    assert await tags_of(elsewhere, name, VERSION, ()) == Known(frozenset(TAGS))


async def test_and_hears_no_password_then(registry: Registry, elsewhere: aiohttp.ClientSession) -> None:
    registry.access, registry.user = "basic", USER
    name = f"registry.local:{registry.port}"
    found = await tags_of(elsewhere, f"{name}/{PATH}", VERSION, [Credentials(name, *USER)])
    assert found == Refused(f"{name} answers 401; credentials are not sent without TLS")


async def test_others_must_speak_tls(registry: Registry, elsewhere: aiohttp.ClientSession) -> None:
    found = await tags_of(elsewhere, f"registry.example.com:{registry.port}/{PATH}", VERSION, ())
    assert found == Away(f"registry.example.com:{registry.port} is not reached: it does not speak TLS")
    assert registry.asked == []


@pytest.fixture
def free_port() -> Iterator[int]:
    """Bound and not listened on, so that nobody else takes it."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Heard:
    """Counts changes."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def secret(cluster: ControlPlane, name: str, kind: str, **data: object) -> None:
    encoded = {
        key.replace("_", ".", 1): base64.b64encode(json.dumps(value).encode()).decode() for key, value in data.items()
    }
    metadata = {"name": name, "namespace": DEFAULT_NAMESPACE}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded})


async def test_pull_secrets_of_the_namespace_are_used(installed: ControlPlane, kube: Kube, registry: Registry) -> None:
    registry.access, registry.user = "token", USER
    auth = base64.b64encode(":".join(USER).encode()).decode()
    host = f"127.0.0.1:{registry.port}"
    secret(
        installed, "new-style", "kubernetes.io/dockerconfigjson", _dockerconfigjson={"auths": {host: {"auth": auth}}}
    )
    secret(
        installed,
        "old-style",
        "kubernetes.io/dockercfg",
        _dockercfg={f"https://{host}/v1/": {"username": USER[0], "password": USER[1]}},
    )
    secret(installed, "opaque", "Opaque", password="x")
    heard = Heard()
    looked_up = Lookups(kube, DEFAULT_NAMESPACE, 30, heard, Random(1))
    images = [
        DriverImage(registry.image(PATH), VERSION, ("opaque", "missing", name)) for name in ("new-style", "old-style")
    ]

    assert looked_up.ask(images) == dict.fromkeys(images, Pending())
    async with running(looked_up.run()):
        await eventually(lambda: heard.times == 2)
        assert looked_up.ask(images) == dict.fromkeys(images, Known(frozenset(TAGS)))
    installed.kubectl("delete", "secrets", "new-style", "old-style", "opaque", f"--namespace={DEFAULT_NAMESPACE}")


async def test_what_nobody_asks_for_is_looked_up_no_longer_and_then_anew(kube: Kube, registry: Registry) -> None:
    image, other = (DriverImage(registry.image(path), VERSION) for path in (PATH, "no/such"))
    looked_up = Lookups(kube, DEFAULT_NAMESPACE, 30, Heard(), Random(1))
    looked_up._poll_seconds = 0.05
    async with running(looked_up.run()):
        looked_up.ask([other, image])
        await eventually(lambda: isinstance(looked_up.ask([other, image])[image], Known))
        await eventually(lambda: isinstance(looked_up.ask([other, image])[other], Refused))
        await eventually(lambda: registry.times("no/such") > 2)

        assert looked_up.ask([image]).keys() == {image}
        before, others = registry.times(PATH), registry.times("no/such")
        await eventually(lambda: registry.times(PATH) > before + 20)  # four pages make a round
        assert registry.times("no/such") <= others + 1  # one may have been under way

        looked_up.ask([])
        assert looked_up.ask([image]) == {image: Pending()}
        await eventually(lambda: isinstance(looked_up.ask([image])[image], Known))


async def test_a_new_version_is_a_new_question(kube: Kube, registry: Registry) -> None:
    looked_up = Lookups(kube, DEFAULT_NAMESPACE, 30, Heard(), Random(1))
    image, newer = DriverImage(registry.image(PATH), VERSION), DriverImage(registry.image(PATH), "25.10-1.2.8.0-0")
    async with running(looked_up.run()):
        await eventually(lambda: isinstance(looked_up.ask([image])[image], Known))
        registry.tags[PATH].append(f"{newer.version}-ubuntu22.04-amd64")
        await eventually(
            lambda: looked_up.ask([newer])[newer] == Known(frozenset({f"{newer.version}-ubuntu22.04-amd64"}))
        )


async def test_an_absent_registry_undoes_nothing_and_is_said_to_be_absent_only_after_a_while(
    kube: Kube, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "PATIENCE", 600.0)
    heard = Heard()
    image = DriverImage(registry.image(PATH), VERSION)
    looked_up = Lookups(kube, DEFAULT_NAMESPACE, 30, heard, Random(1))
    registry.answer = errors(503, "starting")
    async with running(looked_up.run()):
        looked_up.ask([image])
        await registry.asked_for(2)
        assert looked_up.ask([image]) == {image: Pending()}
        monkeypatch.setattr(lookups, "PATIENCE", 0.0)
        await eventually(lambda: isinstance(looked_up.ask([image])[image], Away))
        assert heard.times == 1
        registry.answer = None
        await eventually(lambda: isinstance(looked_up.ask([image])[image], Known))
        assert heard.times == 2


async def test_a_known_list_outlives_its_registry(
    kube: Kube, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "PATIENCE", 0.0)
    image = DriverImage(registry.image(PATH), VERSION)
    looked_up = Lookups(kube, DEFAULT_NAMESPACE, 30, Heard(), Random(1))
    looked_up._poll_seconds = 0.05
    async with running(looked_up.run()):
        await eventually(lambda: isinstance(looked_up.ask([image])[image], Known))
        registry.answer = errors(503, "gone")
        await registry.asked_for(len(registry.asked) + 2)
        assert looked_up.ask([image]) == {image: Known(frozenset(TAGS))}
        registry.answer, registry.tags[PATH] = None, TAGS[:1]
        await eventually(lambda: looked_up.ask([image]) == {image: Known(frozenset(TAGS[:1]))})


async def test_nothing_is_asked_when_told_so(kube: Kube, registry: Registry) -> None:
    looked_up = Lookups(kube, DEFAULT_NAMESPACE, 0, Heard(), Random(1))
    assert looked_up.ask([DriverImage(registry.image(PATH), VERSION)]) == {}
