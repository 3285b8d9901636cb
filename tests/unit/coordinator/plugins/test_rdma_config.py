"""The RDMA shared device plugin's configuration: what is taken, what is refused, and in which words."""

import json

import pytest

from coordinator.plugins import rdma_config
from coordinator.plugins.rdma_config import RdmaConfig, RdmaResource
from coordinator.policy import InvalidSpec

CONFIG = "spec.rdmaSharedDevicePlugin.config"


def entry(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {"resourceName": "hca", "rdmaHcaMax": 63, "selectors": {"vendors": ["15b3"]}}
    return {key: value for key, value in (usual | changes).items() if value is not None}


def text(*entries: object, **top: object) -> str:
    return json.dumps({"configList": list(entries), **top})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(
            text(entry(selectors={"vendors": ["15b3"], "deviceIDs": ["1017"], "ifNames": ["ens2f0"]})),
            RdmaConfig((RdmaResource("rdma/hca", 63, ("15b3",), ("1017",), if_names=("ens2f0",)),)),
            id="upstreams-readme",
        ),
        pytest.param(
            text(entry(selectors=None, devices=["ib0", "ib1"]), periodicUpdateInterval=0),
            RdmaConfig((RdmaResource("rdma/hca", 63, if_names=("ib0", "ib1")),), interval=0),
            id="devices-are-interface-names",
        ),
        pytest.param(
            text(entry(selectors={}, devices=["ib0"])),
            RdmaConfig((RdmaResource("rdma/hca", 63, if_names=("ib0",)),)),
            id="devices-beside-empty-selectors",
        ),
        pytest.param(
            text(entry(resourcePrefix="a.b-c.example", rdmaHcaMax=0)),
            RdmaConfig((RdmaResource("a.b-c.example/hca", 0, ("15b3",)),)),
            id="a-domain-that-upstreams-webhook-refuses",
        ),
        pytest.param(
            text(entry(resourcePrefix="")),
            RdmaConfig((RdmaResource("rdma/hca", 63, ("15b3",)),)),
            id="an-empty-prefix-is-none",
        ),
        pytest.param(
            text(entry(resourcePrefix="rdma"), entry(resourceName="other", resourcePrefix="a.k8s1.io")),
            RdmaConfig((RdmaResource("rdma/hca", 63, ("15b3",)), RdmaResource("a.k8s1.io/other", 63, ("15b3",)))),
            id="one-label-or-digits-which-upstreams-webhook-refuses",
        ),
        pytest.param(
            '{"ConfigList": [{"ResourceName": "hca", "rdmahcamax": 1, "selectors": {"linktypes": ["ether"]}}]}',
            RdmaConfig((RdmaResource("rdma/hca", 1, link_types=("ether",)),)),
            id="keys-in-any-case",
        ),
        pytest.param(
            text(entry(devices=[], resourcePrefix=None, comment="ours"), version=2),
            RdmaConfig((RdmaResource("rdma/hca", 63, ("15b3",)),)),
            id="other-keys-and-an-empty-list",
        ),
        pytest.param(
            '{"configList": [{"resourceName": "hca", "rdmaHcaMax": 1, "devices": null, "selectors": {"drivers": '
            '["mlx5_core"], "vendors": null}}], "periodicUpdateInterval": null}',
            RdmaConfig((RdmaResource("rdma/hca", 1, drivers=("mlx5_core",)),)),
            id="null-is-absent",
        ),
    ],
)
def test_what_the_plugin_takes_is_taken(config: str, expected: RdmaConfig) -> None:
    assert rdma_config.parse(config) == expected
    assert rdma_config.problems(config) == ()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        pytest.param("{", f"{CONFIG} is not valid JSON at line 1, column 2 (", id="json"),
        pytest.param("", f"{CONFIG} is not valid JSON at line 1, column 1 (", id="empty-text"),
        pytest.param("[]", f"{CONFIG} is JSON but not an object: start it with {{ and end it with }}", id="top"),
        pytest.param("{}", f"{CONFIG} has no configList: add one, such as a list with one resource", id="no-list"),
        pytest.param(text(), f"{CONFIG} configList is empty: add a resource", id="empty-list"),
        pytest.param('{"configList": {}}', f"{CONFIG} configList is an object: make it a list", id="no-array"),
        pytest.param(text("a"), f"{CONFIG} configList[0] is a string: make it an object", id="entry"),
        pytest.param(
            text(entry(resourceName=None)),
            f'{CONFIG} configList[0] has no resourceName: add one, such as "rdma_shared_device_a"',
            id="no-name",
        ),
        pytest.param(
            text(entry(), entry(resourceName="rdma-shared")),
            f'{CONFIG} configList[1].resourceName is "rdma-shared", which is no name for a resource of this plugin: '
            "use at most 63 letters, digits and _, beginning and ending with a letter or digit",
            id="hyphen-in-the-name",
        ),
        pytest.param(text(entry(resourceName="")), f'{CONFIG} configList[0].resourceName is "", ', id="empty-name"),
        pytest.param(text(entry(resourceName="a\n")), f'{CONFIG} configList[0].resourceName is "a\\n"', id="break"),
        pytest.param(text(entry(resourceName=7)), f"{CONFIG} configList[0].resourceName is 7: make", id="number"),
        pytest.param(
            text(entry(resourcePrefix="NVIDIA.com")),
            f'{CONFIG} configList[0].resourcePrefix is "NVIDIA.com", which is no domain: '
            "use a lower-case domain name, such as nvidia.com",
            id="prefix",
        ),
        pytest.param(
            text(entry(resourcePrefix="rdma_x")), f'{CONFIG} configList[0].resourcePrefix is "rdma_x"', id="underscore"
        ),
        pytest.param(
            text(entry(rdmaHcaMax=None)),
            f"{CONFIG} configList[0] has no rdmaHcaMax: add one, such as 63",
            id="no-maximum",
        ),
        pytest.param(
            text(entry(rdmaHcaMax="63")),
            f"{CONFIG} configList[0].rdmaHcaMax is a string: make it a whole number",
            id="maximum-as-text",
        ),
        pytest.param(text(entry(rdmaHcaMax=1.0)), f"{CONFIG} configList[0].rdmaHcaMax is 1.0: make it", id="fraction"),
        pytest.param(text(entry(rdmaHcaMax=True)), f"{CONFIG} configList[0].rdmaHcaMax is true: make", id="bool"),
        pytest.param(
            text(entry(rdmaHcaMax=-1)), f"{CONFIG} configList[0].rdmaHcaMax is -1: use a number from 0", id="negative"
        ),
        pytest.param(
            text(entry(), periodicUpdateInterval=-5), f"{CONFIG} periodicUpdateInterval is -5: use", id="interval"
        ),
        pytest.param(
            text(entry(selectors=None)),
            f"{CONFIG} configList[0] selects nothing: give selectors with one of vendors, deviceIDs, drivers, ifNames",
            id="no-selectors",
        ),
        pytest.param(text(entry(selectors={})), f"{CONFIG} configList[0] selects nothing", id="empty-selectors"),
        pytest.param(
            text(entry(selectors=None, devices=[])), f"{CONFIG} configList[0] selects nothing", id="empty-devices"
        ),
        pytest.param(
            text(entry(selectors={"vendors": []})), f"{CONFIG} configList[0] selects nothing", id="only-empty-lists"
        ),
        pytest.param(
            text(entry(devices=["ib0"])),
            f"{CONFIG} configList[0] has both devices and selectors: move the names in devices to selectors.ifNames",
            id="both-ways",
        ),
        pytest.param(
            text(entry(selectors=["15b3"])), f"{CONFIG} configList[0].selectors is a list: make it an", id="selectors"
        ),
        pytest.param(
            text(entry(selectors={"vendors": "15b3"})),
            f"{CONFIG} configList[0].selectors.vendors is a string: make it a list",
            id="no-list-of-vendors",
        ),
        pytest.param(
            text(entry(selectors={"vendors": ["15b3", ""]})),
            f"{CONFIG} configList[0].selectors.vendors[1] is empty: give it a value or take it out",
            id="empty-vendor",
        ),
        pytest.param(
            text(entry(selectors={"vendors": ["15b3", 15]})),
            f"{CONFIG} configList[0].selectors.vendors[1] is 15: make it a string",
            id="vendor-as-number",
        ),
        pytest.param(
            text(entry(selectors=None, devices=[None])),
            f"{CONFIG} configList[0].devices[0] is null: make it a string",
            id="null-in-a-list",
        ),
        pytest.param(
            text(entry(selectors={"vendors": ["15b3"], "deviceIds2": ["1017"]})),
            f'{CONFIG} configList[0].selectors has the key "deviceIds2", which the plugin does not know there: '
            "write deviceIDs",
            id="unknown-selector",
        ),
        pytest.param(
            text(entry(selectors={"vendors": ["15b3"], "isRdma": True})),
            f'{CONFIG} configList[0].selectors has the key "isRdma", which the plugin does not know there: '
            "use vendors, deviceIDs, drivers, ifNames or linkTypes",
            id="selector-of-the-other-plugin",
        ),
        pytest.param(
            text(entry(), entry(resourcePrefix="nvidia.com")),
            f'{CONFIG} configList[1] has the resourceName "hca" of an earlier entry: give each its own',
            id="name-twice-whatever-the-prefix",
        ),
    ],
)
def test_a_mistake_ends_in_one_sentence(config: str, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        rdma_config.parse(config)

    assert str(raised.value).startswith(sentence)
    assert [str(problem) for problem in rdma_config.problems(config)] == [str(raised.value)]


def test_all_mistakes_are_told_in_order() -> None:
    config = text(entry(rdmaHcaMax=-1, resourceName="a b"), entry(selectors=None), 3)

    assert [problem.field.removeprefix(CONFIG) for problem in rdma_config.problems(config)] == [
        " configList[0].resourceName",
        " configList[0].rdmaHcaMax",
        " configList[1]",
        " configList[2]",
    ]


def test_a_users_text_is_cut_and_stays_in_one_line() -> None:
    (problem,) = rdma_config.problems(text(entry(resourceName="a\n" * 500 + "\ud800")))

    assert "\n" not in str(problem)
    assert len(str(problem)) < 400
    assert str(problem).isascii() or "…" in str(problem)
    str(problem).encode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"selectors": {"deviceIDs": ["0000:3b:00.0"]}},
            'selectors.deviceIDs[0] is "0000:3b:00.0", a PCI address and no device ID: select addresses by ifNames',
            id="address",
        ),
        pytest.param(
            {"selectors": {"deviceIDs": ["1017", "0x101D"]}},
            'selectors.deviceIDs[1] is "0x101D", which matches nothing: write 101d',
            id="hexadecimal-as-elsewhere",
        ),
        pytest.param(
            {"selectors": {"vendors": ["Mellanox"]}},
            'selectors.vendors[0] is "Mellanox", which matches nothing: '
            "write the vendor ID as four hexadecimal digits in lower case",
            id="vendor-by-name",
        ),
        pytest.param(
            {"selectors": {"linkTypes": ["IB"]}},
            'selectors.linkTypes[0] is "IB", which matches nothing: write ether or infiniband',
            id="link-type",
        ),
    ],
)
def test_values_that_can_never_match_are_told(changes: dict[str, object], sentence: str) -> None:
    config = text(entry(**changes))

    assert rdma_config.problems(config) == ()
    assert rdma_config.cautions(config) == (f"{CONFIG} configList[0].{sentence}",)


def test_a_selector_beside_the_selectors_is_told() -> None:
    config = text(entry(ifNames=["ib0"], comment="ours"))

    assert rdma_config.cautions(config) == (
        f"{CONFIG} configList[0] has ifNames beside selectors, where it has no effect: move it into selectors",
    )


def test_of_many_cautions_five_are_told() -> None:
    told = rdma_config.cautions(text(entry(selectors={"deviceIDs": ["x"] * 12})))

    assert len(told) == 6
    assert told[-1] == f"{CONFIG} has 7 more values without effect"
