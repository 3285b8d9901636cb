"""Every field that a user can set does something: it changes an object, a verdict, or what is said.

The CRDs are walked leaf by leaf. A base document has every field; one leaf after the other gets another value, and what
the coordinator makes of the document is compared with what it made of the base. Fields that rightly change nothing are
in WITHOUT_EFFECT, with what tells the user so; the list is exact, so that it neither grows nor ages silently.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from coordinator.crd import KINDS
from coordinator.crd import definition as definition_of
from coordinator.labels.wait import DriverRequest
from coordinator.networks.definition import definition
from coordinator.networks.kinds import read
from coordinator.objects.desired import StateObjects
from coordinator.objects.render import Obj, Renderer
from coordinator.objects.served import ServedPolicy
from coordinator.policy import InvalidSpec, NicClusterPolicy, NicNodePolicy
from coordinator.states import STATES
from coordinator.states.cluster import Cluster
from coordinator.verdicts.readiness import Verdict, judge
from coordinator.verdicts.view import NodeView
from coordinator.world import Places, World, plan, state_views
from nicfleet import names
from tests.unit.coordinator.inventories import kube_node
from tests.unit.coordinator.policies import TEMPLATES, rdma_config

Document = dict[str, Any]
Values = tuple[Any, Any]
"""What the base has, and what it is changed to."""

FIRST, SECOND = "first", "second"
GUID = "02:00:00:00:00:00:00:"


def sriov_config(resource: str) -> str:
    return json.dumps({"resourceList": [{"resourceName": resource, "selectors": {"vendors": ["15b3"]}}]})


VALUES: Mapping[str, Values] = {
    "image": ("one", "two"),
    "repository": ("registry.example.com/one", "registry.example.com/two"),
    "version": ("25.07-0.9.7.0-0", "25.10-1.2.8.0-0"),
    "requests{}": ("1", "500m"),
    "limits{}": ("2", "3"),
    "operator": ("In", "NotIn"),
    "matchFields[].key": ("metadata.name", "metadata.namespace"),
    "autoUpgrade": (True, False),
    "waitForCompletion.podSelector": ("app=first", "app=second"),
    "drain.podSelector": ("app=first", "app=second"),
    "rdmaSharedDevicePlugin.config": (rdma_config(FIRST), rdma_config(SECOND)),
    "sriovDevicePlugin.config": (sriov_config(FIRST), sriov_config(SECOND)),
    "multus.config": ('{"name": "first"}', '{"name": "second"}'),
    "pKeyGUIDPoolRangeStart": (f"{GUID}01", f"{GUID}02"),
    "pKeyGUIDPoolRangeEnd": (f"{GUID}F0", f"{GUID}F1"),
    "nicFirmwareStorage.create": (True, False),
    "availableStorageSize": ("1Gi", "2Gi"),
    "ipam": ('{"type": "static"}', '{"type": "dhcp"}'),
    "metaPlugins": ('{"type": "tuning"}', '{"type": "sbr"}'),
}
"""Of fields that cannot have just any value, by the end of their path; the longest end counts."""

CONTAINERS = {"nicConfigurationOperator.configurationDaemon": "nic-configuration-daemon"}
"""Of sections whose state runs another section's container first."""

WITHOUT_EFFECT: Mapping[str, str] = {
    "ofedDriver.upgradePolicy.maxParallelUpgrades": "ofedDriver.upgradePolicy",
    "ofedDriver.upgradePolicy.safeLoad": "ofedDriver.upgradePolicy",
    "ofedDriver.upgradePolicy.waitForCompletion": "ofedDriver.upgradePolicy",
    "ofedDriver.upgradePolicy.drain": "ofedDriver.upgradePolicy",
    "spectrumXOperator.xPlane.containerResources": "spectrumXOperator.xPlane.containerResources",
    "spectrumXOperator.spectrumXConfig": "spectrumXOperator.spectrumXConfig",
    "spectrumXOperator.sriovObjNamespace": "spectrumXOperator.sriovObjNamespace",
    "nvIpam.config": "nvIpam.config",
    "devicePlugin": "devicePlugin",
    "nvPeerDriver": "nvPeerDriver",
    "psp": "psp",
    "labels": "labels",
    "annotations": "annotations",
}
"""Fields whose values do not matter, and the section whose presence is told to the user instead."""


@cache
def spec_schema(kind: str) -> Mapping[str, Any]:
    """The schema of a kind's spec."""
    (crd,) = (definition_of(each) for each in KINDS if each.kind == kind)
    (version,) = crd["spec"]["versions"]
    found: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields that have a value of their own."""
    if "properties" in schema:
        for name, child in schema["properties"].items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    elif "items" in schema:
        yield from leaves(schema["items"], f"{path}[]")
    elif "additionalProperties" in schema:
        yield from leaves(schema["additionalProperties"], f"{path}{{}}")
    else:
        yield path, schema


def values_of(path: str, schema: Mapping[str, Any]) -> Values:
    """Two values of a leaf that the API server takes."""
    component, of_container, _ = path.rpartition(".containerResources[].name")
    if of_container:
        return container_of(component), "unknown"
    fitting = [end for end in VALUES if re.search(rf"(^|\.){re.escape(end)}$", path)]
    if fitting and "tolerations" not in path.lower():
        return VALUES[max(fitting, key=len)]
    if "enum" in schema:
        return schema["enum"][0], schema["enum"][1]
    match schema.get("type"):
        case "boolean":
            return False, True
        case "integer":
            return 3, 4
        case _ if schema.get("x-kubernetes-int-or-string"):
            return "1", "2"
    return FIRST, SECOND


def whole(schema: Mapping[str, Any], path: str = "", empty: str = "nothing") -> Any:
    """A document with every field; lists and maps have one element, but for the lists of the name `empty`."""
    if "properties" in schema:
        children = schema["properties"].items()
        return {name: whole(child, f"{path}.{name}" if path else name, empty) for name, child in children}
    if "items" in schema:
        return [] if path.endswith(empty) else [whole(schema["items"], f"{path}[]", empty)]
    if "additionalProperties" in schema:
        key = "cpu" if path.endswith(("limits", "requests")) else FIRST
        return {key: whole(schema["additionalProperties"], f"{path}{{}}", empty)}
    return values_of(path, schema)[0]


def put(document: Any, path: str, value: Any) -> None:
    """Change the leaf, or remove it with None."""
    first, _, rest = path.partition(".")
    name = first.rstrip("[]{}")
    suffix = first.removeprefix(name)
    if not rest and not suffix:
        document[name] = value
        return
    inner = document[name]
    if suffix:
        (key,) = range(len(inner)) if suffix == "[]" else inner
        if not rest:
            inner[key] = value
            return
        inner = inner[key]
    put(inner, rest, value)


# What the coordinator makes of a document.

NODE = kube_node(
    FIRST,
    labels={
        FIRST: FIRST,
        names.NIC_LABEL: "true",
        names.OS_ID_LABEL: "ubuntu",
        names.OS_VERSION_LABEL: "22.04",
        names.KERNEL_LABEL: "5.15.0-78-generic",
        names.ARCH_LABEL: "amd64",
    },
)
SETTINGS = Cluster(
    "nvidia-network-operator",
    "/opt/cni/bin",
    "/etc/cni/net.d",
    ofed_init_image=None,
    pools=(),
    config_maps={FIRST: {"a": "1"}, SECOND: {"b": "2"}},
)


def render() -> Callable[[str, Mapping[str, object]], tuple[Obj, ...]]:
    """As the coordinator renders; what was rendered before is remembered."""
    renderer, known = Renderer(TEMPLATES), dict[str, tuple[Obj, ...]]()

    def remembering(folder: str, values: Mapping[str, object]) -> tuple[Obj, ...]:
        asked = f"{folder} {values!r}"
        if asked not in known:
            known[asked] = renderer(folder, values)
        return known[asked]

    return remembering


RENDER = render()


class Made(NamedTuple):
    """What became of a policy: objects, the request for a driver, and verdicts, state by state."""

    states: Mapping[str, StateObjects]
    request: DriverRequest | None
    verdicts: tuple[Verdict, ...]


def of_policy(kind: str, spec: Document) -> Made:
    model: type[NicClusterPolicy] | type[NicNodePolicy] = (
        NicClusterPolicy if kind == "NicClusterPolicy" else NicNodePolicy
    )
    policy = model.model_validate({"metadata": {"name": "policy", "uid": "uid"}, "spec": spec}, extra="forbid")
    world = World((ServedPolicy.of(policy),), {NODE.name: NodeView(NODE)}, {})
    (planned,) = plan(world, SETTINGS, RENDER)
    verdicts = tuple(judge(view) for view in state_views(world, planned, {}, Places([NODE])))
    return Made(planned.states, planned.request, verdicts)


@cache
def container_of(component: str) -> str:
    """A container whose resources a component's section can set."""
    if component in CONTAINERS:
        return CONTAINERS[component]
    kind = "NicClusterPolicy"
    made = of_policy(kind, whole(spec_schema(kind), empty="containerResources"))
    (state,) = (each for each in STATES if f"spec.{component}.".startswith(f"{each.field}."))
    pods = (
        obj["spec"]["template"]["spec"] for obj in made.states[state.name].objects if "template" in obj.get("spec", {})
    )
    name: str = next(pods)["containers"][0]["name"]
    return name


def of_network(kind: str, spec: Document) -> object:
    """The NetworkAttachmentDefinition, or why there is none."""
    document = {"kind": kind, "metadata": {"name": "network", "uid": "uid"}, "spec": spec}
    try:
        return definition(read({"apiVersion": "mellanox.com/v1alpha1", **document}))
    except InvalidSpec as problem:
        return str(problem)


MAKE: Mapping[str, Callable[[str, Document], object]] = {
    "NicClusterPolicy": of_policy,
    "NicNodePolicy": of_policy,
    "MacvlanNetwork": of_network,
    "HostDeviceNetwork": of_network,
    "IPoIBNetwork": of_network,
}


def base(kind: str, path: str) -> Document:
    """Every field is set, but for those that would hide what `path` does."""
    spec: Document = json.loads(_whole(kind))
    if path.startswith("global."):
        for section in ("repository", "version", "imagePullSecrets"):
            put(spec, f"secondaryNetwork.cniPlugins.{section}", [] if section == "imagePullSecrets" else None)
    return spec


@cache
def _whole(kind: str) -> str:
    return json.dumps(whole(spec_schema(kind)))


def changes_nothing(kind: str, path: str, schema: Mapping[str, Any]) -> bool:
    before = base(kind, path)
    after = copy.deepcopy(before)
    put(after, path, values_of(path, schema)[1])
    assert after != before, path
    return _made(kind, before) == _made(kind, after)


_known: dict[str, object] = {}


def _made(kind: str, spec: Document) -> object:
    key = kind + json.dumps(spec)
    if key not in _known:
        _known[key] = MAKE[kind](kind, spec)
    return _known[key]


def listed(path: str) -> bool:
    return any(re.match(rf"{re.escape(known)}($|[.\[{{])", path) for known in WITHOUT_EFFECT)


@pytest.mark.parametrize("kind", MAKE)
def test_every_field_does_something_or_is_listed(kind: str) -> None:
    idle = {path for path, schema in leaves(spec_schema(kind)) if changes_nothing(kind, path, schema)}

    assert sorted(path for path in idle if not listed(path)) == []
    assert idle == {path for path, _ in leaves(spec_schema(kind)) if listed(path)}, "the list says too much"


@pytest.mark.parametrize("kind", ["NicClusterPolicy", "NicNodePolicy"])
def test_the_base_is_a_policy_that_works(kind: str) -> None:
    """Or it would hide what its fields do."""
    states = of_policy(kind, base(kind, "")).states
    assert [state.problem for state in states.values() if state.problem] == []
    assert all(state.objects for state in states.values())


@pytest.mark.parametrize("kind", ["NicClusterPolicy", "NicNodePolicy"])
@pytest.mark.parametrize("section", sorted(set(WITHOUT_EFFECT.values())))
def test_a_section_without_effect_is_told(kind: str, section: str) -> None:
    if section.partition(".")[0] not in spec_schema(kind)["properties"]:
        return
    before = base(kind, section)
    after = copy.deepcopy(before)
    put(after, section, None)
    assert _made(kind, before) != _made(kind, after)
