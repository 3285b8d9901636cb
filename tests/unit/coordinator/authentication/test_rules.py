"""Whom a reviewed token proves, and why it does not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from coordinator.authentication.rules import Agent, Reviewed, User, agent_of, forbidden, objection, unknown_viewer
from nicfleet.reasons import Finding, Reason

ACCOUNT = "system:serviceaccount:nvidia-network-operator:nicfleet-agent"
NOW = 1_000.0
ENDS = 4_600.0
AGENT = Agent("worker-1", "uid-1", "nicfleet-agent-x", ENDS)


def user(name: str = ACCOUNT, **claims: str) -> User:
    bound = {"node_name": "worker-1", "node_uid": "uid-1", "pod_name": "nicfleet-agent-x"} | claims
    extra: Mapping[str, tuple[str, ...]] = {
        f"authentication.kubernetes.io/{claim.replace('_', '-')}": (value,) for claim, value in bound.items() if value
    }
    return User(name, extra=extra)


GOOD = Reviewed(user(), ("nicfleet-coordinator",))


def test_an_agent_is_proved() -> None:
    assert agent_of(GOOD, ACCOUNT, ENDS, NOW) == AGENT


@pytest.mark.parametrize(
    ("reviewed", "ends", "reason", "words"),
    [
        pytest.param(
            Reviewed(None, (), "service account token has expired"),
            ENDS,
            Reason.IdentityUnproven,
            ["service account token has expired", "projected token", "--token-file"],
            id="not-taken",
        ),
        pytest.param(Reviewed(None), ENDS, Reason.IdentityUnproven, ["audience nicfleet-coordinator"], id="no-error"),
        pytest.param(replace(GOOD, audiences=()), ENDS, Reason.IdentityUnproven, ["audience"], id="no-audience"),
        pytest.param(
            replace(GOOD, audiences=("https://kubernetes.default.svc",)),
            ENDS,
            Reason.IdentityUnproven,
            ["not for audience nicfleet-coordinator"],
            id="a-server-that-ignores-audiences",
        ),
        pytest.param(GOOD, NOW, Reason.IdentityUnproven, ["has expired", "kubelet"], id="taken-though-expired"),
        pytest.param(
            replace(GOOD, user=user("system:serviceaccount:default:nicfleet-agent")),
            ENDS,
            Reason.IdentityForeign,
            ["of system:serviceaccount:default:nicfleet-agent", ACCOUNT, "--agent-service-account"],
            id="same-name-in-another-namespace",
        ),
        pytest.param(
            replace(GOOD, user=user("admin")), ENDS, Reason.IdentityForeign, ["of admin"], id="an-administrator"
        ),
        pytest.param(
            replace(GOOD, user=user(node_name="")), ENDS, Reason.IdentityForeign, ["1.30"], id="kubernetes-is-too-old"
        ),
        pytest.param(replace(GOOD, user=user(pod_name="")), ENDS, Reason.IdentityForeign, ["no pod"], id="no-pod"),
        pytest.param(GOOD, None, Reason.IdentityForeign, ["projected"], id="never-ends"),
    ],
)
def test_no_agent_is_proved(reviewed: Reviewed, ends: float | None, reason: Reason, words: list[str]) -> None:
    found = agent_of(reviewed, ACCOUNT, ends, NOW)
    assert isinstance(found, Finding)
    assert found.reason is reason
    for word in words:
        assert word in found.message


def test_a_long_error_of_the_api_server_is_cut() -> None:
    found = agent_of(Reviewed(None, (), "x" * 10_000), ACCOUNT, ENDS, NOW)
    assert isinstance(found, Finding)
    assert len(found.message) < 500


@pytest.mark.parametrize(
    ("agent", "node", "known_uid", "words"),
    [
        pytest.param(AGENT, "worker-1", "uid-1", None, id="its-own-node"),
        pytest.param(AGENT, "worker-1", "", None, id="a-node-not-seen-yet"),
        pytest.param(replace(AGENT, node_uid=""), "worker-1", "uid-1", None, id="no-uid-in-the-token"),
        pytest.param(
            AGENT, "worker-2", "uid-2", ["nicfleet-agent-x on node worker-1", "worker-2", "--node-name"], id="another"
        ),
        pytest.param(AGENT, "worker-2", "", ["worker-1"], id="another-not-seen-yet"),
        pytest.param(AGENT, "worker-1", "uid-2", ["earlier Node", "uid-1", "uid-2", "delete pod"], id="made-anew"),
    ],
)
def test_it_speaks_for_its_own_node_only(agent: Agent, node: str, known_uid: str, words: list[str] | None) -> None:
    found = objection(agent, node, known_uid)
    if words is None:
        assert found is None
        return
    assert found is not None
    assert found.reason is Reason.IdentityForeign
    for word in words:
        assert word in found.message


def test_a_viewer_is_told_what_to_do() -> None:
    assert "kubectl create token" in unknown_viewer(Reviewed(None)).message
    found = forbidden(User("system:serviceaccount:default:dashboard"))
    assert found.reason is Reason.ViewForbidden
    assert "system:serviceaccount:default:dashboard may not read the fleet: bind the ClusterRole" in found.message
