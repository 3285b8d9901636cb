"""What each resource gets of a node, in the plugins' own semantics; and why it gets nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from coordinator.fleet.plugin_view import plugin_view
from coordinator.plugins import rdma_config, sriov_config
from coordinator.plugins.predict import predict
from coordinator.plugins.prediction import Miss, NodePrediction, Overlap, Prediction, Step
from nicfleet.inventory import Driver, Function, Inventory, PciAddress, RdmaDevice, RdmaPort
from tests.unit.coordinator import inventories as i

USABLE = i.ofed()
DEFAULT_KEY = 0xFFFF


def pf(port: int = 0, *vfs: Function, **changes: object) -> Function:
    """One of a ConnectX-6 Dx' ports, ens1f0np0 or ens1f1np1."""
    usual = i.connectx6dx(
        f"0000:3b:00.{port}",
        netdevs=(i.port(f"ens1f{port}np{port}", link_type="ether"),),
        sriov_num_vfs=len(vfs) or None,
        virtual_functions=vfs,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def vf(index: int, port: int = 0, **changes: object) -> Function:
    usual = i.virtual_function(
        f"0000:3b:0{1 + port}.{index}",
        pf=PciAddress(f"0000:3b:00.{port}"),
        vf_index=index,
        netdevs=(i.port(f"ens1f{port}v{index}", link_type="ether"),),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def infiniband(function: Function, key: int = DEFAULT_KEY) -> Function:
    device = RdmaDevice("mlx5_0", ports=(RdmaPort(1, link_layer="InfiniBand", pkeys=(key,)),))
    netdevs = tuple(replace(netdev, link_type="infiniband") for netdev in function.netdevs)
    return replace(function, netdevs=netdevs, rdma_devices=(device,))


def node(*functions: Function, driver: Driver = USABLE) -> Inventory:
    return i.inventory(*functions, driver=driver)


TWO_PORTS = node(pf(0), pf(1))
WITH_VFS = node(pf(0, *map(vf, range(4))), pf(1))


def of(inventory: Inventory, *, rdma: object = None, sriov: object = None) -> NodePrediction:
    return predict(
        plugin_view(inventory).host(),
        None if rdma is None else rdma_config.parse(json.dumps(rdma)),
        None if sriov is None else sriov_config.parse(json.dumps(sriov)),
    )


def shared(inventory: Inventory, **selectors: object) -> Prediction | None:
    """The one resource of the RDMA shared device plugin with these selectors."""
    entry = {"resourceName": "hca", "rdmaHcaMax": 63, "selectors": selectors}
    return of(inventory, rdma={"configList": [entry]}).rdma["rdma/hca"]


def dedicated(inventory: Inventory, selectors: object, **more: object) -> Prediction | None:
    """The one resource of the SR-IOV device plugin with these selectors."""
    entry = {"resourceName": "vf", "selectors": selectors, **more}
    return of(inventory, sriov={"resourceList": [entry]}).sriov["intel.com/vf"]


@pytest.mark.parametrize(
    ("inventory", "selectors", "functions"),
    [
        pytest.param(TWO_PORTS, {"vendors": ["15b3"]}, 2, id="vendor"),
        pytest.param(WITH_VFS, {"vendors": ["15b3"]}, 6, id="vfs-and-their-pf-count-too"),
        pytest.param(WITH_VFS, {"deviceIDs": ["101e"]}, 4, id="device-id"),
        pytest.param(WITH_VFS, {"deviceIDs": ["101e", "1017", "101d"]}, 6, id="any-of-the-values"),
        pytest.param(WITH_VFS, {"vendors": ["15b3"], "ifNames": ["ens1f1np1", "ens9"]}, 1, id="all-of-the-selectors"),
        pytest.param(WITH_VFS, {"ifNames": ["ens1f0v2"]}, 1, id="interface-of-a-vf"),
        pytest.param(TWO_PORTS, {"drivers": ["mlx5_core"], "vendors": []}, 2, id="an-empty-selector-selects-all"),
        pytest.param(TWO_PORTS, {"linkTypes": ["ether"]}, 2, id="link-type"),
        pytest.param(
            node(pf(0), infiniband(pf(1)), driver=USABLE), {"linkTypes": ["ether"]}, 1, id="link-type-of-one-port"
        ),
        pytest.param(
            node(pf(0, netdevs=(i.port("a", link_type="ether"), i.port("b", link_type="ether")))),
            {"ifNames": ["a"]},
            1,
            id="by-the-first-netdev",
        ),
        pytest.param(
            node(pf(0, netdevs=(i.port("ens1f0np0", link_type="ether", default_route=True),))),
            {"vendors": ["15b3"]},
            1,
            id="the-default-route-does-not-matter",
        ),
        pytest.param(node(pf(0), driver=i.ofed(netns_shared=None)), {"vendors": ["15b3"]}, 1, id="an-old-kernel"),
        pytest.param(node(pf(0, rdma_devices=()), pf(1)), {"vendors": ["15b3"]}, 1, id="one-without-rdma-device"),
        pytest.param(node(pf(0, driver=None), pf(1)), {"vendors": ["15b3"]}, 1, id="one-without-driver"),
    ],
)
def test_rdma_gives_its_units_for_any_number_of_functions(
    inventory: Inventory, selectors: dict[str, object], functions: int
) -> None:
    assert shared(inventory, **selectors) == Prediction(functions, units=63)


@pytest.mark.parametrize(
    ("inventory", "selectors", "miss"),
    [
        pytest.param(node(), {"vendors": ["15b3"]}, Miss(Step.VENDOR, 0, ("15b3",)), id="no-nic"),
        pytest.param(
            TWO_PORTS, {"vendors": ["15B3"]}, Miss(Step.VENDOR, 2, ("15B3",), ("15b3",)), id="vendor-in-capitals"
        ),
        pytest.param(
            WITH_VFS,
            {"vendors": ["15b3"], "deviceIDs": ["1017"]},
            Miss(Step.DEVICE, 6, ("1017",), ("101d",)),
            id="other-device-id-of-the-pfs",
        ),
        pytest.param(
            TWO_PORTS,
            {"deviceIDs": ["101d"], "ifNames": ["ens2f0", "ens2f1"]},
            Miss(Step.INTERFACE, 2, ("ens2f0", "ens2f1"), ("ens1f0np0", "ens1f1np1")),
            id="right-device-and-other-names",
        ),
        pytest.param(
            TWO_PORTS,
            {"ifNames": ["Ens1f0np0"]},
            Miss(Step.INTERFACE, 2, ("Ens1f0np0",), ("ens1f0np0", "ens1f1np1")),
            id="names-are-exact",
        ),
        pytest.param(
            node(pf(0, driver="vfio-pci", rdma_devices=())),
            {"drivers": ["mlx5_core"]},
            Miss(Step.DRIVER, 1, ("mlx5_core",), ("vfio-pci",)),
            id="driver",
        ),
        pytest.param(
            node(pf(0, netdevs=())),
            {"linkTypes": ["ether"]},
            Miss(Step.LINK_TYPE, 1, ("ether",), ("none",)),
            id="no-netdev-has-no-link-type",
        ),
        pytest.param(node(pf(0, driver=None)), {"vendors": ["15b3"]}, Miss(Step.NO_DRIVER, 1), id="no-driver"),
        pytest.param(
            node(pf(0), driver=i.ofed(netns_shared=False)),
            {"vendors": ["15b3"]},
            Miss(Step.EXCLUSIVE_MODE, 1),
            id="exclusive-mode-ends-the-plugin",
        ),
        pytest.param(
            node(pf(0, rdma_devices=()), pf(1, rdma_devices=())),
            {"vendors": ["15b3"]},
            Miss(Step.RDMA_DEVICE, 2),
            id="no-rdma-device",
        ),
        pytest.param(
            node(pf(0, rdma_devices=(i.rdma(devices=("infiniband/uverbs0",)),)), driver=i.ofed(rdma_cm=False)),
            {"vendors": ["15b3"]},
            Miss(Step.CHAR_DEVICES, 1, (), ("rdma_cm, umad",)),
            id="character-devices",
        ),
    ],
)
def test_rdma_gives_no_unit_without_a_function(inventory: Inventory, selectors: dict[str, object], miss: Miss) -> None:
    assert shared(inventory, **selectors) == Prediction(miss=miss)


def test_an_rdma_resource_of_no_units_offers_none() -> None:
    entry = {"resourceName": "hca", "rdmaHcaMax": 0, "devices": ["ens1f0np0"]}

    assert of(TWO_PORTS, rdma={"configList": [entry]}).rdma == {"rdma/hca": Prediction(1, units=0)}


def test_what_an_inventory_does_not_tell_is_uncertain() -> None:
    unknown = node(pf(0, netdevs=(i.port("ens1f0np0"),)), pf(1))

    assert shared(unknown, linkTypes=["ether"]) == Prediction(1, units=63, uncertain=1)
    assert shared(unknown, linkTypes=["infiniband"]) == Prediction(uncertain=1)


def test_several_rdma_resources_share_a_function() -> None:
    entries = [
        {"resourceName": name, "resourcePrefix": "a.example", "rdmaHcaMax": units, "selectors": {"vendors": ["15b3"]}}
        for name, units in (("one", 1), ("two", 2))
    ]

    assert of(TWO_PORTS, rdma={"configList": entries}).rdma == {
        "a.example/one": Prediction(2, 1),
        "a.example/two": Prediction(2, 2),
    }


@pytest.mark.parametrize(
    ("inventory", "selectors", "functions"),
    [
        pytest.param(WITH_VFS, {"vendors": ["15b3"]}, 5, id="a-pf-with-vfs-is-left-to-them"),
        pytest.param(WITH_VFS, {"vendors": ["15b3"], "devices": ["101e"]}, 4, id="device-id"),
        pytest.param(WITH_VFS, {"pciAddresses": ["0000:3b:01.1", "0000:3b:00.0"]}, 1, id="address"),
        pytest.param(WITH_VFS, {"pfNames": ["ens1f0np0"]}, 4, id="pf-name"),
        pytest.param(WITH_VFS, {"pfNames": ["ENS1F0np0#1-2"]}, 2, id="range-and-name-in-any-case"),
        pytest.param(WITH_VFS, {"pfNames": ["ens1f0np0#0,2-9,+3"]}, 3, id="indexes-and-ranges"),
        pytest.param(WITH_VFS, {"pfNames": ["ens1f0np0#0", "ens1f0np0#1-3"]}, 1, id="the-first-entry-of-a-name"),
        pytest.param(WITH_VFS, {"pfNames": ["ens1f0np0#0,x,1"]}, 1, id="up-to-what-cannot-be-read"),
        pytest.param(WITH_VFS, {"rootDevices": ["0000:3B:00.0#0-1"]}, 2, id="pf-address"),
        pytest.param(WITH_VFS, [{"pfNames": ["ens1f0np0#0"]}, {"pfNames": ["ens1f0np0#0-1"]}], 2, id="union"),
        pytest.param(WITH_VFS, {"linkTypes": ["ether"]}, 5, id="link-type"),
        pytest.param(
            node(pf(0, vf(0, netdevs=()), vf(1))), {"linkTypes": ["ether"]}, 2, id="link-type-of-the-pf-while-in-a-pod"
        ),
        pytest.param(
            node(pf(0, vf(0, driver="vfio-pci", netdevs=(), rdma_devices=()), vf(1))),
            {"drivers": ["vfio-pci"]},
            1,
            id="driver",
        ),
        pytest.param(WITH_VFS, {"isRdma": True, "devices": ["101e"]}, 4, id="rdma"),
        pytest.param(WITH_VFS, {"isRdma": False, "needVhostNet": True, "devices": ["101e"]}, 4, id="idle-flags"),
        pytest.param(
            node(infiniband(pf(0, infiniband(vf(0), 0x8001), infiniband(vf(1))))), {"pKeys": ["0x8001"]}, 1, id="pkey"
        ),
        pytest.param(node(pf(0, vf(0), driver="mlx5_core", sriov_num_vfs=0)), {"devices": ["101d"]}, 1, id="no-vfs-on"),
        pytest.param(
            node(vf(0, pf=None, vf_index=None)), {"vendors": ["15b3"], "devices": ["101e"]}, 1, id="in-a-machine"
        ),
    ],
)
def test_sriov_gives_a_unit_for_each_function(inventory: Inventory, selectors: object, functions: int) -> None:
    assert dedicated(inventory, selectors) == Prediction(functions, units=functions)


@pytest.mark.parametrize(
    ("inventory", "selectors", "miss"),
    [
        pytest.param(
            WITH_VFS,
            {"vendors": ["15b3"], "devices": ["0000:3b:01.0"]},
            Miss(Step.DEVICE, 6, ("0000:3b:01.0",), ("101d",)),
            id="an-address-where-an-id-belongs",
        ),
        pytest.param(
            TWO_PORTS,
            {"pfNames": ["ens1f0np0"]},
            Miss(Step.PF_NAME, 2, ("ens1f0np0",), ("none",)),
            id="a-pf-is-not-selected-by-its-name",
        ),
        pytest.param(
            WITH_VFS,
            {"pfNames": ["ens2f0"]},
            Miss(Step.PF_NAME, 6, ("ens2f0",), ("ens1f0np0", "none")),
            id="pf-of-another-name-among-pfs",
        ),
        pytest.param(
            WITH_VFS,
            {"devices": ["101e"], "pfNames": ["ens2f0#0-3"]},
            Miss(Step.PF_NAME, 4, ("ens2f0#0-3",), ("ens1f0np0",)),
            id="pf-of-another-name",
        ),
        pytest.param(
            WITH_VFS,
            {"pfNames": ["ens1f0np0#4-7"]},
            Miss(Step.VF_INDEX, 4, ("ens1f0np0#4-7",), ("0", "1", "2", "…")),
            id="fewer-vfs",
        ),
        pytest.param(
            WITH_VFS,
            {"pfNames": ["ens1f0np0#0#1"]},
            Miss(Step.VF_INDEX, 4, ("ens1f0np0#0#1",), ("0", "1", "2", "…")),
            id="two-marks",
        ),
        pytest.param(
            node(pf(0, vf(0))),
            {"devices": ["101d"]},
            Miss(Step.VFS_CONFIGURED, 1, (), ("ens1f0np0",)),
            id="only-the-pf-of-vfs",
        ),
        pytest.param(
            WITH_VFS,
            [{"devices": ["1018"]}, {"devices": ["101e"], "drivers": ["vfio-pci"]}, {"vendors": ["15B3"]}],
            Miss(Step.DRIVER, 4, ("vfio-pci",), ("mlx5_core",)),
            id="of-several-selectors-the-one-that-came-furthest",
        ),
        pytest.param(
            WITH_VFS, {"ddpProfiles": ["GTPv1"]}, Miss(Step.DDP_PROFILE, 6, ("GTPv1",), ("none",)), id="intels-profiles"
        ),
        pytest.param(
            WITH_VFS, {"pKeys": ["0x8001"]}, Miss(Step.PKEY, 6, ("0x8001",), ("none",)), id="a-pkey-on-ethernet"
        ),
        pytest.param(
            node(infiniband(pf(0))), {"pKeys": ["0xFFFF"]}, Miss(Step.PKEY, 1, ("0xFFFF",), ("0xffff",)), id="capitals"
        ),
        pytest.param(
            node(pf(0, vf(0, driver="vfio-pci", rdma_devices=()))),
            {"devices": ["101e"], "isRdma": True},
            Miss(Step.IS_RDMA, 1, (), ("vfio-pci",)),
            id="no-rdma-under-another-driver",
        ),
        pytest.param(node(pf(0, vf(0, driver=None))), {"devices": ["101e"]}, Miss(Step.NO_DRIVER, 1), id="no-driver"),
        pytest.param(
            node(pf(0, netdevs=(i.port("ens1f0np0", default_route=True),)), pf(1)),
            {"pciAddresses": ["0000:3b:00.0"]},
            Miss(Step.DEFAULT_ROUTE, 1, (), ("ens1f0np0",)),
            id="the-default-route",
        ),
    ],
)
def test_sriov_gives_nothing_without_a_function(inventory: Inventory, selectors: object, miss: Miss) -> None:
    found = dedicated(inventory, selectors)

    assert found is not None
    assert (found.functions, found.units, found.miss) == (0, 0, miss)


@pytest.mark.parametrize(
    ("inventory", "selectors", "expected"),
    [
        pytest.param(WITH_VFS, {"acpiIndexes": ["101"]}, Prediction(uncertain=5), id="acpi-index"),
        pytest.param(WITH_VFS, {"vdpaType": "vhost"}, Prediction(uncertain=5), id="vdpa"),
        pytest.param(
            node(pf(0, vf(0, rdma_devices=()), vf(1))),
            {"devices": ["101e"], "isRdma": True},
            Prediction(1, 1, uncertain=1),
            id="rdma-device-out-of-sight",
        ),
        pytest.param(
            node(vf(0), vf(1, pf=None)), {"pfNames": ["ens1f0np0"]}, Prediction(uncertain=1), id="pf-out-of-sight"
        ),
        pytest.param(
            node(pf(0, vf(0, vf_index=None))), {"pfNames": ["ens1f0np0#0"]}, Prediction(uncertain=1), id="vf-index"
        ),
        pytest.param(
            node(pf(0, netdevs=(i.port("ens1f0np0", default_route=True),)), pf(1)),
            {"vendors": ["15b3"]},
            Prediction(1, 1, uncertain=1),
            id="default-route",
        ),
    ],
)
def test_sriov_is_uncertain_where_an_inventory_does_not_tell(
    inventory: Inventory, selectors: object, expected: Prediction
) -> None:
    assert dedicated(inventory, selectors) == expected


@pytest.mark.parametrize(
    ("selectors", "more"),
    [
        pytest.param({"vendors": ["8086"]}, {}, id="other-vendor"),
        pytest.param([{"vendors": ["8086"]}, {"vendors": ["14e4", "15B3"]}], {}, id="other-vendors"),
        pytest.param({"vendors": ["15b3"]}, {"deviceType": "accelerator"}, id="accelerator"),
        pytest.param({"auxTypes": ["sf"]}, {"deviceType": "auxNetDevice"}, id="sub-functions"),
        pytest.param([], {}, id="left-out-by-the-plugin"),
    ],
)
def test_what_the_agents_do_not_report_is_not_predicted(selectors: object, more: dict[str, Any]) -> None:
    assert dedicated(WITH_VFS, selectors, **more) is None


def test_other_vendors_of_the_rdma_plugin_are_not_predicted() -> None:
    assert shared(WITH_VFS, vendors=["8086"]) is None
    assert shared(WITH_VFS, vendors=["8086", "15b3"]) == Prediction(6, 63)


def test_a_function_stays_with_the_first_resource_that_takes_it() -> None:
    entries = [
        {"resourceName": "two", "selectors": {"pfNames": ["ens1f0np0#0-1"]}},
        {"resourceName": "rest", "selectors": {"devices": ["101e"]}},
        {"resourceName": "none", "selectors": {"devices": ["101e"]}},
    ]

    assert of(WITH_VFS, sriov={"resourceList": entries}).sriov == {
        "intel.com/two": Prediction(2, 2),
        "intel.com/rest": Prediction(2, 2),
        "intel.com/none": Prediction(miss=Miss(Step.TAKEN, 4, (), ("intel.com/rest", "intel.com/two"))),
    }


def test_what_an_earlier_resource_may_take_is_uncertain_for_a_later_one() -> None:
    entries = [
        {"resourceName": "maybe", "selectors": {"acpiIndexes": ["7"], "devices": ["101d"]}},
        {"resourceName": "all", "selectors": {"vendors": ["15b3"]}},
        {"resourceName": "late", "selectors": {"vendors": ["15b3"]}},
    ]

    found = of(WITH_VFS, sriov={"resourceList": entries}).sriov

    assert found["intel.com/maybe"] == Prediction(uncertain=1)
    assert found["intel.com/all"] == Prediction(4, 4, uncertain=1)
    assert found["intel.com/late"] == Prediction(uncertain=1)


def test_a_function_given_to_resources_of_both_plugins_is_an_overlap() -> None:
    rdma = {"configList": [{"resourceName": "hca", "rdmaHcaMax": 63, "selectors": {"vendors": ["15b3"]}}]}
    sriov = {
        "resourceList": [
            {"resourceName": "a", "selectors": {"pfNames": ["ens1f0np0#2"]}},
            {"resourceName": "b", "selectors": {"devices": ["101e"]}},
            {"resourceName": "c", "selectors": {"devices": ["1017"]}},
        ]
    }

    assert of(WITH_VFS, rdma=rdma, sriov=sriov).overlaps == (
        Overlap("rdma/hca", "intel.com/a", 1, "0000:3b:01.2"),
        Overlap("rdma/hca", "intel.com/b", 3, "0000:3b:01.0"),
    )


def test_a_pf_shared_and_its_vfs_given_away_are_no_overlap() -> None:
    rdma = {"configList": [{"resourceName": "hca", "rdmaHcaMax": 63, "devices": ["ens1f0np0"]}]}
    sriov = {"resourceList": [{"resourceName": "vf", "selectors": {"pfNames": ["ens1f0np0"]}}]}

    found = of(WITH_VFS, rdma=rdma, sriov=sriov)

    assert (found.rdma["rdma/hca"], found.sriov["intel.com/vf"]) == (Prediction(1, 63), Prediction(4, 4))
    assert found.overlaps == ()


def test_selected_infiniband_vfs_without_a_guid_are_counted() -> None:
    def member(index: int, guid: str) -> Function:
        ports = (RdmaPort(1, link_layer="InfiniBand"),)
        return vf(index, rdma_devices=(RdmaDevice(f"mlx5_{index}", node_guid=guid, ports=ports),))

    zero = "0000:0000:0000:0000"
    inventory = node(pf(0, member(0, zero), member(1, "b8ce:f603:00a1:b2c3"), member(2, zero), member(3, zero)))

    assert dedicated(inventory, {"pfNames": ["ens1f0np0#0-2"]}) == Prediction(3, 3, zero_guids=2)


def test_a_plugin_that_does_not_run_there_gets_nothing() -> None:
    assert of(WITH_VFS) == NodePrediction()
