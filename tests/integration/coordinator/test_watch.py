"""The Reflector against a real API server through a faulty network: absence is proved, never guessed."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest
from aiohttp import web

from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import Gone, TooManyRequests, Unreachable
from coordinator.kube.objects import NIC_CLUSTER_POLICY, RESOURCES, Ref
from coordinator.kube.reflector import QUIET_SECONDS, Reflector
from coordinator.kube.session import Session
from coordinator.kube.transport import Transport
from coordinator.objects.live import LiveObject, decode_object
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually, running
from tests.integration.coordinator.objects import NAMESPACE, config_map
from tests.integration.coordinator.proxy import Answer, Proxy, proxied, redirected

LABEL = "nicfleet.test/watch"
NAMES = ("a", "b", "c", "d", "e")
SOURCE = Source(RESOURCES["ConfigMap"], NAMESPACE, LABEL, metadata_only=True)


def decode(raw: bytes | msgspec.Raw) -> LiveObject:
    return decode_object(raw, "ConfigMap")


class Seen:
    """A Reflector, and every object that it said was gone."""

    def __init__(self, kube: Kube, quiet_seconds: float = QUIET_SECONDS) -> None:
        self.gone: list[str] = []
        self.told: list[str] = []
        """Those that it said were there, or had changed."""
        self.reflector = Reflector(kube, SOURCE, decode, self._note, Random(1), quiet_seconds)

    def _note(self, key: str, old: LiveObject | None, new: LiveObject | None) -> None:
        (self.gone if new is None else self.told).append(key.removeprefix(f"{NAMESPACE}/"))

    @property
    def names(self) -> set[str]:
        return {live.ref.name for live in self.reflector.values()}


@pytest.fixture(autouse=True)
def objects(installed: ControlPlane) -> Iterator[None]:
    installed.apply(*(labelled(name) for name in NAMES))
    yield
    installed.kubectl("delete", "configmap", f"--namespace={NAMESPACE}", f"--selector={LABEL}")


@pytest.fixture
async def proxy(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[tuple[Proxy, Kube]]:
    async with proxied(kubeconfig, tmp_path) as (proxy, path):
        kube = await Kube.connect(path)
        yield proxy, kube
        await kube.close()


@pytest.fixture
async def seen(proxy: tuple[Proxy, Kube]) -> AsyncIterator[Seen]:
    """In sync."""
    found = Seen(proxy[1])
    async with running(found.reflector.run()):
        await eventually(found.reflector.synced.is_set)
        assert found.names == set(NAMES)
        yield found


async def test_changes_and_deletions_arrive(installed: ControlPlane, seen: Seen) -> None:
    installed.apply(labelled("f"))
    await eventually(lambda: "f" in seen.names)
    delete(installed, "a")
    await eventually(lambda: seen.gone == ["a"])


def only_lists(answer: Answer) -> Callable[[web.Request], Answer | None]:
    return lambda request: None if request.query.get("resourceVersion") else answer


def refusing_initial_events(answer: Callable[[web.Request], Answer | None]) -> Callable[[web.Request], Answer | None]:
    refusal = Answer(422, {"kind": "Status", "code": 422, "message": "sendInitialEvents is forbidden"})
    return lambda request: refusal if "sendInitialEvents" in request.query else answer(request)


EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
FAULTS = [
    pytest.param(only_lists(Answer(500, "oops")), id="500"),
    pytest.param(only_lists(Answer(200, "")), id="empty-200"),
    pytest.param(only_lists(Answer(200, "{}")), id="empty-object"),
    pytest.param(only_lists(Answer(200, "<html>login</html>")), id="not-json"),
    pytest.param(refusing_initial_events(lambda request: Answer(200, {"kind": "List", "items": []})), id="no-version"),
    pytest.param(
        refusing_initial_events(lambda request: Answer(410, EXPIRED) if "continue" in request.query else None),
        id="410-on-second-page",
    ),
    pytest.param(
        refusing_initial_events(lambda request: Answer(504, "timeout") if "continue" in request.query else None),
        id="504-on-second-page",
    ),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_list_that_fails_deletes_nothing(
    installed: ControlPlane, proxy: tuple[Proxy, Kube], seen: Seen, fault: Callable[[web.Request], Answer | None]
) -> None:
    faulty, _ = proxy
    faulty.query = lambda request: dict(request.query) | ({"limit": "2"} if "limit" in request.query else {})
    faulty.answer = fault
    expire(faulty)
    delete(installed, "a")
    before = len(faulty.seen)
    await eventually(lambda: len(faulty.seen) > before + 2)

    assert seen.gone == []
    assert seen.names == set(NAMES)
    assert seen.reflector.synced.is_set()

    faulty.answer = lambda request: None
    faulty.line = lambda line: line
    await eventually(lambda: seen.gone == ["a"])


async def test_a_list_that_breaks_off_deletes_nothing(
    installed: ControlPlane, proxy: tuple[Proxy, Kube], seen: Seen
) -> None:
    faulty, _ = proxy
    faulty.limit = 1500  # in the middle of the initial events
    expire(faulty)
    before = len(faulty.seen)
    await eventually(lambda: len(faulty.seen) > before + 2)
    await eventually(lambda: seen.reflector.failing_since is not None)
    assert seen.gone == []

    faulty.limit, faulty.line = None, lambda line: line
    delete(installed, "b")
    await eventually(lambda: seen.gone == ["b"])
    assert seen.reflector.failing_since is None


async def test_a_deletion_and_a_new_object_missed_by_the_watch_are_told_apart_by_uid(
    installed: ControlPlane, proxy: tuple[Proxy, Kube], seen: Seen
) -> None:
    faulty, _ = proxy
    before = uids(seen)
    faulty.line = lambda line: None  # swallow all events
    delete(installed, "a", "b")
    installed.apply(labelled("b"))
    await asyncio.sleep(0.2)
    assert uids(seen) == before

    faulty.line = lambda line: line
    expire(faulty)
    await eventually(lambda: seen.gone == ["a"])
    assert seen.names == set(NAMES) - {"a"}
    assert uids(seen)["b"] != before["b"]


async def test_a_position_that_a_restarted_server_no_longer_has_is_gone_and_listed_anew(
    installed: ControlPlane, kube: Kube, seen: Seen
) -> None:
    position = next(seen.reflector.values()).resource_version
    delete(installed, "a")
    installed.restart_apiserver()  # its watch cache begins anew

    with pytest.raises(Gone, match="too old resource version"):
        async with asyncio.timeout(60):
            await watched_in_vain(kube, position)
    await eventually(lambda: seen.gone == ["a"])
    assert seen.names == set(NAMES) - {"a"}


async def watched_in_vain(kube: Kube, position: str) -> None:
    """Again while the server only begins: it fills its caches after it has said that it is ready."""
    while True:
        with suppress(TooManyRequests, Unreachable):
            async for _ in kube.watch(SOURCE, position, timeout_seconds=5, tick=5):
                pass
        await asyncio.sleep(0.1)


def with_older_data(request: web.Request) -> dict[str, str]:
    """As if the server counted from an older number: our position is in its future."""
    query = dict(request.query)
    if position := query.get("resourceVersion"):
        query["resourceVersion"] = str(int(position) + 10**6)
    return query


async def test_a_server_that_comes_back_with_older_data_is_noticed(
    installed: ControlPlane, proxy: tuple[Proxy, Kube], seen: Seen
) -> None:
    """Restored from a copy, it would keep a watch from our newer position open, with 200 and no event."""
    faulty, _ = proxy
    lost = seen.reflector[f"{NAMESPACE}/a"]
    metadata = {"name": "a", "namespace": NAMESPACE, "uid": lost.uid, "labels": {"lost": "yes"}}
    metadata["resourceVersion"] = str(int(lost.resource_version) + 10**6)
    seen.reflector.learn(json.dumps({"metadata": metadata}).encode())
    faulty.query = with_older_data
    faulty.cut()
    delete(installed, "c")

    await eventually(lambda: seen.gone == ["c"])
    assert seen.reflector[f"{NAMESPACE}/a"].labels == lost.labels


async def test_a_watch_that_falls_silent_is_not_trusted(installed: ControlPlane, proxy: tuple[Proxy, Kube]) -> None:
    faulty, kube = proxy
    seen = Seen(kube, quiet_seconds=1.0)
    async with running(seen.reflector.run()):
        await eventually(seen.reflector.synced.is_set)
        faulty.line = lambda line: None if b'"DELETED"' in line else line
        faulty.query = with_older_data
        delete(installed, "c")

        await eventually(lambda: seen.gone == ["c"])


async def test_our_own_write_is_known_before_the_watch_tells_of_it(
    installed: ControlPlane, proxy: tuple[Proxy, Kube], seen: Seen
) -> None:
    faulty, kube = proxy
    faulty.line = lambda line: None
    patch = [{"op": "add", "path": "/metadata/labels/changed", "value": "yes"}]
    answer = await kube.json_patch(Ref("ConfigMap", NAMESPACE, "a"), patch, manager="test")

    seen.reflector.learn(answer)

    live = seen.reflector.get(f"{NAMESPACE}/a")
    assert live is not None
    assert live.labels["changed"] == "yes"


async def test_the_answer_to_a_write_that_comes_after_the_deletion_revives_nothing(
    installed: ControlPlane, kube: Kube, seen: Seen
) -> None:
    patch = [{"op": "add", "path": "/metadata/labels/changed", "value": "yes"}]
    answer = await kube.json_patch(Ref("ConfigMap", NAMESPACE, "a"), patch, manager="test")
    delete(installed, "a")
    await eventually(lambda: seen.gone == ["a"])

    seen.reflector.learn(answer)

    assert seen.names == set(NAMES) - {"a"}


async def test_what_the_watch_tells_late_of_a_deleted_object_revives_nothing(
    installed: ControlPlane, proxy: tuple[Proxy, Kube], seen: Seen
) -> None:
    """Neither a change of before its deletion, nor a list that had begun by then."""
    faulty, kube = proxy
    late: list[bytes] = []
    faulty.line = late.append
    for name in ("a", "b"):
        delete_at = seen.reflector[f"{NAMESPACE}/{name}"]
        installed.kubectl("label", "configmap", name, "changed=yes", f"--namespace={NAMESPACE}")
        await kube.delete(delete_at.ref, delete_at.uid, "Background")
        seen.reflector.forget(f"{NAMESPACE}/{name}", delete_at.uid)
    installed.apply(labelled("b"))
    await eventually(lambda: any(b'"ADDED"' in line for line in late))  # the last of them

    def all_at_last(line: bytes) -> bytes:
        lines = b"".join((*late, line))
        late.clear()
        return lines

    before = len(seen.told)
    faulty.line = all_at_last
    installed.apply(labelled("f"))
    await eventually(lambda: "f" in seen.names)

    assert seen.told[before:] == ["b", "f"]
    assert seen.gone == ["a", "b"]
    assert uids(seen)["b"] != delete_at.uid


OPTIONAL = replace(SOURCE, resource=replace(SOURCE.resource, optional=True))
CONVERSION = {"kind": "Status", "code": 500, "message": "conversion webhook for cert-manager.io/v1 failed"}
UNKNOWN = Answer(404, "404 page not found")


@pytest.mark.parametrize("fault", [pytest.param(UNKNOWN, id="404"), pytest.param(Answer(500, CONVERSION), id="500")])
async def test_an_optional_kind_that_cannot_be_listed_holds_up_nothing_and_is_listed_when_it_can(
    proxy: tuple[Proxy, Kube], fault: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.kube.reflector.UNKNOWN_KIND_SECONDS", 0.1)
    faulty, kube = proxy
    faulty.answer = lambda request: fault
    reflector = Reflector(kube, OPTIONAL, decode, lambda key, old, new: None, Random(1))
    async with running(reflector.run()):
        await eventually(reflector.synced.is_set)
        assert reflector.failing_since is None
        assert len(reflector) == 0

        faulty.answer = lambda request: None
        await eventually(lambda: len(reflector) == len(NAMES))


async def test_policies_that_the_server_does_not_know_yet_are_not_absent(proxy: tuple[Proxy, Kube]) -> None:
    """Absent, all that they own would be removed; a server that has just begun answers 404."""
    faulty, kube = proxy
    faulty.answer = lambda request: UNKNOWN
    reflector = Reflector(kube, Source(NIC_CLUSTER_POLICY), msgspec.json.decode, lambda key, old, new: None, Random(1))
    async with running(reflector.run()):
        await eventually(lambda: len(faulty.seen) > 1)
        assert reflector.failing_since is not None
        assert not reflector.synced.is_set()


async def test_who_hears_of_changes_may_fail_and_the_watch_goes_on(
    installed: ControlPlane, kube: Kube, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(key: str, old: LiveObject | None, new: LiveObject | None) -> None:
        raise ZeroDivisionError

    reflector = Reflector(kube, SOURCE, decode, fail, Random(1))
    async with running(reflector.run()):
        await eventually(reflector.synced.is_set)
        delete(installed, "a")
        await eventually(lambda: f"{NAMESPACE}/a" not in reflector)

    assert {getattr(record, "key", "") for record in caplog.records} == {f"{NAMESPACE}/{name}" for name in NAMES}


async def test_a_server_that_does_not_answer_is_reported_within_the_deadline(
    proxy: tuple[Proxy, Kube], kubeconfig: Path, tmp_path: Path
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # accepts connections, and that is all
    silent = redirected(kubeconfig, tmp_path, listener.getsockname()[1])
    transport = Transport(await Session.open(silent), deadline=0.3)
    kube = Kube(transport)
    try:
        with pytest.raises(Unreachable, match=r"cannot read ConfigMap x/y: the API server does not answer \(nothing"):
            await kube.get(Ref("ConfigMap", "x", "y"))
        assert not kube.reachability.ok
    finally:
        await kube.close()
        listener.close()


def labelled(name: str) -> dict[str, object]:
    body = config_map(name, a="1")
    body["metadata"]["labels"] = {LABEL: "yes"}
    return body


def delete(cluster: ControlPlane, *names: str) -> None:
    cluster.kubectl("delete", "configmap", f"--namespace={NAMESPACE}", *names)


def uids(seen: Seen) -> dict[str, str]:
    return {live.ref.name: live.uid for live in seen.reflector.values()}


def expire(proxy: Proxy) -> None:
    """Break the watches; the ones that go on from a position are told that it has expired."""
    answer, error = proxy.answer, {"type": "ERROR", "object": EXPIRED}

    def expired(request: web.Request) -> Answer | None:
        if "watch" in request.query and request.query.get("resourceVersion"):
            return Answer(200, json.dumps(error) + "\n")
        return answer(request)

    proxy.answer = expired
    proxy.cut()
