"""Which labels a Node shall carry, and what has to be written for it. Pure.

Keys and values are those of Node Feature Discovery (NFD), so that policies written for it keep selecting the same
nodes. A boolean label is "true" or absent, never "false".

The rule of absence: a label goes away only because a live agent of that node reported the thing gone. A node whose
agent has not reported to this coordinator keeps what it has.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from coordinator.nodes import KubeNode
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

_NEVER_FOLDED: Final = frozenset({"kube-controller-manager", "kubelet"})


class Mode(StrEnum):
    """REPLACE: nicfleet owns the labels. SUPPLEMENT: NFD runs here too; only what it does not provide is added."""

    REPLACE = "replace"
    SUPPLEMENT = "supplement"


class Wait(Enum):
    """What `network.nvidia.com/operator.mofed.wait` shall be. KEEP: as it is, nothing is known."""

    TRUE = "true"
    FALSE = "false"
    ABSENT = "absent"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class HardwareLabels:
    """The valid labels that an inventory justifies, and one finding for each that the API server would refuse."""

    values: Mapping[str, str]
    invalid: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """`labels`: what our field manager shall own. `gone`: listed keys that shall leave the Node, whoever set them."""

    labels: Mapping[str, str]
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LabelChange:
    """One server-side apply under `nicfleet-labels`.

    `labels` is the whole set to apply. `fold` maps keys to the managers whose ownership must first be folded into
    ours, because dropping a key removes it only while we are its sole owner.
    """

    labels: Mapping[str, str]
    fold: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...] = ()


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


def wanted(node: KubeNode, reported: Mapping[str, str] | None, mode: Mode, wait: Wait) -> Wanted:
    """The labels that nicfleet shall own on this Node.

    `reported` are the hardware labels of the agent's latest report (`Facts.labels`); None when no agent has reported
    since this coordinator started.
    """
    if reported is None:
        labels = {key: value for key, value in node.labels.items() if key in node.owned and key != names.WAIT_LABEL}
        gone: set[str] = set()
    else:
        labels = dict(reported) if mode is Mode.REPLACE else dict(_supplement(node, reported))
        gone = {key for key in hardware_of(node) if key not in reported}
    if wait in (Wait.TRUE, Wait.FALSE):
        labels[names.WAIT_LABEL] = wait.value
    elif wait is Wait.KEEP and names.WAIT_LABEL in node.owned and names.WAIT_LABEL in node.labels:
        labels[names.WAIT_LABEL] = node.labels[names.WAIT_LABEL]
    elif wait is Wait.ABSENT and names.WAIT_LABEL in node.labels:
        gone.add(names.WAIT_LABEL)
    return Wanted(labels, frozenset(gone))


def hardware_of(node: KubeNode) -> dict[str, str]:
    """The labels on nicfleet's list that the Node carries now, whoever set them, without the wait label."""
    return {k: v for k, v in node.labels.items() if names.may_be_written(k) and k != names.WAIT_LABEL}


def patch(node: KubeNode, target: Wanted, mode: Mode) -> LabelChange | None:
    """What to write so that the Node carries `target`; None when it does already and we own exactly those keys."""
    fold = _to_fold(node, target) if mode is Mode.REPLACE else {}
    in_step = node.owned == target.labels.keys() and all(
        node.labels.get(key) == value for key, value in target.labels.items()
    )
    if in_step and not fold:
        return None
    return LabelChange(target.labels, fold, _not_from_nfd(node, target) if mode is Mode.SUPPLEMENT else ())


def carried(node: KubeNode, target: Wanted, mode: Mode) -> dict[str, str]:
    """All labels of the Node once `target` is written."""
    let_go = target.gone | (node.owned - target.labels.keys())
    folded = _to_fold(node, target) if mode is Mode.REPLACE else {}
    gone = {key for key in let_go if set(node.others.get(key, ())) <= set(folded.get(key, ()))}
    return {key: value for key, value in node.labels.items() if key not in gone} | dict(target.labels)


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


def _supplement(node: KubeNode, reported: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The reported labels that are ours to write beside NFD, or beside whoever else set them before us."""
    for key, value in reported.items():
        ours = key in node.owned
        if key in node.nfd_keys:
            # NFD enters a key in its annotation even when the label was ours with the same value. Then nobody but us
            # owns it: to let go would remove it until NFD's next pass, up to an hour later.
            if ours and key in node.labels and not node.others.get(key):
                yield key, node.labels[key]
        elif ours or key not in node.labels or key.startswith(names.OWN):
            yield key, value


def _to_fold(node: KubeNode, target: Wanted) -> dict[str, tuple[str, ...]]:
    fold = {}
    for key in sorted(target.gone):
        managers = tuple(sorted(set(node.others.get(key, ())) - _NEVER_FOLDED))
        if managers:
            fold[key] = managers
    return fold


def _not_from_nfd(node: KubeNode, target: Wanted) -> tuple[Finding, ...]:
    added = sorted(key for key in target.labels if key.startswith(names.NFD) and key not in node.labels)
    if not added:
        return ()
    message = f"NFD does not provide {', '.join(added)}; nicfleet adds what is missing"
    return (Finding(Reason.LabelNotProvidedByNfd, message),)
