"""Labels: NFD's keys and values, what may be written beside NFD, and when nothing is written."""

from collections.abc import Mapping

import pytest

from coordinator.fleet.hardware_labels import hardware_labels
from coordinator.labels.rules import LabelChange, Mode, Wait, Wanted, carried, patch, wanted
from coordinator.nodes import KubeNode
from nicfleet.inventory import Driver, Flavour, Gpu, Inventory, OtherDevice, PciAddress
from nicfleet.names import NIC_CONFIGURATION_WAIT_LABEL, WAIT_LABEL
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.inventories import (
    connectx6dx,
    connectx6lx,
    inventory,
    kube_node,
    modules,
    node,
    ofed,
    virtual_function,
)

NFD = "feature.node.kubernetes.io/"
NIC = NFD + "pci-15b3.present"
KERNEL = NFD + "kernel-version.full"
SYSTEM = {
    NFD + "system-os_release.ID": "ubuntu",
    NFD + "system-os_release.VERSION_ID": "22.04",
    KERNEL: "5.15.0-78-generic",
}
ETHERNET = {NIC: "true", NFD + "pci-0200_15b3.present": "true", NFD + "rdma.capable": "true"}
CONNECTX6 = {"nicfleet.io/nic.connectx-6": "true"}
BLUEFIELD_MANAGEMENT = OtherDevice(PciAddress("0000:03:00.2"), 0xC2D3, 0x080100, "BlueField-3 SoC management")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(inventory(), SYSTEM, id="no-nic"),
        pytest.param(inventory(connectx6dx()), SYSTEM | ETHERNET | CONNECTX6, id="one-port"),
        pytest.param(inventory(connectx6lx()), SYSTEM | ETHERNET | CONNECTX6, id="connectx-6-lx-is-labelled-too"),
        pytest.param(inventory(virtual_function()), SYSTEM | ETHERNET, id="only-vfs"),
        pytest.param(
            inventory(connectx6dx(pci_class=0x020700)),
            SYSTEM | {NIC: "true", NFD + "pci-0207_15b3.present": "true", NFD + "rdma.capable": "true"} | CONNECTX6,
            id="infiniband",
        ),
        pytest.param(
            inventory(node=node(other_devices=(BLUEFIELD_MANAGEMENT,))),
            SYSTEM | {NFD + "rdma.capable": "true"},
            id="bluefield-management-function-is-no-nic",
        ),
        pytest.param(
            inventory(node=node(gpus=(Gpu(PciAddress("0000:17:00.0"), 0x2330),))),
            SYSTEM | {NFD + "pci-10de.present": "true"},
            id="gpu",
        ),
        pytest.param(
            inventory(connectx6dx(sriov_total_vfs=8, sriov_num_vfs=0)),
            SYSTEM
            | ETHERNET
            | CONNECTX6
            | {NFD + "pci-15b3.sriov.capable": "true", NFD + "network-sriov.capable": "true"},
            id="sr-iov-without-vfs",
        ),
        pytest.param(
            inventory(connectx6dx(sriov_total_vfs=0, sriov_num_vfs=0)),
            SYSTEM | ETHERNET | CONNECTX6 | {NFD + "pci-15b3.sriov.capable": "true"},
            id="sr-iov-disabled-in-firmware",
        ),
        pytest.param(
            inventory(
                connectx6dx(sriov_total_vfs=8, sriov_num_vfs=1, virtual_functions=(virtual_function(generation="x"),))
            ),
            SYSTEM
            | ETHERNET
            | CONNECTX6
            | {
                NFD + "pci-15b3.sriov.capable": "true",
                NFD + "network-sriov.capable": "true",
                NFD + "network-sriov.configured": "true",
                "nicfleet.io/nic.x": "true",
            },
            id="sr-iov-with-vfs",
        ),
        pytest.param(
            inventory(driver=ofed()),
            SYSTEM
            | {
                NFD + "rdma.available": "true",
                "nicfleet.io/driver.flavour": "ofed",
                "nicfleet.io/driver.version": "24.10-0.7.0",
            },
            id="driver",
        ),
        pytest.param(
            inventory(driver=Driver(flavour=Flavour.INBOX, modules=modules(state="BuiltIn"))),
            SYSTEM | {"nicfleet.io/driver.flavour": "inbox"},
            id="built-in-modules-are-not-seen-by-nfd",
        ),
        pytest.param(
            inventory(driver=Driver(flavour=Flavour.INBOX, modules=modules(("ib_uverbs",)))),
            SYSTEM | {"nicfleet.io/driver.flavour": "inbox"},
            id="rdma-available-needs-both-modules",
        ),
        pytest.param(inventory(node=node(os_id=None, os_version_id=None, kernel_release=None)), {}, id="unknown-os"),
        pytest.param(
            inventory(node=node(kernel_release="+5.15.0-78+custom~1 x86_64.-_")),
            SYSTEM | {KERNEL: "5.15.0-78_custom_1_x86_64"},
            id="kernel-release-with-odd-characters",
        ),
        pytest.param(
            inventory(node=node(kernel_release="+" + "k" * 63 + "+")), SYSTEM | {KERNEL: "k" * 63}, id="63-characters"
        ),
        pytest.param(inventory(node=node(os_id="")), SYSTEM | {NFD + "system-os_release.ID": ""}, id="empty-is-valid"),
    ],
)
def test_hardware_labels(given: Inventory, expected: Mapping[str, str]) -> None:
    labels = hardware_labels(given)
    assert labels.values == expected
    assert labels.invalid == ()


RULE = "must be at most 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"


@pytest.mark.parametrize(
    ("given", "lost", "sentence"),
    [
        pytest.param(
            node(kernel_release="5" * 64), KERNEL, f"label {KERNEL} is left out: its value '{'5' * 64}' {RULE}", id="64"
        ),
        pytest.param(
            node(os_id='"ubuntu"'),
            NFD + "system-os_release.ID",
            f"label {NFD}system-os_release.ID is left out: its value '\"ubuntu\"' {RULE}",
            id="quotes",
        ),
        pytest.param(
            node(os_version_id="22.04\n"),
            NFD + "system-os_release.VERSION_ID",
            f"label {NFD}system-os_release.VERSION_ID is left out: its value '22.04\\n' {RULE}",
            id="newline",
        ),
        pytest.param(
            node(os_id="ü" * 90),
            NFD + "system-os_release.ID",
            f"label {NFD}system-os_release.ID is left out: its value '{'ü' * 80}…' {RULE}",
            id="a-long-value-is-cut-in-the-sentence",
        ),
    ],
)
def test_an_invalid_label_is_named_and_the_others_stay(given: object, lost: str, sentence: str) -> None:
    labels = hardware_labels(inventory(node=given))
    assert labels.values == {key: value for key, value in SYSTEM.items() if key != lost}
    assert labels.invalid == (Finding(Reason.InvalidLabel, sentence),)


def test_an_invalid_label_key_is_named_too() -> None:
    labels = hardware_labels(inventory(connectx6dx(generation="connect x")))
    assert labels.values == SYSTEM | ETHERNET
    sentence = f"label 'nicfleet.io/nic.connect x' is left out: the part after '/' {RULE}"
    assert labels.invalid == (Finding(Reason.InvalidLabel, sentence),)


OURS = "nicfleet.io/nic.connectx-6"
REPORTED = {NIC: "true", KERNEL: "6.8.0", OURS: "true"}


@pytest.mark.parametrize(
    ("given", "reported", "mode", "wait", "expected"),
    [
        pytest.param(
            kube_node(labels={"other": "x"}), REPORTED, Mode.REPLACE, Wait.KEEP, Wanted(REPORTED), id="fresh-node"
        ),
        pytest.param(
            kube_node(labels={NIC: "true", "other": "x", WAIT_LABEL: "true"}, owned=frozenset({NIC, WAIT_LABEL})),
            None,
            Mode.REPLACE,
            Wait.KEEP,
            Wanted({NIC: "true", WAIT_LABEL: "true"}),
            id="not-reported-keeps-what-it-has",
        ),
        pytest.param(
            kube_node(labels={NIC: "true", WAIT_LABEL: "true"}, owned=frozenset({NIC, WAIT_LABEL})),
            None,
            Mode.REPLACE,
            Wait.FALSE,
            Wanted({NIC: "true", WAIT_LABEL: "false"}),
            id="not-reported-but-the-wait-label-is-decided",
        ),
        pytest.param(
            kube_node(labels={NIC: "true", OURS: "true", NFD + "rdma.available": "true", NFD + "cpu-x": "true"}),
            {KERNEL: "6.8.0"},
            Mode.REPLACE,
            Wait.KEEP,
            Wanted({KERNEL: "6.8.0"}, frozenset({NIC, OURS, NFD + "rdma.available"})),
            id="what-a-live-agent-lacks-goes-but-only-listed-keys",
        ),
        pytest.param(
            kube_node(labels={WAIT_LABEL: "false"}),
            {},
            Mode.REPLACE,
            Wait.ABSENT,
            Wanted({}, frozenset({WAIT_LABEL})),
            id="wait-absent",
        ),
        pytest.param(
            kube_node(labels={WAIT_LABEL: "false"}),
            {},
            Mode.REPLACE,
            Wait.KEEP,
            Wanted({}),
            id="wait-of-another-manager-is-kept-by-leaving-it",
        ),
        pytest.param(
            kube_node(),
            REPORTED,
            Mode.SUPPLEMENT,
            Wait.TRUE,
            Wanted(REPORTED | {WAIT_LABEL: "true"}),
            id="nfd-gave-none",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, nfd_keys=frozenset({NIC, KERNEL})),
            REPORTED,
            Mode.SUPPLEMENT,
            Wait.KEEP,
            Wanted({OURS: "true"}),
            id="keys-in-nfds-annotation-are-left-alone-even-when-missing",
        ),
        pytest.param(
            kube_node(labels={NIC: "yes", OURS: "no"}),
            REPORTED,
            Mode.SUPPLEMENT,
            Wait.KEEP,
            Wanted({KERNEL: "6.8.0", OURS: "true"}),
            id="a-key-that-somebody-set-is-not-missing-except-our-own",
        ),
        pytest.param(
            kube_node(
                labels={NIC: "true", KERNEL: "5.15"}, owned=frozenset({NIC, KERNEL}), nfd_keys=frozenset({KERNEL})
            ),
            REPORTED,
            Mode.SUPPLEMENT,
            Wait.KEEP,
            Wanted({NIC: "true", KERNEL: "5.15", OURS: "true"}),
            id="claimed-by-nfd-but-only-ours-is-held-unchanged",
        ),
        pytest.param(
            kube_node(
                labels={KERNEL: "5.15"},
                owned=frozenset({KERNEL}),
                nfd_keys=frozenset({KERNEL}),
                others={KERNEL: ("nfd-master",)},
            ),
            {KERNEL: "5.15"},
            Mode.SUPPLEMENT,
            Wait.KEEP,
            Wanted({}),
            id="owned-by-nfd-too-is-let-go",
        ),
    ],
)
def test_wanted(given: KubeNode, reported: Mapping[str, str] | None, mode: Mode, wait: Wait, expected: Wanted) -> None:
    assert wanted(given, reported, mode, {WAIT_LABEL: wait}) == expected


CONFIGURATION = NIC_CONFIGURATION_WAIT_LABEL
OWNED = kube_node(labels={CONFIGURATION: "false"}, owned=frozenset({CONFIGURATION}))
THEIRS = kube_node(labels={CONFIGURATION: "true"}, others={CONFIGURATION: ("nic-configuration-daemon",)})


@pytest.mark.parametrize("reported", [pytest.param(None, id="not-reported"), pytest.param({}, id="reported")])
@pytest.mark.parametrize(
    ("given", "wait", "expected"),
    [
        pytest.param(kube_node(), Wait.FALSE, Wanted({CONFIGURATION: "false"}), id="fresh-node"),
        pytest.param(THEIRS, Wait.FALSE, Wanted({CONFIGURATION: "false"}), id="left-over-of-the-daemon"),
        pytest.param(OWNED, Wait.KEEP, Wanted({CONFIGURATION: "false"}), id="kept"),
        pytest.param(THEIRS, Wait.KEEP, Wanted({}), id="kept-by-leaving-it"),
        pytest.param(OWNED, Wait.ABSENT, Wanted({}, frozenset({CONFIGURATION})), id="absent"),
        pytest.param(OWNED, Wait.LEAVE, Wanted({}, released=frozenset({CONFIGURATION})), id="ours-is-let-go"),
        pytest.param(THEIRS, Wait.LEAVE, Wanted({}), id="theirs-is-not-touched"),
    ],
)
def test_a_wait_label_is_no_hardware(
    given: KubeNode, reported: Mapping[str, str] | None, wait: Wait, expected: Wanted
) -> None:
    assert wanted(given, reported, Mode.REPLACE, {CONFIGURATION: wait}) == expected


def test_wait_labels_do_not_touch_each_other() -> None:
    both = kube_node(labels={WAIT_LABEL: "false", CONFIGURATION: "false"}, owned=frozenset({WAIT_LABEL, CONFIGURATION}))
    found = wanted(both, {}, Mode.REPLACE, {WAIT_LABEL: Wait.TRUE, CONFIGURATION: Wait.LEAVE})
    assert found == Wanted({WAIT_LABEL: "true"}, released=frozenset({CONFIGURATION}))


@pytest.mark.parametrize(
    ("given", "target", "mode", "expected"),
    [
        pytest.param(
            kube_node(labels={NIC: "true", "x": "y"}, owned=frozenset({NIC}), others={NIC: ("nfd-master",)}),
            Wanted({NIC: "true"}),
            Mode.REPLACE,
            None,
            id="in-step-beside-a-co-owner",
        ),
        pytest.param(kube_node(), Wanted({}), Mode.REPLACE, None, id="nothing-wanted-nothing-owned"),
        pytest.param(
            kube_node(labels={NIC: "false"}, owned=frozenset({NIC})),
            Wanted({NIC: "true"}),
            Mode.REPLACE,
            LabelChange({NIC: "true"}, {}),
            id="value-changed-by-hand",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}),
            Wanted({NIC: "true"}),
            Mode.REPLACE,
            LabelChange({NIC: "true"}, {}),
            id="equal-value-not-owned-yet",
        ),
        pytest.param(
            kube_node(labels={NIC: "true", OURS: "true"}, owned=frozenset({NIC, OURS})),
            Wanted({OURS: "true"}, frozenset({NIC})),
            Mode.REPLACE,
            LabelChange({OURS: "true"}, {}),
            id="sole-owner-just-drops",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, owned=frozenset({NIC}), others={NIC: ("nfd-master", "kubectl")}),
            Wanted({}, frozenset({NIC})),
            Mode.REPLACE,
            LabelChange({}, {NIC: ("kubectl", "nfd-master")}),
            id="co-owners-are-folded-before-a-removal",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, others={NIC: ("nfd-master",)}),
            Wanted({}, frozenset({NIC})),
            Mode.REPLACE,
            LabelChange({}, {NIC: ("nfd-master",)}),
            id="left-over-of-nfd-goes-after-takeover",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, others={NIC: ("kube-controller-manager", "kubelet")}),
            Wanted({}, frozenset({NIC})),
            Mode.REPLACE,
            None,
            id="the-control-plane-is-never-folded",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, others={NIC: ("nfd-master",)}),
            Wanted({}, frozenset({NIC})),
            Mode.SUPPLEMENT,
            None,
            id="supplement-never-folds",
        ),
        pytest.param(
            kube_node(labels={KERNEL: "6.8.0"}),
            Wanted({KERNEL: "6.8.0", NIC: "true", OURS: "true"}),
            Mode.SUPPLEMENT,
            LabelChange(
                {KERNEL: "6.8.0", NIC: "true", OURS: "true"},
                {},
                (Finding(Reason.LabelNotProvidedByNfd, f"NFD does not provide {NIC}; nicfleet adds what is missing"),),
            ),
            id="supplement-says-what-nfd-did-not-provide",
        ),
        pytest.param(
            kube_node(labels={KERNEL: "6.8.0"}, owned=frozenset({KERNEL})),
            Wanted({KERNEL: "6.8.0", OURS: "true"}),
            Mode.SUPPLEMENT,
            LabelChange({KERNEL: "6.8.0", OURS: "true"}, {}),
            id="supplement-has-nothing-to-say-of-nicfleets-own-keys",
        ),
        pytest.param(
            OWNED,
            Wanted({}, released=frozenset({CONFIGURATION})),
            Mode.SUPPLEMENT,
            LabelChange({}, {}, released=frozenset({CONFIGURATION})),
            id="what-is-let-go-must-be-released-first",
        ),
        pytest.param(
            THEIRS, Wanted({}, released=frozenset({CONFIGURATION})), Mode.REPLACE, None, id="released-already"
        ),
    ],
)
def test_patch(given: KubeNode, target: Wanted, mode: Mode, expected: LabelChange | None) -> None:
    assert patch(given, target, mode) == expected


@pytest.mark.parametrize(
    ("given", "target", "mode", "expected"),
    [
        pytest.param(
            kube_node(labels={"x": "y"}), Wanted({NIC: "true"}), Mode.REPLACE, {"x": "y", NIC: "true"}, id="added"
        ),
        pytest.param(
            kube_node(labels={NIC: "true", OURS: "true"}, owned=frozenset({NIC, OURS})),
            Wanted({OURS: "true"}, frozenset({NIC})),
            Mode.REPLACE,
            {OURS: "true"},
            id="ours-alone-goes",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, others={NIC: ("nfd-master",)}),
            Wanted({}, frozenset({NIC})),
            Mode.REPLACE,
            {},
            id="taken-over-goes",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, owned=frozenset({NIC}), others={NIC: ("nfd-master",)}),
            Wanted({}, frozenset({NIC})),
            Mode.SUPPLEMENT,
            {NIC: "true"},
            id="nfds-stays-beside-nfd",
        ),
        pytest.param(
            kube_node(labels={NIC: "true"}, others={NIC: ("kubelet", "nfd-master")}),
            Wanted({}, frozenset({NIC})),
            Mode.REPLACE,
            {NIC: "true"},
            id="the-kubelets-stays",
        ),
        pytest.param(
            OWNED,
            Wanted({}, released=frozenset({CONFIGURATION})),
            Mode.REPLACE,
            {CONFIGURATION: "false"},
            id="released-stays",
        ),
    ],
)
def test_carried(given: KubeNode, target: Wanted, mode: Mode, expected: Mapping[str, str]) -> None:
    """What a pass over the policy counts on while the write is on its way."""
    assert carried(given, target, mode) == expected
