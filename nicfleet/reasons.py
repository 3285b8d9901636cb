"""Findings: what nicfleet has to tell a person, each with one stable reason.

The same reason stands in conditions, Events, logs and the command line, and `docs/findings/<Reason>.md` says what it
means and what to do. A finding is data, not an exception.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Every reason, in upper camel case as Kubernetes conditions ask for."""

    # All is well; upstream's words.
    ComponentReady = "ComponentReady"
    AllComponentsReady = "AllComponentsReady"
    NotReady = "NotReady"

    # The policy.
    FleetSettling = "FleetSettling"
    InvalidSpec = "InvalidSpec"
    Caveat = "Caveat"
    NotYetKnown = "NotYetKnown"
    VersionNotGlobal = "VersionNotGlobal"
    PolicyConflict = "PolicyConflict"
    PolicyIgnored = "PolicyIgnored"
    NoMatchingNodes = "NoMatchingNodes"
    Removing = "Removing"

    # The API server and the objects on it.
    ApplyFailed = "ApplyFailed"
    NamespaceMissing = "NamespaceMissing"
    ObjectConflict = "ObjectConflict"
    DriftRepaired = "DriftRepaired"
    CrdUnusable = "CrdUnusable"

    # Workloads and their pods.
    RollingOut = "RollingOut"
    ImagePullFailed = "ImagePullFailed"
    ContainerCrashing = "ContainerCrashing"
    ContainerOutOfMemory = "ContainerOutOfMemory"
    PodRefused = "PodRefused"
    NodeExcludedByTaint = "NodeExcludedByTaint"
    DriverPodsOutdated = "DriverPodsOutdated"
    WaitingForDriver = "WaitingForDriver"

    # What the agents see of the driver.
    DriverLoading = "DriverLoading"
    DriverNotLoaded = "DriverNotLoaded"
    DriverVersionDiffers = "DriverVersionDiffers"
    DriverVersionUnchecked = "DriverVersionUnchecked"
    DriverMixed = "DriverMixed"
    DriverHeld = "DriverHeld"
    DriverBuildOutdated = "DriverBuildOutdated"
    CharDevicesMissing = "CharDevicesMissing"
    UnsupportedOperatingSystem = "UnsupportedOperatingSystem"
    ManagementOnNic = "ManagementOnNic"
    NfsRdmaOnNvme = "NfsRdmaOnNvme"
    GpuDirectStale = "GpuDirectStale"

    # What the nodes offer of the device plugins' resources.
    ResourceMissing = "ResourceMissing"
    ResourceUnmatched = "ResourceUnmatched"
    ResourceOverlap = "ResourceOverlap"
    VfGuidZero = "VfGuidZero"

    # Networks.
    NetworkConflict = "NetworkConflict"
    NetworkInUse = "NetworkInUse"
    MasterMissing = "MasterMissing"
    MasterRenamed = "MasterRenamed"
    MasterUnsuitable = "MasterUnsuitable"
    PartitionKeyNotDefault = "PartitionKeyNotDefault"
    NvIpamRecommended = "NvIpamRecommended"

    # Nodes and agents.
    NodeNotReported = "NodeNotReported"
    NodeSilent = "NodeSilent"
    NodeNotReady = "NodeNotReady"
    DuplicateAgent = "DuplicateAgent"
    MalformedReport = "MalformedReport"
    ProtocolUnknown = "ProtocolUnknown"
    IdentityUnproven = "IdentityUnproven"
    IdentityForeign = "IdentityForeign"
    IdentityUnchecked = "IdentityUnchecked"
    ViewForbidden = "ViewForbidden"
    UnsupportedDevice = "UnsupportedDevice"
    DeviceInRecovery = "DeviceInRecovery"
    AttributeUnreadable = "AttributeUnreadable"
    RegistrationDirectoryMissing = "RegistrationDirectoryMissing"
    CniDirectoryMissing = "CniDirectoryMissing"
    NodeLabelsIncomplete = "NodeLabelsIncomplete"
    LabelsRefused = "LabelsRefused"
    InvalidLabel = "InvalidLabel"
    LabelNotProvidedByNfd = "LabelNotProvidedByNfd"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One reason and one sentence; `nodes` are all the nodes behind it, sorted (the sentence may name fewer)."""

    reason: Reason
    message: str
    nodes: tuple[str, ...] = ()

    @classmethod
    def about(cls, reason: Reason, sentence: str, nodes: Iterable[str]) -> Self:
        """A finding whose sentence names its nodes where it says `{nodes}`."""
        everyone = tuple(sorted(nodes))
        return cls(reason, sentence.replace("{nodes}", name_nodes(everyone)), everyone)


MOST_NODES_NAMED = 5


def name_nodes(nodes: Iterable[str]) -> str:
    """At most five node names and a count of the rest: "a, b and 7 more". Deterministic: sorted."""
    names = sorted(nodes)
    shown, rest = names[:MOST_NODES_NAMED], len(names) - MOST_NODES_NAMED
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return ", ".join(shown)


def first_of(sentences: Sequence[str], what: str) -> str:
    """At most five sentences and a count of the rest, which are so many `what`: "a; b; and 7 more taints"."""
    shown, rest = sentences[:MOST_NODES_NAMED], len(sentences) - MOST_NODES_NAMED
    return "; ".join(shown) + (f"; and {rest} more {what}" if rest > 0 else "")


def bounded(text: str, limit: int) -> str:
    """A text of at most `limit` characters; a longer one ends after a word, and says that it is cut."""
    if len(text) <= limit:
        return text
    end = f" … (cut at {limit} characters)"
    room = limit - len(end)
    word = text.rfind(" ", 0, room + 1)
    return text[: word if word > 0 else room].rstrip() + end
