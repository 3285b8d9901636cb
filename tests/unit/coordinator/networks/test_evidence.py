"""One look at the nodes serves all networks of a round, and costly rounds are few."""

from collections.abc import Mapping

import pytest

from coordinator.fleet.facts import Facts, derive
from coordinator.networks.evidence import ROUND_SECONDS, ROUND_SECONDS_MOST, Evidence
from coordinator.policy.networks import Network
from nicfleet.reasons import Reason
from tests.unit.coordinator.inventories import connectx6dx, inventory, port
from tests.unit.coordinator.networks.documents import host_device, macvlan


class World:
    """Nodes that are counted when they are looked at, which takes `work` seconds."""

    def __init__(self) -> None:
        self.now = self.worked = self.work = 0.0
        self.looks = 0
        self.nodes: Mapping[str, Facts] = {"node-1": derive(inventory(connectx6dx(netdevs=(port("ens1"),))))}
        self.settled = True
        self.evidence = Evidence(self._look, lambda: self.settled, clock=lambda: self.now, cpu=lambda: self.worked)

    def _look(self) -> Mapping[str, Facts]:
        self.looks += 1
        self.worked += self.work
        return self.nodes

    def said(self, master: str = "ens1") -> list[Reason]:
        return [finding.reason for finding in self.evidence.about(macvlan(master=master))[0]]


def test_a_round_over_many_networks_looks_at_the_nodes_once_and_the_next_one_again() -> None:
    world = World()
    for number in range(100):
        assert world.said(f"eth{number}") == [Reason.MasterMissing]
    assert world.looks == 1

    world.nodes = {}
    world.evidence.new_round()

    assert world.said("eth1") == []
    assert world.looks == 2


def test_without_a_round_a_look_is_good_for_a_while() -> None:
    world = World()
    assert world.said() == []
    world.nodes = {"node-1": derive(inventory(connectx6dx(netdevs=(port("ens9"),))))}

    world.now += ROUND_SECONDS - 0.1
    assert world.said() == []
    world.now += 0.1
    assert world.said() == [Reason.MasterMissing]


def test_a_look_before_the_fleet_settled_stays_one_that_may_lack_nodes() -> None:
    """What an agent reported since is not in it."""
    world = World()
    world.settled = False
    assert world.evidence.about(macvlan(master="ens1")) == ((), False)

    world.settled = True

    assert world.evidence.about(macvlan(master="ens1")) == ((), False)
    world.now += ROUND_SECONDS
    assert world.evidence.about(macvlan(master="ens1")) == ((), True)


@pytest.mark.parametrize("network", [host_device(), macvlan(), macvlan(ipam='{"type": "whereabouts"}')])
def test_of_a_network_without_a_master_no_node_is_asked(network: Network) -> None:
    world = World()
    world.settled = False
    _, final = world.evidence.about(network)
    assert world.looks == 0
    assert final


@pytest.mark.parametrize(
    ("work", "rest"),
    [
        pytest.param(0.1, ROUND_SECONDS, id="cheap"),
        pytest.param(4.0, 12.0, id="thrice-what-it-costs"),
        pytest.param(100.0, ROUND_SECONDS_MOST, id="but-not-for-ever"),
    ],
)
def test_the_costlier_a_round_the_later_the_next(work: float, rest: float) -> None:
    world = World()
    world.work = work
    assert world.evidence.rest == ROUND_SECONDS
    world.said()

    world.evidence.new_round()

    assert world.evidence.rest == rest
    world.said()
    assert world.evidence.rest == rest
