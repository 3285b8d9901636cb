"""A prediction is made once for all nodes that are alike."""

import json
from datetime import timedelta

import pytest

from coordinator.fleet.plugin_view import PluginView, plugin_view
from coordinator.plugins.prediction import NodePrediction, Prediction
from coordinator.plugins.predictions import Predictions
from tests.unit.coordinator import inventories as i

RDMA = json.dumps({"configList": [{"resourceName": "hca", "rdmaHcaMax": 8, "selectors": {"vendors": ["15b3"]}}]})
SRIOV = json.dumps({"resourceList": [{"resourceName": "nic", "selectors": {"vendors": ["15b3"]}}]})


def view(*addresses: str) -> PluginView:
    return plugin_view(i.inventory(*map(i.connectx6dx, addresses), driver=i.ofed()))


ONE, TWO = view("0000:3b:00.0"), view("0000:3b:00.0", "0000:3b:00.1")


def test_each_configuration_is_of_a_plugin_that_runs_there() -> None:
    predictions = Predictions()

    assert predictions.of(TWO, RDMA, SRIOV).rdma == {"rdma/hca": Prediction(2, 8)}
    assert predictions.of(TWO, RDMA, SRIOV).sriov == {"intel.com/nic": Prediction(2, 2)}
    assert predictions.of(TWO, None, SRIOV).rdma == {}
    assert predictions.of(TWO, None, None) == NodePrediction()


def test_of_an_unusable_configuration_nothing_is_predicted() -> None:
    assert Predictions().of(TWO, "{", "[]") == NodePrediction()


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        pytest.param({}, 90, id="own"),
        pytest.param({"periodicUpdateInterval": 300}, 330, id="given"),
        pytest.param({"periodicUpdateInterval": 0}, 30, id="never"),
        pytest.param({"periodicUpdateInterval": 10**18}, 3630, id="immense"),
    ],
)
def test_the_rdma_plugin_has_until_its_next_look(interval: dict[str, int], seconds: int) -> None:
    config = json.dumps(json.loads(RDMA) | interval)

    assert Predictions().grace(config) == timedelta(seconds=seconds)


def test_the_sriov_plugin_looks_once() -> None:
    assert Predictions().grace(None) == timedelta(seconds=30)


def test_like_nodes_and_later_passes_cost_nothing() -> None:
    predictions = Predictions()
    like = view("0000:3b:00.0", "0000:3b:00.1")

    assert not predictions.knows(TWO, RDMA, SRIOV)
    first = predictions.of(TWO, RDMA, SRIOV)

    assert predictions.knows(like, RDMA, SRIOV)
    assert predictions.of(like, RDMA, SRIOV) is first


def test_another_node_or_configuration_is_predicted_for_itself() -> None:
    predictions = Predictions()

    first = predictions.of(TWO, RDMA, SRIOV)

    assert predictions.of(ONE, RDMA, SRIOV) != first
    assert predictions.of(TWO, RDMA, None) != first


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    predictions = Predictions(most_kept=2)
    fleet = [view(f"0000:{bus:02x}:00.0") for bus in range(6)]
    usual = predictions.of(ONE, RDMA, None)

    for node in fleet:
        predictions.of(node, RDMA, None)
        assert predictions.of(ONE, RDMA, None) is usual  # asked for in each pass, so it is kept

    assert sum(predictions.knows(node, RDMA, None) for node in fleet) <= 3
