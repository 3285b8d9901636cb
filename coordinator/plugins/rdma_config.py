"""The RDMA shared device plugin's configuration: text to values, or what is wrong with it.

Refused is what the plugin ends at, and what upstream's webhook refuses without a reason to take it.
"""

import re
from dataclasses import dataclass
from typing import Final

from coordinator.plugins import reading, values
from coordinator.plugins.reading import Fields, shown
from coordinator.policy import InvalidSpec

FIELD: Final = "spec.rdmaSharedDevicePlugin.config"

_PREFIX: Final = "rdma"
_INTERVAL: Final = 60
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_]{0,61}[A-Za-z0-9])?")
_SELECTORS: Final = ("vendors", "deviceIDs", "drivers", "ifNames", "linkTypes")
_KEYS: Final = ("resourceName", "resourcePrefix", "rdmaHcaMax", "devices", "selectors")


@dataclass(frozen=True, slots=True)
class RdmaResource:
    """One resource. A selector without values selects everything."""

    name: str
    """With its prefix, as a Node lists it: "rdma/hca_shared"."""
    units: int
    """How many units a node offers, whatever the number of its devices, if it has one."""
    vendors: tuple[str, ...] = ()
    device_ids: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    if_names: tuple[str, ...] = ()
    link_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RdmaConfig:
    resources: tuple[RdmaResource, ...]
    interval: int = _INTERVAL
    """Seconds between two looks at the devices; 0: only at the start."""


def parse(text: str) -> RdmaConfig:
    """Raises InvalidSpec for the first mistake."""
    return reading.parsed(FIELD, text, _config)


def problems(text: str) -> tuple[InvalidSpec, ...]:
    """Every mistake, in the order of the text."""
    return reading.problems(FIELD, text, _config)


def cautions(text: str) -> tuple[str, ...]:
    """What the plugin takes and makes nothing of, one sentence each."""
    return reading.caveats(FIELD, text, _config)


def _config(top: Fields) -> RdmaConfig:
    interval = top.get("periodicUpdateInterval")
    seconds = _INTERVAL if interval is None else interval.count()
    listed = top.required("configList", "a list with one resource")
    entries = (listed.items() if listed is not None else None) or ()
    if listed is not None and listed.raw == []:
        listed.refuse("is empty", "add a resource, or take the plugin out of the policy")
    resources: dict[str, RdmaResource] = {}
    for value in entries:
        entry = value.fields()
        resource = None if entry is None else _resource(entry)
        if resource is None:
            continue
        bare = resource.name.rpartition("/")[2]
        if bare in resources:
            value.refuse(f"has the resourceName {shown(bare)} of an earlier entry", "give each its own")
        resources.setdefault(bare, resource)
    return RdmaConfig(tuple(resources.values()), _INTERVAL if seconds is None else seconds)


def _resource(entry: Fields) -> RdmaResource | None:
    name = values.resource_name(entry, _NAME, "letters, digits and _", "rdma_shared_device_a")
    prefix = values.resource_prefix(entry, _PREFIX)
    most = entry.required("rdmaHcaMax", "63")
    units = most.count() if most is not None else None
    entry.caution_misplaced(_SELECTORS, _KEYS)
    devices, chosen = _choice(entry)
    if name is None or prefix is None or units is None:
        return None
    return RdmaResource(
        name=f"{prefix}/{name}",
        units=units,
        vendors=chosen.get("vendors", ()),
        device_ids=chosen.get("deviceIDs", ()),
        drivers=chosen.get("drivers", ()),
        if_names=chosen.get("ifNames", ()) or devices,
        link_types=chosen.get("linkTypes", ()),
    )


def _choice(entry: Fields) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The old way to choose, `devices`, and the new one. The plugin ends at both, and at neither."""
    mistakes = entry.place.reading.problems
    before = len(mistakes)
    devices = entry.texts("devices")
    given = entry.get("selectors")
    selectors = given.fields() if given is not None else None
    chosen = {} if selectors is None else _selectors(selectors)
    if devices and any(chosen.values()):
        entry.place.refuse("has both devices and selectors", "move the names in devices to selectors.ifNames")
    elif not devices and not any(chosen.values()) and len(mistakes) == before:
        entry.place.refuse("selects nothing", f"give selectors with one of {', '.join(_SELECTORS)}")
    return devices, chosen


def _selectors(selectors: Fields) -> dict[str, tuple[str, ...]]:
    selectors.refuse_others(_SELECTORS)
    values.caution_ids(selectors, "vendors", "vendor", "ifNames")
    values.caution_ids(selectors, "deviceIDs", "device", "ifNames")
    values.caution_link_types(selectors)
    return {key: selectors.texts(key) for key in _SELECTORS}
