"""What the device plugins would offer on each node, and what of it they would not. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from cli.plan.outlook import Outlook
from cli.plan.report import ResourcePlan
from coordinator.fleet.facts import derive
from coordinator.objects.served import Owner
from coordinator.plugins import rdma_config, sriov_config
from coordinator.plugins.predictions import Predictions
from coordinator.policy import InvalidSpec
from coordinator.verdicts.checks.resources import resource_counts
from coordinator.verdicts.resources import Plugin, PluginState, resource_views
from coordinator.verdicts.view import NodeView, StateView
from nicfleet.inventory import Driver, Function, FunctionKind, Inventory, RdmaDevice, RdmaPort

_DRIVER: Final = "mlx5_core"
_CHARACTER_DEVICES: Final = ("infiniband/umad0", "infiniband/uverbs0")
_LINK_LAYERS: Final = {"ether": "Ethernet", "infiniband": "InfiniBand"}


def with_resources(
    outlook: Outlook, inventories: Mapping[str, Inventory], loading: frozenset[str]
) -> dict[Owner, tuple[StateView, ...]]:
    """The views of every policy's states, those of device plugins with what they would offer.

    A plugin will run where it waits for the driver too, and where the driver is `loading` by then it finds what a
    driver makes.
    """
    views = {each.policy.owner: outlook.views(each) for each in outlook.plans}
    states = list(_plugin_states(outlook, views))
    nodes = {**outlook.world.nodes, **_once_loaded(outlook.world.nodes, inventories, loading)}
    found = resource_views(states, nodes, Predictions())
    return {
        owner: tuple(replace(view, resources=found.get((owner, view.name))) for view in seen)
        for owner, seen in views.items()
    }


def resource_plans(views: Iterable[StateView], loading: frozenset[str]) -> Iterator[ResourcePlan]:
    """What each node gets of each resource; nodes that get the same go together."""
    for view in views:
        for count in resource_counts(view):
            for once_loaded in (False, True):
                nodes = tuple(name for name in count.nodes if (name in loading) is once_loaded)
                if nodes:
                    yield ResourcePlan(
                        resource=count.resource,
                        state=view.name,
                        nodes=nodes,
                        functions=count.functions,
                        uncertain=count.uncertain,
                        units=count.expected,
                        units_now=count.allocatable,
                        once_loaded=once_loaded,
                        why_none=count.why_none,
                    )


def resource_names(outlook: Outlook) -> frozenset[str]:
    """The resources that the configurations name, whether a node has any of it or not."""
    names: set[str] = set()
    for (_, state), text in outlook.offers().items():
        try:
            config = (rdma_config if state == Plugin.RDMA.value else sriov_config).parse(text)
        except InvalidSpec:
            continue  # its state says so
        names |= {resource.name for resource in config.resources}
    return frozenset(names)


def driver_loaded(inventory: Inventory) -> Inventory:
    """The machine as it is once the NIC driver is loaded, as far as device plugins look at it."""
    driver: Driver = replace(inventory.driver, rdma_cm=True)
    return replace(inventory, driver=driver, functions=tuple(map(_bound, inventory.functions)))


def _bound(function: Function) -> Function:
    """With its RDMA device and that one's character devices. What is given away, to vfio-pci say, stays so."""
    vfs = tuple(map(_bound, function.virtual_functions))
    free = function.driver is None and function.kind is FunctionKind.PF
    if function.supported is False or not (free or function.driver == _DRIVER):
        return replace(function, virtual_functions=vfs)
    devices = function.rdma_devices or (_made_up(function),)
    whole = tuple(replace(device, char_devices=(*device.char_devices, *_CHARACTER_DEVICES)) for device in devices)
    return replace(function, driver=_DRIVER, rdma_devices=whole, virtual_functions=vfs)


def _made_up(function: Function) -> RdmaDevice:
    link_type = next((netdev.link_type for netdev in function.netdevs if netdev.link_type), "")
    return RdmaDevice("", ports=(RdmaPort(1, link_layer=_LINK_LAYERS.get(link_type)),))


def _once_loaded(
    nodes: Mapping[str, NodeView], inventories: Mapping[str, Inventory], loading: frozenset[str]
) -> dict[str, NodeView]:
    return {name: replace(nodes[name], facts=derive(driver_loaded(inventories[name]))) for name in loading}


def _plugin_states(outlook: Outlook, views: Mapping[Owner, tuple[StateView, ...]]) -> Iterator[PluginState]:
    offers = outlook.offers()
    for owner, seen in views.items():
        for view in seen:
            if (config := offers.get((owner, view.name))) is not None:
                nodes = {name for w in view.workloads for name in (*w.placement.admitted, *w.waiting)}
                yield PluginState((owner, view.name), Plugin(view.name), config, sorted(nodes))
