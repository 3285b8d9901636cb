"""Which pods notice."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cli.plan.compare import Act
from cli.plan.documents import Document
from cli.plan.pods import RunningPod, decode, disturbed
from cli.plan.report import Cause, PodName, When
from cli.plan.seen import Seen
from tests.unit.cli.plan.clusters import NAMESPACE, applied, called, document, drafted, driver, of_nodes, plugin
from tests.unit.cli.plan.test_told import BARE, INBOX, LOADED, NEWER, PLUGIN_ONLY, WHOLE

DRIVER = "mofed-ubuntu22.04-54669c9886-ds"


def pod(name: str, node: str, namespace: str = NAMESPACE, labels: Any = None, *resources: str) -> RunningPod:
    return RunningPod(PodName(namespace, name, node), labels or {}, frozenset(resources), frozenset())


def user(node: str = "one", resource: str = "rdma/shared") -> RunningPod:
    return pod(f"user-{node}", node, "apps", {}, resource)


def noticing(seen: Seen, *documents: Document, pods: list[RunningPod]) -> list[tuple[Cause, When, list[str]]]:
    found = disturbed(drafted(seen, *documents).concerned, pods)
    return [(each.cause, each.when, [name.name for name in each.pods]) for each in found]


def own(workload: str, node: str, seen: Seen) -> RunningPod:
    """A pod of one of our DaemonSets, as its template labels it."""
    (raw,) = (json.loads(raw) for ref, raw in seen.objects.items() if ref.kind == "DaemonSet" and ref.name == workload)
    return pod(f"{workload}-{node}", node, NAMESPACE, raw["spec"]["template"]["metadata"]["labels"])


@pytest.fixture
def there() -> Seen:
    return applied(of_nodes(called("one", LOADED), called("two", LOADED)), WHOLE)


def test_nothing_is_looked_for_when_nothing_changes(there: Seen) -> None:
    assert not drafted(there, WHOLE).concerned.anything


def test_a_template_that_changes_replaces_the_pods_of_its_daemonset_only(there: Seen) -> None:
    other = document(ofedDriver=driver(), rdmaSharedDevicePlugin=plugin(version="v9"))
    pods = [own("rdma-shared-dp-ds", "one", there), own(DRIVER, "one", there), user()]
    assert noticing(there, other, pods=pods) == [(Cause.ROLLOUT, When.AT_ONCE, ["rdma-shared-dp-ds-one"])]


def test_a_daemonset_that_goes_takes_its_pods_along(there: Seen) -> None:
    pods = [own("rdma-shared-dp-ds", "one", there), user()]
    assert noticing(there, document(ofedDriver=driver()), pods=pods) == [
        (Cause.REMOVED, When.AT_ONCE, ["rdma-shared-dp-ds-one"]),
        (Cause.RESOURCE, When.AT_ONCE, ["user-one"]),
    ]


def test_another_driver_touches_nobody_until_its_pods_are_deleted(there: Seen) -> None:
    other = document(ofedDriver=driver(version=NEWER), rdmaSharedDevicePlugin=plugin())
    pods = [own(DRIVER, "one", there), user("one"), user("two", "other.com/thing"), user("elsewhere")]
    assert noticing(there, other, pods=pods) == [
        (Cause.OUTDATED, When.DRIVER_PODS, [f"{DRIVER}-one"]),
        (Cause.DRIVER, When.DRIVER_PODS, ["user-one"]),
    ]


def test_a_driver_that_comes_touches_those_that_hold_nics_there_at_once() -> None:
    there = applied(of_nodes(called("one", INBOX), called("two", LOADED)), PLUGIN_ONLY)
    pods = [own("rdma-shared-dp-ds", "one", there), user("one"), user("two")]
    assert noticing(there, WHOLE, pods=pods) == [
        (Cause.NODE_LEFT, When.AT_ONCE, ["rdma-shared-dp-ds-one"]),
        (Cause.DRIVER, When.AT_ONCE, ["user-one"]),
    ]


def test_a_driver_that_goes_touches_them_too(there: Seen) -> None:
    pods = [own(DRIVER, "one", there), user("one")]
    assert noticing(there, PLUGIN_ONLY, pods=pods) == [
        (Cause.REMOVED, When.AT_ONCE, [f"{DRIVER}-one"]),
        (Cause.DRIVER, When.AT_ONCE, ["user-one"]),
    ]


def test_a_resource_under_another_name_is_missed_by_whoever_asks_for_it(there: Seen) -> None:
    other = document(ofedDriver=driver(), rdmaSharedDevicePlugin=plugin("other"))
    assert (Cause.RESOURCE, When.AT_ONCE, ["user-one"]) in noticing(there, other, pods=[user("one")])


def test_a_network_that_changes_is_noticed_by_pods_that_name_it() -> None:
    there = applied(of_nodes(called("one", BARE)), document("MacvlanNetwork", "net", master="ens1f0np0"))
    names_it = replace(user("one"), networks=frozenset({("default", "net")}))
    changed = document("MacvlanNetwork", "net", master="ens1f0np0", mtu=9000)
    assert noticing(there, changed, pods=[names_it, user("two")]) == [(Cause.NETWORK, When.AT_ONCE, ["user-one"])]
    assert Act.CHANGE in {change.act for change in drafted(there, changed).changes}


def test_what_is_read_of_a_pod() -> None:
    body = {
        "metadata": {
            "name": "x",
            "namespace": "ns",
            "labels": {"a": "b"},
            "annotations": {"k8s.v1.cni.cncf.io/networks": "one, other/two@net1"},
        },
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "resources": {"requests": {"cpu": "1", "rdma/shared": "1"}}}, {"name": "d"}],
            "initContainers": [{"name": "i", "resources": {"limits": {"nvidia.com/host": "1"}}}],
        },
    }
    assert decode(json.dumps(body).encode()) == RunningPod(
        PodName("ns", "x", "n"),
        {"a": "b"},
        frozenset({"rdma/shared", "nvidia.com/host"}),
        frozenset({("ns", "one"), ("other", "two")}),
    )
