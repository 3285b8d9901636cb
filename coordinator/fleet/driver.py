"""What an inventory says about the NIC driver: loaded or not, whose, and can programs use it? Pure.

Only supported functions give evidence; one that the driver stack does not support may lack everything and prove
nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nicfleet.inventory import Driver, DriverBuild, Flavour, Function, Inventory, Module, ModuleUse, RdmaDevice

_NIC_DRIVER: Final = "mlx5_core"
_LOADED: Final = ("Live", "BuiltIn")
_REQUIRED: Final = (_NIC_DRIVER, "mlx5_ib", "ib_core", "ib_uverbs", "rdma_cm", "rdma_ucm")
_REQUIRED_ON_INFINIBAND: Final = "ib_umad"

# The module lists of the driver container, which refuses to reload the driver while one of these is loaded.
_PEERMEM: Final = "nvidia_peermem"
_STORAGE: Final = frozenset(
    {"ib_iser", "ib_isert", "ib_srp", "ib_srpt", "nvme_rdma", "nvmet_rdma", "rpcrdma", "xprtrdma"}
)
_THIRD_PARTY: Final = frozenset(
    {
        "bnxt_re", "efa", "erdma", "iw_cxgb4", "hfi1", "hns_roce", "ionic_rdma", "irdma", "ib_qib", "mana_ib", "ocrdma",
        "qedr", "rdma_rxe", "siw", "vmw_pvrdma",
    }
)  # fmt: skip


_ORIGIN: Final = frozenset({"initstate", "module", "taint"})
"""Without the list of modules (sys/module), or these attributes of one, it is not known what is loaded or whose it is:
nothing is proved then."""


class HolderKind(StrEnum):
    """Why a module keeps the driver from being reloaded."""

    PEERMEM = "GPUDirect"
    STORAGE = "storage"
    THIRD_PARTY = "third-party RDMA"


@dataclass(frozen=True, slots=True)
class Holder:
    """A loaded module that holds the RDMA core. `references` is None while the agent does not report use counts."""

    module: str
    kind: HolderKind
    references: int | None = None
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """The driver of one node.

    `judged` is the number of functions that give evidence; with 0 the rest proves nothing. `modules_missing` and
    `devices_missing` are short sentences, empty when all is there. `inbox_modules` and `ofed_modules` are filled
    only when both kinds are loaded. `reloading`: the driver container lives and replaces the modules right now.
    """

    judged: int = 0
    flavour: Flavour = Flavour.NONE
    version: str | None = None
    kernel: str | None = None
    modules_missing: tuple[str, ...] = ()
    inbox_modules: tuple[str, ...] = ()
    ofed_modules: tuple[str, ...] = ()
    devices_missing: tuple[str, ...] = ()
    reloading: bool = False
    builds: tuple[DriverBuild, ...] = ()
    holders: tuple[Holder, ...] = ()
    netns_shared: bool | None = None


def driver_facts(inventory: Inventory) -> DriverFacts:
    """The driver's part of the facts."""
    driver, container = inventory.driver, inventory.driver.container
    origin_known = not any(unread.path.rpartition("/")[2] in _ORIGIN for unread in driver.unread)
    judged = tuple(function for function in inventory.functions if origin_known and _gives_evidence(function))
    infiniband = any(_infiniband_ports(device) for function in judged for device in function.rdma_devices)
    mixed = driver.flavour is Flavour.MIXED
    return DriverFacts(
        judged=len(judged),
        flavour=driver.flavour,
        version=driver.version,
        kernel=inventory.node.kernel_release,
        modules_missing=tuple(_modules_missing(driver.modules, infiniband)),
        inbox_modules=tuple(_of_origin(driver.modules, out_of_tree=False)) if mixed else (),
        ofed_modules=tuple(_of_origin(driver.modules, out_of_tree=True)) if mixed else (),
        devices_missing=tuple(_devices_missing(judged, driver)) if judged else (),
        reloading=container.running and container.reloading,
        builds=container.builds,
        holders=tuple(_holders(driver.modules, {use.name: use for use in inventory.module_use})),
        netns_shared=driver.netns_shared,
    )


def _gives_evidence(function: Function) -> bool:
    """Supported, and left to the NIC driver: not given away, for example to vfio-pci."""
    return function.supported is not False and function.driver in (None, _NIC_DRIVER)


def _modules_missing(modules: tuple[Module, ...], infiniband: bool) -> Iterator[str]:
    state = {module.name: module.state for module in modules}
    for name in (*_REQUIRED, _REQUIRED_ON_INFINIBAND) if infiniband else _REQUIRED:
        if name not in state:
            yield f"{name} is not loaded"
        elif state[name] not in _LOADED:
            yield f"{name} is {state[name].lower()}"


def _of_origin(modules: tuple[Module, ...], *, out_of_tree: bool) -> Iterator[str]:
    rdma_stack = (*_REQUIRED, _REQUIRED_ON_INFINIBAND)
    return (module.name for module in modules if module.name in rdma_stack and module.out_of_tree is out_of_tree)


def _devices_missing(functions: tuple[Function, ...], driver: Driver) -> Iterator[str]:
    if not driver.rdma_cm:
        yield "rdma_cm is missing"
    # In exclusive mode an RDMA device may have been moved into a pod, out of the agent's sight.
    exclusive = driver.netns_shared is False
    shared = {master for function in functions if function.rdma_devices for master in _masters(function)}
    for function in functions:
        if function.driver is None:
            yield f"{function.address} has no driver bound"
        elif not function.rdma_devices and not exclusive and not _is_to_have_none(function, shared):
            yield f"{function.address} has no RDMA device"
        for device in function.rdma_devices:
            yield from _missing_of(device)


def _is_to_have_none(function: Function, shared: set[str]) -> bool:
    """Whether a function is rightly without an RDMA device: switched off, or another port has the one of both.

    Where mlx5_core does not say what it wants, bonded ports share one, on the first of them.
    """
    if function.rdma_auxiliary is None:
        return bool(shared & _masters(function))
    return not function.rdma_auxiliary


def _masters(function: Function) -> set[str]:
    return {netdev.master for netdev in function.netdevs if netdev.master is not None}


def _missing_of(device: RdmaDevice) -> Iterator[str]:
    kinds = Counter(path.rpartition("/")[2].rstrip("0123456789") for path in device.char_devices)
    if not kinds["uverbs"]:
        yield f"{device.name} has no uverbs device"
    ports = _infiniband_ports(device)
    if kinds["umad"] < ports:
        yield f"{device.name} has {kinds['umad']} umad devices for {ports} InfiniBand ports"


def _infiniband_ports(device: RdmaDevice) -> int:
    return sum(1 for port in device.ports if port.link_layer == "InfiniBand")


def _holders(modules: tuple[Module, ...], use: Mapping[str, ModuleUse]) -> Iterator[Holder]:
    for module in modules:
        kind = _holder_kind(module.name)
        if kind is not None:
            count = use.get(module.name, ModuleUse(module.name))
            yield Holder(module.name, kind, count.references, count.holders)


def _holder_kind(module: str) -> HolderKind | None:
    if module == _PEERMEM:
        return HolderKind.PEERMEM
    if module in _STORAGE:
        return HolderKind.STORAGE
    return HolderKind.THIRD_PARTY if module in _THIRD_PARTY else None
