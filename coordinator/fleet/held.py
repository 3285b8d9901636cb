"""An inventory as the coordinator keeps it: compressed wire bytes per section, the agent's hashes, and the facts.

As objects it would take a hundred times the memory. It is unpacked on demand.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coordinator.fleet import bounds
from coordinator.fleet.facts import Facts, derive
from nicfleet import wire
from nicfleet.v1 import fleet_pb2, inventory_pb2, view_pb2

_FASTEST: Final = 1
"""zlib level: higher ones cost twice the time for a tenth of the size."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section, packed. `unfolded` is its size in bytes with every VF whole, `functions` counts VFs too."""

    hash: bytes
    packed: bytes
    unfolded: int
    functions: int

    @classmethod
    def of(cls, message: fleet_pb2.Section) -> "Section":
        return cls(
            hash=message.hash,
            packed=zlib.compress(message.SerializeToString(), _FASTEST),
            unfolded=bounds.unfolded_size(message),
            functions=bounds.function_count(message),
        )

    def unpack(self) -> fleet_pb2.Section:
        return fleet_pb2.Section.FromString(zlib.decompress(self.packed))


@dataclass(frozen=True, slots=True)
class Report:
    """A complete inventory, and when it came. `module_use` is a serialised view Inventory with nothing else in it."""

    sections: Mapping[str, Section]
    module_use: bytes
    facts: Facts
    at: datetime

    @classmethod
    def of(cls, sections: Mapping[str, Section], module_use: bytes, at: datetime) -> "Report":
        """Derive the facts. Raises bounds.OutOfBounds when the sections together are too large."""
        bounds.check_inventory(
            size=sum(section.unfolded for section in sections.values()),
            functions=sum(section.functions for section in sections.values()),
        )
        return cls(sections, module_use, derive(wire.from_wire(_assemble(sections, module_use))), at)

    def inventory(self) -> view_pb2.Inventory:
        """The whole inventory, unpacked."""
        return _assemble(self.sections, self.module_use)


@dataclass(frozen=True, slots=True)
class Held:
    """Of the sections that a manifest names: those at hand with that hash, and the names of the others."""

    sections: Mapping[str, Section]
    missing: tuple[str, ...]


def hold(manifest: fleet_pb2.Manifest, *sources: Mapping[str, Section]) -> Held:
    """Look the manifest's sections up in the sources, in order."""
    sections: dict[str, Section] = {}
    missing = []
    for item in manifest.sections:
        candidates = (source[item.name] for source in sources if item.name in source)
        section = next((candidate for candidate in candidates if candidate.hash == item.hash), None)
        if section is None:
            missing.append(item.name)
        else:
            sections[item.name] = section
    return Held(sections, tuple(missing))


def pack_module_use(messages: Iterable[inventory_pb2.ModuleUse]) -> bytes:
    """As bytes: to keep a message would keep the whole update alive that it came in."""
    return view_pb2.Inventory(module_use=messages).SerializeToString()


def _assemble(sections: Mapping[str, Section], module_use: bytes) -> view_pb2.Inventory:
    inventory = wire.from_sections(section.unpack() for section in sections.values())
    inventory.MergeFromString(module_use)
    return inventory
