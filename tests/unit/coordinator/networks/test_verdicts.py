"""The status of a network: what it says, and what it says no more."""

import pytest

from coordinator.kube.objects import Ref
from coordinator.networks.definition import NAD
from coordinator.networks.kinds import KINDS
from coordinator.networks.verdicts import network_status, not_ready, problem_of
from coordinator.objects.outcome import Action, Outcome
from coordinator.verdicts.readiness import Level, Verdict
from nicfleet.reasons import Finding, Reason

REF = Ref(NAD, "pods", "net")
PATH = "k8s.cni.cncf.io/v1/namespaces/pods/NetworkAttachmentDefinition/net"
MACVLAN, HOST_DEVICE, IPOIB = KINDS["MacvlanNetwork"], KINDS["HostDeviceNetwork"], KINDS["IPoIBNetwork"]
MISSING = Finding(Reason.NamespaceMissing, "no such namespace")


def ready(*notes: Finding) -> Verdict:
    return Verdict("state", Level.READY, None, notes)


def test_a_ready_network_has_the_path_and_nothing_to_say() -> None:
    assert network_status(MACVLAN, ready(), REF) == {"state": "ready", "macvlanNetworkAttachmentDef": PATH}
    assert network_status(IPOIB, ready(), REF) == {"state": "ready", "ipoibNetworkAttachmentDef": PATH}


def test_a_host_device_network_says_it_in_applied_states_too() -> None:
    assert network_status(HOST_DEVICE, Verdict(HOST_DEVICE.state, Level.READY), REF) == {
        "state": "ready",
        "hostDeviceNetworkAttachmentDef": PATH,
        "appliedStates": [{"name": "state-host-device-network", "state": "ready"}],
    }
    assert network_status(HOST_DEVICE, not_ready(HOST_DEVICE, MISSING), REF) == {
        "state": "notReady",
        "reason": "no such namespace",
        "appliedStates": [{"name": "state-host-device-network", "state": "notReady", "message": "no such namespace"}],
    }


def test_a_warning_leaves_it_ready() -> None:
    status = network_status(
        MACVLAN, ready(Finding(Reason.MasterMissing, "none"), Finding(Reason.MasterRenamed, "b")), REF
    )
    assert status["state"] == "ready"
    assert status["reason"] == "MasterMissing: none. MasterRenamed: b"


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (Reason.InvalidSpec, "error"),
        (Reason.NetworkConflict, "error"),
        (Reason.ObjectConflict, "error"),
        (Reason.NamespaceMissing, "notReady"),
        (Reason.ApplyFailed, "notReady"),
        (Reason.Removing, "notReady"),
    ],
)
def test_what_waiting_does_not_heal_is_an_error(reason: Reason, level: str) -> None:
    assert network_status(MACVLAN, not_ready(MACVLAN, Finding(reason, "why")), REF) == {"state": level, "reason": "why"}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(Outcome(REF, Action.CREATED), None, id="created"),
        pytest.param(Outcome(REF, Action.REPAIRED, Finding(Reason.DriftRepaired, "x")), None, id="repaired"),
        pytest.param(Outcome(REF, Action.REFUSED, MISSING), Reason.NamespaceMissing, id="refused"),
        pytest.param(
            Outcome(REF, Action.WAITING, Finding(Reason.DriftRepaired, "x")), Reason.DriftRepaired, id="contested"
        ),
        pytest.param(Outcome(REF, Action.WAITING), Reason.Removing, id="being-deleted"),
    ],
)
def test_problem_of(outcome: Outcome, expected: Reason | None) -> None:
    found = problem_of(outcome)
    assert (found and found.reason) == expected
