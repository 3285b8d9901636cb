"""What the kernel sends is taken apart by hand; no bytes may make that fail or loop."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl import RTM_NEWLINK
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from agent import netlink


def link_message(kind: str | None, family: int = 0) -> netlink._Message:
    message = ifinfmsg()
    message["family"] = family
    message["attrs"] = [["IFLA_IFNAME", "veth"], ["IFLA_ALT_IFNAME", "netkit"]]
    if kind is not None:
        message["attrs"].append(["IFLA_LINKINFO", {"attrs": [["IFLA_INFO_KIND", kind]]}])
    message["header"]["type"] = RTM_NEWLINK
    message.encode()
    (split,) = netlink._split(bytes(message.data))
    return split


@pytest.mark.parametrize(
    ("message", "matters"),
    [
        pytest.param(link_message(None), True, id="hardware-named-veth"),
        pytest.param(link_message("vlan"), True, id="vlan"),
        pytest.param(link_message("veth"), False, id="veth"),
        pytest.param(link_message("netkit"), False, id="netkit"),
        pytest.param(link_message(None, family=7), False, id="bridge-port"),
    ],
)
def test_links_that_matter(message: netlink._Message, matters: bool) -> None:
    assert netlink._matters(message) is matters


@given(st.binary(max_size=256))
def test_any_bytes_are_split_into_whole_messages(data: bytes) -> None:
    messages = list(netlink._split(data))
    assert sum(len(message.data) for message in messages) <= len(data)
    for message in messages:
        netlink._kind(message.body)


@given(st.integers(0, 0xFFFF), st.binary(max_size=64))
def test_attributes_of_any_length_end(length: int, rest: bytes) -> None:
    netlink._attribute(struct.pack("=HH", length, 9) + rest, 18)


def test_a_name_that_is_not_utf8_is_still_text() -> None:
    message = ifinfmsg()
    message["attrs"] = [["IFLA_IFNAME", b"\xff\xfe"]]
    message["header"]["type"] = RTM_NEWLINK
    message.encode()
    (split,) = netlink._split(bytes(message.data))
    assert netlink._link(split).name == "\N{REPLACEMENT CHARACTER}" * 2
