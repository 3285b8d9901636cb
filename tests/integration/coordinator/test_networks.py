"""Networks on a real API server: each has its NetworkAttachmentDefinition, where it should be and nowhere else."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from coordinator.fleet.facts import derive
from coordinator.kube.client import Kube, Page, Source
from coordinator.kube.errors import KubeError, error_of
from coordinator.kube.limiter import Limiter
from coordinator.kube.objects import POD
from coordinator.networks.definition import definition
from coordinator.networks.kinds import read
from coordinator.objects.apply import Applier
from coordinator.objects.outcome import Action
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.integration.coordinator.background import eventually
from tests.integration.coordinator.conftest import DEPLOY
from tests.integration.coordinator.network_loop import Loop, at_work
from tests.integration.system import waiting
from tests.integration.system.audit import Audit, Write
from tests.unit.coordinator.inventories import connectx6dx, inventory, port

Obj = dict[str, Any]
KINDS = "macvlannetworks,hostdevicenetworks,ipoibnetworks"
NADS = "network-attachment-definitions"
NAD_CRD = DEPLOY / "crds/k8s.cni.cncf.io_network-attachment-definitions.yaml"
STATIC = '{"type": "static"}'
LAST = "operator.macvlannetwork.mellanox.com/last-network-namespace"


@pytest.fixture(scope="module")
def plane(installed: ControlPlane) -> Iterator[ControlPlane]:
    for name in ("net-a", "net-b"):
        installed.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield installed
    installed.kubectl("delete", "namespace", "net-a", "net-b", "net-later", "--wait=false", "--ignore-not-found")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no watch tells is looked for more often than in earnest."""
    monkeypatch.setattr("coordinator.networks.reconcile.WAITING_SECONDS", 0.3)
    monkeypatch.setattr("coordinator.networks.reconcile.WARNED_SECONDS", 0.3)
    monkeypatch.setattr("coordinator.networks.reconcile.FOREIGN_SECONDS", 0.3)
    monkeypatch.setattr("coordinator.objects.apply.FOREIGN_SECONDS", 0.3)
    monkeypatch.setattr("coordinator.networks.evidence.ROUND_SECONDS", 0.1)


@pytest.fixture(autouse=True)
def clean(plane: ControlPlane) -> Iterator[None]:
    yield
    plane.kubectl("delete", KINDS, "--all")
    plane.kubectl("delete", NADS, "--all", "--all-namespaces")
    plane.kubectl("delete", "pods", "--all", "--namespace=net-a", "--force")
    plane.kubectl("delete", "pods", "--all", "--namespace=net-b", "--force")


@pytest.fixture
async def loop(plane: ControlPlane, kube: Kube) -> AsyncIterator[Loop]:
    async with at_work(kube) as found:
        yield found


def network(kind: str = "MacvlanNetwork", name: str = "net", **spec: Any) -> Obj:
    return {"apiVersion": "mellanox.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def host_device(**spec: Any) -> Obj:
    return network("HostDeviceNetwork", **{"resourceName": "hostdev", **spec})


def nads(plane: ControlPlane) -> dict[str, Obj]:
    """All there are, as `namespace/name`."""
    found = plane.get(NADS, "--all-namespaces")["items"]
    return {f"{nad['metadata']['namespace']}/{nad['metadata']['name']}": nad for nad in found}


def config(plane: ControlPlane, name: str = "net", namespace: str = "default") -> Any:
    return json.loads(plane.get(NADS, name, f"--namespace={namespace}")["spec"]["config"])


def status(plane: ControlPlane, kind: str = "macvlannetwork", name: str = "net") -> Obj:
    found: Obj = plane.get(kind, name).get("status", {})
    return found


async def until(look: Callable[[], object]) -> None:
    """Ask the API server until it holds, and what is asked for is there; the coordinator works meanwhile."""

    def holds() -> object:
        with suppress(ControlPlaneError):
            return look()
        return None

    await asyncio.to_thread(waiting.eventually, holds)


async def becomes(plane: ControlPlane, state: str, kind: str = "macvlannetwork", name: str = "net") -> Obj:
    await until(lambda: status(plane, kind, name).get("state") == state)
    return await asyncio.to_thread(status, plane, kind, name)


async def events(plane: ControlPlane, uid: str, reason: str) -> list[Obj]:
    """Those about an object, once there is one."""
    selector = f"--field-selector=involvedObject.uid={uid},reason={reason}"
    await until(lambda: plane.get("events", "--namespace=default", selector)["items"])
    found: list[Obj] = plane.get("events", "--namespace=default", selector)["items"]
    return found


CASES = [
    pytest.param(
        network(networkNamespace="net-a", master="ens1", mode="bridge", mtu=1500, ipam=STATIC),
        "state-Macvlan-Network",
        {"type": "macvlan", "master": "ens1", "mode": "bridge", "mtu": 1500, "ipam": {"type": "static"}},
        {},
        "macvlanNetworkAttachmentDef",
        id="macvlan",
    ),
    pytest.param(
        host_device(networkNamespace="net-a", ipam=STATIC),
        "state-host-device-network",
        {"type": "host-device", "ipam": {"type": "static"}},
        {"k8s.v1.cni.cncf.io/resourceName": "nvidia.com/hostdev"},
        "hostDeviceNetworkAttachmentDef",
        id="host-device",
    ),
    pytest.param(
        network("IPoIBNetwork", networkNamespace="net-a", master="ib0", ipam=STATIC),
        "state-IPoIB-Network",
        {"type": "ipoib", "master": "ib0", "ipam": {"type": "static"}},
        {},
        "ipoibNetworkAttachmentDef",
        id="ipoib",
    ),
]


@pytest.mark.parametrize(("made", "state", "plugin", "annotations", "link"), CASES)
async def test_a_network_gets_its_definition_and_says_where(
    plane: ControlPlane, loop: Loop, made: Obj, state: str, plugin: Obj, annotations: Obj, link: str
) -> None:
    plane.apply(made)
    said = await becomes(plane, "ready", made["kind"])

    stored = plane.get(made["kind"], "net")
    (nad,) = nads(plane).values()
    metadata = nad["metadata"]
    assert (metadata["namespace"], metadata["name"]) == ("net-a", "net")
    assert metadata["labels"] == {"nvidia.network-operator.state": state}
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "mellanox.com/v1alpha1",
            "kind": made["kind"],
            "name": "net",
            "uid": stored["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert metadata["annotations"].items() >= annotations.items()
    assert metadata["annotations"].keys() == {"nicfleet.io/desired-hash", *annotations}
    assert json.loads(nad["spec"]["config"]) == {"cniVersion": "0.3.1", "name": "net", **plugin}
    applied = {"appliedStates": [{"name": state, "state": "ready"}]} if made["kind"] == "HostDeviceNetwork" else {}
    path = "k8s.cni.cncf.io/v1/namespaces/net-a/NetworkAttachmentDefinition/net"
    assert said == {"state": "ready", link: path, **applied}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(network(), network(master="ens2"), {"master": "ens2"}, id="master"),
        pytest.param(network(), network(mode="vepa"), {"mode": "vepa"}, id="mode"),
        pytest.param(network(mtu=1500), network(mtu=9000), {"mtu": 9000}, id="mtu"),
        pytest.param(network(), network(ipam=STATIC), {"ipam": {"type": "static"}}, id="ipam"),
        pytest.param(
            network(),
            network(metaPlugins='{"type": "sbr"}'),
            {"plugins": [{"type": "macvlan", "ipam": {}}, {"type": "sbr"}]},
            id="meta-plugins",
        ),
        pytest.param(host_device(), host_device(ipam=STATIC), {"ipam": {"type": "static"}}, id="host-device-ipam"),
        pytest.param(
            host_device(),
            host_device(metaPlugins='{"type": "sbr"}'),
            {"plugins": [{"type": "host-device", "ipam": {}}, {"type": "sbr"}]},
            id="host-device-meta-plugins",
        ),
        pytest.param(
            network("IPoIBNetwork", master="ib0"), network("IPoIBNetwork", master="ib1"), {"master": "ib1"}, id="ib"
        ),
        pytest.param(
            network("IPoIBNetwork", master="ib0"),
            network("IPoIBNetwork", master="ib0", ipam=STATIC),
            {"ipam": {"type": "static"}},
            id="ipoib-ipam",
        ),
    ],
)
async def test_a_changed_field_changes_the_configuration(
    plane: ControlPlane, loop: Loop, before: Obj, after: Obj, expected: Obj
) -> None:
    plane.apply(before)
    await becomes(plane, "ready", before["kind"])
    plane.apply(after)
    await until(lambda: config(plane).items() >= expected.items())


async def test_a_changed_resource_changes_the_annotation(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(host_device())
    await becomes(plane, "ready", "hostdevicenetwork")
    plane.apply(host_device(resourceName="nvidia.com/other"))
    key = "k8s.v1.cni.cncf.io/resourceName"
    await until(lambda: nads(plane)["default/net"]["metadata"]["annotations"][key] == "nvidia.com/other")


async def test_a_network_moves_new_first_and_keeps_its_users_annotations(plane: ControlPlane, loop: Loop) -> None:
    made = network(networkNamespace="net-a")
    made["metadata"]["annotations"] = {"example.com/mine": "yes"}
    plane.apply(made)
    await becomes(plane, "ready")
    before = plane.get("macvlannetwork", "net")["metadata"]["annotations"]
    audit = Audit(plane)

    made["spec"]["networkNamespace"] = "net-b"
    plane.apply(made)
    await until(lambda: nads(plane).keys() == {"net-b/net"})
    await until(lambda: "net-b" in status(plane)["macvlanNetworkAttachmentDef"])

    after = plane.get("macvlannetwork", "net")["metadata"]["annotations"]
    assert before[LAST] == "net-a"
    assert after[LAST] == "net-b"
    assert after["example.com/mine"] == "yes"
    assert after.keys() == before.keys() >= {"kubectl.kubernetes.io/last-applied-configuration"}
    expected = [Write("patch", NADS, "net"), Write("delete", NADS, "net")]
    await until(lambda: [write for write in audit.writes() if write.resource == NADS] == expected)


async def test_without_a_namespace_the_annotation_names_the_one_in_use(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network("IPoIBNetwork", master="ib0"))
    await becomes(plane, "ready", "ipoibnetwork")
    key = "operator.ipoibnetwork.mellanox.com/last-network-namespace"
    await until(lambda: plane.get("ipoibnetwork", "net")["metadata"]["annotations"][key] == "default")


async def test_a_move_is_ended_by_the_next_coordinator(plane: ControlPlane, kube: Kube) -> None:
    """The one before it died when the new definition was made and the old one not removed."""
    plane.apply(host_device(networkNamespace="net-a"))
    async with at_work(kube) as dying:
        await becomes(plane, "ready", "hostdevicenetwork")
        index = dying.index
    plane.apply(host_device(networkNamespace="net-b"))
    moved = definition(read(plane.get("hostdevicenetwork", "net")))
    (outcome,) = await Applier(kube, index, Limiter()).apply([moved])
    assert outcome.action is Action.CREATED
    assert nads(plane).keys() == {"net-a/net", "net-b/net"}

    async with at_work(kube):
        await until(lambda: nads(plane).keys() == {"net-b/net"})


async def test_a_move_to_a_namespace_that_is_missing_keeps_the_old_one(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network(networkNamespace="net-a"))
    await becomes(plane, "ready")
    plane.apply(network(networkNamespace="net-later"))

    said = await becomes(plane, "notReady")
    assert said == {
        "state": "notReady",
        "reason": 'namespace "net-later" does not exist; create it: kubectl create namespace net-later',
    }
    assert nads(plane).keys() == {"net-a/net"}

    plane.kubectl("create", "namespace", "net-later")
    said = await becomes(plane, "ready")
    assert "reason" not in said
    await until(lambda: nads(plane).keys() == {"net-later/net"})


async def test_a_definition_goes_with_its_network(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network(networkNamespace="net-a"), network(name="stays", networkNamespace="net-a"))
    await becomes(plane, "ready")
    await becomes(plane, "ready", name="stays")
    plane.kubectl("delete", "macvlannetwork", "net")
    await until(lambda: nads(plane).keys() == {"net-a/stays"})


async def test_an_orphaned_definition_stays(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network())
    await becomes(plane, "ready")
    plane.kubectl("delete", "macvlannetwork", "net", "--cascade=orphan")
    await until(lambda: "ownerReferences" not in nads(plane)["default/net"]["metadata"])
    before = loop.passes

    loop.networks.nodes_changed()
    plane.apply(network(name="other"))
    await becomes(plane, "ready", name="other")

    assert loop.passes > before
    assert nads(plane).keys() == {"default/net", "default/other"}


def pod(name: str, namespace: str, networks: str) -> Obj:
    metadata = {
        "name": name,
        "namespace": namespace,
        "annotations": {"k8s.v1.cni.cncf.io/networks": networks},
    }
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "no-such-node"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def pods(plane: ControlPlane) -> None:
    """Two of them name net-a/net and have not ended."""
    for namespace in ("net-a", "net-b"):
        eventually_there(plane, namespace)
    plane.apply(
        pod("one", "net-a", "net"),
        pod("two", "net-b", "net-a/net@eth7"),
        pod("ended", "net-a", "net"),
        pod("elsewhere", "net-b", "net"),
    )
    ended = json.dumps({"status": {"phase": "Succeeded"}})
    plane.kubectl("patch", "pod", "ended", "--namespace=net-a", "--subresource=status", "--type=merge", f"-p={ended}")


def eventually_there(plane: ControlPlane, namespace: str) -> None:
    """A Pod needs its namespace's ServiceAccount, which a controller makes."""
    account = ("get", "serviceaccount", "default", f"--namespace={namespace}")
    waiting.eventually(lambda: "NotFound" not in plane.kubectl(*account, check=False))


@pytest.mark.parametrize(
    "removal",
    [
        pytest.param(("delete", "macvlannetwork", "net"), id="deleted"),
        pytest.param(("delete", "macvlannetwork", "net", "--cascade=foreground"), id="deleted-in-the-foreground"),
        pytest.param(
            ("patch", "macvlannetwork", "net", "--type=merge", '-p={"spec": {"networkNamespace": "net-b"}}'), id="moved"
        ),
    ],
)
async def test_pods_that_use_a_definition_that_goes_are_counted(
    plane: ControlPlane, loop: Loop, pods: None, removal: tuple[str, ...]
) -> None:
    plane.apply(network(networkNamespace="net-a"))
    await becomes(plane, "ready")
    uid = plane.get("macvlannetwork", "net")["metadata"]["uid"]

    await asyncio.to_thread(plane.kubectl, *removal)

    (event,) = await events(plane, uid, "NetworkInUse")
    assert event["message"].startswith(
        "NetworkAttachmentDefinition net-a/net is removed while 2 pods name it (net-a/one, net-b/two): "
    )
    await until(lambda: "net-a/net" not in nads(plane))


class Gate:
    """The client's lists of Pods, which begin when they are let to; and how many of them there were."""

    def __init__(self, kube: Kube) -> None:
        self._pages = kube.pages
        self.open = asyncio.Event()
        self.error: KubeError | None = None
        self.lists = self.under_way = self.most_under_way = 0

    async def pages(self, source: Source) -> AsyncIterator[Page]:
        if source.resource is not POD:
            async for page in self._pages(source):
                yield page
            return
        self.lists += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            if self.error is not None:
                raise self.error
            async for page in self._pages(source):
                yield page
        finally:
            self.under_way -= 1


@pytest.fixture
def gate(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> Gate:
    found = Gate(kube)
    monkeypatch.setattr(kube, "pages", found.pages)
    return found


@pytest.mark.parametrize("moved", [pytest.param(False, id="deleted"), pytest.param(True, id="moved")])
async def test_however_many_go_at_once_their_pods_are_listed_once_and_nothing_waits_for_that(
    plane: ControlPlane, gate: Gate, loop: Loop, moved: bool
) -> None:
    """More of them than there are workers."""
    names = [f"net-{number}" for number in range(6)]
    eventually_there(plane, "net-a")
    plane.apply(pod("one", "net-a", ",".join(names)))
    plane.apply(*(network(name=name, networkNamespace="net-a") for name in names))
    for name in names:
        await becomes(plane, "ready", name=name)
    uids = [plane.get("macvlannetwork", name)["metadata"]["uid"] for name in names]

    if moved:
        plane.apply(*(network(name=name, networkNamespace="net-b") for name in names))
    else:
        plane.kubectl("delete", "macvlannetwork", *names)
    plane.apply(network(name="new"))
    await becomes(plane, "ready", name="new")
    await until(lambda: nads(plane).keys() == {"default/new", *(f"net-b/{name}" for name in names if moved)})
    for name in names if moved else ():
        await until(lambda name=name: "net-b" in status(plane, name=name)["macvlanNetworkAttachmentDef"])  # type: ignore[misc]
    await eventually(lambda: loop.queue.idle and gate.lists == 1)

    gate.open.set()
    for uid in uids:
        (event,) = await events(plane, uid, "NetworkInUse")
        assert "is removed while 1 pod names it (net-a/one): " in event["message"]
    assert gate.lists <= 2
    assert gate.most_under_way == 1


@pytest.mark.parametrize("code", [401, 403, 409, 410, 429, 503])
async def test_pods_that_are_not_seen_keep_nothing_from_being_done(
    plane: ControlPlane, gate: Gate, loop: Loop, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    gate.error = error_of("list", "pods", code, {}, b"not now")
    gate.open.set()
    plane.apply(network(networkNamespace="net-a"))
    await becomes(plane, "ready")

    plane.apply(network(networkNamespace="net-b"))

    await until(lambda: nads(plane).keys() == {"net-b/net"})
    await until(lambda: "net-b" in status(plane)["macvlanNetworkAttachmentDef"])
    await eventually(lambda: "pods not seen" in caplog.messages)
    assert gate.lists == 1
    assert "key failed" not in caplog.messages


async def test_while_a_deleted_network_is_held_the_pods_are_listed_once(
    plane: ControlPlane, gate: Gate, loop: Loop
) -> None:
    gate.open.set()
    made = network()
    made["metadata"]["finalizers"] = ["example.com/held"]
    plane.apply(made)
    await becomes(plane, "ready")
    try:
        plane.kubectl("delete", "macvlannetwork", "net", "--wait=false")
        await eventually(lambda: gate.lists)
        for note in ("one", "two"):
            passes = loop.passes
            plane.kubectl("annotate", NADS, "net", "--namespace=default", "--overwrite", f"example.com/note={note}")
            await eventually(lambda passes=passes: loop.passes > passes and loop.queue.idle)  # type: ignore[misc]
    finally:
        plane.kubectl("patch", "macvlannetwork", "net", "--type=merge", '-p={"metadata": {"finalizers": null}}')
    await until(lambda: not plane.get("macvlannetworks")["items"])
    plane.apply(network(name="later"))  # what its watch has told of it, it has told of the one before
    await becomes(plane, "ready", name="later")

    assert gate.lists == 1


async def test_somebody_elses_definition_is_left_alone_and_named(plane: ControlPlane, loop: Loop) -> None:
    theirs = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "net", "namespace": "net-a"},
        "spec": {"config": '{"type": "bridge"}'},
    }
    plane.apply(theirs)
    before = nads(plane)["net-a/net"]
    plane.apply(network(networkNamespace="net-a"))

    said = await becomes(plane, "error")
    assert said["reason"].startswith("NetworkAttachmentDefinition net-a/net belongs to field manager kubectl")
    assert "macvlanNetworkAttachmentDef" not in said
    assert nads(plane)["net-a/net"] == before
    plane.kubectl("delete", "macvlannetwork", "net")
    plane.apply(network(name="other"))
    await becomes(plane, "ready", name="other")
    assert nads(plane)["net-a/net"] == before

    plane.apply(network(networkNamespace="net-a"))
    await becomes(plane, "error")
    told = status(plane)["reason"].rpartition("delete it: kubectl ")[2]
    plane.kubectl(*told.split())
    assert "reason" not in await becomes(plane, "ready")


async def test_of_two_kinds_that_want_one_definition_the_first_has_it(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network(networkNamespace="net-a"))
    await becomes(plane, "ready")
    await asyncio.sleep(1.1)  # creationTimestamps are of whole seconds
    plane.apply(host_device(networkNamespace="net-a"))

    said = await becomes(plane, "error", "hostdevicenetwork")
    audit, passes = Audit(plane), loop.passes
    await eventually(lambda: loop.passes > passes + 3)

    message = (
        "NetworkAttachmentDefinition net-a/net is already that of MacvlanNetwork net, which was made first: "
        "use another name or another spec.networkNamespace"
    )
    assert said["reason"] == message
    assert said["appliedStates"] == [{"name": "state-host-device-network", "state": "error", "message": message}]
    assert audit.writes() == []
    assert config(plane, namespace="net-a")["type"] == "macvlan"
    assert status(plane)["state"] == "ready"

    plane.kubectl("delete", "macvlannetwork", "net")
    await becomes(plane, "ready", "hostdevicenetwork")
    assert config(plane, namespace="net-a")["type"] == "host-device"


async def test_the_first_made_gets_it_back_when_it_moves_there(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network(networkNamespace="net-b"))
    await becomes(plane, "ready")
    await asyncio.sleep(1.1)  # creationTimestamps are of whole seconds
    plane.apply(host_device(networkNamespace="net-a"))
    await becomes(plane, "ready", "hostdevicenetwork")

    plane.apply(network(networkNamespace="net-a"))

    await becomes(plane, "error", "hostdevicenetwork")
    await until(lambda: nads(plane).keys() == {"net-a/net"})
    await until(lambda: config(plane, namespace="net-a")["type"] == "macvlan")
    await until(lambda: "net-a" in status(plane).get("macvlanNetworkAttachmentDef", ""))
    (owner,) = nads(plane)["net-a/net"]["metadata"]["ownerReferences"]
    assert owner["kind"] == "MacvlanNetwork"


async def test_a_mistake_is_told_and_what_was_made_stays(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network(ipam=STATIC))
    await becomes(plane, "ready")
    uid = plane.get("macvlannetwork", "net")["metadata"]["uid"]
    before = nads(plane)

    plane.apply(network(ipam='{"type": "static"'))
    said = await becomes(plane, "error")

    sentence = "spec.ipam is not valid JSON at line 1, column 18 (Expecting ',' delimiter): correct the text there"
    assert said == {"state": "error", "reason": sentence}
    (event,) = await events(plane, uid, "InvalidSpec")
    assert event["message"] == sentence
    assert nads(plane) == before

    plane.apply(network(ipam=STATIC))
    assert "reason" not in await becomes(plane, "ready")


async def test_text_of_a_user_makes_no_other_object(plane: ControlPlane, loop: Loop) -> None:
    """Upstream pasted it into YAML and applied whatever came out."""
    binding = (
        "x'\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: injected}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
    )
    plane.apply(
        network(master=binding),
        network("IPoIBNetwork", name="ib", master=binding),
        host_device(name="dev", ipam=binding),
    )

    await becomes(plane, "ready")
    await becomes(plane, "ready", "ipoibnetwork", "ib")
    await becomes(plane, "error", "hostdevicenetwork", "dev")

    assert config(plane)["master"] == binding
    assert "NotFound" in plane.kubectl("get", "clusterrolebinding", "injected", check=False)


async def test_a_definition_that_was_deleted_or_edited_is_put_back(plane: ControlPlane, loop: Loop) -> None:
    plane.apply(network(ipam=STATIC))
    await becomes(plane, "ready")
    uid, expected = plane.get("macvlannetwork", "net")["metadata"]["uid"], config(plane)

    plane.kubectl("delete", NADS, "net", "--namespace=default")
    await until(lambda: "default/net" in nads(plane))
    assert config(plane) == expected

    plane.kubectl("patch", NADS, "net", "--namespace=default", "--type=merge", '-p={"spec": {"config": "{}"}}')
    await until(lambda: config(plane) == expected)
    (event,) = await events(plane, uid, "DriftRepaired")
    assert "was put back: kubectl" in event["message"]


async def test_upstreams_definition_becomes_ours(plane: ControlPlane, kube: Kube) -> None:
    """As its operator made it: its label and owner, its revision, and another text."""
    plane.apply(network(mtu=1500))
    metadata = plane.get("macvlannetwork", "net")["metadata"]
    owner = {"apiVersion": "mellanox.com/v1alpha1", "kind": "MacvlanNetwork", "name": "net", "uid": metadata["uid"]}
    theirs = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {
            "name": "net",
            "namespace": "default",
            "labels": {"nvidia.network-operator.state": "state-Macvlan-Network"},
            "annotations": {"nvidia.network-operator.revision": "1234"},
            "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {"config": '{ "cniVersion":"0.3.1", "name":"net", "type":"macvlan","ipam":{} } '},
    }
    plane.kubectl("create", "--field-manager=manager", "--filename=-", input=json.dumps(theirs))
    uid = nads(plane)["default/net"]["metadata"]["uid"]

    async with at_work(kube):
        await becomes(plane, "ready")

    assert config(plane) == {"cniVersion": "0.3.1", "name": "net", "type": "macvlan", "mtu": 1500, "ipam": {}}
    assert nads(plane)["default/net"]["metadata"]["uid"] == uid


async def test_another_pass_writes_nothing_and_neither_does_a_restart(plane: ControlPlane, kube: Kube) -> None:
    plane.apply(
        network(name="warned", networkNamespace="net-a", master="eth9"),
        network("IPoIBNetwork", name="ib"),
        host_device(),
        network(name="wrong", ipam="{"),
        network(name="waiting", networkNamespace="nowhere"),
    )
    nodes = {"node-1": derive(inventory(connectx6dx()))}
    async with at_work(kube) as first:
        first.nodes = nodes
        first.networks.nodes_changed()
        await becomes(plane, "ready", "ipoibnetwork", "ib")
        await becomes(plane, "ready", "hostdevicenetwork")
        await becomes(plane, "error", name="wrong")
        await becomes(plane, "notReady", name="waiting")
        await until(lambda: "reason" in status(plane, name="warned"))
        audit, passes = Audit(plane), first.passes
        first.networks.nodes_changed()
        await eventually(lambda: first.passes >= passes + 5)
    async with at_work(kube) as second:
        second.nodes = nodes
        await eventually(lambda: second.passes >= 5 and second.queue.idle)
    await asyncio.sleep(0.3)  # for the audit log

    assert audit.writes() == []


async def test_without_the_crd_the_sentence_has_the_command_and_it_heals(plane: ControlPlane, loop: Loop) -> None:
    plane.remove("-f", str(NAD_CRD))
    try:
        plane.apply(network())
        said = await becomes(plane, "notReady")
    finally:
        plane.install(NAD_CRD)
    assert said["reason"] == (
        "cannot apply NetworkAttachmentDefinition default/net: the cluster does not know k8s.cni.cncf.io/v1 "
        "NetworkAttachmentDefinition; install its CRD: kubectl apply --server-side -f deploy/crds"
    )
    assert "reason" not in await becomes(plane, "ready")


async def test_what_nodes_say_stands_in_the_status_until_they_say_it_no_more(plane: ControlPlane, loop: Loop) -> None:
    loop.nodes = {
        "node-1": derive(inventory(connectx6dx(netdevs=(port("ens1"),)))),
        "node-2": derive(inventory(connectx6dx(netdevs=(port("ens9"),)))),
    }
    plane.apply(network(master="ens1"))
    await until(lambda: "reason" in status(plane))
    said, uid = status(plane), plane.get("macvlannetwork", "net")["metadata"]["uid"]

    assert said["state"] == "ready"
    assert said["reason"] == (
        "MasterMissing: spec.master ens1 is no interface of an NVIDIA NIC on node-2: pods of this network start "
        "there only if another NIC has it"
    )
    (event,) = await events(plane, uid, "MasterMissing")
    assert event["type"] == "Warning"

    loop.nodes = {"node-1": loop.nodes["node-1"]}
    loop.networks.nodes_changed()
    await until(lambda: "reason" not in status(plane))
    assert status(plane)["state"] == "ready"


async def test_while_the_agents_come_back_after_a_restart_the_reason_stays(plane: ControlPlane, kube: Kube) -> None:
    plane.apply(network(master="ens1"))
    nodes = {"node-1": derive(inventory(connectx6dx(netdevs=(port("ens9"),))))}
    async with at_work(kube) as first:
        first.nodes = nodes
        first.networks.nodes_changed()
        await until(lambda: "reason" in status(plane))
    said, audit = status(plane), Audit(plane)

    async with at_work(kube) as second:
        second.settled = False
        await eventually(lambda: second.passes >= 3)
        assert status(plane) == said
        assert audit.writes() == []
        second.settled = True
        await until(lambda: "reason" not in status(plane))
