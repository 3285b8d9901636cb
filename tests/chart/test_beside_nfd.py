"""Behaviour 70: nothing of the chart gets in the way of an NFD, whichever product brought it.

That it installs beside one is shown by `tests/migration/test_nfd.py`.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from coordinator.crd import definitions
from tests.chart.helm import Helm
from tests.chart.variants import VARIANTS

NFDS_GROUP: Final = "nfd.k8s-sigs.io"
NFDS_PORTS: Final = frozenset({8080, 8081, 8082})
"""Of NFD's pods: gRPC in older versions, metrics, health. Two workers with a host port met on the first."""


@pytest.fixture(params=VARIANTS)
def objects(request: pytest.FixtureRequest, helm: Helm) -> list[dict[str, Any]]:
    return helm.template(VARIANTS[request.param])


def test_no_object_is_of_nfds_kinds_and_none_of_its_crds_is_installed(objects: list[dict[str, Any]]) -> None:
    assert not any(NFDS_GROUP in each["apiVersion"] for each in objects)
    assert not any(each["kind"] == "CustomResourceDefinition" for each in objects)
    assert not any(NFDS_GROUP in name for name in definitions())


def test_no_port_of_nfds_is_taken_on_a_node(objects: list[dict[str, Any]]) -> None:
    taken = {port for each in objects for port in _host_ports(each)}
    assert taken, "the agent's is one"
    assert not taken & NFDS_PORTS


def _host_ports(obj: dict[str, Any]) -> Iterator[int]:
    """Ports of the node that a workload's pods take."""
    spec = obj.get("spec", {}).get("template", {}).get("spec", {})
    for container in spec.get("containers", ()):
        for port in container.get("ports", ()):
            if spec.get("hostNetwork"):
                yield port["containerPort"]
            elif "hostPort" in port:
                yield port["hostPort"]
