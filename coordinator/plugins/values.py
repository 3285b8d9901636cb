"""What both plugins' configurations have in common: the names of resources, and values that can never match."""

import re
from typing import Final

from coordinator.plugins.reading import Fields, Value, shown

LINK_TYPES: Final = ("ether", "infiniband")
"""What the plugins know a netdev's link layer by (netlink's encapsulation type)."""

_ID: Final = re.compile(r"[0-9a-f]{4}")
_ADDRESS: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_SHORT_ADDRESS: Final = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def resource_name(entry: Fields, pattern: re.Pattern[str], letters: str, example: str) -> str | None:
    """The bare name; None after keeping what is wrong with it.

    A plugin ends at a character that it does not know, and the kubelet refuses what is no name of a resource.
    """
    value = entry.required("resourceName", shown(example))
    name = value.text() if value is not None else None
    if value is None or name is None:
        return None
    if pattern.fullmatch(name) is None:
        value.refuse(
            f"is {shown(name)}, which is no name for a resource of this plugin",
            f"use at most 63 {letters}, beginning and ending with a letter or digit",
        )
        return None
    return name


def resource_prefix(entry: Fields, default: str) -> str | None:
    """The prefix; an empty one is the plugin's own, as without the key. None after keeping what is wrong with it."""
    value = entry.get("resourcePrefix")
    if value is None:
        return default
    prefix = value.text()
    if not prefix:
        return default if prefix == "" else None
    if _DOMAIN.fullmatch(prefix) is None:
        value.refuse(f"is {shown(prefix)}, which is no domain", "use a lower-case domain name, such as nvidia.com")
        return None
    return prefix


def caution_ids(selectors: Fields, key: str, kind: str, addresses: str) -> None:
    """PCI IDs that no device has as they are written. `addresses` is the selector that takes what looks like one."""
    for value in _strings(selectors, key):
        plain = value.raw.strip().lower().removeprefix("0x")
        if _ID.fullmatch(value.raw):
            continue
        if is_address(plain):
            value.caution(f"is {shown(value.raw)}, a PCI address and no {kind} ID", f"select addresses by {addresses}")
        elif _ID.fullmatch(plain):
            value.caution(f"is {shown(value.raw)}, which matches nothing", f"write {plain}")
        else:
            value.caution(
                f"is {shown(value.raw)}, which matches nothing",
                f"write the {kind} ID as four hexadecimal digits in lower case",
            )


def caution_addresses(selectors: Fields, key: str) -> None:
    """PCI addresses that no device has as they are written."""
    for value in _strings(selectors, key):
        if _ADDRESS.fullmatch(value.raw):
            continue
        plain = value.raw.strip().lower()
        whole = f"0000:{plain}" if _SHORT_ADDRESS.fullmatch(plain) else plain
        fix = whole if _ADDRESS.fullmatch(whole) else "the whole address in lower case, as 0000:3b:00.2"
        value.caution(f"is {shown(value.raw)}, which matches nothing", f"write {fix}")


def caution_link_types(selectors: Fields) -> None:
    for value in _strings(selectors, "linkTypes"):
        if value.raw not in LINK_TYPES:
            value.caution(f"is {shown(value.raw)}, which matches nothing", f"write {' or '.join(LINK_TYPES)}")


def is_id(text: str) -> bool:
    """Text is a PCI ID as the plugins have it."""
    return _ID.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Text is meant as a PCI address, whole or without its domain."""
    plain = text.lower()
    return _ADDRESS.fullmatch(plain) is not None or _SHORT_ADDRESS.fullmatch(plain) is not None


def _strings(selectors: Fields, key: str) -> tuple[Value, ...]:
    """The strings of a list without judging the rest: that is done where the list is read."""
    value = selectors.get(key)
    if value is None or not isinstance(value.raw, list):
        return ()
    return tuple(item for item in value.items() or () if isinstance(item.raw, str) and item.raw)
