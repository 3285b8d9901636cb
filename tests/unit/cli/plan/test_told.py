"""From a cluster and documents to what is told: where things run, drivers, resources, problems, findings."""

from dataclasses import replace
from typing import Any

import pytest

from cli.plan.compare import Act
from cli.plan.documents import Document
from cli.plan.report import ManagedThrough, Report, Verdict
from cli.plan.seen import Seen
from cli.plan.told import report
from coordinator.kube.errors import Invalid, KubeError, Status, StatusCause, StatusDetails
from coordinator.nodes import Taint
from nicfleet import names
from nicfleet.inventory import Driver, Flavour, Module
from nicfleet.reasons import Reason
from tests.unit.cli.plan.clusters import VERSION, applied, called, document, drafted, driver, of_nodes, plugin
from tests.unit.coordinator.inventories import connectx6dx, connectx6lx, inventory, modules, node, ofed, port

LOADED = inventory(connectx6dx(), driver=ofed())
INBOX = inventory(
    connectx6dx(), driver=Driver(flavour=Flavour.INBOX, modules=modules(out_of_tree=False), netns_shared=True)
)
BARE = inventory(connectx6dx(rdma_devices=()), driver=Driver(modules=modules(["mlx5_core"])))
WHOLE = document(ofedDriver=driver(), rdmaSharedDevicePlugin=plugin())
PLUGIN_ONLY = document(rdmaSharedDevicePlugin=plugin())
NEWER = "25.07-0.9.7.0-0"


def told(seen: Seen, *documents: Document, refused: dict[tuple[str, str], KubeError] | None = None) -> Report:
    return report(drafted(seen, *documents), (), refused or {})


def workload(found: Report, name: str = "rdma-shared-dp-ds") -> Any:
    return next(each for each in found.workloads if each.name == name)


def reasons(found: Report) -> dict[str, str]:
    return {str(each.reason): each.message for each in found.findings}


# Nodes and workloads.


def test_a_plugin_starts_once_the_driver_is_there() -> None:
    plan = workload(told(of_nodes(called("bare", BARE), called("loaded", LOADED)), WHOLE))
    assert (plan.nodes, plan.waiting, plan.left) == (("bare", "loaded"), ("bare",), ())


def test_a_node_without_a_nic_is_not_chosen() -> None:
    found = told(of_nodes(called("plain", inventory()), called("loaded", LOADED)), WHOLE)
    assert workload(found).nodes == ("loaded",)
    assert (found.fleet.nodes, found.fleet.with_nic, found.fleet.reported) == (2, 1, 2)


def test_a_taint_keeps_a_node_out() -> None:
    seen = of_nodes(called("one", LOADED), called("two", LOADED), taints={"two": Taint("gpu", "yes", "NoSchedule")})
    found = told(seen, WHOLE)
    assert (workload(found).nodes, workload(found).tainted) == (("one",), {"two": "gpu=yes:NoSchedule"})
    assert "taint gpu=yes:NoSchedule keeps out two" in reasons(found)[Reason.NodeExcludedByTaint]


def test_a_plugin_leaves_nodes_whose_driver_is_to_be_replaced() -> None:
    """Their wait label turns to true, which the plugin's selector does not take."""
    there = applied(of_nodes(called("one", INBOX)), PLUGIN_ONLY)
    assert there.nodes[0].labels[names.WAIT_LABEL] == "false"

    found = told(there, WHOLE)

    assert (workload(found).waiting, workload(found).left) == (("one",), ("one",))
    assert (found.drivers[0].loads, found.drivers[0].outdated) == (("one",), ())


def test_a_policy_that_chooses_no_node_says_which_label_is_missing() -> None:
    found = told(of_nodes(called("plain", inventory())), PLUGIN_ONLY)
    assert names.NIC_LABEL in reasons(found)[Reason.NoMatchingNodes]


# Drivers.


def test_images_by_system_and_kernel() -> None:
    other = inventory(connectx6dx(), driver=ofed(), node=node("two", os_version_id="24.04", architecture="aarch64"))
    found = told(of_nodes(called("one", LOADED), other), WHOLE).drivers
    assert [(each.os_version, each.architecture, each.image.rpartition(":")[2], each.nodes) for each in found] == [
        ("22.04", "amd64", f"{VERSION}-ubuntu22.04-amd64", ("one",)),
        ("24.04", "arm64", f"{VERSION}-ubuntu24.04-arm64", ("two",)),
    ]


def test_a_driver_that_is_there_is_not_loaded_again() -> None:
    (found,) = told(of_nodes(called("one", LOADED), called("two", INBOX)), WHOLE).drivers
    assert found.loads == ("two",)


def test_another_version_is_loaded_when_driver_pods_are_deleted() -> None:
    (found,) = told(applied(of_nodes(called("one", LOADED)), WHOLE), document(ofedDriver=driver(version=NEWER))).drivers
    assert (found.loads, found.outdated, found.unloads) == ((), ("one",), ())
    assert (NEWER in found.image, VERSION in found.image_now) == (True, True)


def test_without_the_section_the_driver_is_unloaded() -> None:
    (found,) = told(applied(of_nodes(called("one", LOADED)), WHOLE), PLUGIN_ONLY).drivers
    assert (found.image, found.nodes, found.unloads) == ("", (), ("one",))


def test_where_pods_may_not_be_listed_drivers_are_taken_to_run_where_they_belong() -> None:
    there = replace(applied(of_nodes(called("one", LOADED)), WHOLE), driver_pods=None)
    (found,) = told(there, document(ofedDriver=driver(version=NEWER))).drivers
    assert (found.loads, found.outdated) == ((), ("one",))


def test_management_through_a_nic_is_told_where_its_driver_is_touched() -> None:
    through = connectx6dx(netdevs=(port("ens1f0np0", default_route=True),))
    touched = inventory(through, driver=INBOX.driver)
    untouched = inventory(through, driver=ofed())
    (found,) = told(of_nodes(called("one", touched), called("two", untouched)), WHOLE).drivers
    assert found.management == (ManagedThrough("one", ("ens1f0np0",)),)


def test_what_holds_the_driver_is_told_before_it_is_replaced() -> None:
    held = replace(INBOX, driver=replace(INBOX.driver, modules=(*INBOX.driver.modules, Module("nvme_rdma", "Live"))))
    found = told(of_nodes(called("one", held), called("two", INBOX)), WHOLE)
    assert "nvme_rdma in use on one (UNLOAD_STORAGE_MODULES is not set" in reasons(found)[Reason.DriverHeld]


# Resources.


@pytest.mark.parametrize(
    ("machine", "units", "once_loaded"),
    [
        pytest.param(LOADED, 63, False, id="loaded"),
        pytest.param(BARE, 63, True, id="no-driver-yet"),
        pytest.param(
            inventory(connectx6dx(driver="vfio-pci", rdma_devices=()), driver=ofed()), 0, False, id="given-away"
        ),
    ],
)
def test_units_are_those_after_the_driver_is_loaded(machine: Any, units: int, once_loaded: bool) -> None:
    (found,) = told(of_nodes(called("one", machine)), WHOLE).resources
    assert (found.resource, found.nodes, found.units, found.once_loaded) == (
        "rdma/shared",
        ("one",),
        units,
        once_loaded,
    )


def test_without_a_driver_of_ours_a_node_gives_what_it_has() -> None:
    (found,) = told(of_nodes(called("one", BARE)), PLUGIN_ONLY).resources
    assert (found.units, found.once_loaded) == (0, False)
    assert "no RDMA device" in found.why_none


def test_units_of_today() -> None:
    there = applied(of_nodes(called("one", LOADED)), WHOLE)
    offering = replace(there, nodes=tuple(replace(each, allocatable={"rdma/shared": 7}) for each in there.nodes))
    (found,) = told(offering, WHOLE).resources
    assert (found.units, found.units_now) == (63, 7)


def test_a_function_that_two_plugins_offer() -> None:
    sriov = plugin(
        config='{"resourceList": [{"resourceName": "host", "resourcePrefix": "nvidia.com", "selectors": '
        '{"vendors": ["15b3"]}}]}'
    )
    found = told(of_nodes(called("one", LOADED)), document(rdmaSharedDevicePlugin=plugin(), sriovDevicePlugin=sriov))
    assert "rdma/shared and nvidia.com/host both offer" in reasons(found)[Reason.ResourceOverlap]


# What is wrong, and what is worth knowing.


def test_nothing_changes_and_all_is_well() -> None:
    found = told(applied(of_nodes(called("one", LOADED)), WHOLE), WHOLE)
    assert (found.verdict, found.problems, found.findings, found.notes) == (Verdict.NOTHING, (), (), ())
    assert [each.change for each in found.documents] == [Act.NONE]


def test_a_policy_that_changes_without_an_object_changing_is_a_change() -> None:
    there = applied(of_nodes(called("one", LOADED)), WHOLE)
    safe = driver(upgradePolicy={"autoUpgrade": True})
    found = told(there, document(ofedDriver=safe, rdmaSharedDevicePlugin=plugin()))
    assert {each.change for each in found.objects} == {Act.NONE}
    assert found.verdict is Verdict.CHANGES
    assert "upgradePolicy has no effect" in reasons(found)[Reason.Caveat]


def test_each_mistake_is_told_once_with_its_field() -> None:
    found = told(of_nodes(called("one", LOADED)), document(rdmaSharedDevicePlugin=plugin(config="{", image="UPPER")))
    assert sorted(each.field for each in found.problems) == [
        "spec.rdmaSharedDevicePlugin.config",
        "spec.rdmaSharedDevicePlugin.image",
    ]
    assert found.verdict is Verdict.PROBLEMS


def test_the_same_section_in_two_policies() -> None:
    some = document("NicNodePolicy", "some", ofedDriver=driver(), nodeSelector={"a": "b"})
    found = told(applied(of_nodes(called("one", LOADED)), WHOLE), some)
    (problem,) = found.problems
    assert (problem.kind, problem.name, problem.field) == ("NicNodePolicy", "some", "")
    assert "leave it in one of them" in problem.message


def test_a_conflict_that_is_there_already_is_no_problem_of_what_is_given() -> None:
    some = document("NicNodePolicy", "some", ofedDriver=driver(), nodeSelector={"a": "b"})
    there = applied(of_nodes(called("one", LOADED)), WHOLE, some)
    assert told(there, document("MacvlanNetwork", "net", master="ens1f0np0")).problems == ()


def test_two_networks_of_one_name() -> None:
    there = applied(of_nodes(called("one", LOADED)), document("MacvlanNetwork", "net", master="ens1f0np0"))
    (problem,) = told(there, document("IPoIBNetwork", "net", master="ib0")).problems
    assert "is already that of MacvlanNetwork net" in problem.message


def test_what_agents_see_speaks_against_a_network() -> None:
    found = told(of_nodes(called("one", LOADED)), document("MacvlanNetwork", "net", master="ens9"))
    (finding,) = found.findings
    assert (finding.reason, finding.of_kind, finding.of_name) == (Reason.MasterMissing, "MacvlanNetwork", "net")


def test_what_the_api_server_refuses_is_told_field_by_field() -> None:
    causes = (StatusCause(field="metadata.name", message="Invalid value"), StatusCause(field="spec.x", message="bad"))
    status = Status(message="two things", details=StatusDetails(causes=causes))
    found = told(of_nodes(), WHOLE, refused={WHOLE.key: Invalid("create", "x", status)})
    assert [(each.field, each.message) for each in found.problems] == [
        ("metadata.name", "metadata.name is refused: Invalid value"),
        ("spec.x", "spec.x is refused: bad"),
    ]


def test_cards_that_are_not_supported() -> None:
    found = told(of_nodes(called("one", inventory(connectx6lx())), called("two", inventory(connectx6lx()))), WHOLE)
    (finding,) = (each for each in found.findings if each.reason == Reason.UnsupportedDevice)
    assert finding.nodes == ("one", "two")
    assert finding.message.startswith("one, two: ConnectX-6 Lx is not supported")


def test_a_node_whose_agent_is_silent_is_named() -> None:
    found = told(of_nodes(called("one", LOADED), called("two", LOADED), silent=frozenset({"two"})), WHOLE)
    assert reasons(found)[Reason.NodeSilent] == "the agents of two are silent"
    assert [each.nodes for each in found.resources] == [("one",)]


def test_another_name_than_the_one_that_is_acted_on() -> None:
    found = told(of_nodes(), document(name="mine", rdmaSharedDevicePlugin=plugin()))
    assert found.objects == ()
    assert found.documents[0].cautions == (
        "metadata.name is mine: only the NicClusterPolicy nic-cluster-policy is acted on",
    )


def test_without_an_inventory_it_is_said_what_is_not_known() -> None:
    there = applied(of_nodes(called("one", LOADED)), WHOLE)
    found = told(replace(there, inventories={}), WHOLE)
    assert found.notes == ("no inventory is known: nothing is said of hardware, of loaded drivers and of resources",)
    assert (found.resources, found.verdict) == ((), Verdict.NOTHING)
