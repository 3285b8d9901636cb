"""What a node should offer, small enough to be kept for every node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """What a plugin goes by to take or leave a function: its selectors, then its own rules."""

    VENDOR = "vendor ID"
    DEVICE = "device ID"
    DRIVER = "driver"
    ADDRESS = "address"
    ACPI_INDEX = "ACPI index"
    INTERFACE = "interface"
    PF_NAME = "PF"
    PF_ADDRESS = "PF address"
    VF_INDEX = "VF index"
    LINK_TYPE = "link type"
    DDP_PROFILE = "DDP profile"
    PKEY = "P_Key"
    IS_RDMA = "RDMA"
    VDPA = "vDPA"
    NO_DRIVER = "no driver"
    RDMA_DEVICE = "RDMA device"
    CHAR_DEVICES = "character devices"
    EXCLUSIVE_MODE = "exclusive mode"
    VFS_CONFIGURED = "VFs configured"
    TAKEN = "taken"
    DEFAULT_ROUTE = "default route"


UNUSABLE: Final = frozenset({Step.CHAR_DEVICES, Step.EXCLUSIVE_MODE})
"""The selectors take functions, and how the node's driver is loaded keeps the plugin from offering them."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a resource gets nothing of a node: the step at which the last functions fell out."""

    step: Step
    functions: int
    """How many had passed every step before."""
    wanted: tuple[str, ...] = ()
    """The selector's values."""
    found: tuple[str, ...] = ()
    """What these functions have instead: a few values, sorted."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One resource on one node."""

    functions: int = 0
    """Functions that it gets."""
    units: int = 0
    """Units that the node's allocatable should have at least."""
    uncertain: int = 0
    """Functions that it may get besides: what decides is not in the inventory."""
    zero_guids: int = 0
    """InfiniBand VFs among its functions whose GUID is zero."""
    miss: Miss | None = None
    """Why it gets none, when it surely gets none."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Functions that both plugins offer, each for itself."""

    rdma: str
    sriov: str
    functions: int
    first: str
    """Address of one of them."""


Resources = Mapping[str, Prediction | None]
"""By resource, in the order of the configuration; None: not to be told from an inventory."""


@dataclass(frozen=True, slots=True)
class NodePrediction:
    """All resources of both plugins on one node."""

    rdma: Resources = field(default_factory=dict)
    sriov: Resources = field(default_factory=dict)
    overlaps: tuple[Overlap, ...] = ()
