"""The SR-IOV network device plugin's configuration: what is taken, what is refused, and in which words."""

import json

import pytest

from coordinator.plugins import sriov_config
from coordinator.plugins.sriov_config import DeviceType, Selector, SriovConfig, SriovResource
from coordinator.policy import InvalidSpec

CONFIG = "spec.sriovDevicePlugin.config"
MELLANOX = Selector(vendors=("15b3",))


def entry(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "resourceName": "vf",
        "resourcePrefix": "nvidia.com",
        "selectors": {"vendors": ["15b3"]},
    }
    return {key: value for key, value in (usual | changes).items() if value is not None}


def text(*entries: object, **top: object) -> str:
    return json.dumps({"resourceList": list(entries), **top})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(
            text(entry(selectors={"vendors": ["15b3"], "devices": ["1018"], "isRdma": True})),
            [SriovResource("nvidia.com/vf", selectors=(Selector(("15b3",), ("1018",), is_rdma=True),))],
            id="usual",
        ),
        pytest.param(
            text(entry(resourcePrefix=None)), [SriovResource("intel.com/vf", selectors=(MELLANOX,))], id="own-prefix"
        ),
        pytest.param(
            text(entry(selectors=[{"pfNames": ["p0#0-3"]}, {"rootDevices": ["0000:3b:00.1"]}])),
            [
                SriovResource(
                    "nvidia.com/vf",
                    selectors=(Selector(pf_names=("p0#0-3",)), Selector(root_devices=("0000:3b:00.1",))),
                )
            ],
            id="list-of-selectors",
        ),
        pytest.param(
            text(entry(selectors={"vendors": ["15b3"], "IsRdma": False, "NeedVhostNet": True})),
            [SriovResource("nvidia.com/vf", selectors=(MELLANOX,))],
            id="keys-as-sriov-network-operator-writes-them",
        ),
        pytest.param(
            text(entry(resourceName="sriov-pool")),
            [SriovResource("nvidia.com/sriov-pool", selectors=(MELLANOX,))],
            id="hyphen-which-upstreams-webhook-refuses",
        ),
        pytest.param(
            text(entry(selectors={"acpiIndexes": ["101"], "pKeys": ["0x8001"]})),
            [SriovResource("nvidia.com/vf", selectors=(Selector(acpi_indexes=("101",), pkeys=("0x8001",)),))],
            id="keys-that-upstreams-webhook-does-not-know",
        ),
        pytest.param(
            text(
                entry(deviceType="auxNetDevice", selectors={"auxTypes": ["sf"], "pfNames": ["p0#1"], "isRdma": True}),
                entry(
                    resourceName="host",
                    deviceType="auxNetDevice",
                    selectors={"auxTypes": ["sf"], "needVhostNet": True, "drivers": ["mlx5_core"]},
                ),
                entry(resourceName="fpga", deviceType="accelerator", selectors={"pciAddresses": ["0000:3b:00.0"]}),
                entry(resourceName="vdpa", deviceType="", selectors={"vdpaType": "vhost", "ddpProfiles": ["a"]}),
            ),
            [
                SriovResource(
                    "nvidia.com/vf",
                    DeviceType.AUX_NET_DEVICE,
                    (Selector(pf_names=("p0#1",), is_rdma=True),),
                ),
                SriovResource("nvidia.com/host", DeviceType.AUX_NET_DEVICE, (Selector(drivers=("mlx5_core",)),)),
                SriovResource("nvidia.com/fpga", DeviceType.ACCELERATOR, (Selector(pci_addresses=("0000:3b:00.0",)),)),
                SriovResource("nvidia.com/vdpa", selectors=(Selector(ddp_profiles=("a",), vdpa_type="vhost"),)),
            ],
            id="types",
        ),
        pytest.param(
            text(entry(), entry(resourcePrefix="b.example"), x=1),
            [
                SriovResource("nvidia.com/vf", selectors=(MELLANOX,)),
                SriovResource("b.example/vf", selectors=(MELLANOX,)),
            ],
            id="one-name-under-two-prefixes",
        ),
        pytest.param(
            text(entry(excludeTopology=True, additionalInfo={"*": {"token": "a"}})),
            [SriovResource("nvidia.com/vf", selectors=(MELLANOX,))],
            id="what-selects-nothing",
        ),
    ],
)
def test_what_the_plugin_takes_is_taken(config: str, expected: list[SriovResource]) -> None:
    assert sriov_config.parse(config) == SriovConfig(tuple(expected))
    assert sriov_config.problems(config) == ()
    assert sriov_config.cautions(config) == ()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        pytest.param('{"resourceList": [}', f"{CONFIG} is not valid JSON at line 1, column 19 (", id="json"),
        pytest.param("null", f"{CONFIG} is JSON but not an object", id="top"),
        pytest.param("{}", f"{CONFIG} has no resourceList: add one", id="no-list"),
        pytest.param(text(), f"{CONFIG} resourceList is empty: add a resource", id="empty-list"),
        pytest.param(text([]), f"{CONFIG} resourceList[0] is a list: make it an object", id="entry"),
        pytest.param(
            text(entry(resourceName=None)),
            f'{CONFIG} resourceList[0] has no resourceName: add one, such as "sriov_rdma"',
            id="no-name",
        ),
        pytest.param(
            text(entry(resourceName="a.b")),
            f'{CONFIG} resourceList[0].resourceName is "a.b", which is no name for a resource of this plugin: '
            "use at most 63 letters, digits, _ and -, beginning and ending with a letter or digit",
            id="dot-in-the-name",
        ),
        pytest.param(
            text(entry(resourceName="a" * 64)), f'{CONFIG} resourceList[0].resourceName is "aaa', id="long-name"
        ),
        pytest.param(
            text(entry(resourcePrefix="nvidia.com/")),
            f'{CONFIG} resourceList[0].resourcePrefix is "nvidia.com/", which is no domain',
            id="prefix",
        ),
        pytest.param(
            text(entry(deviceType="netdevice")),
            f'{CONFIG} resourceList[0].deviceType is "netdevice": use netDevice, auxNetDevice, accelerator',
            id="type",
        ),
        pytest.param(
            text(entry(excludeTopology="yes")),
            f"{CONFIG} resourceList[0].excludeTopology is a string: make it true or false",
            id="topology",
        ),
        pytest.param(
            text(entry(selectors=None)),
            f'{CONFIG} resourceList[0] has no selectors: add one, such as {{"vendors": ["15b3"]}}',
            id="no-selectors-at-which-the-plugin-crashes",
        ),
        pytest.param(
            text(entry(selectors="15b3")), f"{CONFIG} resourceList[0].selectors is a string: make it", id="selectors"
        ),
        pytest.param(
            text(entry(selectors={})), f"{CONFIG} resourceList[0].selectors selects nothing: give it one", id="empty"
        ),
        pytest.param(
            text(entry(selectors=[{"vendors": ["15b3"]}, {}])),
            f"{CONFIG} resourceList[0].selectors[1] selects nothing",
            id="empty-in-a-list",
        ),
        pytest.param(
            text(entry(selectors=[None])), f"{CONFIG} resourceList[0].selectors[0] is null: make", id="null-in-a-list"
        ),
        pytest.param(
            text(entry(selectors={"vendors": ["15b3"], "deviceIDs": ["1018"]})),
            f'{CONFIG} resourceList[0].selectors has the key "deviceIDs", which the plugin does not know there: '
            "write devices",
            id="selector-of-the-other-plugin",
        ),
        pytest.param(
            text(entry(deviceType="accelerator", selectors={"vendors": ["15b3"], "isRdma": True})),
            f'{CONFIG} resourceList[0].selectors has the key "isRdma", which the plugin does not know there: '
            "use vendors, devices, drivers or pciAddresses",
            id="selector-of-another-type",
        ),
        pytest.param(
            text(entry(selectors={"pfNames": ["p0", ""]})),
            f"{CONFIG} resourceList[0].selectors.pfNames[1] is empty",
            id="empty-name",
        ),
        pytest.param(
            text(entry(selectors={"isRdma": "true"})),
            f"{CONFIG} resourceList[0].selectors.isRdma is a string: make it true or false",
            id="rdma-as-text",
        ),
        pytest.param(
            text(entry(selectors={"vdpaType": True})),
            f"{CONFIG} resourceList[0].selectors.vdpaType is true: make it a string",
            id="vdpa-as-flag",
        ),
        pytest.param(
            text(entry(selectors={"isRdma": True, "vdpaType": "vhost"})),
            f"{CONFIG} resourceList[0].selectors has both isRdma and vdpaType",
            id="rdma-and-vdpa",
        ),
        pytest.param(
            text(entry(deviceType="auxNetDevice")),
            f'{CONFIG} resourceList[0].selectors has no auxTypes, which auxNetDevice needs: add ["sf"]',
            id="no-aux-types",
        ),
        pytest.param(
            text(entry(deviceType="auxNetDevice", selectors={"auxTypes": ["sf", "eth"]})),
            f'{CONFIG} resourceList[0].selectors.auxTypes has "eth": make it ["sf"]',
            id="aux-type",
        ),
        pytest.param(
            text(entry(), entry()),
            f'{CONFIG} resourceList[1] is a second resource "nvidia.com/vf": join the selectors of both in one list',
            id="name-twice",
        ),
    ],
)
def test_a_mistake_ends_in_one_sentence(config: str, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        sriov_config.parse(config)

    assert str(raised.value).startswith(sentence)
    assert [str(problem) for problem in sriov_config.problems(config)] == [str(raised.value)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"selectors": {"devices": ["0000:3b:00.2"]}},
            '.selectors.devices[0] is "0000:3b:00.2", a PCI address and no device ID: select addresses by pciAddresses',
            id="address-where-an-id-belongs",
        ),
        pytest.param(
            {"selectors": {"devices": ["3B:00.2"]}}, '.selectors.devices[0] is "3B:00.2", a PCI', id="short-address"
        ),
        pytest.param(
            {"selectors": {"vendors": ["15B3"]}},
            '.selectors.vendors[0] is "15B3", which matches nothing: write 15b3',
            id="capitals",
        ),
        pytest.param(
            {"selectors": {"pciAddresses": ["3b:00.2"]}},
            '.selectors.pciAddresses[0] is "3b:00.2", which matches nothing: write 0000:3b:00.2',
            id="no-domain",
        ),
        pytest.param(
            {"selectors": {"pciAddresses": ["mlx5_2"]}},
            '.selectors.pciAddresses[0] is "mlx5_2", which matches nothing: '
            "write the whole address in lower case, as 0000:3b:00.2",
            id="no-address",
        ),
        pytest.param(
            {"selectors": {"linkTypes": ["ethernet"]}},
            '.selectors.linkTypes[0] is "ethernet", which matches nothing: write ether or infiniband',
            id="link-type",
        ),
        pytest.param(
            {"selectors": {"pfNames": ["p0#0-1", "P0#4-5"]}},
            '.selectors.pfNames[1] names "P0" again, and the plugin goes by the first one: '
            "join the ranges in one value, as #0-1,4-5",
            id="pf-twice",
        ),
        pytest.param(
            {"selectors": {"rootDevices": ["0000:3b:00.0#0..3"]}},
            '.selectors.rootDevices[0] is "0000:3b:00.0#0..3", of which the plugin cannot read the part after #: '
            "write as #0-3,7",
            id="range",
        ),
        pytest.param(
            {"selectors": {"vdpaType": "net"}},
            '.selectors.vdpaType is "net", which matches nothing: write virtio or vhost',
            id="vdpa-type",
        ),
        pytest.param(
            {"selectors": []},
            ".selectors is empty, so the plugin leaves the resource out: give it a selector",
            id="no-selector",
        ),
        pytest.param(
            {"isRdma": True},
            " has isRdma beside selectors, where it has no effect: move it into selectors",
            id="the-old-place-of-isrdma",
        ),
    ],
)
def test_what_the_plugin_makes_nothing_of_is_told(changes: dict[str, object], sentence: str) -> None:
    config = text(entry(**changes))

    assert sriov_config.problems(config) == ()
    (told,) = sriov_config.cautions(config)
    assert told.startswith(f"{CONFIG} resourceList[0]{sentence}")
