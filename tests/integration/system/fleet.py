"""Inventories for simulated agents: what a host has, without the host."""

from nicfleet.inventory import Driver, Flavour, Inventory
from tests.unit.coordinator.inventories import connectx6dx, inventory, modules, ofed

NO_NIC: Inventory = inventory()
WITHOUT_DRIVER: Inventory = inventory(connectx6dx(rdma_devices=()), driver=Driver(modules=modules(["mlx5_core"])))
WITH_DRIVER: Inventory = inventory(connectx6dx(), driver=ofed("23.04-0.5.3"))
"""The driver of the example policy."""

INBOX: Inventory = inventory(connectx6dx(), driver=Driver(flavour=Flavour.INBOX, modules=modules(out_of_tree=False)))
