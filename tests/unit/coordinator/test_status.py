"""Status as upstream's users read it, and the same bytes for the same world."""

import json

from coordinator.nodes import Taint
from coordinator.verdicts.readiness import Level, Verdict, judge
from coordinator.verdicts.status import ignored_status, invalid_status, judged_generation, policy_status, urgent
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.views import node, view, workload

TYPES = {"state-OFED": "OFEDDriverReady", "state-multus-cni": "MultusCNIReady"}
ROLLING = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.RollingOut, "DaemonSet x: 0 of 1 pods", ("a",)))
BROKEN = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.ImagePullFailed, "no such image", ("a",)))
READY = Verdict("state-multus-cni", Level.READY)
IGNORED = Verdict("state-whereabouts-cni", Level.IGNORE)


def condition(
    kind: str, status: str, reason: str, message: str, since: str = "T1", generation: int = 3
) -> dict[str, object]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }


def test_not_ready_while_rolling_out() -> None:
    assert policy_status([ROLLING, READY, IGNORED], TYPES, None, 3, {}, "T1") == {
        "state": "notReady",
        "appliedStates": [
            {"name": "state-OFED", "state": "notReady", "message": "DaemonSet x: 0 of 1 pods"},
            {"name": "state-multus-cni", "state": "ready"},
            {"name": "state-whereabouts-cni", "state": "ignore"},
        ],
        "conditions": [
            condition("OFEDDriverReady", "False", "RollingOut", "DaemonSet x: 0 of 1 pods"),
            condition("MultusCNIReady", "True", "ComponentReady", ""),
            condition("Ready", "False", "RollingOut", "state-OFED: DaemonSet x: 0 of 1 pods"),
            condition("Verified", "False", "NotReady", "the policy is not ready"),
            condition("Progressing", "True", "RollingOut", "state-OFED: DaemonSet x: 0 of 1 pods"),
            condition("Degraded", "False", "NotReady", ""),
        ],
    }


def test_ready_and_verified() -> None:
    status = policy_status([READY], TYPES, None, 3, {}, "T1")
    assert status["state"] == "ready"
    assert status["conditions"] == [
        condition("MultusCNIReady", "True", "ComponentReady", ""),
        condition("Ready", "True", "AllComponentsReady", ""),
        condition("Verified", "True", "AllComponentsReady", ""),
        condition("Progressing", "False", "AllComponentsReady", ""),
        condition("Degraded", "False", "AllComponentsReady", ""),
    ]


def test_a_silent_node_takes_verified_and_not_ready() -> None:
    silent = Finding(Reason.NodeSilent, "the agents of a are silent", ("a",))
    found = {
        c["type"]: (c["status"], c["reason"]) for c in policy_status([READY], TYPES, silent, 3, {}, "T1")["conditions"]
    }
    assert (found["Ready"], found["Verified"]) == (("True", "AllComponentsReady"), ("False", "NodeSilent"))


def test_what_degrades_comes_before_what_progresses() -> None:
    degraded = Verdict("state-multus-cni", Level.NOT_READY, Finding(Reason.ContainerCrashing, "it crashes"))
    ready = next(
        c for c in policy_status([ROLLING, degraded], TYPES, None, 3, {}, "T1")["conditions"] if c["type"] == "Ready"
    )
    assert ready["reason"] == "ContainerCrashing"
    assert ready["message"] == "state-multus-cni: it crashes; state-OFED: DaemonSet x: 0 of 1 pods"


def test_two_passes_over_one_world_are_equal() -> None:
    first = policy_status([ROLLING, READY], TYPES, None, 3, {}, "T1")
    assert policy_status([ROLLING, READY], TYPES, None, 3, first, "T2") == first


def test_the_time_of_a_condition_changes_with_its_status_only() -> None:
    first = policy_status([ROLLING], TYPES, None, 3, {}, "T1")
    second = policy_status([BROKEN], TYPES, None, 4, first, "T2")
    since = {c["type"]: c["lastTransitionTime"] for c in second["conditions"]}
    assert since == {"OFEDDriverReady": "T1", "Ready": "T1", "Verified": "T1", "Progressing": "T2", "Degraded": "T2"}


def test_a_policy_of_another_name() -> None:
    assert ignored_status("only one is served", 1, {}, "T1") == {
        "state": "ignore",
        "reason": "only one is served",
        "conditions": [condition("Ready", "False", "PolicyIgnored", "only one is served", generation=1)],
    }


def test_a_reason_of_before_is_gone_when_all_is_well() -> None:
    for before in (ignored_status("only one is served", 1, {}, "T1"), invalid_status("spec.x is wrong", 1, {}, "T1")):
        assert "reason" in before
        assert "reason" not in policy_status([READY], TYPES, None, 2, before, "T2")


def test_a_reason_is_urgent_and_a_number_in_a_message_is_not() -> None:
    first = policy_status([ROLLING], TYPES, None, 3, {}, "T1")
    more = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.RollingOut, "DaemonSet x: 1 of 2 pods", ("a",)))
    assert not urgent(policy_status([more], TYPES, None, 3, first, "T2"), first)
    assert urgent(policy_status([BROKEN], TYPES, None, 3, first, "T2"), first)
    assert urgent(policy_status([ROLLING], TYPES, None, 4, first, "T2"), first)


def test_the_generation_that_a_status_judges() -> None:
    settling = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.FleetSettling, "waiting for the agents", ("a",)))
    assert judged_generation({}) == 0
    assert judged_generation(policy_status([READY], TYPES, None, 7, {}, "T1")) == 7
    assert judged_generation(policy_status([settling], TYPES, None, 7, {}, "T1")) == 0


STATES = [f"state-{number}" for number in range(13)]
EACH_OF_THEM = {name: f"{name}Ready" for name in STATES}


def test_ten_thousand_nodes_each_with_its_own_taint_are_a_small_status() -> None:
    """As tenants have them. The object is stored whole, and every reader of it gets all of it."""
    tainted = {f"node-{n:05}": Taint("example.com/dedicated", f"tenant-{n:05}", "NoSchedule") for n in range(10_000)}
    tainted |= dict.fromkeys(("x", "y", "z"), Taint("shared", "", "NoExecute"))
    verdicts = [judge(view(node("a"), name=name, workloads=(workload("a", tainted=tainted),))) for name in STATES]

    status = policy_status(verdicts, EACH_OF_THEM, None, 1, {}, "T1")

    assert len(json.dumps(status)) < 64 * 1024
    assert status["appliedStates"][0]["message"].endswith(
        "taint example.com/dedicated=tenant-00003:NoSchedule keeps out node-00003; "
        "taint shared:NoExecute keeps out x, y, z; and 9996 more taints; add spec.tolerations to include them"
    )
    assert len(verdicts[0].notes[0].nodes) == 10_003


def test_no_message_makes_a_status_too_large() -> None:
    endless = Finding(Reason.ApplyFailed, "word " * 100_000)
    verdicts = [Verdict(name, Level.NOT_READY, endless, (endless,)) for name in STATES]

    status = policy_status(verdicts, EACH_OF_THEM, endless, 1, {}, "T1")

    assert len(json.dumps(status)) < 256 * 1024
    told = [entry["message"] for entry in (*status["appliedStates"], *status["conditions"]) if entry["message"]]
    assert len(told) == len(STATES) * 2 + 3  # all but Progressing
    assert {message[-31:] for message in told} == {"word … (cut at 4096 characters)"}
    assert len(json.dumps(invalid_status(endless.message, 1, {}, "T1"))) < 16 * 1024
