"""What a user reads for each way in which a state can be unwell. Each row goes through the whole chain of checks, so
their order is tested too."""

from dataclasses import replace
from typing import Any

import pytest

from coordinator.fleet.driver import Holder, HolderKind
from coordinator.fleet.management import NicInterface
from coordinator.labels.wait import DriverRequest
from coordinator.nodes import Taint
from coordinator.objects.scheduling import Placement
from coordinator.verdicts.readiness import Level, Verdict, judge, overall, unsettled, unverified
from coordinator.verdicts.view import LiveWorkload, NodeView, StateView
from coordinator.workloads import ContainerState
from nicfleet.inventory import DriverBuild, Flavour
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.views import LOADED, deployment, nicless, node, pod, silent, unreported, view, workload

SHORT = {"desired": 2, "updated": 2, "ready": 1}
COUNTED_TWICE = {"desired": 2, "updated": 2, "ready": 2}
CRASHED = ContainerState(
    "mofed-container", restarts=3, last_reason="Error", last_message="no kernel headers", last_exit_code=1
)
HELD = replace(LOADED, flavour=Flavour.INBOX, holders=(Holder("nvidia_peermem", HolderKind.PEERMEM, 2),))
OLD_BUILD = replace(LOADED, flavour=Flavour.NONE, builds=(DriverBuild("5.4.0-1", "23.04-0.5.3", "/var/opt/b/5.4.0-1"),))

UNREACHABLE = Taint("node.kubernetes.io/unreachable", "", "NoSchedule")
UNREADY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")
SHUT_DOWN = Taint("node.cloudprovider.kubernetes.io/shutdown", "", "NoSchedule")
UNKNOWN_THERE = "what runs there is not known: repair the node, delete it, or leave it out by a taint"
ON_A_ONLY = workload("a", "b", live={"desired": 1, "updated": 1, "ready": 1}, pods=(pod("a", ready=True),))
REFUSED = Finding(Reason.LabelsRefused, "the labels of b, z are not written: the API server's words", ("b", "z"))


def failing(container: ContainerState, driver: Any = LOADED) -> StateView:
    broken = workload("a", "b", live=SHORT, pods=(pod("a", ready=True), pod("b", container)))
    return view(node("a"), node("b", driver), workloads=(broken,))


NOT_READY = [
    pytest.param(
        view(node("a"), problem=Finding(Reason.InvalidSpec, "spec.x is wrong: do y")),
        Level.ERROR,
        "InvalidSpec",
        "spec.x is wrong: do y",
        (),
        id="the policy itself is wrong",
    ),
    pytest.param(
        view(node("a"), refused=(Finding(Reason.NamespaceMissing, "namespace n is missing"),)),
        Level.NOT_READY,
        "NamespaceMissing",
        "namespace n is missing",
        (),
        id="the API server refuses a write",
    ),
    pytest.param(
        view(node("a"), refused=(Finding(Reason.ObjectConflict, "DaemonSet x belongs to y"),)),
        Level.ERROR,
        "ObjectConflict",
        "DaemonSet x belongs to y",
        (),
        id="an object belongs to someone else",
    ),
    pytest.param(
        view(asked=False, workloads=(), remaining=("DaemonSet n/x", "ConfigMap n/y"), driver=None),
        Level.NOT_READY,
        "Removing",
        "waiting for DaemonSet n/x and 1 more to be gone from the API server",
        (),
        id="a removed section is still being removed",
    ),
    pytest.param(
        view(node("a"), unsupported_systems={"z": "rocky 9.3"}, supported_systems=("rhel", "ubuntu")),
        Level.NOT_READY,
        "UnsupportedOperatingSystem",
        "no driver image is built for rocky 9.3 (z), only for rhel, ubuntu: these nodes keep the inbox driver; "
        "leave them out with spec.nodeAffinity",
        ("z",),
        id="an operating system without a driver image",
    ),
    pytest.param(
        view(node("a"), unlabelled={"x": "kubernetes.io/arch", "y": "kubernetes.io/arch"}),
        Level.NOT_READY,
        "NodeLabelsIncomplete",
        "there is a NIC and no label kubernetes.io/arch on x, y, so it is not known which driver image fits",
        ("x", "y"),
        id="a node that is in no pool of the driver",
    ),
    pytest.param(
        failing(ContainerState("mofed-container", "r/i:t", waiting_reason="ErrImagePull", waiting_message="not found")),
        Level.NOT_READY,
        "ImagePullFailed",
        "DaemonSet mofed-ds: image r/i:t cannot be pulled on b: not found",
        ("b",),
        id="an image that the registry does not have",
    ),
    pytest.param(
        failing(ContainerState("mofed-container", restarts=1, last_reason="OOMKilled")),
        Level.NOT_READY,
        "ContainerOutOfMemory",
        "DaemonSet mofed-ds: container mofed-container was killed at its memory limit (OOMKilled) on b; "
        "raise it with containerResources",
        ("b",),
        id="a container over its memory limit",
    ),
    pytest.param(
        failing(CRASHED),
        Level.NOT_READY,
        "ContainerCrashing",
        "DaemonSet mofed-ds: container mofed-container keeps failing with exit code 1 on b: no kernel headers",
        ("b",),
        id="a container that crashes",
    ),
    pytest.param(
        failing(CRASHED, HELD),
        Level.NOT_READY,
        "DriverHeld",
        "the driver cannot be reloaded: nvidia_peermem (1 to 9 references) in use on b "
        "(UNLOAD_STORAGE_MODULES is not set, UNLOAD_THIRD_PARTY_RDMA_MODULES is not set); stop what uses it",
        ("b",),
        id="a driver that cannot load because a module is held",
    ),
    pytest.param(
        failing(CRASHED, OLD_BUILD),
        Level.NOT_READY,
        "DriverBuildOutdated",
        "b: the driver build in /var/opt/b/5.4.0-1 is for kernel 5.4.0-1, the running kernel is 5.15.0-78-generic: "
        "remove that directory",
        ("b",),
        id="a stored build for another kernel",
    ),
    pytest.param(
        view(
            node("a"),
            workloads=(
                workload("a", live={"desired": 1, "ready": 0}, refusal="pods x is forbidden: violates PodSecurity y"),
            ),
        ),
        Level.NOT_READY,
        "PodRefused",
        "DaemonSet mofed-ds: pod security of namespace nvidia-network-operator refuses its pods: pods x is forbidden: "
        "violates PodSecurity y. Allow them with: kubectl label namespace nvidia-network-operator "
        "pod-security.kubernetes.io/enforce=privileged --overwrite",
        (),
        id="pod security refuses the pods",
    ),
    pytest.param(
        view(workloads=(deployment(desired=1, replica_failure="pods x is forbidden: exceeded quota: q"),)),
        Level.NOT_READY,
        "PodRefused",
        "Deployment whereabouts: a quota of namespace nvidia-network-operator refuses its pods: pods x is forbidden: "
        "exceeded quota: q; raise the quota",
        (),
        id="a quota refuses the pod of a Deployment",
    ),
    pytest.param(
        view(
            node("a"),
            node("b"),
            workloads=(
                workload(
                    "a",
                    "b",
                    live={"updated": 1, "on_delete": True, "template_generation": "2", "selector": {"app": "mofed"}},
                    pods=(pod("a", template_generation="2"), pod("b")),
                ),
            ),
        ),
        Level.NOT_READY,
        "DriverPodsOutdated",
        "DaemonSet mofed-ds: pods on b run the driver asked for earlier; replacing them reloads the driver there, so "
        "it is left to you, one node at a time: kubectl -n nvidia-network-operator delete pod ds-b (on b)",
        ("b",),
        id="a driver pod waits to be replaced",
    ),
    pytest.param(
        view(
            *map(node, "abcde"),
            workloads=(
                workload(
                    *"abcde",
                    live={"updated": 1, "on_delete": True, "template_generation": "2", "selector": {"app": "mofed"}},
                    pods=(pod("a", template_generation="2"), *map(pod, "dcb"), pod("e", deleting=True)),
                ),
            ),
        ),
        Level.NOT_READY,
        "DriverPodsOutdated",
        "DaemonSet mofed-ds: pods on b, c, d run the driver asked for earlier; replacing them reloads the driver "
        "there, so it is left to you, one node at a time: kubectl -n nvidia-network-operator delete pod ds-b (on b; 2 "
        "more after it)",
        ("b", "c", "d"),
        id="of many driver pods one is named, and none that is replaced",
    ),
    pytest.param(
        view(node("a"), workloads=(workload("a", just_applied=True),)),
        Level.NOT_READY,
        "RollingOut",
        "DaemonSet mofed-ds: a change was applied and its rollout has not begun",
        (),
        id="counters of the time before the change do not count",
    ),
    pytest.param(
        view(node("a"), workloads=(workload("a", live={"generation": 2}),)),
        Level.NOT_READY,
        "RollingOut",
        "DaemonSet mofed-ds: a change was applied and its rollout has not begun",
        (),
        id="the controller has not seen the new generation",
    ),
    pytest.param(
        view(
            node("a"),
            node("b"),
            workloads=(
                workload("a", "b", live=SHORT, pods=(pod("a", ready=True), pod("b", started="2026-11-25T01:00:00Z"))),
            ),
        ),
        Level.NOT_READY,
        "RollingOut",
        "DaemonSet mofed-ds: 1 of 2 pods are up to date and ready, waiting for b (the oldest began at "
        "2026-11-25T01:00:00Z)",
        ("b",),
        id="a pod that is still starting, since when",
    ),
    pytest.param(
        view(node("a"), workloads=(workload("a", live=COUNTED_TWICE, pods=(pod("gone", ready=True), pod("a"))),)),
        Level.NOT_READY,
        "RollingOut",
        "DaemonSet mofed-ds: 0 of 1 pods are up to date and ready, waiting for a",
        ("a",),
        id="the one that is ready is on a node that is gone",
    ),
    pytest.param(
        view(
            node("a"),
            node("b"),
            workloads=(
                workload("a", "b", live={"desired": 1, "updated": 1, "ready": 1}, pods=(pod("a", ready=True),)),
            ),
        ),
        Level.NOT_READY,
        "RollingOut",
        "DaemonSet mofed-ds: 1 of 2 pods are up to date and ready, waiting for b",
        ("b",),
        id="the DaemonSet controller has not heard of a node yet",
    ),
    pytest.param(
        view(node("a"), node("b"), workloads=(ON_A_ONLY,), labels_refused=REFUSED),
        Level.NOT_READY,
        "LabelsRefused",
        "the labels of b, z are not written: the API server's words",
        ("b", "z"),
        id="a node does not get the label that its pod goes by",
    ),
    pytest.param(
        view(
            node("a"),
            node("c"),
            workloads=(replace(ON_A_ONLY, placement=Placement(("a", "c"), {})),),
            labels_refused=REFUSED,
        ),
        Level.NOT_READY,
        "RollingOut",
        "DaemonSet mofed-ds: 1 of 2 pods are up to date and ready, waiting for c",
        ("c",),
        id="labels of other nodes are no reason",
    ),
    pytest.param(
        view(node("a"), node("b"), workloads=(workload("a", waiting=("b",)),)),
        Level.NOT_READY,
        "WaitingForDriver",
        "DaemonSet mofed-ds waits for the driver on b (label network.nvidia.com/operator.mofed.wait is not false "
        "there)",
        ("b",),
        id="a device plugin whose node has no driver yet",
    ),
    pytest.param(
        view(node("a"), node("b", replace(LOADED, flavour=Flavour.INBOX))),
        Level.NOT_READY,
        "DriverNotLoaded",
        "b: driver 23.04-0.5.3 is not loaded: the kernel's own is",
        ("b",),
        id="all pods ready, and an agent sees another driver",
    ),
    pytest.param(
        view(node("a", replace(LOADED, version="5.8-1.0.1")), node("b", replace(LOADED, flavour=Flavour.INBOX))),
        Level.NOT_READY,
        "DriverNotLoaded",
        "b: driver 23.04-0.5.3 is not loaded: the kernel's own is; "
        "a: driver 5.8-1.0.1 is loaded, 23.04-0.5.3 is asked for",
        ("a", "b"),
        id="two nodes, each with its own trouble",
    ),
    pytest.param(
        view(node("a", replace(LOADED, version="5.8-1.0.1"))),
        Level.NOT_READY,
        "DriverVersionDiffers",
        "a: driver 5.8-1.0.1 is loaded, 23.04-0.5.3 is asked for",
        ("a",),
        id="another version is loaded",
    ),
    pytest.param(
        view(
            node("a", plugin_directories=()),
            name="state-RDMA-device-plugin",
            driver=None,
            workloads=(
                workload(
                    "a", pod_spec={"volumes": [{"name": "x", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}]}
                ),
            ),
        ),
        Level.NOT_READY,
        "RegistrationDirectoryMissing",
        "no kubelet looks into /var/lib/kubelet/device-plugins, where the plugin registers, on a; restart the kubelet",
        ("a",),
        id="a device plugin has nowhere to register",
    ),
    pytest.param(
        view(silent("a"), workloads=(workload(away={"a": UNREACHABLE}),)),
        Level.NOT_READY,
        "NodeNotReady",
        f"a: the kubelet does not answer, and the agent's last word is old; {UNKNOWN_THERE}",
        ("a",),
        id="the only node is unreachable, and the DaemonSet controller counts none",
    ),
    pytest.param(
        view(silent("a"), workloads=(), driver_placement=Placement((), {}, {"a": UNREACHABLE})),
        Level.NOT_READY,
        "NodeNotReady",
        f"a: the kubelet does not answer, and the agent's last word is old; {UNKNOWN_THERE}",
        ("a",),
        id="an unreachable node for whose driver there is no image",
    ),
    pytest.param(
        view(
            node("b"),
            silent("c"),
            unreported("d"),
            workloads=(workload(away={"b": UNREADY, "c": UNREACHABLE, "d": SHUT_DOWN}),),
        ),
        Level.NOT_READY,
        "NodeNotReady",
        "d: it has Kubernetes' taint node.cloudprovider.kubernetes.io/shutdown, and no agent has reported; "
        "c: the kubelet does not answer, and the agent's last word is old; "
        "b: the kubelet is not ready, and the agent reports; "
        f"{UNKNOWN_THERE}",
        ("b", "c", "d"),
        id="all of the nodes are away, each in its way",
    ),
]


@pytest.mark.parametrize(("state", "level", "reason", "message", "nodes"), NOT_READY)
def test_not_ready_says_why(state: StateView, level: Level, reason: str, message: str, nodes: tuple[str, ...]) -> None:
    verdict = judge(state)
    assert (verdict.level, verdict.finding) == (level, Finding(Reason(reason), message, nodes))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        pytest.param(view(node("a")), "", id="all is well"),
        pytest.param(
            view(
                node("a"),
                name="state-doca-telemetry-service",
                driver=None,
                workloads=(
                    workload("a", pod_spec={"volumes": [{"hostPath": {"path": "/var/lib/kubelet/pod-resources"}}]}),
                ),
            ),
            "",
            id="a directory of the kubelet of which agents tell nothing",
        ),
        pytest.param(
            view(node("a"), workloads=(workload("a", live=COUNTED_TWICE, pods=(pod("a", ready=True),)),)),
            "",
            id="a node that is gone is still counted",
        ),
        pytest.param(
            view(
                node("a"),
                workloads=(
                    workload(
                        "a",
                        live={"updated": 0, "on_delete": True, "template_generation": "2"},
                        pods=(pod("a", ready=True, template_generation="2"),),
                    ),
                ),
            ),
            "",
            id="a pod that runs the same is not updated, by the controller's counters",
        ),
        pytest.param(
            view(node("a"), workloads=(workload("a", tainted={"m": Taint("dedicated", "infra", "NoSchedule")}),)),
            "NodeExcludedByTaint: taint dedicated=infra:NoSchedule keeps out m; add spec.tolerations to include them",
            id="a taint keeps a node out",
        ),
        pytest.param(
            view(node("a"), node("b"), labels_refused=REFUSED),
            "LabelsRefused: the labels of b, z are not written: the API server's words",
            id="labels cannot be written, and its pods are all there",
        ),
        pytest.param(
            view(workloads=(workload(),)),
            "NoMatchingNodes: DaemonSet mofed-ds runs nowhere: of 0 nodes, label "
            "feature.node.kubernetes.io/pci-15b3.present=true is on 0; nicfleet's agent should set it",
            id="no node matches",
        ),
        pytest.param(
            view(nicless("a"), workloads=(), driver_placement=Placement((), {})),
            "NoMatchingNodes: no node gets a driver: of 1 nodes, label "
            "feature.node.kubernetes.io/pci-15b3.present=true is on 0; nicfleet's agent should set it",
            id="no node has a NIC, so the driver has no pool",
        ),
        pytest.param(
            view(node("a"), workloads=(), driver_placement=Placement((), {})),
            "NoMatchingNodes: no node gets a driver: none of the 1 nodes with label "
            "feature.node.kubernetes.io/pci-15b3.present=true is chosen by spec.nodeAffinity",
            id="affinity leaves every NIC node out",
        ),
        pytest.param(
            view(
                node("a"),
                workloads=(),
                driver_placement=Placement((), {"a": Taint("dedicated", "infra", "NoSchedule")}),
            ),
            "NodeExcludedByTaint: taint dedicated=infra:NoSchedule keeps out a; add spec.tolerations to include them",
            id="a taint keeps out the only NIC node, so the driver has no pool",
        ),
        pytest.param(
            view(node("a"), driver=DriverRequest("latest")),
            "DriverVersionUnchecked: latest names no driver version: only that an OFED or DOCA driver is loaded was "
            "checked",
            id="a tag without a version",
        ),
        pytest.param(
            view(node("a"), caveats=("spec.x has no effect", "spec.y has none")),
            "Caveat: spec.x has no effect; spec.y has none",
            id="something asked for has no effect",
        ),
        pytest.param(
            view(node("a"), own_versions=("spec.nvIpam.version is v2",)),
            "VersionNotGlobal: spec.nvIpam.version is v2, and not the one of spec.global",
            id="a component of another version than the others",
        ),
        pytest.param(
            view(silent("a"), node("b")),
            "",
            id="a silent agent is no contrary evidence",
        ),
        pytest.param(
            view(node("a", findings=(Finding(Reason.UnsupportedDevice, "ConnectX-6 Lx at x is not supported"),))),
            "UnsupportedDevice: a: ConnectX-6 Lx at x is not supported",
            id="an unsupported card is named",
        ),
    ],
)
def test_ready_with_a_word(state: StateView, message: str) -> None:
    verdict = judge(state)
    assert (verdict.level, verdict.message) == (Level.READY, message)


def test_the_management_network_is_named_before_the_driver_goes() -> None:
    bond = NicInterface("bond0", ("ens2f0", "ens2f1"), ("10.0.0.5/24",))
    inbox = replace(LOADED, flavour=Flavour.INBOX)

    before = judge(view(node("a", inbox, interfaces=(bond,), ips=("10.0.0.5",))))
    after = judge(view(node("a", interfaces=(bond,), ips=("10.0.0.5",))))

    assert before.notes == (
        Finding(
            Reason.ManagementOnNic,
            "loading the driver cuts the management network of a through bond0 (on ens2f0, ens2f1)",
            ("a",),
        ),
    )
    assert after.notes == ()


def held_on(*nodes: str, **holders: tuple[Holder, ...]) -> Finding | None:
    """The driver container failed on every node; these modules are in use there."""
    broken = workload(*nodes, live={"ready": 0}, pods=tuple(pod(name, CRASHED) for name in nodes))
    seen = (node(name, replace(LOADED, flavour=Flavour.INBOX, holders=holders[name])) for name in nodes)
    return judge(view(*seen, workloads=(broken,))).finding


def storage(references: int | None, *users: str) -> Holder:
    return Holder("rpcrdma", HolderKind.STORAGE, references, users)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        pytest.param(storage(3, "nfs"), storage(12, "nfsd"), "rpcrdma (10 to 99 references by nfs, nfsd)", id="both"),
        pytest.param(storage(8, "nfs", "nfsd"), storage(41), "rpcrdma (10 to 99 references by nfs, nfsd)", id="moved"),
        pytest.param(storage(0), storage(-1), "rpcrdma (no references)", id="loaded and idle"),
        pytest.param(storage(None), storage(None), "rpcrdma", id="counts are not reported"),
        pytest.param(storage(None), storage(1), "rpcrdma (1 to 9 references)", id="one node reports counts"),
    ],
)
def test_nodes_whose_driver_is_held_alike_are_named_together_whatever_the_counts(
    a: Holder, b: Holder, said: str
) -> None:
    found = held_on("a", "b", a=(a,), b=(b,))
    assert found is not None
    assert found.nodes == ("a", "b")
    assert found.message.startswith(f"the driver cannot be reloaded: {said} in use on a, b (")


def test_nodes_whose_driver_is_held_by_other_modules_are_another_matter() -> None:
    peermem = Holder("nvidia_peermem", HolderKind.PEERMEM, 5)
    found = held_on("a", "b", "c", a=(storage(1),), b=(storage(1), peermem), c=(peermem, storage(700)))
    assert found is not None
    assert found.nodes == ("b", "c")
    assert "nvidia_peermem (1 to 9 references), rpcrdma (100 to 999 references) in use on b, c" in found.message


def test_nfs_over_rdma_on_an_nvme_root_is_named() -> None:
    spec = {"containers": [{"name": "mofed-container", "env": [{"name": "ENABLE_NFSRDMA", "value": "true"}]}]}
    verdict = judge(view(node("a", root_on_nvme=True), node("b"), workloads=(workload("a", "b", pod_spec=spec),)))
    assert [(note.reason, note.nodes) for note in verdict.notes] == [(Reason.NfsRdmaOnNvme, ("a",))]


def test_a_section_that_is_absent_is_ignored() -> None:
    assert judge(view(asked=False, workloads=(), driver=None)) == Verdict("state-OFED", Level.IGNORE)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param((), Level.READY, id="nothing asked for"),
        pytest.param((Level.READY, Level.IGNORE), Level.READY, id="ready and ignored"),
        pytest.param((Level.READY, Level.NOT_READY), Level.NOT_READY, id="one not ready"),
        pytest.param((Level.READY, Level.ERROR), Level.NOT_READY, id="an error is never the whole's word"),
    ],
)
def test_the_whole_is_the_and_of_its_states(levels: tuple[Level, ...], expected: Level) -> None:
    assert overall(Verdict(f"state-{n}", level) for n, level in enumerate(levels)) is expected


ONE_READY = {"desired": 1, "updated": 1, "ready": 1, "available": 1, "replicas": 1}


@pytest.mark.parametrize(
    ("counters", "done", "said"),
    [
        pytest.param(ONE_READY, True, "", id="one of one"),
        pytest.param({"desired": 0}, True, "", id="none is wanted"),
        pytest.param(
            ONE_READY | {"replicas": 2},
            False,
            "0 of 1 pods are up to date and ready, 1 of an earlier template still there",
            id="the ready one is of the earlier template",
        ),
        pytest.param(
            ONE_READY | {"ready": 2, "available": 2, "replicas": 2},
            False,
            "1 of 1 pods are up to date and ready, 1 of an earlier template still there",
            id="the earlier one has not gone yet",
        ),
        pytest.param(
            ONE_READY | {"available": 0}, False, "0 of 1 pods are up to date and ready", id="ready and not available"
        ),
        pytest.param(
            {"desired": 1, "ready": 1, "available": 1, "replicas": 1},
            False,
            "0 of 1 pods are up to date and ready, 1 of an earlier template still there",
            id="no new pod yet",
        ),
        pytest.param({"desired": 1}, False, "0 of 1 pods are up to date and ready", id="no pod at all"),
    ],
)
def test_a_deployment_is_rolled_out_as_kubectl_has_it(counters: dict[str, int], done: bool, said: str) -> None:
    workload = deployment(**counters)
    verdict = judge(view(node("a"), workloads=(workload,)))
    assert workload.rolled_out is done
    assert verdict.message.removeprefix("Deployment whereabouts: ") == said


def test_until_the_fleet_is_settled_nothing_new_is_ready() -> None:
    ready, ignored = Verdict("x", Level.READY), Verdict("y", Level.IGNORE)
    held = unsettled(ready, ("a",), "until 01:00 at the latest")
    assert held.finding == Finding(
        Reason.FleetSettling, "waiting for the agents of a to report, until 01:00 at the latest", ("a",)
    )
    assert unsettled(ready, (), "").finding == Finding(Reason.FleetSettling, "the agents just reported")
    assert unsettled(ignored, ("a",), "") is ignored


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param((node("a"),), None, id="confirmed"),
        pytest.param((silent("a"),), Finding(Reason.NodeSilent, "the agents of a are silent", ("a",)), id="silent"),
        pytest.param(
            (unreported("a"), silent("b")),
            Finding(Reason.NodeNotReported, "no agent has reported for a, b", ("a", "b")),
            id="never reported",
        ),
    ],
)
def test_verified_needs_every_nic_node_that_is_chosen(nodes: tuple[Any, ...], expected: Finding | None) -> None:
    assert unverified([view(*nodes)]) == expected


UNHEARD = Finding(
    Reason.NodeNotReported,
    "no agent has reported at all, so it is not known which nodes have a NIC: see whether the agents' pods run, and in "
    "their logs why they do not reach the coordinator",
)
NO_POOL: dict[str, Any] = {"workloads": (), "driver_placement": Placement((), {})}
FOR_ALL = LiveWorkload("DaemonSet", "n", "kube-multus", {}, Placement((), {}))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(unreported("a"), unreported("b"), workloads=(workload(),)), UNHEARD, id="a plugin's node"),
        pytest.param(view(unreported("a"), unreported("b"), **NO_POOL), UNHEARD, id="a driver's pool"),
        pytest.param(view(unreported("a"), silent("b"), workloads=(workload(),)), None, id="one did, and it has none"),
        pytest.param(view(workloads=(workload(),)), None, id="there is no node"),
        pytest.param(view(unreported("a"), workloads=(FOR_ALL,), driver=None), None, id="nothing is for NICs"),
        pytest.param(view(unreported("a"), workloads=(), driver=None, asked=False), None, id="nothing is asked for"),
    ],
)
def test_where_no_agent_ever_reported_a_policy_without_a_node_is_not_verified(
    seen: StateView, expected: Finding | None
) -> None:
    assert unverified([seen]) == expected


@pytest.mark.parametrize(
    ("away", "reason", "said"),
    [
        pytest.param(silent("b"), Reason.NodeSilent, "the agents of b are silent", id="with its agent"),
        pytest.param(
            node("b"),
            Reason.NodeNotReady,
            "Kubernetes calls b not ready; the agents there report",
            id="its kubelet only",
        ),
    ],
)
@pytest.mark.parametrize(
    "workloads",
    [
        pytest.param((workload("a", away={"b": UNREACHABLE}),), id="of its DaemonSet"),
        pytest.param(
            (workload("a"), workload(name="mofed-other-kernel-ds", away={"b": UNREACHABLE})), id="of its own pool"
        ),
    ],
)
def test_a_node_that_is_away_is_noted_and_not_verified_and_the_others_are_ready(
    workloads: tuple[LiveWorkload, ...], away: NodeView, reason: Reason, said: str
) -> None:
    seen = view(node("a"), away, workloads=workloads)

    verdict = judge(seen)

    assert (verdict.level, [note.reason for note in verdict.notes]) == (Level.READY, [Reason.NodeNotReady])
    assert unverified([seen]) == Finding(reason, said, ("b",))
