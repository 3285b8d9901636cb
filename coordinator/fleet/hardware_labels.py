"""The node labels that an inventory justifies. Pure.

Keys and values are those of Node Feature Discovery (NFD), so that policies written for it keep selecting the same
nodes. A boolean label is "true" or absent, never "false".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nicfleet import names
from nicfleet.inventory import Flavour, Inventory
from nicfleet.reasons import Finding, Reason

_TRUE: Final = "true"
_ETHERNET_CLASS: Final = 0x0200
_INFINIBAND_CLASS: Final = 0x0207
_RDMA_MODULES: Final = ("ib_uverbs", "rdma_ucm")

_LABEL_WORD: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_NOT_IN_LABELS: Final = re.compile(r"[^-A-Za-z0-9_.]")
_WORD_RULE: Final = "must be at most 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"
_MOST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class HardwareLabels:
    """The valid labels that an inventory justifies, and one finding for each that the API server would refuse."""

    values: Mapping[str, str]
    invalid: tuple[Finding, ...] = ()


def hardware_labels(inventory: Inventory) -> HardwareLabels:
    """The labels of hardware, operating system and driver; an invalid one is dropped and named, the others stay."""
    values: dict[str, str] = {}
    invalid: list[Finding] = []
    for key, value in _candidates(inventory):
        problem = _problem(key, value)
        if problem is None:
            values[key] = value
        else:
            invalid.append(problem)
    return HardwareLabels(values, tuple(invalid))


def _candidates(inventory: Inventory) -> Iterator[tuple[str, str]]:
    yield from ((key, _TRUE) for key, present in _booleans(inventory) if present)
    node = inventory.node
    if node.os_id is not None:
        yield names.OS_ID_LABEL, node.os_id
    if node.os_version_id is not None:
        yield names.OS_VERSION_LABEL, node.os_version_id
    if node.kernel_release is not None:
        yield names.KERNEL_LABEL, _NOT_IN_LABELS.sub("_", node.kernel_release).strip("-_.")
    driver = inventory.driver
    if driver.flavour is not Flavour.NONE:
        yield names.DRIVER_FLAVOUR_LABEL, driver.flavour.name.lower()
        if driver.version is not None:
            yield names.DRIVER_VERSION_LABEL, driver.version
    generations = {function.generation for function in inventory.all_functions() if function.generation}
    yield from ((names.GENERATION_PREFIX + generation, _TRUE) for generation in sorted(generations))


def _booleans(inventory: Inventory) -> Iterator[tuple[str, bool]]:
    functions = tuple(inventory.all_functions())
    classes = {function.pci_class >> 8 for function in functions if function.pci_class is not None}
    loaded = {module.name for module in inventory.driver.modules if module.state != "BuiltIn"}
    yield names.NIC_LABEL, bool(functions)
    yield names.ETHERNET_LABEL, _ETHERNET_CLASS in classes
    yield names.INFINIBAND_LABEL, _INFINIBAND_CLASS in classes
    # NFD tests here that the attribute exists, and in the network labels that it is above zero.
    yield names.NIC_SRIOV_LABEL, any(function.sriov_total_vfs is not None for function in functions)
    yield names.SRIOV_CAPABLE_LABEL, any(function.sriov_total_vfs for function in functions)
    yield names.SRIOV_CONFIGURED_LABEL, any(function.sriov_num_vfs for function in functions)
    yield names.GPU_LABEL, bool(inventory.node.gpus)
    # Any device of the vendor counts, a BlueField's management function too: NFD's rule, not ours.
    yield names.RDMA_CAPABLE_LABEL, bool(functions or inventory.node.other_devices)
    # Code inside the kernel image is not in /proc/modules, so NFD does not see it.
    yield names.RDMA_AVAILABLE_LABEL, loaded.issuperset(_RDMA_MODULES)


def _problem(key: str, value: str) -> Finding | None:
    """The API server's rules for the name part of a key and for a value (which may be empty)."""
    name = key.rpartition("/")[2]
    if not _LABEL_WORD.fullmatch(name):
        return Finding(Reason.InvalidLabel, f"label {_shown(key)} is left out: the part after '/' {_WORD_RULE}")
    if value and not _LABEL_WORD.fullmatch(value):
        return Finding(Reason.InvalidLabel, f"label {key} is left out: its value {_shown(value)} {_WORD_RULE}")
    return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")
