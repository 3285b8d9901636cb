"""What the nodes say against a network whose definition is as asked for. Pure.

Only what an agent reports now is evidence: a node that does not report, has no NIC or is in the middle of a driver's
reload says nothing. Nodes are most often alike, and those that are get one answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from coordinator.fleet.facts import Facts
from coordinator.fleet.uplinks import Uplink
from coordinator.networks.definition import ipam_of
from coordinator.policy.networks import HostDeviceNetwork, IPoIBNetwork, Network
from nicfleet.reasons import Finding, Reason

DEFAULT_KEYS: Final = (0x7FFF, 0xFFFF)
"""The default partition key, as limited and as full member."""

_LONGEST_SHOWN: Final = 40

_Said = tuple[Reason, str]
"""A reason, and a sentence with `{nodes}` in the place of the nodes."""


@dataclass(frozen=True)
class Alike:
    """Nodes that say the same of every network, and the facts of one of them."""

    nodes: tuple[str, ...]
    facts: Facts

    @cached_property
    def vf_netdevs(self) -> frozenset[str]:
        """Unpacked only for a network that asks for them."""
        return frozenset(each.interface for each in self.facts.plugin_view.host().candidates if each.interface)


def alike(nodes: Mapping[str, Facts]) -> tuple[Alike, ...]:
    """Those of `nodes` that have something to say. They are the nodes whose agents are connected."""
    groups: defaultdict[tuple[tuple[Uplink, ...], bytes], list[str]] = defaultdict(list)
    for node, facts in nodes.items():
        if facts.functions and not facts.partial:
            groups[facts.uplinks, facts.plugin_view.digest].append(node)
    return tuple(Alike(tuple(names), nodes[names[0]]) for names in groups.values())


def warnings(network: Network, nodes: Iterable[Alike]) -> tuple[Finding, ...]:
    """All of them, in the order of their sentences. The network must be one that a definition can be made of."""
    return (*_by_nodes(network, nodes), *_by_spec(network))


def master_of(network: Network) -> str:
    """The interface that a network builds on, by which nodes can say something against it; empty without one."""
    return "" if isinstance(network, HostDeviceNetwork) else network.spec.master or ""


def _by_nodes(network: Network, nodes: Iterable[Alike]) -> list[Finding]:
    master = master_of(network)
    said: defaultdict[_Said, list[str]] = defaultdict(list)
    for group in nodes if master else ():
        for sentence in _said_of(master, group, infiniband=isinstance(network, IPoIBNetwork)):
            said[sentence] += group.nodes
    return [Finding.about(reason, sentence, said[reason, sentence]) for reason, sentence in sorted(said)]


def _by_spec(network: Network) -> Iterator[Finding]:
    if isinstance(network, IPoIBNetwork) and not network.spec.master:
        yield Finding(
            Reason.MasterMissing, "spec.master is empty, and the ipoib plugin has no default: name an interface"
        )
    if ipam_of(network).get("type") == "whereabouts":
        yield Finding(
            Reason.NvIpamRecommended,
            "spec.ipam uses whereabouts, which works as before: nv-ipam is recommended for new networks",
        )


def _said_of(master: str, group: Alike, *, infiniband: bool) -> Iterator[_Said]:
    """What nodes that are alike say of a master."""
    uplinks = group.facts.uplinks
    shown = master if len(master) <= _LONGEST_SHOWN and master.isprintable() else repr(master[:_LONGEST_SHOWN])
    named = f"spec.master {shown}"
    uplink = next((each for each in uplinks if each.name == master), None)
    if uplink is None:
        uplink = next((each for each in uplinks if master in each.altnames), None)
        if uplink is not None:
            sentence = f"{named} is only an alternative name of {uplink.name} on {{nodes}}: write the name in use"
            yield Reason.MasterRenamed, sentence
    if uplink is not None:
        yield from _unsuitable(named, uplink, infiniband=infiniband)
    elif not _may_be_there(master, group):
        # Of other vendors' NICs nothing is known, and macvlan works on any.
        sentence = f"{named} is no interface of an NVIDIA NIC on {{nodes}}: pods of this network start there only if "
        yield Reason.MasterMissing, f"{sentence}another NIC has it"


def _unsuitable(named: str, uplink: Uplink, *, infiniband: bool) -> Iterator[_Said]:
    if uplink.link_type == "infiniband" and not infiniband:
        yield Reason.MasterUnsuitable, f"{named} is an InfiniBand port on {{nodes}}: use an IPoIBNetwork there"
    if uplink.link_type == "ether" and infiniband:
        yield Reason.MasterUnsuitable, f"{named} is an Ethernet port on {{nodes}}: use a MacvlanNetwork there"
    if infiniband and uplink.pkey is not None and uplink.pkey not in DEFAULT_KEYS:
        yield (
            Reason.PartitionKeyNotDefault,
            f"{named} has the P_Key {uplink.pkey:#06x} on {{nodes}}, and interfaces of the ipoib plugin have the "
            "default one: their link stays down there",
        )


def _may_be_there(master: str, group: Alike) -> bool:
    """It is the netdev of a VF, or may be a VLAN or partition of a known interface: without an address none is
    reported."""
    base, dot, _ = master.rpartition(".")
    known = {name for uplink in group.facts.uplinks for name in (uplink.name, *uplink.altnames)}
    return (bool(dot) and base in known) or master in group.vf_netdevs
