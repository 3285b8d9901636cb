"""Whatever JSON a user writes: it is refused in sentences, or taken and then also predicted and told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.fleet.plugin_view import plugin_view
from coordinator.plugins import rdma_config, sriov_config
from coordinator.plugins.misses import sentence
from coordinator.plugins.predictions import Predictions
from coordinator.policy import InvalidSpec
from nicfleet.inventory import PciAddress
from tests.unit.coordinator import inventories as i

VF = i.virtual_function(pf=PciAddress("0000:3b:00.0"), vf_index=0, netdevs=(i.port("v", link_type="ether"),))
NODES = (
    plugin_view(i.inventory()),
    plugin_view(i.inventory(i.connectx6dx(virtual_functions=(VF,), sriov_num_vfs=1), driver=i.ofed())),
)

WORDS = ["", "a", "hca", "15b3", "101d", "101e", "mlx5_core", "ens1f0np0", "ens1f0np0#0-1", "#", "a#-", "0000:3b:00.0"]
WORDS += ["ether", "sf", "netDevice", "auxNetDevice", "vhost", "rdma", "a.example", "\ud800", 'x\n- y: "z', "0xffff"]
KEYS = ["configList", "resourceList", "resourceName", "resourcePrefix", "rdmaHcaMax", "devices", "selectors"]
KEYS += ["deviceType", "periodicUpdateInterval", "vendors", "deviceIDs", "drivers", "ifNames", "linkTypes", "isRdma"]
KEYS += ["pfNames", "rootDevices", "pciAddresses", "vdpaType", "auxTypes", "pKeys", "IsRdma", "other"]

leaves = st.none() | st.booleans() | st.integers(-1, 70) | st.just(1.5) | st.sampled_from(WORDS) | st.text(max_size=5)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
names = st.lists(st.sampled_from(WORDS) | leaves, max_size=3)
flags = st.booleans() | leaves
selectors = st.fixed_dictionaries(
    {},
    optional={
        "vendors": names, "devices": names, "deviceIDs": names, "drivers": names, "ifNames": names,
        "linkTypes": names, "pfNames": names, "rootDevices": names, "pciAddresses": names, "auxTypes": names,
        "pKeys": names, "isRdma": flags, "vdpaType": leaves,
    },
)  # fmt: skip
entries = st.fixed_dictionaries(
    {"resourceName": st.sampled_from(["a", "b", "c-d", ""]), "rdmaHcaMax": st.integers(-1, 9)},
    optional={
        "resourcePrefix": st.sampled_from(WORDS), "deviceType": st.sampled_from(WORDS), "devices": names,
        "selectors": selectors | st.lists(selectors, max_size=2) | anything,
    },
)  # fmt: skip
likely = st.fixed_dictionaries(
    {"configList": st.lists(entries, max_size=3), "resourceList": st.lists(entries, max_size=3)}
)


@pytest.mark.parametrize("config", [rdma_config, sriov_config], ids=["rdma", "sriov"])
@given(value=likely | anything)
def test_any_json_is_refused_in_sentences_or_taken_and_told(config: Any, value: object) -> None:
    text = json.dumps(value)
    problems = config.problems(text)

    for told in (*map(str, problems), *config.cautions(text)):
        assert told.isprintable()
        assert told.startswith(config.FIELD)
    if problems:
        assert _refusal(config.parse, text) == str(problems[0])
    else:
        config.parse(text)


@given(rdma=likely, sriov=likely)
def test_whatever_is_taken_is_predicted_and_told(rdma: object, sriov: object) -> None:
    predictions = Predictions()
    for view in NODES:
        found = predictions.of(view, json.dumps(rdma), json.dumps(sriov))
        for prediction in (*found.rdma.values(), *found.sriov.values()):
            if prediction is not None:
                assert prediction.units == 0 or prediction.functions > 0
                assert prediction.miss is None or sentence(prediction.miss).isprintable()


def _refusal(parse: Callable[[str], object], text: str) -> str:
    with pytest.raises(InvalidSpec) as raised:
        parse(text)
    return str(raised.value)
