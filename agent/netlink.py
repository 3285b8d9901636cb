"""The kernel's links by rtnetlink(7): one dump on demand, and a socket that says when to ask again.

The sockets are plain ones and pyroute2 decodes. Its own sockets decode all they get, 0.5 to 0.9 ms for each link; a
node with 500 pods has 500 veths that nothing here asks for, and left out before decoding they cost 0.035 ms each.
"""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from pyroute2.netlink import NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR
from pyroute2.netlink.rtnl import (
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELROUTE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV4_ROUTE,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_IPV6_ROUTE,
    RTMGRP_LINK,
)
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from agent.links import LinkInfo, Links

_log: Final = logging.getLogger(__name__)

_GROUPS: Final = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE: Final = struct.Struct("=HH")  # nlattr: length, type
_IFINFO_SIZE: Final = 16
_IFLA_LINKINFO: Final = 18
_IFLA_INFO_KIND: Final = 1
_NLA_TYPE_MASK: Final = 0x3FFF
_IFF_UP: Final = 1
_RT_TABLE_MAIN: Final = 254
_SCOPE_LINK: Final = 253
_RECEIVE_SIZE: Final = 1 << 16  # the kernel fills at most 32 KiB of a dump at once
_DUMP_ATTEMPTS: Final = 3
_DUMP_SECONDS: Final = 5.0

_POD_KINDS: Final = frozenset({b"veth", b"netkit"})
"""Kinds of link that connect pods: never above or below a NIC in the sense of the inventory."""


@dataclass(frozen=True, slots=True)
class _Message:
    """One netlink message. `data` begins with its header."""

    type: int
    flags: int
    data: bytes

    @property
    def body(self) -> bytes:
        return self.data[_HEADER.size :]


class _Interrupted(Exception):
    """The kernel changed the table while it was dumped (NLM_F_DUMP_INTR)."""


def read_links() -> Links:
    """Ask the kernel for the links, addresses and default routes of this thread's network namespace.

    Blocks; links between pods are left out. Raises OSError.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_DUMP_SECONDS)
        links = [_link(message) for message in _dump(kernel, RTM_GETLINK, _IFINFO_SIZE) if _is_of_link(message.body)]
        addresses: dict[int, list[str]] = {}
        for message in _dump(kernel, RTM_GETADDR, struct.calcsize("=BBBBI")):
            index, address = _address(message)
            addresses.setdefault(index, []).append(address)
        routes = (message for message in _dump(kernel, RTM_GETROUTE, 12) if _is_default_route(message.body))
        outputs = sorted({index for message in routes for index in _outputs(message)})
    return Links(
        links=tuple(replace(link, addresses=tuple(addresses.get(link.index, ()))) for link in links),
        default_routes=tuple(outputs),
        from_netlink=True,
    )


class LinkMonitor:
    """Calls `nudge` in the running event loop when links, addresses or default routes change."""

    def __init__(self, nudge: Callable[[], None]) -> None:
        """Opens the socket. Raises OSError where the kernel or a sandbox forbids it."""
        self._nudge = nudge
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._kernel = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._kernel.bind((0, _GROUPS))

    def fileno(self) -> int:
        return self._kernel.fileno()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, in the running event loop, for as long as the context lasts."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._kernel, self._on_readable)
        try:
            yield
        finally:
            loop.remove_reader(self._kernel)
            self._kernel.close()

    def _on_readable(self) -> None:
        while True:
            try:
                data = self._kernel.recv(_RECEIVE_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # The kernel says so once per loss, and the socket works on.
                _log.warning("netlink events lost, reading everything")
                self._nudge()
                continue
            if any(_matters(message) for message in _split(data)):
                self._nudge()


def _split(data: bytes) -> Iterator[_Message]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            return
        yield _Message(kind, flags, data[offset : offset + length])
        offset += (length + 3) & ~3


def _dump(kernel: socket.socket, request: int, body_size: int) -> list[_Message]:
    """All messages of one table. One that changed under every attempt is taken as it is: an event will follow."""
    for _ in range(_DUMP_ATTEMPTS - 1):
        try:
            return list(_answers(kernel, request, body_size, strict=True))
        except _Interrupted:
            continue
    return list(_answers(kernel, request, body_size, strict=False))


def _answers(kernel: socket.socket, request: int, body_size: int, *, strict: bool) -> Iterator[_Message]:
    flags = NLM_F_REQUEST | NLM_F_DUMP
    kernel.send(_HEADER.pack(_HEADER.size + body_size, request, flags, 0, 0) + bytes(body_size))
    interrupted = False
    while True:
        for message in _split(kernel.recv(_RECEIVE_SIZE)):
            interrupted |= bool(message.flags & NLM_F_DUMP_INTR)
            if message.type in (NLMSG_DONE, NLMSG_ERROR):
                (code,) = struct.unpack_from("=i", message.body) if len(message.body) >= 4 else (0,)
                if code < 0:
                    raise OSError(-code, f"rtnetlink request {request} failed")
                if interrupted and strict:
                    raise _Interrupted
                return
            yield message


def _matters(message: _Message) -> bool:
    if message.type in (RTM_NEWLINK, RTM_DELLINK):
        return _is_of_link(message.body)
    if message.type in (RTM_NEWADDR, RTM_DELADDR):
        return message.body[3] != _SCOPE_LINK
    return message.type in (RTM_NEWROUTE, RTM_DELROUTE) and _is_default_route(message.body)


def _is_of_link(body: bytes) -> bool:
    """Of a link itself, not of its place in a bridge (AF_BRIDGE), and not one between pods."""
    return body[0] == socket.AF_UNSPEC and _kind(body) not in _POD_KINDS


def _kind(body: bytes) -> bytes:
    """IFLA_LINKINFO/IFLA_INFO_KIND of an RTM_NEWLINK's body; empty for hardware."""
    info = _attribute(body[_IFINFO_SIZE:], _IFLA_LINKINFO)
    return _attribute(info, _IFLA_INFO_KIND).rstrip(b"\0")


def _attribute(data: bytes, wanted: int) -> bytes:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        if kind & _NLA_TYPE_MASK == wanted:
            return data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return b""


def _is_default_route(body: bytes) -> bool:
    """Of the main table, with an empty destination. struct rtmsg: family, dst_len, src_len, tos, table, …"""
    return body[1] == 0 and body[4] == _RT_TABLE_MAIN


def _link(message: _Message) -> LinkInfo:
    link = _decoded(ifinfmsg, message)
    properties = link.get_attr("IFLA_PROP_LIST")
    elsewhere = link.get_attr("IFLA_LINK_NETNSID") is not None
    return LinkInfo(
        index=link["index"],
        name=_name(link.get_attr("IFLA_IFNAME")),
        kind=_kind(message.body).decode(errors="replace") or None,
        altnames=tuple(map(_name, properties.get_attrs("IFLA_ALT_IFNAME"))) if properties else (),
        master=link.get_attr("IFLA_MASTER"),
        lower=None if elsewhere else link.get_attr("IFLA_LINK") or None,
        admin_up=bool(link["flags"] & _IFF_UP),
    )


def _name(value: str | bytes) -> str:
    """The kernel takes any bytes for a name; pyroute2 leaves those that are not UTF-8 as they are."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _address(message: _Message) -> tuple[int, str]:
    address = _decoded(ifaddrmsg, message)
    # On a point-to-point link IFA_ADDRESS is the other end's.
    own = address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS")
    return address["index"], f"{own}/{address['prefixlen']}"


def _outputs(message: _Message) -> Iterator[int]:
    """Output interfaces of a route: its own, or one for each next hop."""
    route = _decoded(rtmsg, message)
    if (index := route.get_attr("RTA_OIF")) is not None:
        yield index
    for hop in route.get_attr("RTA_MULTIPATH") or ():
        yield hop["oif"]


def _decoded(kind: Any, message: _Message) -> Any:
    decoded = kind(message.data)
    decoded.decode()
    return decoded
