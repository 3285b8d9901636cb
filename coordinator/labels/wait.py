"""The driver that is asked for, whether a node confirms it, and the label that tells workloads to wait for it. Pure.

The label is upstream's protocol (`network.nvidia.com/operator.mofed.wait`); what decides it here is what the agent
sees. Only where no live agent can say does upstream's rule decide: the driver container is ready.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from coordinator.fleet.driver import DriverFacts
from coordinator.labels.rules import Wait
from nicfleet.inventory import Flavour
from nicfleet.reasons import Finding, Reason

_VERSION: Final = re.compile(r"(?<![\d.])\d+\.\d+-\d+\.\d+\.\d+(?!\d)")


@dataclass(frozen=True, slots=True)
class DriverRequest:
    """The driver a policy asks for: OFED or DOCA-OFED, of the version that its image tag or digest names."""

    tag: str

    @property
    def version(self) -> str | None:
        """None when the tag names no version: then only the flavour is compared."""
        return driver_version(self.tag)

    def __str__(self) -> str:
        return self.version or self.tag


def driver_version(text: str) -> str | None:
    """The `N.N-N.N.N` that image tag and loaded module have in common, and nothing around it.

    "24.10-0.7.0" of the tags "24.10-0.7.0.0-0" and "doca2.9.1-24.10-0.7.0.0-0" and of the module's "24.10-0.7.0".
    """
    found = _VERSION.search(text)
    return found.group() if found else None


class Unasked(Enum):
    """Why there is no request for a node.

    NOBODY: no policy asks for a driver on it. UNKNOWN: there may be one, but it is not known yet, cannot be read, or
    its driver names no version.
    """

    NOBODY = "nobody"
    UNKNOWN = "unknown"


class DriverPod(Enum):
    """The driver pod on a node. UNKNOWN: nobody has looked. OUTDATED: ready, and of the driver asked for earlier."""

    UNKNOWN = "unknown"
    NONE = "none"
    NOT_READY = "not ready"
    READY = "ready"
    OUTDATED = "outdated"


_MAY_SERVE: Final = (DriverPod.OUTDATED, DriverPod.UNKNOWN)


@dataclass(frozen=True, slots=True)
class WaitInputs:
    """What is known of one node.

    `driver` is what a live agent sees, None without one. `settled`: the agents have had their time to report.
    `nic` is the NIC label: of the live agent's labels, else of the Node. `resetting`: devices that are missing may be
    on their way back from a firmware reset.
    """

    driver: DriverFacts | None
    settled: bool
    nic: bool
    driver_pod: DriverPod
    resetting: bool = False


def wait(request: DriverRequest | Unasked, node: WaitInputs) -> Wait:
    """The label's value for one node. What is not known moves no label."""
    if request is Unasked.UNKNOWN or (node.driver is None and not node.settled):
        return Wait.KEEP
    if not node.nic:
        # Without a live agent, a NIC label that is missing proves nothing.
        return Wait.KEEP if node.driver is None else Wait.ABSENT
    if request is Unasked.NOBODY:
        # A pod that is ready was left behind by whoever asked for it, and serves on; one that goes unloads its driver.
        return _by_driver_pod(node.driver_pod, ready=Wait.KEEP, without=Wait.FALSE)
    if node.driver is None:
        return _by_driver_pod(node.driver_pod, ready=Wait.FALSE, without=Wait.KEEP)
    if not node.driver.judged:
        return _by_driver_pod(node.driver_pod, ready=Wait.FALSE, without=Wait.TRUE)
    found = driver_evidence(request, node.driver)
    if found is not None and found.reason is Reason.DriverVersionDiffers and node.driver_pod in _MAY_SERVE:
        # The pod of the driver asked for earlier serves the node until somebody replaces it.
        return Wait.KEEP
    if found is not None and found.reason is Reason.CharDevicesMissing and node.resetting:
        # What resets the firmware runs where nothing has to wait: it would be ended in the middle of it.
        return Wait.KEEP
    return Wait.FALSE if found is None else Wait.TRUE


def _by_driver_pod(pod: DriverPod, *, ready: Wait, without: Wait) -> Wait:
    """What a driver pod alone says; `without` is for a node on which none is."""
    rule = {DriverPod.READY: ready, DriverPod.NOT_READY: Wait.TRUE, DriverPod.NONE: without}
    return rule.get(pod, Wait.KEEP)


def driver_evidence(request: DriverRequest, driver: DriverFacts) -> Finding | None:
    """What speaks against "the requested driver is loaded and usable"; None when the node confirms it.

    A node none of whose functions gives evidence contradicts nothing. No node is named in the sentence.
    """
    if not driver.judged:
        return None
    if driver.reloading:
        return Finding(Reason.DriverLoading, "the driver container is replacing the driver's modules")
    return _wrong_flavour(request, driver) or _wrong_version(request, driver) or _unusable(request, driver)


def version_unchecked(request: DriverRequest) -> Finding | None:
    """The caveat for a tag that names no version."""
    if request.version is not None:
        return None
    return Finding(
        Reason.DriverVersionUnchecked,
        f"{request.tag} names no driver version: only that an OFED or DOCA driver is loaded was checked",
    )


def build_outdated(driver: DriverFacts) -> Finding | None:
    """The driver builds kept on the host are all for other kernels than the running one."""
    if driver.kernel is None or not driver.builds or any(build.kernel == driver.kernel for build in driver.builds):
        return None
    build = max(driver.builds, key=lambda build: (build.kernel, build.version))
    return Finding(
        Reason.DriverBuildOutdated,
        f"the driver build in {build.path} is for kernel {build.kernel}, the running kernel is {driver.kernel}: "
        "remove that directory",
    )


def _wrong_flavour(request: DriverRequest, driver: DriverFacts) -> Finding | None:
    if driver.flavour is Flavour.NONE:
        return Finding(Reason.DriverNotLoaded, f"driver {request} is not loaded: no RDMA driver is")
    if driver.flavour is Flavour.INBOX:
        return Finding(Reason.DriverNotLoaded, f"driver {request} is not loaded: the kernel's own is")
    if driver.flavour is Flavour.MIXED:
        return Finding(
            Reason.DriverMixed,
            "modules of two drivers are loaded together: "
            f"{', '.join(driver.inbox_modules)} of the kernel, {', '.join(driver.ofed_modules)} of OFED",
        )
    return None


def _wrong_version(request: DriverRequest, driver: DriverFacts) -> Finding | None:
    asked = request.version
    loaded = driver_version(driver.version or "")
    if asked is None or loaded is None or asked == loaded:
        return None
    return Finding(Reason.DriverVersionDiffers, f"driver {loaded} is loaded, {asked} is asked for")


def _unusable(request: DriverRequest, driver: DriverFacts) -> Finding | None:
    if driver.modules_missing:
        return Finding(
            Reason.DriverNotLoaded, f"driver {request} is not loaded whole: {', '.join(driver.modules_missing)}"
        )
    if driver.devices_missing:
        return Finding(
            Reason.CharDevicesMissing,
            f"driver {request} is loaded, but programs cannot use it: {', '.join(driver.devices_missing)}",
        )
    return None
