"""The checks that decide readiness, in the order in which a user wants to hear of them.

The first finding of a state's chain is its condition; the notes go beside it, whatever it is.
"""

from collections.abc import Callable
from typing import Final

from coordinator.verdicts.checks import driver, labels, objects, resources, workloads
from coordinator.verdicts.view import StateView
from nicfleet.reasons import Finding

Check = Callable[[StateView], Finding | None]

CHECKS: Final[tuple[Check, ...]] = (
    objects.spec_invalid,
    objects.write_refused,
    objects.old_objects_remain,
    driver.operating_system_unsupported,
    driver.labels_incomplete,
    workloads.image_not_pulled,
    workloads.container_out_of_memory,
    driver.driver_held,
    driver.build_outdated,
    workloads.container_crashing,
    workloads.pod_refused,
    workloads.driver_pods_outdated,
    labels.labels_refused,
    workloads.not_rolled_out,
    workloads.waiting_for_driver,
    driver.evidence_contradicts,
    driver.registration_directory_missing,
    resources.resource_missing,
    objects.no_node_in_order,
)

NOTES: Final[tuple[Check, ...]] = (
    objects.accepted_without_effect,
    objects.version_not_global,
    objects.no_matching_nodes,
    objects.nodes_away,
    objects.nodes_left_out,
    labels.labels_refused_so_far_harmless,
    driver.management_on_nic,
    driver.nfs_rdma_on_nvme,
    driver.devices_unfit,
    driver.version_unchecked,
    resources.resource_unmatched,
    resources.resource_overlap,
    resources.vf_guid_zero,
)
