"""An inventory as a table, in the words that NIC people know from ibdev2netdev, ibstat and lspci. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nicfleet.inventory import Driver, Flavour, Function, FunctionKind, Inventory, Netdev, Node, PcieLink, RdmaPort
from nicfleet.reasons import Finding

_NOTHING: Final = "-"
_UPLINK: Final = re.compile(r"p[0-9]+")
_LINK_LAYERS: Final = {"ether": "Ethernet", "infiniband": "InfiniBand"}
_FLAVOURS: Final = {
    Flavour.NONE: "none loaded",
    Flavour.INBOX: "inbox",
    Flavour.OFED: "OFED",
    Flavour.MIXED: "mixed: some modules are the kernel's own, some are OFED's",
}
_COLUMNS: Final = ("ADDRESS", "MODEL", "PORT", "LINK", "FW", "PCIE", "VFS", "NUMA", "DRIVER")


def render(inventory: Inventory, findings: tuple[Finding, ...]) -> RenderableType:
    """The whole page: the host, its functions, the driver, and what is wrong."""
    parts: list[RenderableType] = [_host(inventory.node)]
    parts.append(_functions(inventory) if inventory.functions else "no NVIDIA/Mellanox network function")
    parts.append(f"NIC driver: {_driver(inventory.driver)}")
    parts.extend(Text(f"{finding.reason}: {finding.message}", style="red") for finding in findings)
    return Group(*parts)


def _host(node: Node) -> Text:
    system = " ".join(word for word in (node.os_id, node.os_version_id) if word)
    kernel = node.kernel_release and f"kernel {node.kernel_release}"
    return Text(", ".join(word for word in (node.name, system, kernel, node.architecture) if word), style="bold")


def _functions(inventory: Inventory) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, no_wrap=column in ("ADDRESS", "FW", "NUMA"))
    for function in inventory.all_functions():
        ports = tuple(_ports(function)) or ((_NOTHING, _NOTHING),)
        table.add_row(
            function.address,
            _model(function),
            "\n".join(name for name, _ in ports),
            "\n".join(link for _, link in ports),
            "\n".join(sorted({device.firmware for device in function.rdma_devices if device.firmware})) or _NOTHING,
            _pcie(function.pcie),
            _vfs(function),
            _text(function.numa_node),
            _text(function.driver),
        )
    return table


def _model(function: Function) -> str:
    model = function.model or f"{function.vendor or 0:04x}:{function.device or 0:04x}"
    return f"{model} (unsupported)" if function.supported is False else model


def _ports(function: Function) -> Iterator[tuple[str, str]]:
    """Name and link of every port: RDMA ports with the netdev each leads to, then the netdevs that are left."""
    uplinks = [netdev for netdev in function.netdevs if _is_uplink(netdev)]
    others = [netdev for netdev in function.netdevs if not _is_uplink(netdev)]
    for device in function.rdma_devices:
        for port in device.ports:
            name = f"{device.name} port {port.number}"
            # With representors on further ports of one device, the uplink is port 1.
            uplink = uplinks.pop(0) if uplinks and port.number == 1 else None
            yield (f"{name} ==> {_named(uplink)}" if uplink else name), _rdma_link(port)
    for netdev in (*uplinks, *others):
        yield _named(netdev), _ethernet_link(netdev)


def _is_uplink(netdev: Netdev) -> bool:
    """Not the representor of a VF or sub-function; a port without a name is an uplink."""
    return netdev.port_name is None or _UPLINK.fullmatch(netdev.port_name) is not None


def _named(netdev: Netdev) -> str:
    return f"{netdev.name} ({'Up' if netdev.operstate == 'up' else 'Down'})"


def _rdma_link(port: RdmaPort) -> str:
    if port.rate_gbps is not None:
        return f"{port.link_layer or 'unknown'} {port.rate_gbps:g} Gb/s"
    return " ".join(word for word in (port.link_layer, port.state) if word) or _NOTHING


def _ethernet_link(netdev: Netdev) -> str:
    layer = _LINK_LAYERS.get(netdev.link_type or "", netdev.link_type)
    rate = netdev.speed_mbps is not None and f"{netdev.speed_mbps / 1000:g} Gb/s"
    return " ".join(word for word in (layer, rate) if word) or _NOTHING


def _pcie(link: PcieLink | None) -> str:
    """Speed and width, and against them what the card could do when the slot gives less."""
    if link is None or link.speed_gts is None or link.width is None:
        return _NOTHING
    now = f"{link.speed_gts:g} GT/s x{link.width}"
    best = f"{link.max_speed_gts or 0:g} GT/s x{link.max_width or 0}"
    below = (link.max_speed_gts or 0) > link.speed_gts or (link.max_width or 0) > link.width
    return f"{now} (of {best})" if below else now


def _vfs(function: Function) -> str:
    if function.kind is FunctionKind.VF:
        return "VF" if function.vf_index is None else f"VF {function.vf_index}"
    if function.sriov_total_vfs is None:
        return _NOTHING
    return f"{_text(function.sriov_num_vfs)} of {function.sriov_total_vfs}"


def _driver(driver: Driver) -> str:
    flavour = " ".join(word for word in (_FLAVOURS[driver.flavour], driver.version) if word)
    container = driver.container
    notes = [
        *(["driver container running"] if container.running else []),
        *(["ready"] if container.ready else []),
        *(["reloading"] if container.reloading else []),
    ]
    return f"{flavour} ({', '.join(notes)})" if notes else flavour


def _text(value: object) -> str:
    return _NOTHING if value is None else str(value)
