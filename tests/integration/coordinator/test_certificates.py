"""The coordinator's certificates on the real API server: kept in a Secret, published in a ConfigMap, by several."""

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from coordinator.certificates.issue import SERVER_LIFE, facts, is_signed_by
from coordinator.certificates.keeper import Certificates
from coordinator.certificates.settings import TlsSettings
from coordinator.certificates.sources import Source, names_of, source_of
from coordinator.kube.client import Kube
from coordinator.kube.objects import Ref
from nicfleet.names import CA_CONFIG_MAP, CERTIFICATES_MANAGER, DEFAULT_NAMESPACE, SERVICE, TLS_SECRET
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.certificates import write_certificate
from tests.integration.system.waiting import eventually

IN_NAMESPACE = f"--namespace={DEFAULT_NAMESPACE}"
NOW = datetime.now(UTC)
OWN = TlsSettings(None, TLS_SECRET, CA_CONFIG_MAP, SERVICE)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def empty(installed: ControlPlane) -> Iterator[None]:
    """Secret and ConfigMap as the chart makes them, and the right to change the former."""
    metadata = {"name": TLS_SECRET, "namespace": DEFAULT_NAMESPACE}
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [TLS_SECRET], "verbs": ["patch"]}
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": SERVICE, "namespace": DEFAULT_NAMESPACE}
    objects: tuple[dict[str, Any], ...] = (
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": CA_CONFIG_MAP}},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": TLS_SECRET},
            "subjects": [account],
        },
    )
    installed.apply(*objects)
    _until_it_may_renew(installed, "yes")
    yield
    for each in objects:
        installed.kubectl("delete", each["kind"], each["metadata"]["name"], IN_NAMESPACE, "--ignore-not-found")


def _until_it_may_renew(plane: ControlPlane, answer: str) -> None:
    """The API server's authorizer learns of a change a little later."""
    who = f"--as=system:serviceaccount:{DEFAULT_NAMESPACE}:{SERVICE}"
    question = ("auth", "can-i", "patch", f"secrets/{TLS_SECRET}", IN_NAMESPACE, who)
    eventually(lambda: plane.kubectl(*question, check=False).strip() == answer)


def kept(plane: ControlPlane) -> dict[str, bytes]:
    data: dict[str, str] = plane.get("secret", TLS_SECRET, IN_NAMESPACE).get("data", {})
    return {key: base64.b64decode(value) for key, value in data.items()}


def published(plane: ControlPlane) -> bytes:
    data: dict[str, str] = plane.get("configmap", CA_CONFIG_MAP, IN_NAMESPACE).get("data", {})
    return data.get("ca.crt", "").encode()


def own(kube: Kube, clock: Callable[[], datetime]) -> Source:
    return source_of(kube, DEFAULT_NAMESPACE, OWN, clock)


async def test_what_is_shown_is_what_is_kept_and_published(installed: ControlPlane, kube: Kube, clock: Clock) -> None:
    shown = await own(kube, clock).look()

    assert shown.trouble == ""
    assert kept(installed).keys() == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert kept(installed)["tls.crt"] == shown.pair.certificate
    assert published(installed) == shown.authorities == kept(installed)["ca.crt"]
    assert is_signed_by(shown.pair.certificate, shown.authorities)
    assert facts(shown.pair.certificate).names == names_of(SERVICE, DEFAULT_NAMESPACE)
    managers = {each["manager"] for each in installed.get("secret", TLS_SECRET, IN_NAMESPACE, "--show-managed-fields")[
        "metadata"]["managedFields"]}  # fmt: skip
    assert CERTIFICATES_MANAGER in managers


async def test_several_coordinators_agree_on_what_the_first_of_them_made(
    installed: ControlPlane, kubeconfig: Path, clock: Clock
) -> None:
    """All find it empty at once; then all find it due at once."""
    clients = [await Kube.connect(kubeconfig) for _ in range(4)]
    try:
        sources = [own(client, clock) for client in clients]
        first = await asyncio.gather(*(source.look() for source in sources))
        assert {each.trouble for each in first} == {""}
        assert len({each.pair for each in first}) == 1
        clock.now += SERVER_LIFE * 0.7
        second = await asyncio.gather(*(source.look() for source in sources))
    finally:
        for client in clients:
            await client.close()
    assert len({each.pair for each in second}) == 1
    assert second[0].pair != first[0].pair
    assert {each.authorities for each in second} == {published(installed)} == {first[0].authorities}


class Slow:
    """A client of a coordinator that another one overtakes after its first answer."""

    def __init__(self, kube: Kube, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._kube = kube
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile
        self.merge_patch = kube.merge_patch

    async def get(self, ref: Ref) -> bytes:
        answer = await self._kube.get(ref)
        if (meanwhile := self._meanwhile) is not None:
            self._meanwhile = None
            await meanwhile()
        return answer


async def test_who_is_overtaken_publishes_nothing_that_is_old(
    installed: ControlPlane, kube: Kube, clock: Clock
) -> None:
    first = await own(kube, clock).look()

    async def everything_anew() -> None:
        installed.kubectl("patch", "secret", TLS_SECRET, IN_NAMESPACE, "--type=merge", '-p={"data":null}')
        await own(kube, clock).look()

    written = len(_patches(installed))
    overtaken = await own(Slow(kube, everything_anew), clock).look()  # type: ignore[arg-type]  # what sources call

    assert overtaken.authorities == published(installed) == kept(installed)["ca.crt"] != first.authorities
    assert _patches(installed)[written:] == [CA_CONFIG_MAP]


def _patches(plane: ControlPlane) -> list[str]:
    """The ConfigMaps that a coordinator has changed, one after the other."""
    plane.kubectl("get", "namespace", "default")  # logged after all that has ended by now
    return [
        event["objectRef"]["name"]
        for event in plane.audit()
        if event["verb"] == "patch" and event.get("objectRef", {}).get("resource") == "configmaps"
        and event["responseStatus"]["code"] == 200
    ]  # fmt: skip


async def test_nothing_is_written_while_nothing_is_due(installed: ControlPlane, kube: Kube, clock: Clock) -> None:
    source = own(kube, clock)
    await source.look()

    def versions() -> list[str]:
        objects = (("secret", TLS_SECRET), ("configmap", CA_CONFIG_MAP))
        return [installed.get(*each, IN_NAMESPACE)["metadata"]["resourceVersion"] for each in objects]

    before = versions()
    clock.now += timedelta(days=50)
    await source.look()
    assert versions() == before


async def test_a_successor_is_published_before_it_signs(installed: ControlPlane, kube: Kube, clock: Clock) -> None:
    source = own(kube, clock)
    first = await source.look()
    clock.now += timedelta(days=4 * 365 + 1)
    await source.look()
    assert kept(installed).keys() >= {"ca-next.crt", "ca-next.key"}
    assert published(installed) == first.authorities + kept(installed)["ca-next.crt"]
    clock.now += timedelta(days=1)
    taken_over = await source.look()
    assert kept(installed).keys() == {"ca.crt", "ca.key", "ca-past.crt", "tls.crt", "tls.key"}
    assert kept(installed)["ca-past.crt"] == first.authorities
    assert is_signed_by(taken_over.pair.certificate, kept(installed)["ca.crt"])
    clock.now += timedelta(days=1)
    await source.look()
    assert "ca-past.crt" not in kept(installed)
    assert published(installed) == kept(installed)["ca.crt"]


async def test_what_somebody_else_did_to_them_is_mended(
    installed: ControlPlane, kube: Kube, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    source = own(kube, clock)
    first = await source.look()
    installed.kubectl("patch", "configmap", CA_CONFIG_MAP, IN_NAMESPACE, "--type=merge", '-p={"data":{"ca.crt":"x"}}')
    assert (await source.look()).pair == first.pair
    assert published(installed) == first.authorities
    installed.kubectl("patch", "secret", TLS_SECRET, IN_NAMESPACE, "--type=merge", '-p={"data":{"tls.key":"eA=="}}')
    mended = await source.look()
    assert mended.pair != first.pair
    assert (mended.authorities, published(installed)) == (first.authorities, first.authorities)
    installed.kubectl("patch", "secret", TLS_SECRET, IN_NAMESPACE, "--type=merge", '-p={"data":null}')
    anew = await source.look()
    assert anew.authorities == published(installed) != first.authorities
    no_authority = {"ca.crt": kept(installed)["tls.crt"], "ca.key": kept(installed)["tls.key"]}
    data = json.dumps({"data": {key: base64.b64encode(value).decode() for key, value in no_authority.items()}})
    installed.kubectl("patch", "secret", TLS_SECRET, IN_NAMESPACE, "--type=merge", f"-p={data}")
    again = await source.look()
    assert is_signed_by(again.pair.certificate, again.authorities)
    assert [vars(each)["why"] for each in caplog.records if each.message == "certificate not usable"] == [
        "tls.crt and tls.key cannot be used: there is no key in PEM",
        "ca.crt and ca.key cannot be used: the certificate is none of an authority",
    ]


def value(certificates: Certificates, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(certificates)
    return registry.get_sample_value(name, labels)


async def test_what_cannot_be_renewed_is_shown_on_and_told_once(
    installed: ControlPlane, kube: Kube, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "coordinator.certificates.keeper")
    certificates = Certificates(own(kube, clock), clock, Random(1))
    assert certificates.unhealthy() == "there is no certificate to show to agents: not looked for yet"
    assert await certificates.look()
    installed.kubectl("delete", "rolebinding", TLS_SECRET, IN_NAMESPACE)
    _until_it_may_renew(installed, "no")  # else it would renew once more, and nothing would be due
    clock.now += SERVER_LIFE * 0.7
    for _ in range(2):
        assert await certificates.look(), "what there is, is of use"
    assert value(certificates, "nicfleet_certificate_renewal_failing") == 1.0

    (told,) = (each for each in caplog.records if each.message == "certificate not renewed")
    assert f"cannot patch Secret {DEFAULT_NAMESPACE}/{TLS_SECRET}" in vars(told)["why"]
    assert vars(told)["why"].endswith("give nicfleet's ServiceAccount the rights that are shipped with it")
    assert certificates.unhealthy() == ""
    name = "nicfleet_certificate_expiration_timestamp_seconds"
    expires = (NOW + SERVER_LIFE).replace(microsecond=0).timestamp()
    assert value(certificates, name, certificate="server") == expires
    assert (
        value(certificates, name, certificate="authority")
        == (NOW + timedelta(days=1825)).replace(microsecond=0).timestamp()
    )
    clock.now = NOW + SERVER_LIFE
    assert certificates.unhealthy().startswith("the certificate has expired: cannot patch Secret")


@pytest.mark.parametrize(
    ("kind", "name", "command"),
    [
        pytest.param("secret", TLS_SECRET, "kubectl create secret generic", id="secret"),
        pytest.param("configmap", CA_CONFIG_MAP, "kubectl create configmap", id="config-map"),
    ],
)
async def test_an_object_that_is_missing_is_told_with_what_makes_it(
    installed: ControlPlane, kube: Kube, clock: Clock, kind: str, name: str, command: str
) -> None:
    installed.kubectl("delete", kind, name, IN_NAMESPACE)
    certificates = Certificates(own(kube, clock), clock, Random(1))
    assert not await certificates.look()
    assert f"is not there, which the coordinator fills but does not make: {command} {name}" in certificates.unhealthy()
    waiting = asyncio.create_task(certificates.obtain())
    installed.kubectl(*command.split()[1:], name, IN_NAMESPACE)
    async with asyncio.timeout(60):
        await waiting
    assert certificates.unhealthy() == ""


async def test_a_given_certificate_is_shown_and_its_authority_published(
    installed: ControlPlane, kube: Kube, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = write_certificate(tmp_path)
    key = (tmp_path / "tls.key").read_bytes()
    (tmp_path / "ca.crt").write_bytes("# für Käthe\n".encode("latin-1") + certificate + key)
    settings = TlsSettings(tmp_path, TLS_SECRET, CA_CONFIG_MAP, SERVICE)
    source = source_of(kube, DEFAULT_NAMESPACE, settings, clock)
    certificates = Certificates(source, clock, Random(1))
    assert await certificates.look()
    assert (await source.look()).pair.certificate == published(installed) == certificate
    assert kept(installed) == {}

    for broken, sentence in (
        ("tls.key", f"the coordinator has no usable tls.crt and tls.key in {tmp_path}"),
        ("ca.crt", f"the coordinator cannot use {tmp_path}/ca.crt (No such file or directory): put the PEM"),
    ):
        before = (tmp_path / broken).read_bytes()
        (tmp_path / broken).unlink()
        assert await certificates.look(), "the one before stays in use"
        told = [vars(each)["why"] for each in caplog.records if each.message == "certificate not renewed"]
        assert told[-1].startswith(sentence)
        (tmp_path / broken).write_bytes(before)

    renewed = write_certificate(tmp_path)
    (tmp_path / "ca.crt").write_bytes(renewed)
    assert await certificates.look()
    assert published(installed) == renewed
    assert json.dumps(caplog.text).count("PRIVATE KEY") == 0
