"""What rtnetlink says about the links, as values: a live agent asks the kernel, a recorded host brings its own.

`agent.netlink` makes these from a dump; `from_sysfs` from files alone, where netlink was neither asked nor recorded.
Indexes are those of the network namespace that was asked (rtnetlink(7), RTM_GETLINK).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from ipaddress import ip_interface
from typing import Any, Final

from agent.reader import Reader

CLASS_NET: Final = "sys/class/net"
BONDING_MASTERS: Final = "bonding_masters"
"""A plain file among the links, where bonding is loaded."""

_PEERED_KINDS: Final = frozenset({"veth", "netkit"})
"""For these IFLA_LINK names the other end, not a link below."""


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """One link, as RTM_NEWLINK and RTM_NEWADDR describe it."""

    index: int
    name: str
    kind: str | None = None
    """IFLA_INFO_KIND ("bond", "vlan", …); None for hardware, and where netlink was not asked."""
    altnames: tuple[str, ...] = ()
    """IFLA_ALT_IFNAME of IFLA_PROP_LIST."""
    master: int | None = None
    """IFLA_MASTER: index of the bond, bridge or VRF that this link is enslaved to."""
    lower: int | None = None
    """IFLA_LINK: index of the link below; None when that is in another namespace (IFLA_LINK_NETNSID)."""
    addresses: tuple[str, ...] = ()
    """CIDR, IPv4 and IPv6, link-local ones included."""
    admin_up: bool | None = None
    """IFF_UP."""


@dataclass(frozen=True)
class Links:
    """All links of one network namespace, in any order.

    `default_routes`: output interfaces (RTA_OIF, those of each next hop too) of the default routes of the main table,
    IPv4 and IPv6. `from_netlink`: False when only sysfs was read; kinds, altnames, addresses and routes are then not
    known, which is not the same as none.
    """

    links: tuple[LinkInfo, ...] = ()
    default_routes: tuple[int, ...] = ()
    from_netlink: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, LinkInfo]:
        return {link.name: link for link in self.links}

    @cached_property
    def _by_index(self) -> Mapping[int, LinkInfo]:
        return {link.index: link for link in self.links}

    @cached_property
    def _uppers(self) -> Mapping[int, tuple[LinkInfo, ...]]:
        above: dict[int, list[LinkInfo]] = {}
        for link in self.links:
            if (master := self._by_index.get(link.master or 0)) is not None:
                above.setdefault(link.index, []).append(master)
            if link.lower is not None and link.lower != link.index and link.kind not in _PEERED_KINDS:
                above.setdefault(link.lower, []).append(link)
        return {index: tuple(links) for index, links in above.items()}

    @cached_property
    def _lowers(self) -> Mapping[int, tuple[str, ...]]:
        below: dict[int, set[str]] = {}
        for link in self.links:
            for upper in self.uppers(link):
                below.setdefault(upper.index, set()).add(link.name)
        return {index: tuple(sorted(names)) for index, names in below.items()}

    def uppers(self, link: LinkInfo) -> tuple[LinkInfo, ...]:
        """The links directly above: the master, and what is stacked on the link (VLAN, macvlan, IPoIB child)."""
        return self._uppers.get(link.index, ())

    def lowers(self, link: LinkInfo) -> tuple[str, ...]:
        """Names of the links directly below, sorted: members, and what the link is stacked on."""
        return self._lowers.get(link.index, ())

    def master(self, link: LinkInfo) -> LinkInfo | None:
        return self._by_index.get(link.master or 0)

    def addresses(self, link: LinkInfo) -> tuple[str, ...]:
        """The link's addresses, sorted, without link-local ones and without what is no CIDR."""
        return tuple(sorted(address for address in link.addresses if _is_global(address)))

    def has_default_route(self, link: LinkInfo) -> bool:
        return link.index in self.default_routes

    def to_json(self) -> dict[str, Any]:
        """A value for `json.dumps`."""
        return {
            "from_netlink": self.from_netlink,
            "default_routes": list(self.default_routes),
            "links": [asdict(link) for link in self.links],
        }

    @classmethod
    def from_json(cls, value: Any) -> "Links":
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError on any other value."""
        return cls(
            links=tuple(_link(item) for item in value["links"]),
            default_routes=tuple(int(index) for index in value["default_routes"]),
            from_netlink=bool(value["from_netlink"]),
        )

    @classmethod
    def from_sysfs(cls, reader: Reader) -> "Links":
        """What class/net alone tells: names, indexes, masters and lower links."""
        names = [name for name in reader.entries(CLASS_NET) if name != BONDING_MASTERS]
        indexes = {name: reader.number(f"{CLASS_NET}/{name}/ifindex") for name in names}
        masters = {name: reader.link(f"{CLASS_NET}/{name}/master") for name in names if indexes[name] is not None}
        links = []
        for name in masters:
            lowers = _lower_names(reader, name)
            stacked_on = next((lower for lower in lowers if masters.get(lower) != name), "")
            links.append(
                LinkInfo(
                    index=indexes[name] or 0,
                    name=name,
                    master=indexes.get(masters[name] or ""),
                    lower=indexes.get(stacked_on),
                )
            )
        return cls(tuple(links))


def _lower_names(reader: Reader, name: str) -> tuple[str, ...]:
    entries = reader.entries(f"{CLASS_NET}/{name}")
    return tuple(entry.removeprefix("lower_") for entry in entries if entry.startswith("lower_"))


def _link(value: Any) -> LinkInfo:
    return LinkInfo(
        index=int(value["index"]),
        name=_text(value["name"]),
        kind=None if value["kind"] is None else _text(value["kind"]),
        altnames=tuple(_text(name) for name in value["altnames"]),
        master=None if value["master"] is None else int(value["master"]),
        lower=None if value["lower"] is None else int(value["lower"]),
        addresses=tuple(_text(address) for address in value["addresses"]),
        admin_up=None if value["admin_up"] is None else bool(value["admin_up"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is no name or address of a link")
    return value


def _is_global(address: str) -> bool:
    try:
        return not ip_interface(address).is_link_local
    except ValueError:
        return False
