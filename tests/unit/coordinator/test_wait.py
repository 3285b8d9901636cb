"""The requested driver, a node's evidence for or against it, and `mofed.wait`: one row per rule."""

from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.fleet.driver import DriverFacts, Holder, HolderKind, driver_facts
from coordinator.labels.rules import Wait
from coordinator.labels.wait import (
    DriverPod,
    DriverRequest,
    Unasked,
    WaitInputs,
    build_outdated,
    driver_evidence,
    driver_version,
    version_unchecked,
    wait,
)
from nicfleet.inventory import Driver, DriverBuild, DriverContainer, Flavour, Inventory, Module, ModuleUse, Unread
from nicfleet.reasons import Finding, Reason
from nicfleet.wire import from_wire, to_wire
from tests.host_driver import load_driver
from tests.host_tree import HostTree
from tests.hosts import multiport_eswitch
from tests.unit.agent.looking import look
from tests.unit.coordinator.inventories import (
    RDMA_MODULES,
    connectx6dx,
    connectx6lx,
    inventory,
    modules,
    ofed,
    port,
    rdma,
    virtual_function,
)

REQUEST = DriverRequest("24.10-0.7.0.0-0")
DIGEST = DriverRequest("sha256:0123456789abcdef")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("23.04-0.5.3.3.1", "23.04-0.5.3", id="tag-of-v23"),
        pytest.param("doca3.1.0-25.07-0.9.7.0-0", "25.07-0.9.7", id="doca-tag"),
        pytest.param("5.9-0.5.6.0", "5.9-0.5.6", id="old-tag"),
        pytest.param("25.04-0.6.1.0-2", "25.04-0.6.1", id="build-number"),
        pytest.param("24.10-0.7.0.0-0-5.15.0-91-generic-ubuntu22.04-amd64", "24.10-0.7.0", id="precompiled"),
        pytest.param("23.04-0.5.3", "23.04-0.5.3", id="module"),
        pytest.param("25.07-10.9.12", "25.07-10.9.12", id="two-digits"),
        pytest.param("sha256:0123456789abcdef", None, id="digest"),
        pytest.param("latest", None, id="word"),
        pytest.param("5.0-0", None, id="inbox-module-of-an-old-kernel"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_driver_version(text: str, expected: str | None) -> None:
    assert driver_version(text) == expected
    assert DriverRequest(text).version == expected


def test_a_tag_without_a_version_says_what_was_not_checked() -> None:
    assert version_unchecked(REQUEST) is None
    assert version_unchecked(DIGEST) == Finding(
        Reason.DriverVersionUnchecked,
        "sha256:0123456789abcdef names no driver version: only that an OFED or DOCA driver is loaded was checked",
    )


BONDED = (
    connectx6dx(netdevs=(port("ens1f0np0", master="bond0"),), rdma_devices=(rdma("mlx5_bond_0"),)),
    connectx6dx("0000:3b:00.1", netdevs=(port("ens1f1np1", master="bond0"),), rdma_devices=()),
)


@pytest.mark.parametrize(
    ("request_", "given"),
    [
        pytest.param(REQUEST, inventory(connectx6dx(), driver=ofed()), id="loaded"),
        pytest.param(DIGEST, inventory(connectx6dx(), driver=ofed("5.9-0.5.6")), id="tag-without-version"),
        pytest.param(REQUEST, inventory(connectx6dx(), driver=ofed(None)), id="module-without-version"),
        pytest.param(
            REQUEST,
            inventory(connectx6dx(), driver=ofed(container=DriverContainer(running=True))),
            id="container-starting-over-a-loaded-driver",
        ),
        pytest.param(
            REQUEST,
            inventory(connectx6dx(), driver=ofed(container=DriverContainer(reloading=True))),
            id="blacklist-left-over-from-a-crash",
        ),
        pytest.param(REQUEST, inventory(*BONDED, driver=ofed()), id="bonded-ports-share-an-rdma-device"),
        pytest.param(
            REQUEST,
            inventory(connectx6dx(), connectx6dx("0000:3b:00.1", rdma_devices=(), rdma_auxiliary=False), driver=ofed()),
            id="rdma-switched-off-or-on-the-other-port",
        ),
        pytest.param(
            REQUEST,
            inventory(connectx6dx(rdma_devices=()), driver=ofed(netns_shared=False)),
            id="exclusive-mode-device-may-be-in-a-pod",
        ),
        pytest.param(
            REQUEST,
            inventory(connectx6dx(), connectx6dx("0000:5e:00.0", driver="vfio-pci", rdma_devices=()), driver=ofed()),
            id="given-away-to-vfio",
        ),
        pytest.param(
            REQUEST,
            inventory(connectx6dx(virtual_functions=(virtual_function(rdma_devices=(), driver=None),)), driver=ofed()),
            id="vfs-are-not-judged",
        ),
        pytest.param(REQUEST, inventory(connectx6dx(), connectx6lx(), driver=ofed()), id="unsupported-beside"),
        pytest.param(
            REQUEST,
            inventory(
                connectx6dx(),
                driver=ofed(flavour=Flavour.INBOX, unread=(Unread("sys/module/mlx5_core/taint", 5),)),
            ),
            id="a-module-that-does-not-say-whose-it-is-proves-nothing",
        ),
        pytest.param(REQUEST, inventory(connectx6lx()), id="unsupported-alone-contradicts-nothing"),
    ],
)
def test_evidence_for(request_: DriverRequest, given: Inventory) -> None:
    assert driver_evidence(request_, driver_facts(given)) is None


def without(*names: str) -> tuple[Module, ...]:
    return modules(name for name in RDMA_MODULES if name not in names)


LOADING = (*without("mlx5_ib"), Module("mlx5_ib", "Loading"))
MIXED = (
    *modules(("ib_core", "ib_uverbs"), out_of_tree=False),
    *modules(("mlx5_core",)),
    Module("nvidia_peermem", "Live"),
)
IB_PORT = connectx6dx(rdma_devices=(rdma(link_layers=("InfiniBand", "InfiniBand")),))
NO_UVERBS = connectx6dx(rdma_devices=(rdma(devices=("infiniband/issm0", "infiniband/umad0")),))
UNUSABLE = "driver 24.10-0.7.0 is loaded, but programs cannot use it: "


@pytest.mark.parametrize(
    ("given", "reason", "sentence"),
    [
        pytest.param(
            inventory(connectx6dx()),
            Reason.DriverNotLoaded,
            "driver 24.10-0.7.0 is not loaded: no RDMA driver is",
            id="none",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed(flavour=Flavour.INBOX)),
            Reason.DriverNotLoaded,
            "driver 24.10-0.7.0 is not loaded: the kernel's own is",
            id="inbox",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=Driver(container=DriverContainer(ready=True))),
            Reason.DriverNotLoaded,
            "driver 24.10-0.7.0 is not loaded: no RDMA driver is",
            id="a-left-over-ready-file-is-not-enough",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed(container=DriverContainer(running=True, reloading=True))),
            Reason.DriverLoading,
            "the driver container is replacing the driver's modules",
            id="reloading",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed("23.10-1.1.9")),
            Reason.DriverVersionDiffers,
            "driver 23.10-1.1.9 is loaded, 24.10-0.7.0 is asked for",
            id="version",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed(flavour=Flavour.MIXED, modules=MIXED)),
            Reason.DriverMixed,
            "modules of two drivers are loaded together: ib_core, ib_uverbs of the kernel, mlx5_core of OFED",
            id="mixed",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed(modules=without("rdma_ucm"))),
            Reason.DriverNotLoaded,
            "driver 24.10-0.7.0 is not loaded whole: rdma_ucm is not loaded",
            id="module-missing",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed(modules=LOADING)),
            Reason.DriverNotLoaded,
            "driver 24.10-0.7.0 is not loaded whole: mlx5_ib is loading",
            id="module-loading",
        ),
        pytest.param(
            inventory(IB_PORT, driver=ofed(modules=without("ib_umad"))),
            Reason.DriverNotLoaded,
            "driver 24.10-0.7.0 is not loaded whole: ib_umad is not loaded",
            id="infiniband-needs-ib-umad",
        ),
        pytest.param(
            inventory(connectx6dx(), driver=ofed(rdma_cm=False)),
            Reason.CharDevicesMissing,
            UNUSABLE + "rdma_cm is missing",
            id="rdma-cm",
        ),
        pytest.param(
            inventory(NO_UVERBS, driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "mlx5_0 has no uverbs device",
            id="uverbs",
        ),
        pytest.param(
            inventory(IB_PORT, driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "mlx5_0 has 1 umad devices for 2 InfiniBand ports",
            id="umad",
        ),
        pytest.param(
            inventory(connectx6dx(), connectx6dx("0000:5e:00.0", rdma_devices=()), driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "0000:5e:00.0 has no RDMA device",
            id="rdma-device",
        ),
        pytest.param(
            inventory(connectx6dx(), connectx6dx("0000:5e:00.0", rdma_devices=(), rdma_auxiliary=True), driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "0000:5e:00.0 has no RDMA device",
            id="auxiliary-device-that-mlx5-ib-does-not-drive",
        ),
        pytest.param(
            inventory(BONDED[0], replace(BONDED[1], rdma_auxiliary=True), driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "0000:3b:00.1 has no RDMA device",
            id="bonded-port-that-was-to-have-its-own",
        ),
        pytest.param(
            inventory(virtual_function(rdma_devices=()), driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "0000:3b:00.2 has no RDMA device",
            id="a-vf-whose-pf-is-elsewhere-is-judged",
        ),
        pytest.param(
            inventory(connectx6dx(driver=None, rdma_devices=()), driver=ofed()),
            Reason.CharDevicesMissing,
            UNUSABLE + "0000:3b:00.0 has no driver bound",
            id="unbound",
        ),
    ],
)
def test_evidence_against(given: Inventory, reason: Reason, sentence: str) -> None:
    assert driver_evidence(REQUEST, driver_facts(given)) == Finding(reason, sentence)


def test_ethernet_needs_no_umad() -> None:
    function = connectx6dx(rdma_devices=(rdma(devices=("infiniband/uverbs0",)),))
    assert driver_evidence(REQUEST, driver_facts(inventory(function, driver=ofed(modules=without("ib_umad"))))) is None


def test_a_multiport_eswitch_as_its_agent_reports_it(tmp_path: Path) -> None:
    multiport_eswitch(tmp_path)
    load_driver(tmp_path, Flavour.OFED, "24.10-0.7.0")
    tree = HostTree(tmp_path)
    assert tree.names("sys/bus/pci/devices/0000:5e:00.0/infiniband") == ["mlx5_0"]
    assert tree.names("sys/bus/pci/devices/0000:5e:00.1/infiniband") == []
    assert driver_facts(from_wire(to_wire(look(tree)))).devices_missing == ()

    # Without mlx5_ib the auxiliary device is there, and nothing drives it.
    tree.remove_rdma_device("mlx5_0")
    assert driver_facts(from_wire(to_wire(look(tree)))).devices_missing == ("0000:5e:00.0 has no RDMA device",)


LOADED = driver_facts(inventory(connectx6dx(), driver=ofed()))
NOT_LOADED = driver_facts(inventory(connectx6dx()))
NO_EVIDENCE = driver_facts(inventory(connectx6lx(), driver=ofed()))


OTHER = driver_facts(inventory(connectx6dx(), driver=ofed("23.04-0.5.3")))
NOBODY, UNKNOWN = Unasked.NOBODY, Unasked.UNKNOWN
NO_POD, SICK_POD, READY_POD = DriverPod.NONE, DriverPod.NOT_READY, DriverPod.READY
OLD_POD, UNSEEN = DriverPod.OUTDATED, DriverPod.UNKNOWN


@pytest.mark.parametrize(
    ("request_", "node", "expected"),
    [
        pytest.param(REQUEST, WaitInputs(LOADED, False, True, NO_POD), Wait.FALSE, id="live-loaded"),
        pytest.param(REQUEST, WaitInputs(LOADED, True, True, SICK_POD), Wait.FALSE, id="live-loaded-pod-crash-loops"),
        pytest.param(REQUEST, WaitInputs(NOT_LOADED, True, True, READY_POD), Wait.TRUE, id="live-not-loaded-pod-ready"),
        pytest.param(REQUEST, WaitInputs(NOT_LOADED, False, True, NO_POD), Wait.TRUE, id="live-not-loaded-no-pod"),
        pytest.param(REQUEST, WaitInputs(NOT_LOADED, True, False, READY_POD), Wait.ABSENT, id="live-without-nic"),
        pytest.param(REQUEST, WaitInputs(NO_EVIDENCE, False, True, READY_POD), Wait.FALSE, id="6-lx-only-pod-ready"),
        pytest.param(REQUEST, WaitInputs(NO_EVIDENCE, False, True, SICK_POD), Wait.TRUE, id="6-lx-only-pod-not-ready"),
        pytest.param(REQUEST, WaitInputs(NO_EVIDENCE, True, True, NO_POD), Wait.TRUE, id="6-lx-only-no-pod-yet"),
        pytest.param(REQUEST, WaitInputs(None, False, True, READY_POD), Wait.KEEP, id="unsettled"),
        pytest.param(REQUEST, WaitInputs(None, True, True, READY_POD), Wait.FALSE, id="no-agent-pod-ready"),
        pytest.param(REQUEST, WaitInputs(None, True, True, SICK_POD), Wait.TRUE, id="no-agent-pod-not-ready"),
        pytest.param(REQUEST, WaitInputs(None, True, True, NO_POD), Wait.KEEP, id="no-agent-no-pod"),
        pytest.param(REQUEST, WaitInputs(None, True, False, READY_POD), Wait.KEEP, id="no-agent-no-nic-label"),
        pytest.param(NOBODY, WaitInputs(NOT_LOADED, False, True, NO_POD), Wait.FALSE, id="no-request-nic"),
        pytest.param(NOBODY, WaitInputs(NOT_LOADED, True, False, NO_POD), Wait.ABSENT, id="no-request-no-nic"),
        pytest.param(NOBODY, WaitInputs(LOADED, True, True, READY_POD), Wait.KEEP, id="no-request-pod-left-behind"),
        pytest.param(NOBODY, WaitInputs(LOADED, True, True, OLD_POD), Wait.KEEP, id="no-request-old-pod-left-behind"),
        pytest.param(NOBODY, WaitInputs(LOADED, True, True, SICK_POD), Wait.TRUE, id="no-request-pod-is-going"),
        pytest.param(NOBODY, WaitInputs(None, False, True, NO_POD), Wait.KEEP, id="no-request-unsettled"),
        pytest.param(NOBODY, WaitInputs(None, True, True, NO_POD), Wait.FALSE, id="no-request-no-agent-nic-label"),
        pytest.param(NOBODY, WaitInputs(None, True, True, SICK_POD), Wait.TRUE, id="no-request-no-agent-pod"),
        pytest.param(NOBODY, WaitInputs(None, True, False, NO_POD), Wait.KEEP, id="no-request-no-agent-no-nic-label"),
        pytest.param(REQUEST, WaitInputs(OTHER, True, True, OLD_POD), Wait.KEEP, id="old-driver-until-replaced"),
        pytest.param(REQUEST, WaitInputs(OTHER, True, True, READY_POD), Wait.TRUE, id="old-driver-under-new-pod"),
        pytest.param(REQUEST, WaitInputs(OTHER, True, True, UNSEEN), Wait.KEEP, id="old-driver-pods-not-looked-at"),
        pytest.param(REQUEST, WaitInputs(NOT_LOADED, True, True, OLD_POD), Wait.TRUE, id="not-loaded-under-old-pod"),
        pytest.param(REQUEST, WaitInputs(None, True, True, OLD_POD), Wait.KEEP, id="no-agent-old-pod"),
        pytest.param(REQUEST, WaitInputs(OTHER, True, True, SICK_POD), Wait.TRUE, id="old-driver-pod-not-ready"),
        pytest.param(REQUEST, WaitInputs(OTHER, True, True, NO_POD), Wait.TRUE, id="old-driver-without-pod"),
        pytest.param(REQUEST, WaitInputs(None, True, True, UNSEEN), Wait.KEEP, id="no-agent-pods-not-looked-at"),
        pytest.param(REQUEST, WaitInputs(NO_EVIDENCE, True, True, UNSEEN), Wait.KEEP, id="6-lx-only-not-looked-at"),
        pytest.param(NOBODY, WaitInputs(LOADED, True, True, UNSEEN), Wait.KEEP, id="no-request-pods-not-looked-at"),
        pytest.param(UNKNOWN, WaitInputs(LOADED, True, True, READY_POD), Wait.KEEP, id="unknown-request-loaded"),
        pytest.param(UNKNOWN, WaitInputs(NOT_LOADED, True, True, NO_POD), Wait.KEEP, id="unknown-request-not-loaded"),
    ],
)
def test_wait(request_: DriverRequest | Unasked, node: WaitInputs, expected: Wait) -> None:
    assert wait(request_, node) is expected


UNBOUND = driver_facts(inventory(connectx6dx(driver=None, rdma_devices=()), driver=ofed()))
NO_RDMA_DEVICE = driver_facts(inventory(connectx6dx(rdma_devices=()), driver=ofed()))
NOT_WHOLE = driver_facts(inventory(connectx6dx(driver=None, rdma_devices=()), driver=ofed(modules=without("mlx5_ib"))))


@pytest.mark.parametrize(
    ("driver", "resetting", "expected"),
    [
        pytest.param(UNBOUND, True, Wait.KEEP, id="unbound-for-a-moment"),
        pytest.param(NO_RDMA_DEVICE, True, Wait.KEEP, id="no-rdma-device-for-a-moment"),
        pytest.param(UNBOUND, False, Wait.TRUE, id="unbound"),
        pytest.param(NO_RDMA_DEVICE, False, Wait.TRUE, id="no-rdma-device"),
        pytest.param(NOT_LOADED, True, Wait.TRUE, id="driver-unloaded"),
        pytest.param(NOT_WHOLE, True, Wait.TRUE, id="module-unloaded"),
        pytest.param(LOADED, True, Wait.FALSE, id="all-is-back"),
    ],
)
def test_a_firmware_reset_takes_devices_away_and_no_driver(
    driver: DriverFacts, resetting: bool, expected: Wait
) -> None:
    """The daemon that resets the firmware runs where the label is `false`, and would be ended in the middle of it."""
    assert wait(REQUEST, WaitInputs(driver, True, True, READY_POD, resetting)) is expected


def test_holders_are_the_modules_that_block_a_reload() -> None:
    loaded = modules(("ib_core", "nvidia_peermem", "rpcrdma", "nvme_rdma", "irdma"))
    use = (ModuleUse("rpcrdma", 2, ("nfs",)), ModuleUse("nvidia_peermem", 0), ModuleUse("ib_core", 9, ("mlx5_ib",)))
    facts = driver_facts(inventory(driver=ofed(modules=loaded), module_use=use))
    assert facts.holders == (
        Holder("nvidia_peermem", HolderKind.PEERMEM, 0),
        Holder("rpcrdma", HolderKind.STORAGE, 2, ("nfs",)),
        Holder("nvme_rdma", HolderKind.STORAGE),
        Holder("irdma", HolderKind.THIRD_PARTY),
    )


OLD_BUILD = DriverBuild("5.15.0-70-generic", "24.10-0.7.0", "/mnt/drivers-inventory/5.15.0-70-generic/24.10-0.7.0")


@pytest.mark.parametrize(
    ("kernel", "builds", "outdated"),
    [
        pytest.param("5.15.0-78-generic", (OLD_BUILD,), True, id="other-kernel"),
        pytest.param("5.15.0-70-generic", (OLD_BUILD,), False, id="same-kernel"),
        pytest.param("5.15.0-78-generic", (), False, id="no-build"),
        pytest.param(None, (OLD_BUILD,), False, id="kernel-unknown"),
        pytest.param(
            "5.15.0-78-generic", (OLD_BUILD, DriverBuild("5.15.0-78-generic", "x", "y")), False, id="one-fits"
        ),
    ],
)
def test_build_outdated(kernel: str | None, builds: tuple[DriverBuild, ...], outdated: bool) -> None:
    finding = build_outdated(DriverFacts(kernel=kernel, builds=builds))
    expected = Finding(
        Reason.DriverBuildOutdated,
        "the driver build in /mnt/drivers-inventory/5.15.0-70-generic/24.10-0.7.0 is for kernel 5.15.0-70-generic, "
        "the running kernel is 5.15.0-78-generic: remove that directory",
    )
    assert finding == (expected if outdated else None)
