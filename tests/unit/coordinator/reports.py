"""Messages of an agent, made from an inventory as the agent makes them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from coordinator.fleet.identity import Identity
from nicfleet import wire
from nicfleet.inventory import Inventory, NodeName
from nicfleet.v1 import fleet_pb2

AGENT_VERSION = "0.1.0"


def identity(node: str = "worker-1", instance: str = "instance-1", boot: str = "boot-1", started: int = 0) -> Identity:
    at = datetime(2026, 1, 1, 0, 0, started, tzinfo=UTC)
    return Identity(NodeName(node), instance, boot, at, AGENT_VERSION)


def hello(value: Inventory, who: Identity) -> fleet_pb2.Hello:
    message = fleet_pb2.Hello(
        protocol=1,
        node_name=who.node,
        boot_id=who.boot_id,
        instance_id=who.instance_id,
        agent_version=who.agent_version,
        manifest=manifest(value),
    )
    message.started.FromDatetime(who.started)
    return message


def manifest(value: Inventory) -> fleet_pb2.Manifest:
    return wire.sections(value, AGENT_VERSION).manifest()


def update(value: Inventory, names: Iterable[str] | None = None, sequence: int = 1) -> fleet_pb2.Update:
    """An Update with the sections named; all when None."""
    parts = wire.sections(value, AGENT_VERSION).by_name
    sent = parts if names is None else names
    return fleet_pb2.Update(
        sequence=sequence,
        manifest=manifest(value),
        sections=(parts[name] for name in sent),
        module_use=wire.to_wire(value).module_use,
    )
