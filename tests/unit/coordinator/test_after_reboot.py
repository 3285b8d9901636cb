"""Containers that are gone because their node was: no failure of theirs, whatever they say when they fail."""

import json
from dataclasses import replace

import msgspec
import pytest

from coordinator.fleet.driver import DriverFacts, Holder, HolderKind
from coordinator.kube.pods import decode_pods
from coordinator.verdicts.readiness import Verdict, judge
from coordinator.workloads import ContainerState
from nicfleet.inventory import Flavour
from nicfleet.reasons import Reason
from tests.unit.coordinator.views import LOADED, node, pod, view, workload

GONE = ContainerState("mofed-container", restarts=1, last_reason="Unknown", last_exit_code=255)
GONE_WITH_CRI_O = replace(GONE, last_reason="Error", last_message="[build] 40 %")
GONE_FOR_THE_KUBELET = replace(GONE, last_reason="ContainerStatusUnknown", last_exit_code=137)
IN_USE = replace(LOADED, flavour=Flavour.INBOX, holders=(Holder("rpcrdma", HolderKind.STORAGE),))


def judged(container: ContainerState, driver: DriverFacts = LOADED) -> Verdict:
    """The driver's state with this container on its only node, whose pod is as old as the node."""
    there = pod("a", container, started="2026-11-01T10:00:00Z")
    return judge(view(node("a", driver), workloads=(workload("a", live={"ready": 0}, pods=(there,)),)))


@pytest.mark.parametrize(
    "container",
    [
        pytest.param(GONE, id="containerd"),
        pytest.param(GONE_WITH_CRI_O, id="CRI-O"),
        pytest.param(GONE_FOR_THE_KUBELET, id="the runtime forgot it"),
        pytest.param(replace(GONE, waiting_reason="PodInitializing"), id="it waits for its init containers"),
        pytest.param(replace(GONE, init=True, last_reason="Completed", last_exit_code=0), id="an init container"),
    ],
)
@pytest.mark.parametrize("driver", [LOADED, IN_USE], ids=["free", "modules in use"])
def test_a_driver_that_is_built_again_after_a_reboot_is_on_its_way(
    container: ContainerState, driver: DriverFacts
) -> None:
    """Behaviour 22."""
    found = judged(container, driver)
    assert found.finding is not None
    assert found.finding.reason is Reason.RollingOut
    assert (found.progressing, found.degraded) == (True, False)


def test_its_time_runs_from_the_reboot() -> None:
    assert "(the oldest began at 2026-11-27T08:00:00Z)" in judged(replace(GONE, started="2026-11-27T08:00:00Z")).message


def test_a_pod_as_the_api_server_has_it_after_a_reboot() -> None:
    """The init container has run again, and the driver is being built."""
    ended = {"exitCode": 255, "reason": "Unknown", "startedAt": None, "finishedAt": None}
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    init = {"name": "init", "ready": True, "restartCount": 1, "state": done}
    driver = {
        "name": "mofed-container",
        "ready": False,
        "restartCount": 1,
        "state": {"running": {"startedAt": "2026-11-27T08:00:00Z"}},
        "lastState": {"terminated": ended},
    }
    status = {"startTime": "2026-11-01T10:00:00Z", "initContainerStatuses": [init], "containerStatuses": [driver]}
    document = json.dumps({"metadata": {"name": "p"}, "spec": {}, "status": status})

    (found,) = decode_pods([msgspec.Raw(document.encode())])

    assert found.began == "2026-11-27T08:00:00Z"
    assert [(c.init, c.lost, c.failed) for c in found.containers] == [(True, False, False), (False, True, False)]


@pytest.mark.parametrize(
    "container",
    [
        pytest.param(replace(GONE, restarts=2, last_reason="Error", last_exit_code=1), id="it fails"),
        pytest.param(replace(GONE_WITH_CRI_O, restarts=9, waiting_reason="CrashLoopBackOff"), id="again and again"),
        pytest.param(replace(GONE_WITH_CRI_O, restarts=4), id="it ends with 255 by itself"),
        pytest.param(replace(GONE, waiting_reason="CreateContainerError"), id="it cannot be started"),
    ],
)
def test_a_container_that_fails_after_a_reboot_is_failing(container: ContainerState) -> None:
    found = judged(container)
    assert found.finding is not None
    assert found.finding.reason is Reason.ContainerCrashing


def test_a_driver_that_fails_after_a_reboot_for_modules_in_use_says_so() -> None:
    found = judged(replace(GONE, restarts=2, last_reason="Error", last_exit_code=1), IN_USE)
    assert found.finding is not None
    assert found.finding.reason is Reason.DriverHeld
