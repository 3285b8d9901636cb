"""The SR-IOV network device plugin's configuration: text to values, or what is wrong with it.

Refused is what the plugin ends at, and what upstream's webhook refuses without a reason to take it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coordinator.plugins import reading, values
from coordinator.plugins.reading import Fields, Value, shown
from coordinator.policy import InvalidSpec

FIELD: Final = "spec.sriovDevicePlugin.config"

DEFAULT_PREFIX: Final = "intel.com"
"""The plugin's own, as its DaemonSet gives it no --resource-prefix."""

_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_]{0,61}[A-Za-z0-9])?")
_KEYS: Final = ("resourceName", "resourcePrefix", "deviceType", "excludeTopology", "selectors", "additionalInfo")
_VDPA_TYPES: Final = ("virtio", "vhost")
_AUX_TYPE: Final = "sf"


class DeviceType(StrEnum):
    NET_DEVICE = "netDevice"
    AUX_NET_DEVICE = "auxNetDevice"
    ACCELERATOR = "accelerator"


_COMMON: Final = ("vendors", "devices", "drivers")
_NET: Final = ("pfNames", "rootDevices", "linkTypes", "acpiIndexes", "isRdma", "needVhostNet")
_SELECTORS: Final[Mapping[DeviceType, tuple[str, ...]]] = {
    DeviceType.NET_DEVICE: (*_COMMON, "pciAddresses", *_NET, "ddpProfiles", "pKeys", "vdpaType"),
    DeviceType.AUX_NET_DEVICE: (*_COMMON, *_NET, "auxTypes"),
    DeviceType.ACCELERATOR: (*_COMMON, "pciAddresses"),
}
_LISTS: Final = (
    *_COMMON, "pciAddresses", "pfNames", "rootDevices", "linkTypes", "acpiIndexes", "ddpProfiles", "pKeys", "auxTypes",
)  # fmt: skip

FUNCTION_RANGES: Final = re.compile(r"\+?\d+(-\+?\d+)?(,\+?\d+(-\+?\d+)?)*")
"""What may follow the # of a PF: indexes and ranges of VFs, "0-3,7"."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One object of `selectors`: what is given must all be so. A list without values selects everything."""

    vendors: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    pci_addresses: tuple[str, ...] = ()
    pf_names: tuple[str, ...] = ()
    root_devices: tuple[str, ...] = ()
    link_types: tuple[str, ...] = ()
    acpi_indexes: tuple[str, ...] = ()
    ddp_profiles: tuple[str, ...] = ()
    pkeys: tuple[str, ...] = ()
    is_rdma: bool = False
    vdpa_type: str = ""


@dataclass(frozen=True, slots=True)
class SriovResource:
    """One resource: the functions that one of its selectors takes, a unit each."""

    name: str
    """With its prefix, as a Node lists it: "nvidia.com/hostdev"."""
    device_type: DeviceType = DeviceType.NET_DEVICE
    selectors: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True)
class SriovConfig:
    """A function goes to the first resource that takes it."""

    resources: tuple[SriovResource, ...]


def parse(text: str) -> SriovConfig:
    """Raises InvalidSpec for the first mistake."""
    return reading.parsed(FIELD, text, _config)


def problems(text: str) -> tuple[InvalidSpec, ...]:
    """Every mistake, in the order of the text."""
    return reading.problems(FIELD, text, _config)


def cautions(text: str) -> tuple[str, ...]:
    """What the plugin takes and makes nothing of, one sentence each."""
    return reading.caveats(FIELD, text, _config)


def _config(top: Fields) -> SriovConfig:
    listed = top.required("resourceList", "a list with one resource")
    entries = (listed.items() if listed is not None else None) or ()
    if listed is not None and listed.raw == []:
        listed.refuse("is empty", "add a resource, or take the plugin out of the policy")
    resources: dict[str, SriovResource] = {}
    for value in entries:
        entry = value.fields()
        resource = None if entry is None else _resource(entry)
        if resource is None:
            continue
        if resource.name in resources:
            value.refuse(f"is a second resource {shown(resource.name)}", "join the selectors of both in one list")
        resources.setdefault(resource.name, resource)
    return SriovConfig(tuple(resources.values()))


def _resource(entry: Fields) -> SriovResource | None:
    name = values.resource_name(entry, _NAME, "letters, digits, _ and -", "sriov_rdma")
    prefix = values.resource_prefix(entry, DEFAULT_PREFIX)
    device_type = _device_type(entry.get("deviceType"))
    topology = entry.get("excludeTopology")
    if topology is not None:
        topology.flag()
    known = _SELECTORS[device_type or DeviceType.NET_DEVICE]
    entry.caution_misplaced(known, _KEYS)
    selectors = entry.required("selectors", '{"vendors": ["15b3"]}')
    if device_type is None:
        return None  # which selectors there are depends on it
    chosen = () if selectors is None else _selectors(selectors, device_type, known)
    return None if name is None or prefix is None else SriovResource(f"{prefix}/{name}", device_type, chosen)


def _device_type(value: Value | None) -> DeviceType | None:
    text = "" if value is None else value.text()
    if value is None or text == "":
        return DeviceType.NET_DEVICE
    if text in list(DeviceType):
        return DeviceType(text)
    if text is not None:
        value.refuse(f"is {shown(text)}", f"use {', '.join(DeviceType)}")
    return None


def _selectors(value: Value, device_type: DeviceType, known: tuple[str, ...]) -> tuple[Selector, ...]:
    """One object, or a list of them."""
    if value.raw == []:
        value.caution("is empty, so the plugin leaves the resource out", "give it a selector")
    if not isinstance(value.raw, list):
        one = value.fields()
        return () if one is None else (_selector(one, device_type, known),)
    several = (item.fields() for item in value.items() or ())
    return tuple(_selector(fields, device_type, known) for fields in several if fields is not None)


def _selector(fields: Fields, device_type: DeviceType, known: tuple[str, ...]) -> Selector:
    if all(fields.get(key) is None for key in known):
        fields.place.refuse("selects nothing", f"give it one of {', '.join(known)}")
    fields.refuse_others(known)
    chosen = {key: fields.texts(key) for key in _LISTS}
    is_rdma, _ = _flag(fields, "isRdma"), _flag(fields, "needVhostNet")
    vdpa = fields.get("vdpaType")
    vdpa_type = (vdpa.text() if vdpa is not None else None) or ""
    if is_rdma and vdpa_type:
        fields.place.refuse("has both isRdma and vdpaType, and the plugin ends at that", "take one of them out")
    if vdpa is not None and vdpa_type and vdpa_type not in _VDPA_TYPES:
        vdpa.caution(f"is {shown(vdpa_type)}, which matches nothing", f"write {' or '.join(_VDPA_TYPES)}")
    if device_type is DeviceType.AUX_NET_DEVICE:
        _check_aux_types(fields, chosen["auxTypes"])
    _caution(fields)
    return Selector(
        vendors=chosen["vendors"],
        devices=chosen["devices"],
        drivers=chosen["drivers"],
        pci_addresses=chosen["pciAddresses"],
        pf_names=chosen["pfNames"],
        root_devices=chosen["rootDevices"],
        link_types=chosen["linkTypes"],
        acpi_indexes=chosen["acpiIndexes"],
        ddp_profiles=chosen["ddpProfiles"],
        pkeys=chosen["pKeys"],
        is_rdma=is_rdma,
        vdpa_type=vdpa_type,
    )


def _flag(fields: Fields, key: str) -> bool:
    value = fields.get(key)
    return bool(value.flag()) if value is not None else False


def _check_aux_types(fields: Fields, types: tuple[str, ...]) -> None:
    """The plugin ends at any other."""
    given = fields.get("auxTypes")
    if given is None or given.raw == []:
        fields.place.refuse("has no auxTypes, which auxNetDevice needs", f'add ["{_AUX_TYPE}"]')
    elif unknown := [text for text in types if text != _AUX_TYPE]:
        given.refuse(f"has {shown(unknown[0])}", f'make it ["{_AUX_TYPE}"], the only one that the plugin knows')


def _caution(fields: Fields) -> None:
    values.caution_ids(fields, "vendors", "vendor", "pciAddresses")
    values.caution_ids(fields, "devices", "device", "pciAddresses")
    values.caution_addresses(fields, "pciAddresses")
    values.caution_link_types(fields)
    _caution_functions(fields, "pfNames")
    _caution_functions(fields, "rootDevices")


def _caution_functions(fields: Fields, key: str) -> None:
    """PFs with VFs, "ens1f0#0-3": what the plugin cannot read, and what it does not come to."""
    seen = set()
    value = fields.get(key)
    for item in value.items() or () if value is not None and isinstance(value.raw, list) else ():
        if not isinstance(item.raw, str):
            continue
        name, mark, ranges = item.raw.partition("#")
        if mark and FUNCTION_RANGES.fullmatch(ranges) is None:
            item.caution(f"is {shown(item.raw)}, of which the plugin cannot read the part after #", "write as #0-3,7")
        if name.casefold() in seen:
            fix = "join the ranges in one value, as #0-1,4-5"
            item.caution(f"names {shown(name)} again, and the plugin goes by the first one", fix)
        seen.add(name.casefold())
