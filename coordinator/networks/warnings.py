"""What the nodes say against a network whose definition is as asked for. Pure.

Only what an agent reports now is evidence: a node that does not report, has no NIC or is in the middle of a driver's
reload says nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from coordinator.fleet.facts import Facts
from coordinator.fleet.plugin_view import PluginView
from coordinator.fleet.uplinks import Uplink
from coordinator.networks.definition import ipam_of
from coordinator.policy.networks import HostDeviceNetwork, IPoIBNetwork, Network
from nicfleet.reasons import Finding, Reason

DEFAULT_KEYS: Final = (0x7FFF, 0xFFFF)
"""The default partition key, as limited and as full member."""

_LONGEST_SHOWN: Final = 40

_Said = tuple[Reason, str]
"""A reason, and a sentence with `{nodes}` in the place of the nodes."""


def warnings(network: Network, nodes: Mapping[str, Facts]) -> tuple[Finding, ...]:
    """All of them, in the order of their sentences. `nodes` are those whose agents are connected. The network must be
    one that a definition can be made of."""
    return (*_by_nodes(network, nodes), *_by_spec(network))


def master_of(network: Network) -> str:
    """The interface that a network builds on, by which nodes can say something against it; empty without one."""
    return "" if isinstance(network, HostDeviceNetwork) else network.spec.master or ""


def _by_nodes(network: Network, nodes: Mapping[str, Facts]) -> list[Finding]:
    master = master_of(network)
    said: defaultdict[_Said, list[str]] = defaultdict(list)
    for node, facts in nodes.items():
        if master and facts.functions and not facts.partial:
            for sentence in _said_of(master, facts, infiniband=isinstance(network, IPoIBNetwork)):
                said[sentence].append(node)
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


def _said_of(master: str, facts: Facts, *, infiniband: bool) -> Iterator[_Said]:
    """What one node says of a master."""
    shown = master if len(master) <= _LONGEST_SHOWN and master.isprintable() else repr(master[:_LONGEST_SHOWN])
    named = f"spec.master {shown}"
    uplink = next((each for each in facts.uplinks if each.name == master), None)
    if uplink is None:
        uplink = next((each for each in facts.uplinks if master in each.altnames), None)
        if uplink is not None:
            sentence = f"{named} is only an alternative name of {uplink.name} on {{nodes}}: write the name in use"
            yield Reason.MasterRenamed, sentence
    if uplink is not None:
        yield from _unsuitable(named, uplink, infiniband=infiniband)
    elif not _may_be_there(master, facts):
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


def _may_be_there(master: str, facts: Facts) -> bool:
    """It is the netdev of a VF, or may be a VLAN or partition of a known interface: without an address none is
    reported."""
    base, dot, _ = master.rpartition(".")
    known = {name for uplink in facts.uplinks for name in (uplink.name, *uplink.altnames)}
    return (bool(dot) and base in known) or master in _vf_netdevs(facts.plugin_view.digest, facts.plugin_view)


@lru_cache(maxsize=64)
def _vf_netdevs(_: bytes, view: PluginView) -> frozenset[str]:
    """Machines that are alike have one answer. Equal views may differ in it, so their digest is asked for too."""
    return frozenset(candidate.interface for candidate in view.host().candidates if candidate.interface)
