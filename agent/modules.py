"""Kernel modules of the RDMA stack, from /sys/module (Documentation/ABI/testing/sysfs-module).

Built-in code has a folder there only if it has parameters or a version; `initstate` and `taint` are absent then. The
kernel itself answers for them, so that any errno but ENOENT is a failure: "no value" would pass for inbox or built in.
"""

from collections.abc import Iterable
from typing import Final

from agent.reader import ABSENT, Reader
from nicfleet.inventory import Flavour, Module, ModuleUse

FOLDER: Final = "sys/module"

CORE: Final = "ib_core"
NIC: Final = "mlx5_core"
COMPAT: Final = "mlx_compat"
PEERMEM: Final = "nvidia_peermem"

STACK: Final = frozenset(
    {
        *(NIC, "mlx5_ib", "mlx5_vdpa", "mlx5_fwctl", "mlx5_dpll"),
        *(CORE, "ib_uverbs", "ib_umad", "ib_cm", "iw_cm", "rdma_cm", "rdma_ucm", "ib_ipoib"),
    }
)
"""What an installed OFED or DOCA-OFED replaces as a whole: where some are its own and some are not, nothing works."""

_HELPERS: Final = frozenset({COMPAT, "mlxfw", "mlxdevm"})
_STORAGE: Final = frozenset(
    {"ib_iser", "ib_isert", "ib_srp", "ib_srpt", "nvme_rdma", "nvmet_rdma", "rpcrdma", "xprtrdma"}
)
_THIRD_PARTY: Final = frozenset(
    {
        *("bnxt_re", "efa", "erdma", "hfi1", "hns_roce", "ib_qib", "ionic_rdma", "irdma", "iw_cxgb4", "mana_ib"),
        *("ocrdma", "qedr", "rdma_rxe", "siw", "vmw_pvrdma"),
    }
)
_LISTED: Final = STACK | _HELPERS | _STORAGE | _THIRD_PARTY | {PEERMEM}

_STATES: Final = {"live": "Live", "coming": "Loading", "going": "Unloading"}
BUILT_IN: Final = "BuiltIn"


def modules(reader: Reader) -> tuple[tuple[Module, ...], tuple[ModuleUse, ...]]:
    """The modules of the stack that are loaded, those that use one of them, and nvidia_peermem; with their use."""
    present = frozenset(reader.entries(FOLDER))
    uses: dict[str, ModuleUse] = {}
    todo = sorted(_LISTED & present)
    while todo:
        name = todo.pop()
        if name not in uses:
            uses[name] = _use(reader, name)
            todo += [holder for holder in uses[name].holders if holder in present]
    names = sorted(uses)
    return tuple(_module(reader, name) for name in names), tuple(uses[name] for name in names)


def _use(reader: Reader, name: str) -> ModuleUse:
    folder = f"{FOLDER}/{name}"
    references = reader.number(f"{folder}/refcnt", low=-1, high=2**63 - 1)
    return ModuleUse(name, references, reader.entries(f"{folder}/holders"))


def _module(reader: Reader, name: str) -> Module:
    folder = f"{FOLDER}/{name}"
    return Module(
        name=name,
        state=_state(reader, f"{folder}/initstate"),
        version=reader.text(f"{folder}/version"),
        srcversion=reader.text(f"{folder}/srcversion"),
        out_of_tree="O" in (reader.text(f"{folder}/taint", ABSENT) or ""),
    )


def _state(reader: Reader, path: str) -> str:
    """The module's state; empty when the kernel would not say."""
    if not reader.exists(path):
        return "" if reader.failed(path) else BUILT_IN
    return reader.parsed(path, _STATES.get, ABSENT) or ""


def flavour(loaded: Iterable[Module]) -> Flavour:
    """Where the loaded stack comes from.

    The out-of-tree taint of each module decides. mlx5_core's version does not: inbox drivers up to about 5.10 have one.
    """
    origins = {module.out_of_tree for module in loaded if module.name in STACK}
    if not origins:
        return Flavour.NONE
    if len(origins) == 2:
        return Flavour.MIXED
    return Flavour.OFED if origins.pop() else Flavour.INBOX
