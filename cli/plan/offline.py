"""What files alone tell of a cluster: nodes and their inventories. There is nothing else in it."""

from dataclasses import replace

from cli.plan.census import offline_node
from cli.plan.documents import Given, policies
from cli.plan.files import Hosts
from cli.plan.seen import Seen
from cli.plan.surroundings import unasked
from coordinator.intake import Intake
from coordinator.labels.rules import Mode
from coordinator.settings import Settings
from coordinator.states.cluster import OpenShift
from coordinator.surroundings import cluster_of, config_maps, images


def offline(given: Given, hosts: Hosts, settings: Settings, *, openshift: bool) -> Seen:
    """A cluster of these nodes, in which nothing has been applied."""
    served = Intake.of(policies(given, ())).served
    names = sorted(config_maps(served))
    there = {
        name: given.config_maps[where] for name in names if (where := (settings.namespace, name)) in given.config_maps
    }
    missing = [name for name in names if name not in there]
    # A ConfigMap that is somewhere else is no mistake of the policy's.
    notes = [f"taken for empty, as no FILE has it: ConfigMap {settings.namespace}/{name}" for name in missing]
    cluster = cluster_of(settings, OpenShift(use_toolkit=settings.driver_toolkit) if openshift else None)
    known = set(hosts.nodes) | set(hosts.inventories)
    return Seen(
        cluster=replace(
            cluster,
            config_maps={**there, **{name: {} for name in missing}},
            driver_tags=unasked(images(served), settings),
        ),
        mode=Mode(settings.label_mode),
        nodes=tuple(hosts.nodes.get(name) or offline_node(hosts.inventories[name]) for name in sorted(known)),
        inventories=hosts.inventories,
        notes=tuple(notes),
    )
