"""The two coordinators are not on one node where there is another, as the real scheduler places them."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.chart.conftest import at_rest
from tests.chart.helm import CHART, NAMESPACE, Helm
from tests.chart.test_install import WAIT
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.system.waiting import eventually

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
ZONE = "topology.kubernetes.io/zone"
IN_NAMESPACE = f"--namespace={NAMESPACE}"
UPGRADES = 2
"""Each places two pods; left to chance, half of the pairs would share one of two nodes."""


@pytest.mark.parametrize(
    ("nodes", "key"),
    [
        pytest.param([{}, {}], "kubernetes.io/hostname", id="no-zones"),
        pytest.param([{CONTROL_PLANE: ""}, {}], "kubernetes.io/hostname", id="one-control-plane"),
        pytest.param([{ZONE: "a"}, {}], "kubernetes.io/hostname", id="a-zone-of-one"),
        pytest.param([{ZONE: "a"}, {ZONE: "a"}, {ZONE: "b"}], ZONE, id="zones"),
    ],
)
def test_coordinators_are_apart_after_an_install_and_every_upgrade(
    installer: Helm, plane: ControlPlane, nodes: list[Mapping[str, str]], key: str
) -> None:
    plane.kubectl("delete", "nodes", "--all")
    plane.apply(*(fake_node(f"worker-{index}", labels=labels) for index, labels in enumerate(nodes, start=1)))
    eventually(lambda: at_rest(plane))  # to a scheduler that knows one node only, there is no other
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={"upgradeCRDs": False})
    seen = [places(plane, key)]
    for index in range(UPGRADES):
        values: dict[str, Any] = {"upgradeCRDs": False, "operator": {"podAnnotations": {"example.com/a": str(index)}}}
        installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values=values)
        assert eventually(lambda: len(places(plane, key)) == 2), "those of before are gone"
        seen.append(places(plane, key))
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")
    assert [len({*each}) for each in seen] == [2] * len(seen), seen


def places(plane: ControlPlane, key: str) -> list[str]:
    """The value of that label of the node of each coordinator."""
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in plane.get("nodes")["items"]}
    pods = plane.get("pods", IN_NAMESPACE, "-l", "app.kubernetes.io/name=nicfleet-coordinator")["items"]
    return [labels[each["spec"]["nodeName"]].get(key, "") for each in pods]
