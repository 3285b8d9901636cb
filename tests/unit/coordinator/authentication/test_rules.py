"""Whom a reviewed token proves, and why it does not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from coordinator.authentication.claims import Claims
from coordinator.authentication.rules import (
    Agent,
    Reviewed,
    User,
    agent_of,
    end_of_agents,
    end_of_viewers,
    forbidden,
    objection,
    unfit_for_agents,
    unfit_for_viewers,
    unknown_viewer,
)
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
    assert agent_of(GOOD, ACCOUNT, ENDS) == AGENT


@pytest.mark.parametrize(
    ("unfit", "longest", "fix"),
    [
        pytest.param(unfit_for_agents, 4096, "mount a projected token", id="agent"),
        pytest.param(unfit_for_viewers, 12288, "kubectl create token", id="viewer"),
    ],
)
def test_nobody_is_asked_about_a_token_that_is_longer_than_any(
    unfit: Callable[[str], Finding | None], longest: int, fix: str
) -> None:
    assert unfit("t" * longest) is None
    found = unfit("t" * (longest + 1))
    assert found is not None
    assert found.reason is Reason.IdentityUnproven
    assert f"has {longest + 1} bytes, {longest} are allowed" in found.message
    assert fix in found.message


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param(Claims(ENDS, "nicfleet-coordinator"), ENDS, id="good"),
        pytest.param(Claims(ENDS, ("vault", "nicfleet-coordinator")), ENDS, id="for-others-too"),
        pytest.param(None, "is no token of a pod: mount", id="no-jwt"),
        pytest.param(Claims(None, "nicfleet-coordinator"), "is no token of a pod: mount", id="never-ends"),
        pytest.param(Claims(NOW, "nicfleet-coordinator"), "has expired: see why the kubelet", id="expired"),
        pytest.param(Claims(ENDS, "vault"), "not for audience nicfleet-coordinator: mount", id="another-audience"),
        pytest.param(Claims(ENDS), "not for audience nicfleet-coordinator: mount", id="no-audience"),
    ],
)
def test_what_an_agents_token_must_say_itself(claims: Claims | None, expected: float | str) -> None:
    found = end_of_agents(claims, NOW)
    if isinstance(found, Finding):
        assert found.reason is Reason.IdentityUnproven
        assert str(expected) in found.message
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param(Claims(ENDS, "vault"), ENDS, id="ends"),
        pytest.param(Claims(), None, id="never-ends"),
        pytest.param(None, None, id="no-jwt"),
    ],
)
def test_a_viewers_token_may_be_of_any_kind(claims: Claims | None, expected: float | None) -> None:
    assert end_of_viewers(claims, NOW) == expected


def test_a_viewers_token_must_not_have_expired() -> None:
    found = end_of_viewers(Claims(NOW), NOW)
    assert isinstance(found, Finding)
    assert found.reason is Reason.IdentityUnproven
    assert "has expired" in found.message


@pytest.mark.parametrize(
    ("reviewed", "reason", "words"),
    [
        pytest.param(
            Reviewed(None, (), "service account token has expired"),
            Reason.IdentityUnproven,
            ["service account token has expired", "projected token", "--token-file"],
            id="not-taken",
        ),
        pytest.param(Reviewed(None), Reason.IdentityUnproven, ["audience nicfleet-coordinator"], id="no-error"),
        pytest.param(replace(GOOD, audiences=()), Reason.IdentityUnproven, ["audience"], id="no-audience"),
        pytest.param(
            replace(GOOD, audiences=("https://kubernetes.default.svc",)),
            Reason.IdentityUnproven,
            ["not for audience nicfleet-coordinator"],
            id="a-server-that-ignores-audiences",
        ),
        pytest.param(
            replace(GOOD, user=user("system:serviceaccount:default:nicfleet-agent")),
            Reason.IdentityForeign,
            ["of system:serviceaccount:default:nicfleet-agent", ACCOUNT, "--agent-service-account"],
            id="same-name-in-another-namespace",
        ),
        pytest.param(replace(GOOD, user=user("admin")), Reason.IdentityForeign, ["of admin"], id="an-administrator"),
        pytest.param(
            replace(GOOD, user=user(node_name="")), Reason.IdentityForeign, ["1.30"], id="kubernetes-is-too-old"
        ),
        pytest.param(replace(GOOD, user=user(pod_name="")), Reason.IdentityForeign, ["no pod"], id="no-pod"),
    ],
)
def test_no_agent_is_proved(reviewed: Reviewed, reason: Reason, words: list[str]) -> None:
    found = agent_of(reviewed, ACCOUNT, ENDS)
    assert isinstance(found, Finding)
    assert found.reason is reason
    for word in words:
        assert word in found.message


def test_a_long_error_of_the_api_server_is_cut() -> None:
    found = agent_of(Reviewed(None, (), "x" * 10_000), ACCOUNT, ENDS)
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
