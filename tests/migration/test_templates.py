"""Which pods restart because their template is not upstream's, and by what: the page's list, component by component."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from coordinator.objects.desired import desired
from coordinator.objects.render import Renderer
from nicfleet.names import CONFIG_HASH_ANNOTATION
from tests.chart.helm import ROOT
from tests.migration import upstream
from tests.unit.coordinator.policies import cluster, policy

RECORDED: Final = yaml.safe_load_all((Path(__file__).parent / "upstream-state/templates.yaml").read_text())
POLICY: Final = policy(**next(RECORDED)["spec"])
TEMPLATES: Final = {each["name"]: each["template"] for each in RECORDED}

RESTARTED: Final = {"doca-telemetry-service", "spectrum-x-flowcontroller"}
NEW: Final = {"spectrum-x-lib", "ovs-vswitchd-dropin"}
LEFT_OUT: Final = {"host-cni-bin"}


def ours() -> dict[str, Any]:
    """Our templates for that policy, by the names of their workloads."""
    states = desired(POLICY, cluster(), Renderer(ROOT / "templates"))
    assert [state.problem for state in states.values() if state.problem] == []
    objects = (json.loads(json.dumps(obj)) for state in states.values() for obj in state.objects)
    return {obj["metadata"]["name"]: obj["spec"]["template"] for obj in objects if "template" in obj.get("spec", {})}


def test_every_component_that_the_recorded_cluster_lacks_is_here() -> None:
    assert ours().keys() == TEMPLATES.keys()
    assert not TEMPLATES.keys() & {each["metadata"]["name"] for each in upstream.made()}


@pytest.mark.parametrize("name", sorted(TEMPLATES.keys() - RESTARTED))
def test_what_runs_on_has_upstreams_template(name: str) -> None:
    assert ours()[name] == TEMPLATES[name]


def test_doca_telemetry_has_a_hash_of_its_configuration_more() -> None:
    template = ours()["doca-telemetry-service"]
    assert template["metadata"].pop("annotations").keys() == {CONFIG_HASH_ANNOTATION}
    assert template == TEMPLATES["doca-telemetry-service"]


def test_spectrum_x_has_two_directories_more_and_one_volume_less() -> None:
    mine, theirs = ours()["spectrum-x-flowcontroller"], TEMPLATES["spectrum-x-flowcontroller"]
    assert _without_volumes(mine, NEW) == _without_volumes(theirs, LEFT_OUT)
    assert mine != theirs


def _without_volumes(template: dict[str, Any], names: set[str]) -> dict[str, Any]:
    spec = template["spec"]
    (container,) = spec["containers"]
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] not in names]
    volumes = [volume for volume in spec["volumes"] if volume["name"] not in names]
    assert len(volumes) == len(spec["volumes"]) - len(names)
    return template | {"spec": spec | {"containers": [container | {"volumeMounts": mounts}], "volumes": volumes}}
