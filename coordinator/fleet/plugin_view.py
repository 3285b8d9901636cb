"""What device plugins go by of an inventory, packed: a node's functions are kept for thousands of nodes. Pure.

Machines that are alike give the same bytes, so what was concluded of one holds for all: no MAC and no GUID is in it.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from nicfleet.inventory import Function, FunctionKind, Inventory, Netdev, RdmaDevice

_FASTEST: Final = 1
_DIGEST_BYTES: Final = 16
_ZERO_GUID: Final = "0000:0000:0000:0000"
_INFINIBAND: Final = "InfiniBand"
_UPLINK: Final = re.compile(r"p\d+")


# What is true of a function besides its names: bits of `Candidate.traits`.
VF: Final = 1
HAS_VFS: Final = 2
RDMA: Final = 4
UVERBS: Final = 8
UMAD: Final = 16
ZERO_GUID: Final = 32
"""An InfiniBand VF to which nobody has given a node or port GUID."""
DEFAULT_ROUTE: Final = 64

_LEAVES_WITH_RDMA: Final = RDMA | UVERBS | UMAD | ZERO_GUID


class Candidate(NamedTuple):
    """One network function of vendor 15b3, by what plugins select on. "" is "none", None is "not known"."""

    address: str
    device: str
    """Four hexadecimal digits."""
    driver: str
    interface: str
    """The first of its netdevs, by name."""
    link_type: str | None
    """Of that netdev: "ether", "infiniband"."""
    traits: int
    pkey: int | None
    """The default partition key."""
    pf: str = ""
    """Address of its PF, on a VF."""
    pf_name: str | None = ""
    """The PF's netdev; in switchdev mode the uplink's."""
    pf_link_type: str | None = ""
    vf_index: int | None = None


class Host(NamedTuple):
    """The candidates of a node, by address, each PF before its VFs."""

    candidates: tuple[Candidate, ...] = ()
    shared: bool = True
    """RDMA devices are visible in every network namespace; also where the kernel is too old to say."""
    rdma_cm: bool = False
    """The character device rdma_cm exists."""


@dataclass(frozen=True, slots=True)
class PluginView:
    """Equal as long as nothing changes but which VFs are away in pods: pods come and go all the time."""

    lasting: bytes = b""
    digest: bytes = field(default=b"", compare=False)
    """Of all of it."""
    packed: bytes = field(default=b"", compare=False, repr=False)

    def host(self) -> Host:
        """Unpacked."""
        if not self.packed:
            return Host()
        shared, rdma_cm, rows = json.loads(zlib.decompress(self.packed))
        return Host(tuple(_candidates(rows)), shared, rdma_cm)


def plugin_view(inventory: Inventory) -> PluginView:
    """Packed from an inventory."""
    shared = inventory.driver.netns_shared is not False
    rows = [_top(function) for function in inventory.functions]
    head = [shared, inventory.driver.rdma_cm]
    text = _text([*head, rows])
    for row in rows:
        row[-1] = [_lasting(vf, shared=shared) for vf in row[-1]]
    return PluginView(_digest(_text([*head, rows])), _digest(text), zlib.compress(text, _FASTEST))


# A row is a candidate's fields up to `pkey`. A PF's goes on with its own PF (of a VF whose PF is out of sight), the
# name and link type that its VFs know it by, and their rows; a VF's with its index.

_Row = list[Any]
_INTERFACE: Final = Candidate._fields.index("interface")
_LINK_TYPE: Final = Candidate._fields.index("link_type")
_TRAITS: Final = Candidate._fields.index("traits")
_PKEY: Final = Candidate._fields.index("pkey")


def _top(function: Function) -> _Row:
    uplink = _uplink(function.netdevs)
    name, link_type = (uplink.name, uplink.link_type) if uplink else ("", "")
    vfs = [[*_own(vf), vf.vf_index] for vf in function.virtual_functions]
    return [*_own(function), function.pf or "", name, link_type, vfs]


def _own(function: Function) -> _Row:
    # A PF's own netdevs come before those of its sub-functions.
    first = function.netdevs[0] if function.netdevs else None
    return [
        function.address,
        "" if function.device is None else f"{function.device:04x}",
        function.driver or "",
        first.name if first else "",
        first.link_type if first else "",
        _traits(function),
        _default_pkey(function.rdma_devices),
    ]


def _uplink(netdevs: tuple[Netdev, ...]) -> Netdev | None:
    """What the VFs' PF is called by: in switchdev mode representors are among its netdevs."""
    uplinks = (dev for dev in netdevs if dev.switch_id and dev.port_name and _UPLINK.fullmatch(dev.port_name))
    return next(uplinks, netdevs[0] if netdevs else None)


def _traits(function: Function) -> int:
    traits = HAS_VFS if function.sriov_num_vfs else 0
    if any(netdev.default_route for netdev in function.netdevs):
        traits |= DEFAULT_ROUTE
    for device in function.rdma_devices:
        traits |= RDMA
        for path in device.char_devices:
            traits |= UVERBS if "uverbs" in path else UMAD if "umad" in path else 0
    if function.kind is FunctionKind.VF:
        traits |= VF | (ZERO_GUID if any(map(_without_guid, function.rdma_devices)) else 0)
    return traits


def _without_guid(device: RdmaDevice) -> bool:
    ports = [port for port in device.ports if port.link_layer == _INFINIBAND]
    return bool(ports) and _ZERO_GUID in (device.node_guid, *(port.port_guid for port in ports))


def _default_pkey(devices: tuple[RdmaDevice, ...]) -> int | None:
    for device in devices[:1]:
        for port in device.ports:
            if port.number == 1 and port.pkeys:
                return port.pkeys[0]
    return None


def _lasting(vf: _Row, *, shared: bool) -> _Row:
    """A VF without what a pod takes with it: its netdev, and in exclusive mode its RDMA device."""
    vf[_INTERFACE] = vf[_LINK_TYPE] = ""
    if not shared:
        vf[_TRAITS] &= ~_LEAVES_WITH_RDMA
        vf[_PKEY] = None
    return vf


def _candidates(rows: Iterable[_Row]) -> Iterator[Candidate]:
    for *own, pf, name, link_type, vfs in rows:
        # What a PF that is out of sight is called is not known.
        yield Candidate._make((*own, pf, *((None, None) if pf else ("", "")), None))
        for *fields, vf_index in vfs:
            yield Candidate._make((*fields, own[0], name, link_type, vf_index))


def _text(rows: _Row) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode()


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()
