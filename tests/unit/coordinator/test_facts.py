"""Facts: what an inventory means, in sentences without a node's name."""

import errno

import pytest

from coordinator.fleet.facts import Facts, derive
from coordinator.fleet.management import NicInterface, management_nics, nic_interfaces
from nicfleet.inventory import Function, Inventory, Link, OtherDevice, PciAddress, Unread
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.inventories import (
    connectx6dx,
    connectx6lx,
    inventory,
    node,
    ofed,
    port,
    virtual_function,
)


def test_the_facts_of_a_usual_node() -> None:
    pf = connectx6dx(virtual_functions=(virtual_function(), virtual_function("0000:3b:00.3")))
    facts = derive(inventory(pf, connectx6dx("0000:3b:00.1"), connectx6dx("0000:af:00.0", model="ConnectX-7")))
    assert facts.functions == 5
    assert facts.models == ("ConnectX-6 Dx", "ConnectX-7")
    assert facts.findings == ()
    assert facts.labels["feature.node.kubernetes.io/pci-15b3.present"] == "true"
    assert facts.root_on_nvme is False
    assert facts.plugin_directories == ("var/lib/kubelet/device-plugins", "var/lib/kubelet/plugins_registry")


def test_an_empty_inventory_has_no_findings() -> None:
    assert derive(inventory(node=node(plugin_directories=()))).findings == ()


RECOVERY = OtherDevice(PciAddress("0000:5e:00.0"), 0x0212, 0x020000, "ConnectX-6 Dx flash recovery", recovery=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            inventory(connectx6lx()),
            Finding(
                Reason.UnsupportedDevice,
                "ConnectX-6 Lx is not supported: use another (0000:5e:00.0)",
            ),
            id="unsupported",
        ),
        pytest.param(
            inventory(connectx6lx(model=None, unsupported_reason=None)),
            Finding(Reason.UnsupportedDevice, "the device is not supported (0000:5e:00.0)"),
            id="unsupported-and-nameless",
        ),
        pytest.param(
            inventory(node=node(other_devices=(RECOVERY,))),
            Finding(
                Reason.DeviceInRecovery,
                "ConnectX-6 Dx flash recovery at 0000:5e:00.0 runs its recovery firmware and cannot work; "
                "flash it again or replace it",
            ),
            id="recovery",
        ),
        pytest.param(
            inventory(driver=ofed(peermem_stale=True)),
            Finding(
                Reason.GpuDirectStale,
                "GPUDirect stale: nvidia_peermem was loaded against an earlier RDMA driver; reload the GPU driver",
            ),
            id="peermem-stale",
        ),
        pytest.param(
            inventory(connectx6dx(unread=tuple(Unread(f"sys/{name}", errno.EIO) for name in "dcba"))),
            Finding(
                Reason.AttributeUnreadable,
                "cannot read /sys/a, /sys/b, /sys/c and 1 more: EIO (Input/output error)",
            ),
            id="unreadable",
        ),
        pytest.param(
            inventory(driver=ofed(unread=(Unread("sys/module/x", errno.EACCES),))),
            Finding(Reason.AttributeUnreadable, "cannot read /sys/module/x: EACCES (Permission denied)"),
            id="denied",
        ),
        pytest.param(
            inventory(connectx6dx(), node=node(plugin_directories=("var/lib/kubelet/device-plugins",))),
            Finding(
                Reason.RegistrationDirectoryMissing,
                "no kubelet looks into /var/lib/kubelet/plugins_registry: device plugins cannot register",
            ),
            id="one-registration-directory-missing",
        ),
        pytest.param(
            inventory(connectx6dx(), node=node(absent_cni_directories=("/opt/cni/bin",))),
            Finding(
                Reason.CniDirectoryMissing,
                "there is no /opt/cni/bin: the container runtime looks for CNI files elsewhere; set "
                "operator.cniBinDirectory and operator.cniNetworkDirectory to what it uses",
            ),
            id="no-cni-directory",
        ),
    ],
)
def test_a_finding(given: Inventory, expected: Finding) -> None:
    assert derive(given).findings == (expected,)


def test_absence_is_how_sysfs_says_no_and_not_worth_a_finding() -> None:
    quiet = tuple(Unread("sys/x", number) for number in (errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP, 0))
    assert derive(inventory(connectx6dx(unread=quiet))).findings == ()


def test_unread_of_vfs_and_of_the_node_count_too() -> None:
    given = inventory(
        connectx6dx(virtual_functions=(virtual_function(unread=(Unread("sys/vf", errno.EIO),)),)),
        node=node(unread=(Unread("proc/x", errno.EIO),)),
    )
    (finding,) = derive(given).findings
    assert finding.message == "cannot read /proc/x, /sys/vf: EIO (Input/output error)"


def test_the_read_for_which_a_whole_card_was_left_out_is_told_once() -> None:
    hung = (Unread("sys/pf/infiniband/mlx5_0/ports/1/state", errno.ETIMEDOUT),)
    given = inventory(connectx6dx(unread=hung, virtual_functions=(virtual_function(unread=hung),)))
    (finding,) = derive(given).findings
    assert finding.message == f"cannot read /{hung[0].path}: ETIMEDOUT (Connection timed out)"


def _with(*ports: Function, links: tuple[Link, ...] = ()) -> Inventory:
    return inventory(*ports, node=node(links=links))


PORT_A = connectx6dx(netdevs=(port("ens1f0np0", master="bond0"),))
PORT_B = connectx6dx("0000:3b:00.1", netdevs=(port("ens1f1np1", master="bond0"),))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(_with(PORT_A), (), id="unused"),
        pytest.param(
            _with(connectx6dx(netdevs=(port("ens1", addresses=("10.0.0.5/24", "2001:db8::5/64")),))),
            (NicInterface("ens1", ("ens1",), ("10.0.0.5/24", "2001:db8::5/64")),),
            id="direct",
        ),
        pytest.param(
            _with(PORT_A, PORT_B, links=(Link("bond0", "bond", ("ens1f0np0", "ens1f1np1"), ("10.0.0.5/24",), True),)),
            (NicInterface("bond0", ("ens1f0np0", "ens1f1np1"), ("10.0.0.5/24",), True),),
            id="bond",
        ),
        pytest.param(
            _with(
                PORT_A,
                links=(
                    Link("br0", "bridge", ("vlan7", "tap3"), ("10.0.0.5/24",)),
                    Link("vlan7", "vlan", ("bond0",)),
                    Link("bond0", "bond", ("ens1f0np0",)),
                ),
            ),
            (NicInterface("br0", ("ens1f0np0",), ("10.0.0.5/24",)),),
            id="bridge-on-vlan-on-bond",
        ),
        pytest.param(
            _with(PORT_A, links=(Link("a", lower=("b",), addresses=("10.0.0.5/24",)), Link("b", lower=("a",)))),
            (NicInterface("a", (), ("10.0.0.5/24",)),),
            id="a-circle-ends",
        ),
    ],
)
def test_nic_interfaces(given: Inventory, expected: tuple[NicInterface, ...]) -> None:
    assert nic_interfaces(given) == expected
    assert derive(given).interfaces == expected


DIRECT = NicInterface("ens1", ("ens1",), ("10.0.0.5/24",))
IPV6 = NicInterface("ens2", ("ens2",), ("2001:0db8:0::5/64",))
ROUTE = NicInterface("bond0", ("ens3", "ens4"), ("192.0.2.1/24",), default_route=True)


@pytest.mark.parametrize(
    ("interfaces", "internal_ips", "expected"),
    [
        pytest.param((DIRECT, IPV6), ("10.0.0.5",), (DIRECT,), id="internal-ip"),
        pytest.param((DIRECT, IPV6), ("2001:db8::5",), (IPV6,), id="ipv6-in-another-spelling"),
        pytest.param((DIRECT, ROUTE), ("10.0.0.9",), (ROUTE,), id="default-route"),
        pytest.param((DIRECT,), (), (), id="no-internal-ip"),
        pytest.param((NicInterface("x", (), ("junk",)),), ("junk",), (), id="no-address-at-all"),
    ],
)
def test_management_nics(
    interfaces: tuple[NicInterface, ...], internal_ips: tuple[str, ...], expected: tuple[NicInterface, ...]
) -> None:
    assert management_nics(interfaces, internal_ips) == expected


def test_an_interface_names_what_it_rests_on() -> None:
    assert str(DIRECT) == "ens1"
    assert str(ROUTE) == "bond0 (on ens3, ens4)"


def test_facts_of_equal_inventories_are_equal() -> None:
    assert derive(inventory(PORT_A)) == derive(inventory(PORT_A))
    assert Facts() == Facts()
