"""A network to its NetworkAttachmentDefinition. Pure: same network, same bytes.

The CNI configuration is built as data and serialised, so that no text of the user's can become anything but a value in
it. Keys, their order and when they are there: the fact sheet of the networks, section 3.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from coordinator.kube.objects import Obj
from coordinator.networks.kinds import DEFAULT_NAMESPACE, KINDS
from coordinator.objects.desired import hashed, owner_reference
from coordinator.policy import InvalidSpec
from coordinator.policy.invalid import caught, refuse
from coordinator.policy.json_text import json_object, json_objects
from coordinator.policy.networks import HostDeviceNetwork, IPoIBNetwork, MacvlanNetwork, Network
from nicfleet.names import STATE_LABEL

NAD: Final = "NetworkAttachmentDefinition"
CNI_VERSION: Final = "0.3.1"

RESOURCE_ANNOTATION: Final = "k8s.v1.cni.cncf.io/resourceName"
RESOURCE_PREFIX: Final = "nvidia.com/"
"""Of every resource that a HostDeviceNetwork can name; written or not."""

_RESOURCE_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_SHOWN: Final = 80


def definition(network: Network) -> Obj:
    """The NAD that a network should have. Raises InvalidSpec with every mistake of the network."""
    refuse(network_problems(network))
    metadata: dict[str, Any] = {
        "name": network.metadata.name,
        "namespace": namespace_of(network),
        "labels": {STATE_LABEL: KINDS[network.kind].state},
        "ownerReferences": [owner_reference(network, controller=True)],
    }
    if isinstance(network, HostDeviceNetwork):
        metadata["annotations"] = {RESOURCE_ANNOTATION: _resource(network)}
    return hashed(
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": NAD,
            "metadata": metadata,
            "spec": {"config": cni_config(network)},
        }
    )


def namespace_of(network: Network) -> str:
    """Of its NAD."""
    return network.spec.network_namespace or DEFAULT_NAMESPACE


def cni_config(network: Network) -> str:
    """The CNI configuration as text: with further plugins a list, else that of the one plugin."""
    head = {"cniVersion": CNI_VERSION, "name": network.metadata.name}
    plugin = {"type": KINDS[network.kind].plugin, **_own(network), "ipam": ipam_of(network)}
    further = _meta_plugins(network)
    return json.dumps(head | ({"plugins": [plugin, *further]} if further else plugin))


def ipam_of(network: Network) -> dict[str, Any]:
    """The `ipam` section; empty when the network has none. Raises InvalidSpec."""
    text = network.spec.ipam or ""
    return json_object("spec.ipam", text) if text.strip() else {}


def network_problems(network: Network) -> tuple[InvalidSpec, ...]:
    """Every mistake of a network."""
    return tuple(_problems(network))


def _own(network: Network) -> dict[str, Any]:
    """The first plugin's keys between `type` and `ipam`. Absent: the plugin has its own default."""
    if isinstance(network, MacvlanNetwork):
        spec = network.spec
        given = {"master": spec.master, "mode": spec.mode, "mtu": spec.mtu}
        return {key: value for key, value in given.items() if value}
    if isinstance(network, IPoIBNetwork):
        return {"master": network.spec.master or ""}
    return {}


def _meta_plugins(network: Network) -> list[dict[str, Any]]:
    text = "" if isinstance(network, IPoIBNetwork) else network.spec.meta_plugins or ""
    if not text.strip():
        return []
    plugins = json_objects("spec.metaPlugins", text)
    for number, plugin in enumerate(plugins, start=1):
        if not (isinstance(plugin.get("type"), str) and plugin["type"]):
            raise InvalidSpec(
                "spec.metaPlugins", f'has no "type" in its item {number}', "name the CNI plugin, as in tuning"
            )
    return plugins


def _resource(network: HostDeviceNetwork) -> str:
    return RESOURCE_PREFIX + (network.spec.resource_name or "").removeprefix(RESOURCE_PREFIX)


def _problems(network: Network) -> Iterator[InvalidSpec]:
    namespace = namespace_of(network)
    if _NAMESPACE.fullmatch(namespace) is None:
        yield InvalidSpec(
            "spec.networkNamespace",
            f"is {namespace[:_LONGEST_SHOWN]!r}, which no namespace is called",
            "use lower-case letters, digits and '-', with a letter or digit at both ends, at most 63",
        )
    if isinstance(network, HostDeviceNetwork):
        yield from _resource_name_problems(network.spec.resource_name or "")
    yield from caught(lambda: ipam_of(network), lambda: _meta_plugins(network))


def _resource_name_problems(name: str) -> Iterator[InvalidSpec]:
    """Upstream's webhook refuses the prefix, which its operator knows."""
    bare = name.removeprefix(RESOURCE_PREFIX)
    if not bare:
        yield InvalidSpec("spec.resourceName", "is missing", "name the device plugin's resource, as in hostdev")
    elif _RESOURCE_NAME.fullmatch(bare) is None:
        yield InvalidSpec(
            "spec.resourceName",
            f"is {name[:_LONGEST_SHOWN]!r}, which no resource is called",
            "use letters, digits, '-', '_' and '.', with a letter or digit at both ends, after nvidia.com/ or alone",
        )
