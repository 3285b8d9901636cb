"""Why a resource gets nothing of a node, in words. Without the node's name: nodes with the same go together."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from coordinator.plugins.criteria import NONE
from coordinator.plugins.prediction import Miss, Step
from coordinator.plugins.reading import shown
from coordinator.plugins.values import is_address

_MOST_WANTED: Final = 3
_PLAIN: Final = re.compile(r"[\w.:#,+@/-]{1,60}", re.ASCII)

_MODULES: Final = {"rdma_cm": "rdma_ucm", "umad": "ib_umad", "uverbs": "ib_uverbs"}
"""What makes which character device."""


def sentence(miss: Miss) -> str:
    """The reason, in small letters and without a stop."""
    if miss.functions == 0:
        return "no NVIDIA network function is there"
    return _SENTENCES.get(miss.step, _differs)(miss)


def _differs(miss: Miss) -> str:
    """A selector wants something else than there is."""
    text = f"{_nearest(miss)} {miss.step} {_listed(miss.found)}, not {_listed(miss.wanted)}"
    if miss.step in (Step.VENDOR, Step.DEVICE) and any(map(is_address, miss.wanted)):
        text += " (a PCI address, where an ID belongs)"
    return text


def _pf(miss: Miss) -> str:
    if set(miss.found) <= {NONE}:
        return f"only VFs can be selected by their PF ({_listed(miss.wanted)}), and there are none"
    return _differs(miss)


def _is_rdma(miss: Miss) -> str:
    return f"{_nearest(miss)} no RDMA device with driver {_listed(miss.found)}"


def _no_driver(miss: Miss) -> str:
    return f"{_matching(miss, 'has', 'have')} no driver bound"


def _rdma_device(miss: Miss) -> str:
    return f"{_matching(miss, 'has', 'have')} no RDMA device; is mlx5_ib loaded?"


def _char_devices(miss: Miss) -> str:
    missing = sorted({name for names in miss.found for name in names.split(", ")} - {"…"})
    lacking = f"{_matching(miss, 'lacks', 'lack')} the character devices {', '.join(missing)}"
    return f"{lacking}; load {', '.join(_MODULES[name] for name in missing)}"


def _exclusive_mode(miss: Miss) -> str:
    return "the RDMA subsystem is in exclusive mode, at which this plugin ends; rdma system set netns shared"


def _vfs_configured(miss: Miss) -> str:
    return f"only PFs match ({_listed(miss.found)}), and the plugin leaves a PF to its VFs once it has some"


def _taken(miss: Miss) -> str:
    return f"all that match go to {_listed(miss.found)}, which is listed earlier"


def _default_route(miss: Miss) -> str:
    return f"what matches carries the default route ({_listed(miss.found)}), and the plugin may leave that out"


_SENTENCES: Final[Mapping[Step, Callable[[Miss], str]]] = {
    Step.PF_NAME: _pf,
    Step.PF_ADDRESS: _pf,
    Step.NO_DRIVER: _no_driver,
    Step.IS_RDMA: _is_rdma,
    Step.RDMA_DEVICE: _rdma_device,
    Step.CHAR_DEVICES: _char_devices,
    Step.EXCLUSIVE_MODE: _exclusive_mode,
    Step.VFS_CONFIGURED: _vfs_configured,
    Step.TAKEN: _taken,
    Step.DEFAULT_ROUTE: _default_route,
}


def _nearest(miss: Miss) -> str:
    if miss.functions == 1:
        return "the function that comes nearest has"
    return f"the {miss.functions} functions that come nearest have"


def _matching(miss: Miss, verb: str, plural: str) -> str:
    if miss.functions == 1:
        return f"the function that matches {verb}"
    return f"the {miss.functions} functions that match {plural}"


def _listed(values: tuple[str, ...]) -> str:
    """A few values; those of a user as they can stand in a sentence."""
    told = [value if value == "…" or _PLAIN.fullmatch(value) else shown(value) for value in values[:_MOST_WANTED]]
    return ", ".join([*told, "…"] if len(values) > _MOST_WANTED else told)
