"""Device ids of vendor 15b3: which card it is, and whether the driver stack supports it.

Our own table: no pci.ids is needed, and upstream's lists disagree. Supported is what upstream's README says: ConnectX-5
and newer, except ConnectX-6 Lx. Sources: pci.ids, the id table of mlx5_core, the sheet of node facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Model:
    """One marketing model."""

    name: str
    """"ConnectX-6 Dx"."""
    generation: str
    """"connectx-6-dx"."""
    supported: bool = True
    unsupported_reason: str | None = None


def _unsupported(name: str, generation: str, why: str) -> Model:
    return Model(name, generation, supported=False, unsupported_reason=f"{name} is not supported: {why}")


_TOO_OLD: Final = "ConnectX-5 or newer is needed"

_CONNECTX_4: Final = _unsupported("ConnectX-4", "connectx-4", _TOO_OLD)
_CONNECTX_4_LX: Final = _unsupported("ConnectX-4 Lx", "connectx-4-lx", _TOO_OLD)
_CONNECTX_5: Final = Model("ConnectX-5", "connectx-5")
_CONNECTX_5_EX: Final = Model("ConnectX-5 Ex", "connectx-5-ex")
_CONNECTX_6: Final = Model("ConnectX-6", "connectx-6")
_BLUEFIELD: Final = Model("BlueField", "bluefield")

NETWORK_MODELS: Final[Mapping[int, Model]] = MappingProxyType(
    {
        0x1013: _CONNECTX_4,
        0x1014: _CONNECTX_4,
        0x1015: _CONNECTX_4_LX,
        0x1016: _CONNECTX_4_LX,
        0x1017: _CONNECTX_5,
        0x1018: _CONNECTX_5,
        0x1019: _CONNECTX_5_EX,
        0x101A: _CONNECTX_5_EX,
        0x101B: _CONNECTX_6,
        0x101C: _CONNECTX_6,
        0x101D: Model("ConnectX-6 Dx", "connectx-6-dx"),
        0x101F: _unsupported("ConnectX-6 Lx", "connectx-6-lx", "use ConnectX-6, ConnectX-6 Dx or newer"),
        0x1021: Model("ConnectX-7", "connectx-7"),
        0x1023: Model("ConnectX-8", "connectx-8"),
        0x1025: Model("ConnectX-9", "connectx-9"),
        0x1027: Model("ConnectX-10", "connectx-10"),
        0x2101: Model("ConnectX-10 NVLink-C2C", "connectx-10"),
        0xA2D2: _BLUEFIELD,
        0xA2D3: _BLUEFIELD,
        0xA2D6: Model("BlueField-2", "bluefield-2"),
        0xA2D9: Model("BlueField-3 Lx", "bluefield-3-lx"),
        0xA2DC: Model("BlueField-3", "bluefield-3"),
        0xA2DF: Model("BlueField-4", "bluefield-4"),
    }
)
"""Network functions by device id. The shared VF id is not here: its model is that of the PF."""

SHARED_VF: Final = 0x101E
"""The VFs of every generation from ConnectX-6 Dx on."""

VF_IDS: Final = frozenset({0x1014, 0x1016, 0x1018, 0x101A, 0x101C, SHARED_VF, 0xA2D3})

_RECOVERING: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x020D: "ConnectX-5",
        0x020F: "ConnectX-6",
        0x0210: "ConnectX-6",
        0x0211: "BlueField",
        0x0212: "ConnectX-6 Dx",
        0x0213: "ConnectX-6 Dx",
        0x0214: "BlueField-2",
        0x0215: "BlueField-2",
        0x0216: "ConnectX-6 Lx",
        0x0217: "ConnectX-6 Lx",
        0x0218: "ConnectX-7",
        0x0219: "ConnectX-7",
        0x021A: "BlueField-3 Lx",
        0x021B: "BlueField-3 Lx",
        0x021C: "BlueField-3",
        0x021D: "BlueField-3",
        0x021E: "ConnectX-8",
        0x021F: "ConnectX-8",
        0x0220: "BlueField-4",
        0x0221: "BlueField-4",
        0x0222: "PCIe switch",
        0x0223: "PCIe switch",
        0x0224: "ConnectX-9",
        0x0225: "ConnectX-9",
        0x0226: "ConnectX-10",
        0x0227: "ConnectX-10",
        0x0228: "PCIe switch",
        0x0229: "PCIe switch",
    }
)
_RECOVERY_IDS: Final = range(0x0209, 0x0229 + 1)
_SOC_MANAGEMENT: Final[Mapping[int, str]] = MappingProxyType(
    {
        0xC2D1: "BlueField auxiliary channel",
        0xC2D2: "BlueField management interface",
        0xC2D3: "BlueField-2 management interface",
        0xC2D4: "BlueField-3 Lx management interface",
        0xC2D5: "BlueField-3 management interface",
        0xC2D6: "BlueField-4 management interface",
    }
)


def network_model(device: int | None) -> Model | None:
    """The model of a network function; None for the shared VF id and for what is not in the table."""
    return NETWORK_MODELS.get(device) if device is not None else None


def in_recovery(device: int) -> bool:
    """Whether a card with this id runs its recovery firmware: flash recovery, secure recovery or RMA mode."""
    return device in _RECOVERY_IDS


def other_model(device: int) -> str:
    """What a device of vendor 15b3 is that is not a network function; its id in hex where the table does not know."""
    if in_recovery(device):
        return f"{_RECOVERING.get(device, 'card')} in recovery mode"
    return _SOC_MANAGEMENT.get(device, f"device {device:04x}")
