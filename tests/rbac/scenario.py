"""Everything that the coordinator can do, step by step, as its own ServiceAccount: what the audit log says of each.

Where a step needs a product that is not here (cert-manager, OpenShift), its kinds are there and nothing behind them.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import grpc

from coordinator.kube.objects import CLUSTER_VERSION, DEPLOYABLE, IMAGE_STREAM, PROXY
from coordinator.objects.desired import UNOWNED
from nicfleet import names
from nicfleet.reasons import Reason
from nicfleet.v1 import view_pb2, view_pb2_grpc
from tests.chart.test_install import FOREIGN, foreign_crd
from tests.controlplane.loopback import free_ports
from tests.controlplane.process import Process
from tests.integration.coordinator.proxy import Proxy
from tests.integration.coordinator.registry_server import Registry
from tests.integration.coordinator.test_openshift import crd, tags, thing
from tests.integration.system.api import NODE_POLICIES
from tests.integration.system.fleet import NO_NIC, WITH_DRIVER
from tests.integration.system.processes import NO_REGISTRY
from tests.integration.system.product import DRIVER_VERSION, EXAMPLES, Product, example, sections
from tests.integration.system.test_examples import FIRMWARE_VOLUME
from tests.integration.system.waiting import eventually
from tests.rbac.used import Event, refused

NAMESPACE: Final = names.DEFAULT_NAMESPACE
NODE: Final = "node"

OWN: Final = f"--namespace={NAMESPACE}"
NETWORKS: Final = ("hostdevice", "ipoib", "macvlan")
PULL_SECRET: Final = "registry"
USER: Final = ("robot", "password")
DRIVER_IMAGE: Final = "nic/mofed"
REFUSED_PODS: Final = {Reason.PodRefused, Reason.ApplyFailed}


EVERYBODY_IS_ASKED: Final = """
import coordinator.fleet.view_guard
from coordinator.__main__ import main

coordinator.fleet.view_guard.is_loopback = lambda peer: False
main()
"""
"""The coordinator asks nobody for a token who is on its own machine, and here everybody is."""


class OverTls:
    """A coordinator without the product's --insecure."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        port, http = free_ports(2)
        self._address = f"127.0.0.1:{port}"
        listen = [f"--grpc-listen={self._address}", f"--http-listen=127.0.0.1:{http}"]
        command = [sys.executable, "-c", EVERYBODY_IS_ASKED, f"--kubeconfig={kubeconfig}", NO_REGISTRY, *listen]
        self.process = Process("coordinator over TLS", command, folder / "coordinator-over-tls.log")

    def asked(self, authority: bytes, token: str) -> grpc.StatusCode | None:
        """What becomes of a viewer with this token."""
        shown = grpc.access_token_call_credentials(token)
        trusted = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(authority), shown)
        options = [("grpc.ssl_target_name_override", names.SERVICE)]
        with grpc.secure_channel(self._address, trusted, options) as channel:
            try:
                view_pb2_grpc.FleetViewStub(channel).GetNode(view_pb2.GetNodeRequest(name=NODE), timeout=10)
            except grpc.RpcError as error:
                return error.code()
        return None


class Scenario:
    """Plays the steps in the order in which they stand below. `events` has what was logged meanwhile, by step."""

    def __init__(self, product: Product, network: Proxy, registry: Registry, over_tls: "OverTls") -> None:
        """`network` is between the product's coordinator and the API server."""
        self.over_tls = over_tls
        self.events: dict[str, list[Event]] = {}
        self._product = product
        self._plane = product.plane
        self._network = network
        self._registry = registry

    def play(self) -> None:
        self._prepare()
        for name, step in STEPS.items():
            with self._recorded(name):
                step(self)

    @contextmanager
    def _recorded(self, step: str) -> Iterator[None]:
        before = sum(1 for _ in self._plane.audit())
        try:
            yield
        except Exception as error:
            # A step that waits in vain most often lacks a right.
            for answer in dict.fromkeys(refused(islice(self._plane.audit(), before, None))):
                error.add_note(f"refused meanwhile: {answer}")
            raise
        self._plane.kubectl("get", "namespace", "default")  # logged after all that has ended by now
        self.events[step] = list(islice(self._plane.audit(), before, None))

    def _prepare(self) -> None:
        """A cluster with a node, cert-manager's kinds, a volume, and the password of the driver's registry."""
        self._product.register(NODE)
        self._plane.serve(*(foreign_crd(*each) for each in FOREIGN if each[2] == "cert-manager.io"))
        self._plane.apply(*FIRMWARE_VOLUME)
        username, password = USER
        auths = {f"127.0.0.1:{self._registry.port}": {"username": username, "password": password}}
        self._plane.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": PULL_SECRET, "namespace": NAMESPACE},
                "type": "kubernetes.io/dockerconfigjson",
                "stringData": {".dockerconfigjson": json.dumps({"auths": auths})},
            }
        )

    # The steps.

    def start(self) -> None:
        self._product.coordinator.start()
        eventually(lambda: self._product.coordinator.logged("watches in sync"))

    def nodes(self) -> None:
        """Labels come and go."""
        for inventory, labelled in ((WITH_DRIVER, True), (NO_NIC, False), (WITH_DRIVER, True)):
            self._product.simulated.report(NODE, inventory)
            eventually(lambda: (names.NIC_LABEL in self._product.api.labels(NODE)) is labelled)  # noqa: B023 — at once

    def components(self) -> None:
        """Every component. The driver's registry wants a password, which a Secret has. Then all may run elsewhere too,
        which makes the driver's pods those of an earlier template."""
        self._product.apply(**self._everything())
        self._wait_until_carried_out()
        self._product.apply(**self._everything(), tolerations=[{"key": "edge", "operator": "Exists"}])
        self._wait_until_carried_out()
        eventually(lambda: any("/controllerrevisions" in path for path in self._network.seen))
        assert any(line["found"] for line in self._product.coordinator.logged("registry asked for driver images"))

    def drift(self) -> None:
        """Somebody changes what is the coordinator's."""
        name, spec = "rdma-shared-dp-ds", {"template": {"spec": {"priorityClassName": "system-cluster-critical"}}}
        patch = json.dumps({"spec": spec})
        self._plane.kubectl("patch", "daemonset", name, OWN, f"--patch={patch}")
        eventually(lambda: self._product.api.told(Reason.DriftRepaired))

    def node_policy(self) -> None:
        self._product.apply_for_nodes("some", {"kubernetes.io/hostname": NODE}, **sections("rdmaSharedDevicePlugin"))
        eventually(lambda: self._product.api.status("some", NODE_POLICIES))
        self._plane.kubectl("delete", "nicnodepolicy", "some")

    def networks(self) -> None:
        """Each kind becomes ready, one moves to another namespace and back, and all are deleted.

        Of a network that is deleted the garbage collector may be faster, of one that moves nobody else is.
        """
        for network in NETWORKS:
            self._plane.kubectl("apply", "-f", str(EXAMPLES / f"{network}network.yaml"))
        for network in NETWORKS:
            ready = "--for=jsonpath={.status.state}=ready"
            self._plane.kubectl("wait", ready, f"{network}network", "--all", "--timeout=120s")
        for namespace in ("kube-public", "default"):
            move = json.dumps({"spec": {"networkNamespace": namespace}})
            self._plane.kubectl("patch", "macvlannetwork", "macvlan", "--type=merge", f"--patch={move}")
            moved = {"default/hostdev", "default/ipoib", f"{namespace}/macvlan"}
            eventually(lambda: self._nads() == moved)  # noqa: B023 — awaited at once
        for network in NETWORKS:
            self._plane.kubectl("delete", f"{network}network", "--all")
        eventually(lambda: not self._nads())

    def quota(self) -> None:
        """Admission refuses an object and a pod, as it may in spite of all rights."""
        metadata = {"name": "none", "namespace": NAMESPACE}
        hard = {"count/configmaps": "0", "count/pods": "0"}
        self._plane.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}})
        eventually(lambda: "hard" in self._plane.get("quota", "none", OWN)["status"])
        self._plane.kubectl("delete", "configmaps", f"--selector={names.STATE_LABEL}", OWN)
        self._plane.kubectl("delete", "pods", "--all", OWN, "--wait=false")
        eventually(lambda: self._reasons() >= REFUSED_PODS)
        self._plane.kubectl("delete", "quota", "none", OWN)
        self._wait_until_carried_out()

    def removal(self) -> None:
        """One component stays. All others go, and what upstream's operator has left behind of them."""
        self._leave_behind()
        kept = example("full")["secondaryNetwork"]["cniPlugins"]
        self._product.apply(secondaryNetwork={"cniPlugins": kept})
        eventually(lambda: {each["kind"] for each in self._made()} == {"DaemonSet"} and len(self._made()) == 1)

    def openshift(self) -> None:
        """When the coordinator starts the next time, the cluster is OpenShift: all components anew, and gone again."""
        self._product.coordinator.kill()
        self._plane.serve(*(crd(kind) for kind in (CLUSTER_VERSION, PROXY, IMAGE_STREAM)))
        self._plane.kubectl("create", "namespace", "openshift")
        proxy = {"httpsProxy": "http://proxy.example.com:3128", "trustedCA": {"name": "user-ca-bundle"}}
        self._plane.apply(
            thing(CLUSTER_VERSION, "version", {"clusterID": "x"}),
            thing(PROXY, "cluster", proxy),
            thing(IMAGE_STREAM, "driver-toolkit", tags(("416.94", "example.com/toolkit")), "openshift"),
        )
        self._product.coordinator.start()
        self._product.apply(**self._everything())
        self._wait_until_carried_out()
        self.removal()

    def broken_watches(self) -> None:
        """After an outage the coordinator asks, of each kind, how new the server's data are."""
        watched = {path.partition("?")[0] for path in self._network.seen if "watch=true" in path}
        asked = len(self._network.seen)
        self._network.cut()
        eventually(
            lambda: watched <= {path.partition("?")[0] for path in self._network.seen[asked:] if "limit=1&" in path}
        )

    def tls(self) -> None:
        """The coordinator makes a certificate, tells whom to trust, and asks who calls and whether he may."""
        self._product.coordinator.kill()
        self.over_tls.process.start()
        authority = eventually(lambda: self._plane.get("configmap", names.CA_CONFIG_MAP, OWN)["data"]["ca.crt"])
        audience = f"--audience={names.TOKEN_AUDIENCE}"
        token = self._plane.kubectl("create", "token", names.AGENT_ACCOUNT, OWN, audience).strip()
        eventually(lambda: self.over_tls.asked(authority.encode(), token) is grpc.StatusCode.PERMISSION_DENIED)

    # What they need.

    def _everything(self) -> dict[str, Any]:
        """A policy with every component, and every part of one that is a choice."""
        spec = example("full")
        usual = {key: spec["nvIpam"][key] for key in ("repository", "version")}
        repository, _, image = self._registry.image(DRIVER_IMAGE).rpartition("/")
        driver = {
            "repository": repository,
            "image": image,
            "version": DRIVER_VERSION,
            "imagePullSecrets": [PULL_SECRET],
        }
        return spec | {
            "ofedDriver": driver,
            "nvIpam": spec["nvIpam"] | {"enableWebhook": True},
            "secondaryNetwork": spec["secondaryNetwork"] | {"ipamPlugin": usual | {"image": "whereabouts"}},
            "spectrumXOperator": usual | {"image": "spectrum-x-operator"},
        }

    def _wait_until_carried_out(self) -> None:
        """Every object is there, whatever its pods are like."""

        def carried_out() -> bool:
            status = self._product.api.status()
            ready = self._product.api.condition("Ready")
            assert ready["observedGeneration"] == self._product.api.policy()["metadata"]["generation"]
            assert not {"error"} & {each["state"] for each in status["appliedStates"]}, status
            return True

        eventually(carried_out)

    def _reasons(self) -> set[str]:
        return {each["reason"] for each in self._product.api.status()["conditions"]}

    def _nads(self) -> set[str]:
        found = self._plane.get("net-attach-def", "--all-namespaces")["items"]
        return {f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found}

    def _made(self) -> list[dict[str, Any]]:
        """What a policy's sections have made, and goes with them."""
        kinds = [kind for kind in DEPLOYABLE if kind.kind not in UNOWNED]
        plural = ",".join(f"{kind.plural}.{kind.group}".rstrip(".") for kind in kinds)
        found: list[dict[str, Any]] = self._plane.get(plural, "-A", f"--selector={names.STATE_LABEL}")["items"]
        return found

    def _leave_behind(self) -> None:
        """What upstream's operator made of kinds that nicfleet makes none of here, or not under that name."""
        policy = self._product.api.policy()
        owner = {key: policy[key] for key in ("apiVersion", "kind")} | {
            key: policy["metadata"][key] for key in ("name", "uid")
        }
        metadata = {
            "name": "left-by-upstream",
            "namespace": NAMESPACE,
            "labels": {names.STATE_LABEL: "state-whereabouts-cni"},
            "ownerReferences": [owner],
        }
        container = {"name": "c", "image": "example.com/c:1"}
        pod = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
        rbac = "rbac.authorization.k8s.io"
        self._plane.apply(
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": []},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "left-by-upstream"},
            },
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": metadata,
                "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": pod}},
            },
        )


STEPS: Final[dict[str, Callable[[Scenario], None]]] = {
    "start": Scenario.start,
    "nodes": Scenario.nodes,
    "components": Scenario.components,
    "drift": Scenario.drift,
    "node policy": Scenario.node_policy,
    "networks": Scenario.networks,
    "quota": Scenario.quota,
    "removal": Scenario.removal,
    "OpenShift": Scenario.openshift,
    "broken watches": Scenario.broken_watches,
    "TLS": Scenario.tls,
}
"""By the names that the documentation's table has for them."""
