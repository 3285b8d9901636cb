"""The admission webhook as the real API server asks it, and what a user of kubectl reads then."""

import asyncio
import base64
import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import yaml

from coordinator.admission.certificate import Certificate
from coordinator.admission.review import API_VERSION, Known
from coordinator.admission.server import LARGEST_BODY, CannotServeWebhook, Webhook, path_of
from coordinator.certificates.folder import CertificateUnusable
from coordinator.intake import Intake
from coordinator.kube.client import Kube, Source
from coordinator.kube.node_decoding import decode_node
from coordinator.kube.objects import NIC_CLUSTER_POLICY, NIC_NODE_POLICY, NODE
from coordinator.kube.reflector import Reflector
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.nodes import fake_node
from tests.integration.coordinator.background import connections_ended
from tests.integration.coordinator.certificates import write_certificate
from tests.integration.coordinator.conftest import DEPLOY
from tests.integration.system.waiting import eventually

CONFIGURATION = "nicfleet-validating-webhook-configuration"
DRIVER = {"image": "doca-driver", "repository": "nvcr.io/nvidia/mellanox", "version": "25.07-0.9.7.0-0"}
WRONG_DRIVER = DRIVER | {"version": "latest"}
NO_DRIVER_VERSION = "is 'latest', which is no driver version: set spec.ofedDriver.version as in 25.07-0.9.7.0-0"
PLURALS = {
    "NicClusterPolicy": "nicclusterpolicies",
    "NicNodePolicy": "nicnodepolicies",
    "HostDeviceNetwork": "hostdevicenetworks",
    "MacvlanNetwork": "macvlannetworks",
    "IPoIBNetwork": "ipoibnetworks",
}


class Running:
    """A webhook with the coordinator's own caches, in a thread of its own: kubectl is waited for in this one."""

    def __init__(self, kubeconfig: Path, certificates: Path, *, skip: bool = False) -> None:
        self._kubeconfig = kubeconfig
        self._certificates = certificates
        self._skip = skip
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self.port = 0
        self.policies: Callable[[], set[str]] = set
        self.nodes: Callable[[], set[str]] = set

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._started.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        kube, random = await Kube.connect(self._kubeconfig), Random(1)
        nodes = Reflector(kube, Source(NODE), decode_node, lambda *_: None, random)
        caches: list[Reflector[Mapping[str, Any]]] = [
            Reflector(kube, Source(kind), msgspec.json.decode, lambda *_: None, random)
            for kind in (NIC_CLUSTER_POLICY, NIC_NODE_POLICY)
        ]
        known = Known(lambda: Intake.of(each for cache in caches for each in cache.values()).served, nodes.values)
        webhook = Webhook("127.0.0.1:0", self._certificates, known, skip=self._skip)
        assert webhook.unhealthy()
        await webhook.start()
        assert not webhook.unhealthy()
        running = (nodes.run(), *(cache.run() for cache in caches), webhook.run())
        work = [asyncio.create_task(endless) for endless in running]
        await asyncio.gather(nodes.synced.wait(), *(cache.synced.wait() for cache in caches))
        self.port = webhook.port
        self.policies = lambda: {name for cache in caches for name in cache}
        self.nodes = lambda: set(nodes)
        self._started.set()
        await self._end.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await webhook.stop()
        await kube.close()
        await connections_ended()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificate(folder)
    return folder


@pytest.fixture(scope="module")
def webhook(installed: ControlPlane, kubeconfig: Path, certificates: Path) -> Iterator[Running]:
    with Running(kubeconfig, certificates) as running:
        yield running


@pytest.fixture
def api(installed: ControlPlane, webhook: Running, certificates: Path) -> Iterator[ControlPlane]:
    """The API server with our webhook, without an object of ours before and after."""
    clear(installed)
    eventually(lambda: not webhook.policies())
    with asked(installed, webhook.port, certificates):
        yield installed
    clear(installed)
    eventually(lambda: not webhook.policies())


def clear(plane: ControlPlane) -> None:
    plane.kubectl("delete", "--all", "--wait", ",".join(PLURALS.values()))


@contextlib.contextmanager
def asked(plane: ControlPlane, port: int, certificates: Path) -> Iterator[None]:
    """The shipped configuration, with this machine in the place of the Service, from when it is in force."""
    configure(plane, port, certificates)
    eventually(lambda: is_asked(plane))
    try:
        yield
    finally:
        plane.kubectl("delete", "validatingwebhookconfiguration", CONFIGURATION)
        eventually(lambda: not is_asked(plane))


def configure(plane: ControlPlane, port: int, certificates: Path) -> None:
    documents = yaml.safe_load_all((DEPLOY / "webhook/webhook.yaml").read_text())
    (shipped,) = (each for each in documents if each["kind"] == "ValidatingWebhookConfiguration")
    for one in shipped["webhooks"]:
        path = one["clientConfig"]["service"]["path"]
        ca = base64.b64encode((certificates / "tls.crt").read_bytes()).decode()
        one["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", "caBundle": ca}
    plane.apply(shipped)


def is_asked(plane: ControlPlane) -> bool:
    """Whether the API server asks by now; it learns of the webhooks of all kinds at once."""
    said = dry_run(plane, "HostDeviceNetwork", {"resourceName": "-"}, "probe")
    assert "is invalid" in said or "created" in said, said
    return "is invalid" in said


def body(kind: str, spec: Any, name: str = "test", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mellanox.com/v1alpha1",
        "kind": kind,
        "metadata": {"name": name} | metadata,
        "spec": spec,
    }


def create(plane: ControlPlane, kind: str, spec: Any, name: str = "test") -> str:
    """What kubectl prints."""
    return plane.kubectl("create", "-f", "-", input=json.dumps(body(kind, spec, name)), check=False)


def dry_run(plane: ControlPlane, kind: str, spec: Any, name: str = "test") -> str:
    said = json.dumps(body(kind, spec, name))
    return plane.kubectl("create", "--dry-run=server", "-f", "-", input=said, check=False)


def patch(plane: ControlPlane, kind: str, change: Any, *options: str, name: str = "test") -> str:
    return plane.kubectl(
        "patch", PLURALS[kind], name, "--type=merge", f"--patch={json.dumps(change)}", *options, check=False
    )


GOOD: dict[str, Any] = {
    "NicClusterPolicy": {"ofedDriver": DRIVER},
    "NicNodePolicy": {"ofedDriver": DRIVER},
    "HostDeviceNetwork": {"resourceName": "hostdev", "ipam": '{"type": "nv-ipam", "poolName": "p"}'},
    "MacvlanNetwork": {"master": "ens1", "ipam": "{}"},
    "IPoIBNetwork": {"master": "ib0", "ipam": "{}"},
}
BAD: dict[str, tuple[Any, str]] = {
    "NicClusterPolicy": ({"ofedDriver": WRONG_DRIVER}, f"spec.ofedDriver.version: {NO_DRIVER_VERSION}"),
    "NicNodePolicy": (
        {"ofedDriver": DRIVER | {"upgradePolicy": {"safeLoad": True}}},
        "spec.ofedDriver.upgradePolicy.safeLoad: is true, which needs spec.ofedDriver.upgradePolicy.autoUpgrade: "
        "set autoUpgrade to true or safeLoad to false",
    ),
    "HostDeviceNetwork": (
        {"resourceName": "host dev"},
        "spec.resourceName: is 'host dev', which no resource is called: use letters, digits, '-', '_' and '.'",
    ),
    "MacvlanNetwork": ({"ipam": '{"type": }'}, "spec.ipam: is not valid JSON at line 1, column 10"),
    "IPoIBNetwork": ({"ipam": "[]"}, "spec.ipam: is JSON but not an object: start it with { and end it with }"),
}


@pytest.mark.parametrize("kind", BAD)
def test_every_kind_is_refused_and_let_pass(api: ControlPlane, kind: str) -> None:
    spec, sentence = BAD[kind]
    name = "nic-cluster-policy" if kind == "NicClusterPolicy" else "test"

    refused = create(api, kind, spec, name)

    assert f'The {kind} "{name}" is invalid: {sentence}' in refused
    assert api.get(PLURALS[kind])["items"] == []

    assert "created" in create(api, kind, GOOD[kind], name)

    said = patch(api, kind, {"spec": spec}, name=name)
    assert sentence in said
    assert api.get(PLURALS[kind], name)["metadata"]["generation"] == 1


def test_a_refusal_is_422_with_a_cause_for_each_field(api: ControlPlane) -> None:
    spec = {"ofedDriver": WRONG_DRIVER, "nvIpam": {"image": "nv-ipam", "repository": "r.io/a"}}
    with pytest.raises(ControlPlaneError) as raised:
        api.create("/apis/mellanox.com/v1alpha1/nicclusterpolicies", [body("NicClusterPolicy", spec)])
    _, _, answer = str(raised.value).partition(": ")
    code, _, text = answer.partition(" ")
    status = json.loads(text)
    assert (code, status["code"], status["reason"]) == ("422", 422, "Invalid")
    assert status["message"].startswith(
        'admission webhook "vnicclusterpolicy.kb.io" denied the request: NicClusterPolicy.mellanox.com "test" is '
        f"invalid: [spec.ofedDriver.version {NO_DRIVER_VERSION}"
    )
    assert [(cause["reason"], cause["field"]) for cause in status["details"]["causes"]] == [
        ("FieldValueInvalid", "spec.ofedDriver.version"),
        ("FieldValueInvalid", "spec.nvIpam.version"),
    ]


def test_a_dry_run_is_refused_too(api: ControlPlane) -> None:
    assert NO_DRIVER_VERSION in dry_run(api, "NicNodePolicy", {"ofedDriver": WRONG_DRIVER})


def test_warnings_are_shown_and_refuse_nothing(api: ControlPlane) -> None:
    said = create(api, "NicClusterPolicy", {"tolerations": [{"key": "a", "operator": "Exist"}]}, "second")
    assert "Warning: metadata.name is second: only the NicClusterPolicy nic-cluster-policy is acted on" in said
    assert "Warning: spec.tolerations[0].operator is 'Exist', at which pods are refused: use Exists or Equal" in said
    assert "created" in said


def test_a_stored_object_that_breaks_a_rule_can_be_labelled_judged_and_deleted(
    installed: ControlPlane, webhook: Running, certificates: Path
) -> None:
    create(installed, "NicNodePolicy", {"ofedDriver": WRONG_DRIVER})
    with asked(installed, webhook.port, certificates):
        assert "patched" in patch(installed, "NicNodePolicy", {"metadata": {"labels": {"a": "b"}}})
        assert "patched" in patch(installed, "NicNodePolicy", {"metadata": {"annotations": {"a": "b"}}})
        status = {"status": {"state": "error"}}
        assert "patched" in patch(installed, "NicNodePolicy", status, "--subresource=status")

        change = {"spec": {"ofedDriver": {"terminationGracePeriodSeconds": 1}}}
        assert NO_DRIVER_VERSION in patch(installed, "NicNodePolicy", change)
        correct = {"spec": {"ofedDriver": {"version": DRIVER["version"]}}}
        assert "patched" in patch(installed, "NicNodePolicy", correct)

        assert "deleted" in installed.kubectl("delete", "nicnodepolicy", "test")


def test_a_bad_object_that_waits_for_its_finalizer_can_be_let_go(
    installed: ControlPlane, webhook: Running, certificates: Path
) -> None:
    held = body("NicNodePolicy", {"ofedDriver": WRONG_DRIVER}, finalizers=["example.com/held"])
    installed.kubectl("create", "-f", "-", input=json.dumps(held))
    with asked(installed, webhook.port, certificates):
        installed.kubectl("delete", "nicnodepolicy", "test", "--wait=false")
        assert "patched" in patch(installed, "NicNodePolicy", {"metadata": {"finalizers": None}})
        eventually(lambda: installed.get("nicnodepolicies")["items"] == [])


@pytest.fixture
def node(installed: ControlPlane, webhook: Running) -> Iterator[str]:
    installed.apply(fake_node("admission-node", labels={"role": "gpu", "rack": "7"}))
    eventually(lambda: "admission-node" in webhook.nodes())
    yield "admission-node"
    installed.kubectl("delete", "node", "admission-node")
    eventually(lambda: "admission-node" not in webhook.nodes())


def stored(plane: ControlPlane, webhook: Running, kind: str, spec: Any, name: str) -> None:
    """Create, and wait until the webhook's caches have it."""
    assert "created" in create(plane, kind, spec, name)
    eventually(lambda: name in webhook.policies())


def test_node_policies_that_choose_one_node(api: ControlPlane, webhook: Running, node: str) -> None:
    stored(api, webhook, "NicNodePolicy", {"nodeSelector": {"role": "gpu"}, "ofedDriver": DRIVER}, "gpu")

    refused = create(api, "NicNodePolicy", {"nodeSelector": {"rack": "7"}, "sriovDevicePlugin": DRIVER}, "rack")

    assert "Error from server (Forbidden)" in refused
    assert 'admission webhook "vnicnodepolicy.kb.io" denied the request: ' in refused
    assert (
        f"spec.nodeSelector of NicNodePolicy gpu and of NicNodePolicy rack both choose node {node}: "
        "change one of them, so that a node has one policy"
    ) in refused

    stored(api, webhook, "NicNodePolicy", {"nodeSelector": {"rack": "8"}, "ofedDriver": DRIVER}, "rack")
    said = patch(api, "NicNodePolicy", {"spec": {"nodeSelector": {"rack": "7"}}}, name="rack")
    assert f"both choose node {node}" in said
    assert "patched" in patch(api, "NicNodePolicy", {"spec": {"nodeSelector": {"rack": "9"}}}, name="rack")


def test_a_section_in_both_kinds(api: ControlPlane, webhook: Running, node: str) -> None:
    stored(api, webhook, "NicClusterPolicy", {"ofedDriver": DRIVER}, "nic-cluster-policy")
    sentence = (
        "spec.ofedDriver is in NicClusterPolicy nic-cluster-policy and in NicNodePolicy gpu, "
        f"which both speak for node {node}: leave it in one of them"
    )
    selector = {"nodeSelector": {"role": "gpu"}}

    assert sentence in create(api, "NicNodePolicy", selector | {"ofedDriver": DRIVER}, "gpu")

    plugin = DRIVER | {"image": "sriov-network-device-plugin", "version": "v3.9.0"}
    stored(api, webhook, "NicNodePolicy", selector | {"sriovDevicePlugin": plugin}, "gpu")
    said = patch(api, "NicClusterPolicy", {"spec": {"sriovDevicePlugin": plugin}}, name="nic-cluster-policy")
    assert "spec.sriovDevicePlugin is in NicClusterPolicy nic-cluster-policy and in NicNodePolicy gpu" in said


def test_skipped_validations(installed: ControlPlane, webhook: Running, kubeconfig: Path, certificates: Path) -> None:
    """The configuration is in force all the time; it leads to another webhook in the middle."""
    with Running(kubeconfig, certificates, skip=True) as skipping, asked(installed, webhook.port, certificates):
        assert allows_wrong_driver(skipping.port, certificates)
        configure(installed, skipping.port, certificates)
        eventually(lambda: "test created" in create(installed, "NicNodePolicy", {"ofedDriver": WRONG_DRIVER}))
    clear(installed)


def allows_wrong_driver(port: int, certificates: Path) -> bool:
    """Asked in the API server's place."""
    review = {
        "apiVersion": API_VERSION,
        "kind": "AdmissionReview",
        "request": {"uid": "u", "operation": "CREATE", "object": body("NicNodePolicy", {"ofedDriver": WRONG_DRIVER})},
    }
    status, answer = post(port, certificates, path_of("NicNodePolicy"), json.dumps(review).encode())
    assert status == http.HTTPStatus.OK
    allowed: bool = json.loads(answer)["response"]["allowed"]
    return allowed


def post(port: int, certificates: Path, path: str, data: bytes, method: str = "POST") -> tuple[int, bytes]:
    trust = ssl.create_default_context(cafile=certificates / "tls.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
    with contextlib.closing(connection):
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize(
    ("path", "method", "data", "status"),
    [
        pytest.param(path_of("NicClusterPolicy"), "POST", b"\x00", 400, id="garbage"),
        pytest.param(path_of("NicClusterPolicy"), "POST", b"{}", 400, id="no-review"),
        pytest.param(path_of("NicClusterPolicy"), "POST", b" " * (LARGEST_BODY + 1), 413, id="too-large"),
        pytest.param(path_of("NicClusterPolicy"), "GET", b"", 405, id="get"),
        pytest.param("/", "POST", b"{}", 404, id="no-such-path"),
    ],
)
def test_whoever_else_asks(
    webhook: Running, certificates: Path, path: str, method: str, data: bytes, status: int
) -> None:
    assert post(webhook.port, certificates, path, data, method)[0] == status
    assert not allows_wrong_driver(webhook.port, certificates)


def test_a_renewed_certificate_is_served_without_a_restart(
    api: ControlPlane, webhook: Running, certificates: Path
) -> None:
    renewed = write_certificate(certificates, "renewed")
    configure(api, webhook.port, certificates)
    # What the API server asks before both know of it says nothing.
    eventually(lambda: ssl.get_server_certificate(("127.0.0.1", webhook.port)).split() == renewed.decode().split())
    eventually(lambda: NO_DRIVER_VERSION in dry_run(api, "NicNodePolicy", {"ofedDriver": WRONG_DRIVER}))
    assert not allows_wrong_driver(webhook.port, certificates)


def test_a_certificate_that_cannot_be_used_leaves_the_one_before_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = write_certificate(tmp_path)
    key = (tmp_path / "tls.key").read_bytes()
    certificate = Certificate(tmp_path)
    write_certificate(tmp_path, "second")
    (tmp_path / "tls.key").write_bytes(key)

    certificate.look()
    certificate.look()

    assert served_by(certificate) == first
    assert [record.message for record in caplog.records] == ["new certificate cannot be used"]

    second = write_certificate(tmp_path, "second")
    certificate.look()
    assert served_by(certificate) == second


def served_by(certificate: Certificate) -> bytes:
    """What a client of the context is shown, as PEM."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client = ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, server)
    answering = certificate.context.wrap_bio(server, to_client, server_side=True)
    for side in (asking, answering, asking):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    shown = asking.getpeercert(binary_form=True)
    assert shown is not None
    return ssl.DER_cert_to_PEM_cert(shown).encode()


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_without_a_certificate_there_is_no_webhook(tmp_path: Path, missing: str) -> None:
    write_certificate(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(CertificateUnusable) as raised:
        Certificate(tmp_path)
    assert str(raised.value) == (
        f"the webhook has no usable tls.crt and tls.key in {tmp_path} (No such file or directory): "
        "put a PEM certificate and its key there, or name their folder with --webhook-cert-dir"
    )


async def test_an_address_that_is_taken(webhook: Running, certificates: Path) -> None:
    second = Webhook(f"127.0.0.1:{webhook.port}", certificates, Known(tuple, tuple))
    with pytest.raises(CannotServeWebhook) as raised:
        await second.start()
    assert str(raised.value) == (
        f"cannot listen on 127.0.0.1:{webhook.port}: give --webhook-listen a free HOST:PORT of this host"
    )
    assert second.unhealthy()
