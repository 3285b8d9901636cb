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


def sentence(miss: Miss) -> str:
    """The reason, in small letters and without a stop."""
    if miss.functions == 0:
        return "no NVIDIA network function is there"
    return _SENTENCES.get(miss.step, _differs)(miss)


def _differs(miss: Miss) -> str:
    """A selector wants something else than there is."""
    has = "has" if miss.functions == 1 else "have"
    text = f"{_functions(miss)} that come{_s(miss)} nearest {has} {miss.step} {_listed(miss.found)}, not"
    text += f" {_listed(miss.wanted)}"
    if miss.step in (Step.VENDOR, Step.DEVICE) and any(map(is_address, miss.wanted)):
        text += " (a PCI address, where an ID belongs)"
    return text


def _pf(miss: Miss) -> str:
    if set(miss.found) <= {NONE}:
        return f"only VFs can be selected by their PF ({_listed(miss.wanted)}), and there are none"
    return _differs(miss)


def _no_driver(miss: Miss) -> str:
    return f"{_functions(miss)} that match{_es(miss)} {_have(miss)} no driver bound"


def _rdma_device(miss: Miss) -> str:
    return f"{_functions(miss)} that match{_es(miss)} {_have(miss)} no RDMA device; is mlx5_ib loaded?"


def _char_devices(miss: Miss) -> str:
    missing = sorted({name for names in miss.found for name in names.split(", ")} - {"…"})
    modules = {"rdma_cm": "rdma_ucm", "umad": "ib_umad", "uverbs": "ib_uverbs"}
    return (
        f"{_functions(miss)} that match{_es(miss)} lack{_s(miss)} the character devices {', '.join(missing)}; "
        f"load {', '.join(modules[name] for name in missing)}"
    )


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
    Step.RDMA_DEVICE: _rdma_device,
    Step.CHAR_DEVICES: _char_devices,
    Step.EXCLUSIVE_MODE: _exclusive_mode,
    Step.VFS_CONFIGURED: _vfs_configured,
    Step.TAKEN: _taken,
    Step.DEFAULT_ROUTE: _default_route,
}


def _functions(miss: Miss) -> str:
    return "the function" if miss.functions == 1 else f"the {miss.functions} functions"


def _have(miss: Miss) -> str:
    return "has" if miss.functions == 1 else "have"


def _s(miss: Miss) -> str:
    return "s" if miss.functions == 1 else ""


def _es(miss: Miss) -> str:
    return "es" if miss.functions == 1 else ""


def _listed(values: tuple[str, ...]) -> str:
    """A few values; those of a user as they can stand in a sentence."""
    told = [value if value == "…" or _PLAIN.fullmatch(value) else shown(value) for value in values[:_MOST_WANTED]]
    return ", ".join([*told, "…"] if len(values) > _MOST_WANTED else told)
