"""Inventories for the rules' tables: one usual node, varied by `dataclasses.replace`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from coordinator.nodes import KubeNode
from nicfleet.inventory import (
    Driver,
    Flavour,
    Function,
    FunctionKind,
    Inventory,
    Module,
    Netdev,
    Node,
    NodeName,
    PciAddress,
    RdmaDevice,
    RdmaPort,
)

KERNEL = "5.15.0-78-generic"
RDMA_MODULES = ("ib_core", "ib_umad", "ib_uverbs", "mlx5_core", "mlx5_ib", "rdma_cm", "rdma_ucm")


def node(name: str = "worker-1", **changes: object) -> Node:
    usual = Node(
        name=NodeName(name),
        boot_id="boot-1",
        os_id="ubuntu",
        os_version_id="22.04",
        kernel_release=KERNEL,
        architecture="x86_64",
        root_on_nvme=False,
        plugin_directories=("var/lib/kubelet/device-plugins", "var/lib/kubelet/plugins_registry"),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def modules(
    names: Iterable[str] = RDMA_MODULES, *, out_of_tree: bool = True, state: str = "Live"
) -> tuple[Module, ...]:
    return tuple(Module(name, state, out_of_tree=out_of_tree) for name in names)


def ofed(version: str | None = "24.10-0.7.0", **changes: object) -> Driver:
    usual = Driver(flavour=Flavour.OFED, version=version, modules=modules(), netns_shared=True, rdma_cm=True)
    return replace(usual, **changes)  # type: ignore[arg-type]


def port(name: str = "ens1f0np0", **changes: object) -> Netdev:
    return replace(Netdev(name), **changes)  # type: ignore[arg-type]


def rdma(
    name: str = "mlx5_0",
    *,
    devices: tuple[str, ...] = ("infiniband/umad0", "infiniband/uverbs0"),
    link_layers: tuple[str, ...] = ("Ethernet",),
) -> RdmaDevice:
    ports = tuple(RdmaPort(number, link_layer=layer) for number, layer in enumerate(link_layers, start=1))
    return RdmaDevice(name, char_devices=devices, ports=ports)


def connectx6dx(address: str = "0000:3b:00.0", **changes: object) -> Function:
    usual = Function(
        address=PciAddress(address),
        vendor=0x15B3,
        device=0x101D,
        pci_class=0x020000,
        driver="mlx5_core",
        model="ConnectX-6 Dx",
        generation="connectx-6",
        supported=True,
        netdevs=(port(),),
        rdma_devices=(rdma(),),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def connectx6lx(address: str = "0000:5e:00.0", **changes: object) -> Function:
    usual = connectx6dx(
        address,
        device=0x101F,
        model="ConnectX-6 Lx",
        supported=False,
        unsupported_reason="ConnectX-6 Lx is not supported: use another",
        netdevs=(),
        rdma_devices=(),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def virtual_function(address: str = "0000:3b:00.2", **changes: object) -> Function:
    usual = connectx6dx(address, kind=FunctionKind.VF, device=0x101E, model=None, generation=None)
    return replace(usual, **changes)  # type: ignore[arg-type]


def inventory(*functions: Function, driver: Driver | None = None, **changes: object) -> Inventory:
    usual = Inventory(node=node(), driver=driver or Driver(), functions=functions)
    return replace(usual, **changes)  # type: ignore[arg-type]


def kube_node(name: str = "worker-1", **changes: object) -> KubeNode:
    usual = KubeNode(name=name, uid="uid-1", resource_version="1", created=datetime(2026, 1, 1, tzinfo=UTC))
    return replace(usual, **changes)  # type: ignore[arg-type]
