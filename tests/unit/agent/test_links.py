import json
from typing import Any

import pytest

from agent.links import LinkInfo, Links
from nicfleet.inventory import Link
from tests.host_tree import HostTree
from tests.unit.agent.looking import look

NIC = LinkInfo(2, "ens2f0", altnames=("enp59s0f0", "eth_nic"))
OTHER = LinkInfo(3, "eno1", addresses=("192.0.2.7/24",))


def _links(*others: LinkInfo, default: tuple[int, ...] = ()) -> Links:
    return Links((NIC, OTHER, *others), default, from_netlink=True)


@pytest.fixture
def nic_tree(tree: HostTree) -> HostTree:
    tree.add_pf("0000:3b:00.0", 0x1017, netdev="ens2f0")
    return tree


BRIDGE = LinkInfo(20, "br0", "bridge", addresses=("192.0.2.5/24",))


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        pytest.param(_links(), (), id="nothing above"),
        pytest.param(_links(LinkInfo(9, "ens2f0.7", "vlan", lower=2)), (), id="what carries nothing is left out"),
        pytest.param(
            _links(LinkInfo(9, "ens2f0.7", "vlan", lower=2, addresses=("192.0.2.5/24", "fe80::1/64"))),
            (Link("ens2f0.7", "vlan", ("ens2f0",), ("192.0.2.5/24",)),),
            id="VLAN with an address, link-local left out",
        ),
        pytest.param(
            _links(LinkInfo(9, "ens2f0.7", "vlan", lower=2), default=(9,)),
            (Link("ens2f0.7", "vlan", ("ens2f0",), default_route=True),),
            id="default route without an address",
        ),
        pytest.param(
            _links(LinkInfo(9, "ens2f0.7", "vlan", lower=2, master=20), BRIDGE),
            (
                Link("br0", "bridge", ("ens2f0.7",), ("192.0.2.5/24",)),
                Link("ens2f0.7", "vlan", ("ens2f0",)),
            ),
            id="a bridge on a VLAN brings the VLAN",
        ),
        pytest.param(
            _links(LinkInfo(9, "eno1.7", "vlan", lower=3, addresses=("192.0.2.5/24",))), (), id="upon another NIC"
        ),
        pytest.param(
            _links(LinkInfo(9, "veth1", "veth", lower=2, addresses=("192.0.2.5/24",))),
            (),
            id="the peer of a veth is not below it",
        ),
        pytest.param(
            Links(
                (
                    LinkInfo(2, "ens2f0", master=9),
                    LinkInfo(9, "a", "macvlan", lower=10),
                    LinkInfo(10, "b", "macvlan", lower=9, addresses=("192.0.2.5/24",)),
                )
            ),
            (Link("a", "macvlan", ("b", "ens2f0")), Link("b", "macvlan", ("a",), ("192.0.2.5/24",))),
            id="a circle ends",
        ),
    ],
)
def test_links_above(nic_tree: HostTree, links: Links, expected: tuple[Link, ...]) -> None:
    assert look(nic_tree, links).node.links == expected


def test_the_veths_of_a_bridge_are_not_named(nic_tree: HostTree) -> None:
    veths = (LinkInfo(100 + number, f"veth{number}", "veth", master=20, lower=1) for number in range(500))
    links = Links((LinkInfo(2, "ens2f0", master=20), BRIDGE, *veths), from_netlink=True)
    seen = look(nic_tree, links)
    assert seen.node.links == (Link("br0", "bridge", ("ens2f0",), ("192.0.2.5/24",)),)
    assert seen.functions[0].netdevs[0].master == "br0"


def test_what_netlink_adds_to_a_netdev(nic_tree: HostTree) -> None:
    links = Links((LinkInfo(2, "ens2f0", altnames=("b", "a"), addresses=("fe80::1/64", "2001:db8::5/64")),), (2,), True)
    (netdev,) = look(nic_tree, links).functions[0].netdevs
    assert (netdev.altnames, netdev.altnames_known) == (("a", "b"), True)
    assert (netdev.addresses, netdev.default_route) == (("2001:db8::5/64",), True)


def test_without_netlink_altnames_are_not_known(nic_tree: HostTree) -> None:
    assert not look(nic_tree).functions[0].netdevs[0].altnames_known


def test_masters_and_lower_links_from_sysfs(nic_tree: HostTree) -> None:
    bond, vlan = "sys/devices/virtual/net/bond0", "sys/devices/virtual/net/bond0.7"
    tree = nic_tree
    for path in (bond, vlan):
        tree.add_netdev("sys/devices/virtual", path.rpartition("/")[2])
    nic = tree.real("sys/class/net/ens2f0")
    tree.link(f"{nic}/master", bond)
    tree.link(f"{bond}/lower_ens2f0", nic)
    tree.link(f"{vlan}/lower_bond0", bond)
    tree.write("sys/class/net/bonding_masters", "bond0")
    seen = look(tree)
    assert seen.functions[0].netdevs[0].master == "bond0"
    assert [*seen.all_unread()] == []


LINKS = Links((NIC, OTHER, LinkInfo(4, "vlan7", "vlan", ("x",), 3, 2, ("::1/128",), True)), (2, 3), from_netlink=True)


def test_json() -> None:
    assert Links.from_json(json.loads(json.dumps(LINKS.to_json()))) == LINKS


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"links": None}, id="no list"),
        pytest.param({"links": [{"index": 1}]}, id="half a link"),
        pytest.param({"links": [{**LINKS.to_json()["links"][0], "name": 7}]}, id="a number as name"),
        pytest.param({"links": [{**LINKS.to_json()["links"][0], "name": "\ud800"}]}, id="a name that is no text"),
        pytest.param({"default_routes": ["x"]}, id="an index that is none"),
    ],
)
def test_json_of_something_else(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Links.from_json({**LINKS.to_json(), **change})
