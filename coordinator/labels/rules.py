"""Which labels a Node shall carry, and what has to be written for it. Pure.

The rule of absence: a label goes away only because a live agent of that node reported the thing gone. A node whose
agent has not reported to this coordinator keeps what it has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from coordinator.nodes import KubeNode
from nicfleet import names
from nicfleet.reasons import Finding, Reason

_NEVER_FOLDED: Final = frozenset({"kube-controller-manager", "kubelet"})


class Mode(StrEnum):
    """REPLACE: nicfleet owns the labels. SUPPLEMENT: NFD runs here too; only what it does not provide is added."""

    REPLACE = "replace"
    SUPPLEMENT = "supplement"


class Wait(Enum):
    """What a wait label shall be. KEEP: as it is, nothing is known. LEAVE: whatever somebody else makes of it."""

    TRUE = "true"
    FALSE = "false"
    ABSENT = "absent"
    KEEP = "keep"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`labels`: what our field manager shall own. `gone`: listed keys that shall leave the Node, whoever set them.

    `released`: keys of ours that shall stay as they are and be nobody's, for somebody else to take.
    """

    labels: Mapping[str, str]
    gone: frozenset[str] = frozenset()
    released: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LabelChange:
    """One server-side apply under `nicfleet-labels`.

    `labels` is the whole set to apply. `fold` maps keys to the managers whose ownership must first be folded into
    ours, because dropping a key removes it only while we are its sole owner. For the same reason our ownership of the
    keys that are `released` must first be given up.
    """

    labels: Mapping[str, str]
    fold: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...] = ()
    released: frozenset[str] = frozenset()


def wanted(node: KubeNode, reported: Mapping[str, str] | None, mode: Mode, waits: Mapping[str, Wait]) -> Wanted:
    """The labels that nicfleet shall own on this Node.

    `reported` are the hardware labels of the agent's latest report (`Facts.labels`); None when no agent has reported
    since this coordinator started. `waits` has the wait labels by key; one that it lacks is kept.
    """
    if reported is None:
        labels = {key: value for key, value in node.labels.items() if key in node.owned - names.WAIT_LABELS}
        gone: set[str] = set()
    else:
        labels = dict(reported) if mode is Mode.REPLACE else dict(_supplement(node, reported))
        gone = {key for key in hardware_of(node) if key not in reported}
    released: set[str] = set()
    for key in sorted(names.WAIT_LABELS):
        wait, ours = waits.get(key, Wait.KEEP), key in node.owned
        if wait in (Wait.TRUE, Wait.FALSE):
            labels[key] = wait.value
        elif wait is Wait.KEEP and ours and key in node.labels:
            labels[key] = node.labels[key]
        elif wait is Wait.ABSENT and key in node.labels:
            gone.add(key)
        elif wait is Wait.LEAVE and ours:
            released.add(key)
    return Wanted(labels, frozenset(gone), frozenset(released))


def hardware_of(node: KubeNode) -> dict[str, str]:
    """The labels on nicfleet's list that the Node carries now, whoever set them, without the wait labels."""
    return {k: v for k, v in node.labels.items() if names.may_be_written(k) and k not in names.WAIT_LABELS}


def patch(node: KubeNode, target: Wanted, mode: Mode) -> LabelChange | None:
    """What to write so that the Node carries `target`; None when it does already and we own exactly those keys."""
    fold = _to_fold(node, target) if mode is Mode.REPLACE else {}
    in_step = node.owned == target.labels.keys() and all(
        node.labels.get(key) == value for key, value in target.labels.items()
    )
    if in_step and not fold:
        return None
    findings = _not_from_nfd(node, target) if mode is Mode.SUPPLEMENT else ()
    return LabelChange(target.labels, fold, findings, target.released & node.owned)


def carried(node: KubeNode, target: Wanted, mode: Mode) -> dict[str, str]:
    """All labels of the Node once `target` is written."""
    let_go = target.gone | (node.owned - target.labels.keys() - target.released)
    folded = _to_fold(node, target) if mode is Mode.REPLACE else {}
    gone = {key for key in let_go if set(node.others.get(key, ())) <= set(folded.get(key, ()))}
    return {key: value for key, value in node.labels.items() if key not in gone} | dict(target.labels)


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
