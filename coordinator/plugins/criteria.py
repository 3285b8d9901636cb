"""A resource's selectors as steps: each takes a function, leaves it, or cannot tell. Compiled once for all nodes."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from coordinator.fleet.plugin_view import DEFAULT_ROUTE, HAS_VFS, RDMA, UMAD, UVERBS, Candidate
from coordinator.plugins.prediction import Step
from coordinator.plugins.rdma_config import RdmaResource
from coordinator.plugins.sriov_config import Selector
from coordinator.plugins.values import is_id

_VENDOR: Final = "15b3"
_NIC_DRIVER: Final = "mlx5_core"
_INFINIBAND: Final = "infiniband"

NONE: Final = "none"
"""How a value is shown that a function does not have."""

Test = Callable[[Candidate], bool | None]
"""Whether a function passes; None: an inventory does not tell."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One step."""

    step: Step
    test: Test
    shown: Callable[[Candidate], str]
    """What a function has that was left."""
    wanted: tuple[str, ...] = ()


def selects_others_only(vendors: tuple[str, ...]) -> bool:
    """The vendors are other ones than the agents look for."""
    return _VENDOR not in vendors and any(map(is_id, vendors))


def rdma_criteria(resource: RdmaResource, *, shared: bool, rdma_cm: bool) -> list[Criterion]:
    """The RDMA shared device plugin: ANDed selectors, and every function must have all character devices."""

    def usable(candidate: Candidate) -> bool:
        return rdma_cm and candidate.traits & UVERBS != 0 and candidate.traits & UMAD != 0

    def missing(candidate: Candidate) -> str:
        present = (rdma_cm, candidate.traits & UVERBS, candidate.traits & UMAD)
        names = ("rdma_cm", "uverbs", "umad")
        return ", ".join(name for name, there in zip(names, present, strict=True) if not there)

    return [
        *_one_of(Step.VENDOR, resource.vendors, lambda _: _VENDOR),
        *_one_of(Step.DEVICE, resource.device_ids, lambda c: c.device),
        *_one_of(Step.DRIVER, resource.drivers, lambda c: c.driver),
        *_one_of(Step.INTERFACE, resource.if_names, lambda c: c.interface),
        *_one_of(Step.LINK_TYPE, resource.link_types, lambda c: c.link_type),
        _BOUND,
        # In exclusive mode the plugin ends at its start.
        Criterion(Step.EXCLUSIVE_MODE, lambda _: shared, _nothing),
        Criterion(Step.RDMA_DEVICE, lambda c: c.traits & RDMA != 0, _nothing),
        Criterion(Step.CHAR_DEVICES, usable, missing),
    ]


def sriov_criteria(selector: Selector) -> list[Criterion]:
    """The SR-IOV device plugin: ANDed selectors, and PFs only as long as they have no VFs."""
    pf_names, root_devices = _pf_entries(selector.pf_names), _pf_entries(selector.root_devices)
    pkeys = frozenset(selector.pkeys)

    def pkey(candidate: Candidate) -> bool | None:
        link_type = _sriov_link_type(candidate)
        if link_type is not None and link_type != _INFINIBAND:
            return False
        return None if candidate.pkey is None or link_type is None else _pkey_text(candidate) in pkeys

    criteria = [
        *_one_of(Step.VENDOR, selector.vendors, lambda _: _VENDOR),
        *_one_of(Step.DEVICE, selector.devices, lambda c: c.device),
        *_one_of(Step.DRIVER, selector.drivers, lambda c: c.driver),
        *_one_of(Step.ADDRESS, selector.pci_addresses, lambda c: c.address),
        *_one_of(Step.ACPI_INDEX, selector.acpi_indexes, lambda _: None),
        *_of_pfs(Step.PF_NAME, pf_names, selector.pf_names, lambda c: c.pf_name),
        *_of_pfs(Step.PF_ADDRESS, root_devices, selector.root_devices, lambda c: c.pf),
        *_one_of(Step.LINK_TYPE, selector.link_types, _sriov_link_type),
        # No card of vendor 15b3 has a DDP profile.
        *_one_of(Step.DDP_PROFILE, selector.ddp_profiles, lambda _: ""),
    ]
    if selector.pkeys:
        criteria.append(Criterion(Step.PKEY, pkey, _pkey_text, selector.pkeys))
    if selector.is_rdma:
        criteria.append(Criterion(Step.IS_RDMA, _has_rdma, lambda c: c.driver or NONE))
    if selector.vdpa_type:
        criteria.append(Criterion(Step.VDPA, lambda _: None, _nothing, (selector.vdpa_type,)))
    return [*criteria, _BOUND, _WITHOUT_VFS, _BESIDE_DEFAULT_ROUTE]


def not_taken(taken: dict[str, tuple[str, bool]]) -> Criterion:
    """The first resource keeps a function. By address: which one has it, and whether that is sure."""

    def free(candidate: Candidate) -> bool | None:
        holder = taken.get(candidate.address)
        return True if holder is None else False if holder[1] else None

    return Criterion(Step.TAKEN, free, lambda c: taken[c.address][0])


def _nothing(_: Candidate) -> str:
    return ""


def _one_of(step: Step, wanted: tuple[str, ...], value: Callable[[Candidate], str | None]) -> Iterable[Criterion]:
    if wanted:
        chosen = frozenset(wanted)

        def test(candidate: Candidate) -> bool | None:
            found = value(candidate)
            return None if found is None else found in chosen

        yield Criterion(step, test, lambda c: value(c) or NONE, wanted)


def _has_rdma(candidate: Candidate) -> bool | None:
    """Without an RDMA device in sight the plugin asks devlink, which knows of one that is switched on or in a pod."""
    if candidate.traits & RDMA:
        return True
    return None if candidate.driver == _NIC_DRIVER else False


def _sriov_link_type(candidate: Candidate) -> str | None:
    """Of the netdev; of the PF's while a VF has none here."""
    return candidate.link_type if candidate.interface else candidate.pf_link_type


def _pkey_text(candidate: Candidate) -> str:
    return NONE if candidate.pkey is None else f"0x{candidate.pkey:04x}"


_BOUND: Final = Criterion(Step.NO_DRIVER, lambda c: c.driver != "", _nothing)
_WITHOUT_VFS: Final = Criterion(
    Step.VFS_CONFIGURED, lambda c: c.traits & HAS_VFS == 0, lambda c: c.interface or c.address
)
_BESIDE_DEFAULT_ROUTE: Final = Criterion(
    # Builds with a netlink library before 1.3 leave such a function out, later ones do not see the route.
    Step.DEFAULT_ROUTE,
    lambda c: None if c.traits & DEFAULT_ROUTE else True,
    lambda c: c.interface,
)


# PFs with ranges of VFs: "ens1f0#0-3,7", "0000:3b:00.0".

_Ranges = tuple[tuple[int, int], ...]
_INDEX: Final = re.compile(r"[+]?[0-9]{1,9}")


def _pf_entries(entries: tuple[str, ...]) -> dict[str, _Ranges | None]:
    """By name whatever its case, the indexes; None: all. Of several entries of one name the first counts."""
    found: dict[str, _Ranges | None] = {}
    for entry in entries:
        name, mark, ranges = entry.partition("#")
        found.setdefault(name.casefold(), _ranges(ranges) if mark else None)
    return found


def _ranges(text: str) -> _Ranges:
    """The ranges up to the first that cannot be read."""
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) > 2 or not all(map(_INDEX.fullmatch, ends)):
            break
        found.append((int(ends[0]), int(ends[-1])))
    return tuple(found)


def _of_pfs(
    step: Step, entries: dict[str, _Ranges | None], wanted: tuple[str, ...], pf: Callable[[Candidate], str | None]
) -> Iterable[Criterion]:
    """VFs of these PFs. A function without a PF is never chosen so."""
    if not entries:
        return

    def by_name(candidate: Candidate) -> bool | None:
        name = pf(candidate)
        return None if name is None else name != "" and name.casefold() in entries

    def by_index(candidate: Candidate) -> bool | None:
        name = pf(candidate)
        ranges = None if name is None else entries[name.casefold()]
        if ranges is None:
            return True
        index = candidate.vf_index
        return None if index is None else any(first <= index <= last for first, last in ranges)

    yield Criterion(step, by_name, lambda c: pf(c) or NONE, wanted)
    if any(ranges is not None for ranges in entries.values()):
        yield Criterion(Step.VF_INDEX, by_index, lambda c: NONE if c.vf_index is None else str(c.vf_index), wanted)
