"""Networks as the API server gives them, for the rules' tables."""

from typing import Any

from coordinator.networks.kinds import read
from coordinator.policy.networks import Network


def document(kind: str = "MacvlanNetwork", name: str = "net", created: int = 0, **spec: Any) -> dict[str, Any]:
    """`created` is a second of the day."""
    return {
        "apiVersion": "mellanox.com/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "uid": f"uid-{kind}-{name}",
            "generation": 1,
            "creationTimestamp": f"2026-11-27T00:00:{created:02d}Z",
        },
        "spec": spec,
    }


def network(kind: str = "MacvlanNetwork", name: str = "net", **spec: Any) -> Network:
    return read(document(kind, name, **spec))


def macvlan(**spec: Any) -> Network:
    return network("MacvlanNetwork", **spec)


def host_device(**spec: Any) -> Network:
    return network("HostDeviceNetwork", **{"resourceName": "hostdev", **spec})


def ipoib(**spec: Any) -> Network:
    return network("IPoIBNetwork", **spec)
