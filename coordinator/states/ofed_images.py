"""The driver's image: which one each pool runs. Pure; what a registry has is a value here.

A driver is built on the node, in an image per operating system, or it comes built for one kernel, in an image that a
registry may have or not. What a pool runs is never changed by a guess: while the registry says nothing, the image that
the pool's DaemonSet has for this very version stays.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from coordinator.policy import InvalidSpec, NicClusterPolicySpec, OfedDriver
from coordinator.policy.invalid import caught, refuse
from coordinator.states.cluster import Cluster, NodePool
from coordinator.states.driver_tags import Away, DriverImage, Known, Pending, Refused, Tags
from coordinator.states.images import DIGEST_PREFIX, image_name, image_version, pull_secrets, reference
from coordinator.states.state import NotYet

FIELD: Final = "spec.ofedDriver"
CONTAINER: Final = "mofed-container"

# Upstream's pattern; its repeated last group matches what a single one does, and would be slow here.
_VERSION: Final = re.compile(
    r"doca\d+\.\d+(\.\d+)?-\d+\.\d+-\d+\.\d+\.\d+\.\d+-\d+(-[\w.-]+)?|\d+\.\d+-\d+(\.\d+)*(-\d+)?(-[\w.-]+)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The image of one pool.

    builds     it builds the driver on the node
    unchecked  half a sentence on why nobody knows whether there is a precompiled image; empty when that is known
    """

    reference: str
    builds: bool
    unchecked: str = ""


def image_of(spec: NicClusterPolicySpec, driver: OfedDriver) -> DriverImage:
    """The image that a policy asks for. Raises InvalidSpec, with all that is wrong with it."""
    refuse(caught(lambda: image_name(FIELD, driver, spec), lambda: _version(spec, driver)))
    secrets = tuple(secret["name"] for secret in pull_secrets(driver, spec))
    return DriverImage(image_name(FIELD, driver, spec), _version(spec, driver), secrets)


def looked_up(spec: NicClusterPolicySpec) -> DriverImage | None:
    """What to ask a registry about for this policy; None when there is nothing to ask."""
    if spec.ofed_driver is None:
        return None
    try:
        image = image_of(spec, spec.ofed_driver)
    except InvalidSpec:
        return None  # the state tells the user
    return None if image.version.startswith(DIGEST_PREFIX) else image


def choices(spec: NicClusterPolicySpec, driver: OfedDriver, cluster: Cluster) -> tuple[Choice, ...]:
    """The image of each of the cluster's pools, in their order.

    Raises InvalidSpec, and NotYet while the registry's answer has to be waited for.
    """
    image = image_of(spec, driver)
    tags = cluster.driver_tags.get(image)
    if driver.force_precompiled and tags is None and not image.version.startswith(DIGEST_PREFIX):
        raise InvalidSpec(
            f"{FIELD}.forcePrecompiled",
            "is set, and the coordinator is told to ask no registry which images there are",
            "give the image's digest as version, or set the coordinator's --driver-image-poll-minutes above 0",
        )
    return tuple(_choice(image, driver.force_precompiled, pool, tags) for pool in cluster.pools)


def unchecked(pools: tuple[NodePool, ...], chosen: tuple[Choice, ...], name: str) -> Iterator[str]:
    """A sentence for each way in which it was decided without the registry."""
    for builds, what in ((True, "the driver is built on the nodes of"), (False, "the precompiled image stays on")):
        alike = [
            (pool.name, choice.unchecked)
            for pool, choice in zip(pools, chosen, strict=True)
            if choice.unchecked and choice.builds is builds
        ]
        if alike:
            where = ", ".join(pool for pool, _ in alike)
            yield f"it is not known whether {name} has precompiled images, as {alike[0][1]}: {what} {where}"


def _version(spec: NicClusterPolicySpec, driver: OfedDriver) -> str:
    version = image_version(FIELD, driver, spec)
    if not version.startswith(DIGEST_PREFIX) and _VERSION.fullmatch(version) is None:
        raise InvalidSpec(
            f"{FIELD}.version" if driver.version else "spec.global.version",
            f"is {version[:80]!r}, which is no driver version",
            f"set {FIELD}.version as in 25.07-0.9.7.0-0 or doca3.1.0-25.07-0.9.7.0-0, or to a digest",
        )
    return version


def _choice(image: DriverImage, force: bool, pool: NodePool, tags: Tags | None) -> Choice:
    if image.version.startswith(DIGEST_PREFIX):  # one image, whatever the pool, and nothing tells what it does
        return Choice(reference(FIELD, image.name, image.version), builds=False)
    system = f"{pool.os_id}{pool.os_version}-{pool.arch}"
    tag = f"{image.version}-{pool.kernel}-{system}"
    precompiled = Choice(f"{image.name}:{tag}", builds=False)
    building = Choice(reference(FIELD, image.name, f"{image.version}-{system}"), builds=True)
    match tags:
        case None:
            return building
        case Known(found) if tag in found:
            return precompiled
        case Known() if force:
            raise InvalidSpec(
                f"{FIELD}.forcePrecompiled",
                f"is set, and there is no precompiled image {precompiled.reference}",
                "use a version that the registry has for this kernel, or let the driver be built on the node",
            )
        case Known():
            return building
        case Pending():
            return _without_answer(precompiled, building, force, pool, "the registry is being asked", waits=True)
        case Refused(why) | Away(why):
            return _without_answer(precompiled, building, force, pool, why, waits=False)


def _without_answer(
    precompiled: Choice, building: Choice, force: bool, pool: NodePool, why: str, *, waits: bool
) -> Choice:
    """What the pool runs for this very version stays. `waits`: an answer is seconds away."""
    live = pool.live_images.get(CONTAINER)
    stays = next((one for one in (precompiled, building) if one.reference == live), None)
    if force and stays is not precompiled:
        raise NotYet(f"it is not known whether there is the precompiled image {precompiled.reference}, as {why}")
    if stays is None and waits:
        raise NotYet(f"it is not known yet whether there is the precompiled image {precompiled.reference}, as {why}")
    chosen = stays or building
    return chosen if waits else Choice(chosen.reference, chosen.builds, why)
