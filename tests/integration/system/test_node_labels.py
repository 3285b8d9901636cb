"""Labels on Nodes that other people and programs label too."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests import hosts
from tests.integration.system.api import NODES
from tests.integration.system.fleet import NO_NIC, WITH_DRIVER
from tests.integration.system.processes import Agent
from tests.integration.system.product import Product, own
from tests.integration.system.waiting import eventually

WAITS = {names.WAIT_LABEL, names.NIC_CONFIGURATION_WAIT_LABEL}
"""The last ones to come: what else decides on them is known a little later."""
NOT_OF_THE_CARD = {names.OS_ID_LABEL, names.OS_VERSION_LABEL, names.KERNEL_LABEL, names.DRIVER_FLAVOUR_LABEL}


@pytest.fixture(scope="module")
def agent(product: Product) -> Agent:
    product.coordinator.start()
    return product.agent("cx5", hosts.connectx5)


def test_an_unplugged_card_takes_nicfleets_own_keys_along_and_no_others(product: Product, agent: Agent) -> None:
    """Behaviour 11: the driver stays loaded, and the system what it is."""
    eventually(lambda: product.api.labels("cx5").keys() >= WAITS)
    theirs = {f"{names.NFD}custom-rack": "7", f"{names.OWN}note": "spare", names.GPU_LABEL[:-8] + "count": "2"}
    product.plane.kubectl("label", "node", "cx5", *(f"{key}={value}" for key, value in theirs.items()))
    others = product.api.labels("cx5").keys() - own(product.api.labels("cx5")).keys()

    for address in ("0000:3b:00.0", "0000:3b:00.1"):
        agent.tree.remove_function(address)

    eventually(lambda: names.NIC_LABEL not in product.api.labels("cx5"))
    eventually(lambda: product.api.labels("cx5").keys() == NOT_OF_THE_CARD | others)


def test_a_node_registered_anew_has_its_labels_at_once(product: Product, agent: Agent) -> None:
    """Behaviour 3: its agent stayed connected, and says nothing new."""
    product.register("reborn")
    product.simulated.report("reborn", WITH_DRIVER)
    eventually(lambda: product.api.labels("reborn").keys() >= WAITS)
    before = own(product.api.labels("reborn"))

    product.api.delete(f"{NODES}/reborn")
    product.register("reborn")

    eventually(lambda: own(product.api.labels("reborn")) == before)


def test_a_label_changed_by_hand_is_put_back(product: Product, agent: Agent) -> None:
    """Behaviour 10: nobody else's keys are touched by it."""
    product.register("touched")
    product.simulated.report("touched", WITH_DRIVER)
    eventually(lambda: product.api.labels("touched")[names.NIC_LABEL] == "true")

    product.plane.kubectl("label", "node", "touched", "--overwrite", f"{names.NIC_LABEL}=false", "example.com/rack=7")

    eventually(lambda: product.api.labels("touched")[names.NIC_LABEL] == "true")
    assert product.api.labels("touched")["example.com/rack"] == "7"


def test_what_nfd_left_behind_goes_with_the_hardware(product: Product, agent: Agent) -> None:
    """In replace mode nicfleet takes over: the rule of absence holds for keys that NFD wrote, too."""
    product.register("taken-over")
    product.api.apply_labels("taken-over", {names.NIC_LABEL: "true", names.INFINIBAND_LABEL: "true"}, "nfd-master")

    product.simulated.report("taken-over", WITH_DRIVER)
    eventually(lambda: names.INFINIBAND_LABEL not in product.api.labels("taken-over"))
    assert product.api.labels("taken-over")[names.NIC_LABEL] == "true"

    product.simulated.report("taken-over", NO_NIC)
    eventually(lambda: names.NIC_LABEL not in product.api.labels("taken-over"))


def test_an_impossible_label_is_left_out_and_the_others_are_written(product: Product, agent: Agent) -> None:
    """Behaviour 6."""
    product.register("odd")
    odd = replace(WITH_DRIVER, node=replace(WITH_DRIVER.node, os_version_id="22 04 (custom)"))

    product.simulated.report("odd", odd)

    eventually(lambda: product.api.labels("odd").keys() >= WAITS)
    assert own(product.api.labels("odd")).keys() >= {names.NIC_LABEL, names.OS_ID_LABEL, names.KERNEL_LABEL}
    assert names.OS_VERSION_LABEL not in product.api.labels("odd")
    line = eventually(lambda: next(_said_of(product, "odd", Reason.InvalidLabel)))
    assert names.OS_VERSION_LABEL in line["why"]
    assert "'22 04 (custom)' must be" in line["why"]


def _said_of(product: Product, node: str, reason: Reason) -> Iterator[dict[str, Any]]:
    said = (line for line in product.coordinator.logged("node finding") if line["node"] == node)
    return (line for line in said if line["reason"] == reason)


def test_a_second_agent_for_a_node_is_refused_and_seen(product: Product, agent: Agent) -> None:
    """Behaviour 12: the first one keeps its node, and both the log and ListNodes say so."""
    eventually(lambda: agent.logged("coordinator connected"))
    impostor = Agent("cx5", agent.root, product.coordinator.address, product.folder / "impostor")
    impostor.process.log.parent.mkdir()
    try:
        impostor.start()
        eventually(lambda: impostor.logged("refused by the coordinator"))
    finally:
        impostor.kill()

    refusal, *others = eventually(lambda: product.coordinator.logged("agent refused"))
    assert others == []
    assert refusal["node"] == "cx5"
    finding = eventually(lambda: next(f for f in product.node("cx5").findings if f.reason == Reason.DuplicateAgent))
    assert refusal["instance"] in finding.message
    assert product.node("cx5").instance_id != refusal["instance"]
